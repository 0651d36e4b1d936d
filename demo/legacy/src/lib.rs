//! kios: a shop program of the old kind, to move away from.
//!
//! Many shops in one database, on SQLite or on PostgreSQL. It shares no code with anything else here and knows of
//! nobody: not of a gateway before it, not of a copy being made, not of triggers that others put on its tables. What
//! it cannot write it answers with 503, whatever the reason.
//!
//! Its traps are those of real programs: ids counted up and shown outside, price and stock in one row, money as
//! decimal text, words of fixed width for states, local times without a zone, columns that nobody understands, a stock
//! trigger, reads that count views, tax rounded on every line, customers shared by all shops.

mod archive;
mod arguments;
mod browser;
mod cart;
mod cashier;
mod catalog;
mod checkout;
mod clock;
mod database;
mod details;
mod give_back;
mod invoice;
mod load;
mod loket;
mod money;
mod order;
mod page;
mod pay_page;
mod pesanan;
mod postgres;
mod rounds;
mod seed;
mod server;
mod shop;
mod sqlite;
mod value;
mod wire;

pub use database::Database;
pub use load::{Summary, init, summary};
pub use loket::Provider;
pub use server::{Keys, serve, serve_with};

use anyhow::Context;
use arguments::Arguments;
use std::io::{Read, Write};
use tokio::net::TcpListener;

/// Threads that wait for the database: a few more than there are connections.
const THREADS_MAX: usize = 64;

/// Exit status where something outside is missing.
const ENVIRONMENT: i32 = 3;

/// The whole process: opens the database, makes it if asked to, says its shops (`shop 7 Toko Halim 7`, one a line) and
/// then `ready` on stdout, and serves until stdin ends.
/// Leaves the process with status 3 where the history is not in the data folder.
///
/// # Errors
/// Arguments that are wrong, a database or a port that cannot be had.
pub fn run(args: Vec<String>) -> anyhow::Result<()> {
    let arguments = Arguments::parse(args)?;
    if let Some(missing) = arguments.data.as_deref().map(archive::file_in).filter(|file| !file.is_file()) {
        eprintln!("kios: the history is missing: {} is not there; --data names its folder", missing.display());
        std::process::exit(ENVIRONMENT);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS_MAX)
        .enable_all()
        .build()?;
    let served = runtime.block_on(work(arguments));
    // Whoever still waits for the database is not waited for.
    runtime.shutdown_background();
    served
}

async fn work(arguments: Arguments) -> anyhow::Result<()> {
    let database = Database::open(&arguments.database).await?;
    if arguments.init {
        let made = init(&database, arguments.seed, arguments.shops, arguments.data.as_deref()).await?;
        eprintln!("kios: {} shops, {} archived lines", made.shops.len(), made.archived_lines);
    }
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("listen on port {}", arguments.port))?;
    eprintln!("kios: http://{}", listener.local_addr()?);
    let mut out = std::io::stdout();
    for (id, name) in load::names(&database).await? {
        writeln!(out, "shop {id} {name}")?;
    }
    writeln!(out, "ready")?;
    out.flush()?;
    let keys = arguments.keys;
    let serving = async {
        match &arguments.provider {
            Some(provider) => serve_with(listener, database, keys, provider).await,
            None => Ok(serve(listener, database, keys).await?),
        }
    };
    tokio::select! {
        served = serving => served,
        () = end_of_input() => Ok(()),
    }
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
