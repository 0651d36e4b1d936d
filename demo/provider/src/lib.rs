//! loket: a payment provider to be paid through, and to be let down by.
//!
//! It shares no code with anything else here. It has a book of its own, which is the truth about money: what was asked
//! for, what buyers paid, what went back. Three doors: the API that a shop calls, the pages on which a buyer pays, and a
//! control by which a test plays buyer, bank and bad luck. What it tells a shop by itself it signs with a time, repeats
//! until it is heard, and, when it was told to, loses, doubles or forges.
//!
//! Amounts are whole rupiah here, as the rails of its country have them.

mod api;
mod arguments;
mod book;
mod card;
mod charge;
mod clock;
mod control;
mod door;
mod fault;
mod notice;
mod page;
mod pay_code;
mod refund;
mod schema;
mod sign;
mod statement;

pub use arguments::{Arguments, Keys};
pub use book::Book;
pub use fault::OF_CALLS as FAULTS_OF_CALLS;
pub use sign::{signature, verify};

use anyhow::Context;
use std::io::{Read, Write};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The doors of a provider that runs.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    pub api: std::net::SocketAddr,
    pub page: std::net::SocketAddr,
    pub control: std::net::SocketAddr,
}

/// The whole process: says its doors (`api URL`, `page URL`, `control URL`) and then `ready` on stdout, and serves until
/// stdin ends.
///
/// # Errors
/// Arguments that are wrong, a file or a port that cannot be had.
pub fn run(args: Vec<String>) -> anyhow::Result<()> {
    let arguments = Arguments::parse(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let (doors, serving) = open(arguments).await?;
        let mut out = std::io::stdout();
        for (name, at) in [("api", doors.api), ("page", doors.page), ("control", doors.control)] {
            writeln!(out, "{name} http://{at}")?;
        }
        writeln!(out, "ready")?;
        out.flush()?;
        tokio::select! {
            served = serving => served,
            () = end_of_input() => Ok(()),
        }
    });
    runtime.shutdown_background();
    served
}

/// Opens the book and the doors; the future serves until one of them fails.
///
/// # Errors
/// A file or a port that cannot be had.
pub async fn open(
    arguments: Arguments,
) -> anyhow::Result<(Doors, impl Future<Output = anyhow::Result<()>> + Send + 'static)> {
    let [api, page, control] = arguments.ports;
    let (api, page, control) = (bind(api).await?, bind(page).await?, bind(control).await?);
    let doors = Doors { api: api.local_addr()?, page: page.local_addr()?, control: control.local_addr()? };
    let book = Book::open(&arguments.book, format!("http://{}", doors.page))?;
    let keys = Arc::new(arguments.keys);
    let serving = async move {
        tokio::select! {
            served = axum::serve(api, api::router(book.clone(), Arc::clone(&keys))) => Ok(served?),
            served = axum::serve(page, page::router(book.clone()).merge(card::router(book.clone()))) => Ok(served?),
            served = axum::serve(control, control::router(book.clone(), Arc::clone(&keys))) => Ok(served?),
            told = notice::tell_all(book, keys) => told,
        }
    };
    Ok((doors, serving))
}

async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("listen on port {port}"))
}

/// Whoever started us has gone, or wants us to.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of stdin cannot be called off, and must not keep the runtime alive.
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        let mut input = std::io::stdin();
        while matches!(input.read(&mut ignored), Ok(read) if read > 0) {}
        // Nobody may be listening any more.
        let _ = ended.send(());
    });
    drop(end.await);
}
