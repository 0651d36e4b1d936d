//! How a request fails, as opposed to being refused by the shop.

use commerce::{Fault, Refusal};
use store::CommitError;
use vocab::id::{Epoch, Kind, PublicId, Side};

/// Nothing was committed unless said otherwise; the same request with the same key may be repeated.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    #[error("no such shop")]
    UnknownShop,
    /// The caller's route is old: another side takes this shop's writes.
    #[error("the shop is owned by {}", .owner.name())]
    NotOwner { owner: Side },
    /// The caller's route is of another epoch than the head.
    #[error("the head is at epoch {head}")]
    StaleEpoch { head: Epoch },
    /// Between fence and flip of a way back.
    #[error("the shop is being moved")]
    Fenced,
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Other commits came first every time.
    #[error("the resource changes too often; nothing was done")]
    Busy,
    #[error("{} {id} as stored is not what it should be", .kind.name())]
    Broken {
        kind: Kind,
        id: PublicId,
        #[source]
        fault: Fault,
    },
    /// A shop that has a head but no terms: it was not copied yet.
    #[error("the shop's own document is not here")]
    NoTerms,
    /// The store failed; where it closed under way, the write may have been stored, and its key will tell.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Why a decision stops: the shop says no, or the world fails.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(Refusal),
    Failed(Failure),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<commerce::money::Error> for Stop {
    fn from(error: commerce::money::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// What became of a commit that did not happen.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// Load and decide again: this document is not as it was seen.
    Conflict {
        kind: Kind,
        id: PublicId,
    },
    OutOfStock {
        variant: PublicId,
        left: i64,
    },
    TooMuchStock,
    Failed(Failure),
}

impl From<CommitError> for Unwritten {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict { kind, id } => Self::Conflict { kind, id },
            CommitError::OutOfStock { variant, left } => Self::OutOfStock { variant, left },
            CommitError::TooMuchStock { .. } => Self::TooMuchStock,
            CommitError::UnknownShop => Self::Failed(Failure::UnknownShop),
            CommitError::NotOwner { owner } => Self::Failed(Failure::NotOwner { owner }),
            CommitError::WrongEpoch { head } => Self::Failed(Failure::StaleEpoch { head }),
            CommitError::Fenced => Self::Failed(Failure::Fenced),
            CommitError::Store(error) => Self::Failed(error.into()),
        }
    }
}
