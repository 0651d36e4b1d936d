//! (being born)
pub mod shape;
