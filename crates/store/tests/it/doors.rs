//! What the doors of a store let in, whichever engine it is on: this file is a module of each.

pub mod bench;
mod commits;
mod control;
mod copies;
mod crashes;
pub mod imports;
mod overview;
mod payments;
mod reads;
mod serials;
mod tables;
