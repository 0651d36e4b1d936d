//! The threads of a seam: each has a runtime, client connections and kept connections to owners of its own.
//!
//! Invariant: a request is read, decided, forwarded and answered on the thread on which its connection came in; what
//! threads share is the gates and the routes. So one hold, one queue and one count of what is in flight are in force
//! on all of them at once.
//! Absent on purpose: a listener per thread. One thread accepts, and gives each connection to the thread that has the
//! fewest: they stay even, and a port that another process has is still found taken.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinSet, spawn_local};

use crate::connection;
use crate::server::{Service, Shared};

/// Client connections open at the same time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 8_192;

/// Connections accepted that their thread has not taken yet.
const ARRIVED_MAX: usize = 256;

/// Before the next try when the system gives no connection (out of descriptors).
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How far the end of a seam has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing new is accepted, connections close as they fall idle.
    Ending,
    /// What has not ended by now is cut off.
    CutOff,
}

/// Hears how far the end has come.
#[derive(Clone)]
pub struct Ending(watch::Receiver<Phase>);

impl Ending {
    /// Whether the seam was told to end.
    pub fn has_begun(&self) -> bool {
        !matches!(self.0.has_changed(), Ok(false))
    }

    /// Resolves when the seam is told to end, or when nobody is left to tell it.
    pub async fn begun(&mut self) {
        let _ = self.0.wait_for(|phase| *phase != Phase::Running).await;
    }

    /// The same as [`Ending::begun`], for whoever keeps nothing else.
    pub async fn into_begun(mut self) {
        self.begun().await;
    }

    /// Never resolves where nobody is left to cut anything off.
    async fn cut_off(&mut self) {
        if self.0.wait_for(|phase| *phase == Phase::CutOff).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The running threads. Dropped, they end by themselves when their connections have.
pub struct Cores {
    phase: watch::Sender<Phase>,
    /// Closes when the last thread has ended.
    running: mpsc::Receiver<Infallible>,
}

impl Cores {
    pub fn end(&self) {
        self.phase.send_replace(Phase::Ending);
    }

    /// Resolves when every thread has finished what it had.
    pub async fn ended(&mut self) {
        while self.running.recv().await.is_some() {}
    }

    pub fn cut_off(&self) {
        self.phase.send_replace(Phase::CutOff);
    }
}

/// A connection on its way to its thread, and what it counts as until it ends.
struct Arrived {
    stream: std::net::TcpStream,
    open: Open,
}

/// One connection of a thread.
struct Open {
    count: Arc<AtomicUsize>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread as the accepting one sees it.
struct Core {
    open: Arc<AtomicUsize>,
    arrivals: mpsc::Sender<Arrived>,
}

/// Starts as many threads; the first one accepts, too.
///
/// # Errors
/// The system gives no thread or no runtime, or the listener cannot be moved to one.
pub fn start(listener: TcpListener, count: usize, service: &Shared) -> io::Result<Cores> {
    let listener = listener.into_std()?;
    let (phase, heard) = watch::channel(Phase::Running);
    let (alive, running) = mpsc::channel(1);
    let (cores, arriving): (Vec<Core>, Vec<_>) = (0..count.max(1))
        .map(|_| {
            let (arrivals, arriving) = mpsc::channel(ARRIVED_MAX);
            (Core { open: Arc::default(), arrivals }, arriving)
        })
        .unzip();
    let mut accepting = Some((listener, cores));
    for (number, arriving) in arriving.into_iter().enumerate() {
        let thread = Thread {
            accepting: accepting.take(),
            arriving,
            service: service.clone(),
            ending: Ending(heard.clone()),
            _alive: alive.clone(),
        };
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::Builder::new().name(format!("seam-{number}")).spawn(move || thread.run(&tell))?;
        told.recv().map_err(io::Error::other)??;
    }
    Ok(Cores { phase, running })
}

/// What one thread starts with.
struct Thread {
    accepting: Option<(std::net::TcpListener, Vec<Core>)>,
    arriving: mpsc::Receiver<Arrived>,
    service: Shared,
    ending: Ending,
    _alive: mpsc::Sender<Infallible>,
}

impl Thread {
    fn run(self, tell: &std::sync::mpsc::SyncSender<io::Result<()>>) {
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => return tell.send(Err(error)).unwrap_or_default(),
        };
        runtime.block_on(async {
            let Self { accepting, arriving, service, mut ending, _alive } = self;
            if let Some((listener, cores)) = accepting {
                match TcpListener::from_std(listener) {
                    Ok(listener) => drop(spawn_local(accept(listener, cores, ending.clone()))),
                    Err(error) => return tell.send(Err(error)).unwrap_or_default(),
                }
            }
            // Whoever started this waits for the word; if not, there is nobody to serve for.
            let _ = tell.send(Ok(()));
            let (service, work) = Service::new(service);
            tokio::select! {
                () = serve(arriving, Rc::new(service), work, ending.clone()) => {}
                () = ending.cut_off() => {}
            }
        });
    }
}

/// Serves what arrives, until nothing more can and everything has ended.
async fn serve(
    mut arriving: mpsc::Receiver<Arrived>,
    service: Rc<Service>,
    mut work: mpsc::Receiver<Infallible>,
    ending: Ending,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            arrived = arriving.recv() => {
                let Some(Arrived { stream, open }) = arrived else { break };
                let (service, ending) = (Rc::clone(&service), ending.clone());
                connections.spawn_local(async move {
                    // A connection that is gone already has asked for nothing.
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        connection::serve(stream, service, ending).await;
                    }
                    drop(open);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
    // Writes go on when their client has left.
    drop(service);
    while work.recv().await.is_some() {}
}

async fn accept(listener: TcpListener, cores: Vec<Core>, mut ending: Ending) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut begun = pin!(ending.begun());
    loop {
        let (stream, permit) = tokio::select! {
            () = &mut begun => break,
            next = next(&listener, &permits) => next,
        };
        let Some(core) = cores.iter().min_by_key(|core| core.open.load(Ordering::Relaxed)) else { break };
        core.open.fetch_add(1, Ordering::Relaxed);
        let open = Open { count: Arc::clone(&core.open), _permit: permit };
        // A connection that cannot be handed over, and one for a thread that is gone, is closed.
        if let Ok(stream) = stream.into_std() {
            let _ = core.arrivals.send(Arrived { stream, open }).await;
        }
    }
}

async fn next(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
            }
        }
    }
}
