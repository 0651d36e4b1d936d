//! Kelir, a host app: somebody else's program, with a feed of clips and a yellow basket on each. Shops sell on its screen,
//! and what is behind the screen is none of its business.
//!
//! It knows shops as HTTP in the shapes of docs/ucp.md and shares no code with anything else here. Its server keeps the
//! host's key, sends what the demo's shoppers send, with their patience, and shows what the shops answer. A browser gets
//! pages that work without a script; with one, what changes is put in their place and nothing is loaded again.
//!
//! One thing no host app has: where it is told how, a person can have their shop moved while they buy (`steer`).

mod addresses;
mod assets;
mod basket;
mod checkout;
mod deed;
mod feed;
mod guard;
mod heard;
mod lang;
mod live;
mod options;
mod order;
mod page;
mod people;
mod product;
mod routes;
mod scene;
mod seam;
mod stage;
mod standing;
mod steer;
mod visit;
mod wire;
mod words;

use anyhow::Context;
use options::{Options, Shop};
use people::People;
use seam::Seam;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use steer::Steer;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long what is under way may take to end with the process.
const END_MAX: Duration = Duration::from_secs(1);

/// Pages that are kept true at one time; more are only as true as when they were loaded.
const VIEWERS_MAX: usize = 64;

/// All that a page is made from.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    shops: Vec<Shop>,
    seam: Seam,
    people: People,
    steer: Steer,
    viewers: Arc<Semaphore>,
}

impl App {
    fn new(options: &Options) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Parts {
            shops: options.shops.clone(),
            seam: Seam::new(options.addresses.clone())?,
            people: People::default(),
            steer: Steer::new(options.steering.clone(), options.busy),
            viewers: Arc::new(Semaphore::new(VIEWERS_MAX)),
        })))
    }

    fn shops(&self) -> &[Shop] {
        &self.0.shops
    }

    fn shop(&self, id: &str) -> Option<&Shop> {
        self.0.shops.iter().find(|shop| shop.id == id)
    }

    fn seam(&self) -> &Seam {
        &self.0.seam
    }

    fn people(&self) -> &People {
        &self.0.people
    }

    fn steer(&self) -> &Steer {
        &self.0.steer
    }

    fn viewers(&self) -> Arc<Semaphore> {
        self.0.viewers.clone()
    }
}

/// The whole process: says `ready` on stdout and serves until stdin ends.
///
/// # Errors
/// Arguments that are wrong, addresses that cannot be read, a port that cannot be had.
pub fn run(args: Vec<String>) -> anyhow::Result<()> {
    let options = Options::parse(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .with_context(|| format!("port {} of 127.0.0.1 is not free", options.port))?;
        let app = App::new(&options)?;
        let mut out = std::io::stdout();
        writeln!(out, "ready")?;
        out.flush()?;
        tokio::select! {
            served = axum::serve(listener, routes::router(app.clone())) => Ok(served?),
            () = end_of_input(app) => Ok(()),
        }
    });
    // A page that is still looked at is not waited for; a move that was asked for ends with whoever asked.
    runtime.shutdown_timeout(END_MAX);
    served
}

/// The same on a listener of one's own, for tests.
///
/// # Errors
/// As [`run`].
pub async fn serve(listener: TcpListener, args: &[String]) -> anyhow::Result<()> {
    let app = App::new(&Options::parse(args)?)?;
    Ok(axum::serve(listener, routes::router(app)).await?)
}

/// Whoever started us has gone, or wants us to. Before that the word `free` may come.
async fn end_of_input(app: App) {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of stdin cannot be called off, and must not keep the runtime alive.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line.as_deref() {
                Ok("free") => app.steer().free(),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // Nobody may be listening any more.
        let _ = ended.send(());
    });
    drop(end.await);
}
