//! kios over HTTP, on both engines: what a shopper, a host app and a seller get, and what the tables hold afterwards.

#![expect(clippy::unwrap_used, reason = "what helps a test panics like a test")]

mod archive;
mod files;
mod giving_back;
mod invoices;
mod journey;
mod kios;
mod last_words;
mod loket;
mod paying_later;
mod paying_later_badly;
mod process;
mod repeating;
mod selling;
