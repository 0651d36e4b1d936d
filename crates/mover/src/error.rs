//! What can fail in a move: whose fault it is, and whether a repetition is safe.

use std::time::Duration;
use vocab::id::ShopId;

/// The world failed; a shop's own refusals are findings and stop codes, never this.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the source database: {0}")]
    Source(#[from] capture::Error),
    #[error("our store: {0}")]
    Store(store::Error),
    #[error("the staged rows: {0}")]
    StagedFile(#[from] rusqlite::Error),
    #[error(
        "the staged rows are damaged: {0}; \
             move again in a new work folder, from where the shops are now"
    )]
    Staged(&'static str),
    #[error("a task of the mover ended: {0}")]
    Task(&'static str),
    #[error("shop {0} is not in the plan")]
    UnknownShop(ShopId),
    #[error("the plan: {0}")]
    Plan(String),
    #[error(
        "the staged rows of what is under way are in the folder whose serving.id is `{0}`: serve from that one; \
         if it is lost, docs/runbook.md says what then"
    )]
    Elsewhere(String),
    #[error("the lease of the mover went to another process")]
    LeaseLost,
    /// A finding stops the shop; the step that was under way ends, and says no more than that.
    #[error("the shop was stopped meanwhile")]
    Stopped,
    #[error("the source database has not answered for an hour: is something locked there?")]
    Silent,
}

/// For a world that hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(3_600);

/// What the source is asked, for as long as a world may hang.
pub(crate) async fn answered<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(HANGS, asked).await.unwrap_or(Err(Error::Silent))
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if matches!(error, store::Error::LeaseLost(_)) { Self::LeaseLost } else { Self::Store(error) }
    }
}

pub type Result<T> = std::result::Result<T, Error>;
