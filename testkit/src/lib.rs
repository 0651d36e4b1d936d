//! What the tests of several crates share.
//!
//! Absent on purpose: anything that knows the product. A test that uses this crate cannot pass because of it.

pub mod axe;
pub mod browser;
pub mod chance;
pub mod html;
pub mod outside;
pub mod postgres;
pub mod server;
pub mod visitor;
