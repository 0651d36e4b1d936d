//! Other people's databases: read at a cut, followed change by change, fenced, and written back to.
//!
//! Invariants: a read knows exactly which transactions it contains; the stream tells every committed transaction once
//! per position, in commit order; a closed fence lets no write of its shop commit, whenever the writer began; a fact
//! goes back exactly once.
//! Every object that it makes in the source is named `balik_*`.
//! Absent on purpose: what a row means (tables come in as data), and any decision about a move.

mod copying;
mod cut;
mod declared;
mod error;
mod finding;
mod guards;
pub mod inspect;
mod postgres;
mod source;
mod sql;
mod sqlite;
mod transaction;
mod write_back;

pub use copying::Copying;
pub use cut::{Cut, Position, Tx};
pub use error::{Error, Lost, Result, WriteBackError};
pub use finding::{Code, Finding};
pub use guards::Guards;
pub use source::{Reader, Source, Stream};
pub use transaction::{Last, Marker, SchemaChange, Transaction};
pub use write_back::{Expect, Fence, FenceOutcome, FenceRead, Piece, SharedBy, WriteBack};
