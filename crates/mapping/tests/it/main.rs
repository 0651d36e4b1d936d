//! The mapping, from the outside: files in, documents, edits and diagnostics out.

mod backend;
mod demo_files;
mod laws;
mod mutants;
mod refused;
mod world;
