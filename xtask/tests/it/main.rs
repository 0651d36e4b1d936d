//! What a machine can hold of how this workspace is written.

#![expect(clippy::unwrap_used, reason = "a check that cannot read the tree has failed")]

mod arrows;
mod dependencies;
mod documents;
mod source;
mod tidy;
