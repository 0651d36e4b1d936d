//! Words that every crate shares: ids, sides, epochs, timestamps, documents and source rows.
//!
//! Plain data and nothing else: whatever decides, converts or stores lives above.
//! Absent on purpose: behaviour, I/O, clocks, floats.

pub mod document;
pub mod id;
pub mod row;
pub mod shape;
