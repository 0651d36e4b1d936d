//! The seam between real connections: clients on one side, owners that write down what they get on the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod attacks;
mod bytes;
mod client;
mod cutover;
mod holds;
mod leaving;
mod outside;
mod owner;
mod owners_gone;
mod passing;
mod pushes;
mod refused;
mod waits;
mod world;
