//! The mapping, from the outside: files in, documents, edits and diagnostics out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod backend;
mod demo_files;
mod laws;
mod mutants;
mod outside;
mod paying;
mod refused;
mod world;
