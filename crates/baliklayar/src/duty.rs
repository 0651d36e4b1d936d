//! Duty: of all serving processes over one store, one does what falls due: payments whose time has come, notices, carts that
//! are too old. Two that did it at once would do no harm, they meet at versions, but ask a provider twice.

use crate::serving::clock;
use anyhow::{Context, Result};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;
use uuid::Uuid;
use vocab::id::Timestamp;

const LEASE: &str = "payments";
/// So long does nothing fall due after its holder was killed, where another goes on.
const LASTS_US: i64 = 5_000_000;
const RENEWED: Duration = Duration::from_secs(1);
/// In the folder of a serving process: who it is, also after it was started again.
const NAME: &str = "serving.id";

/// A clone is the same duty.
#[derive(Clone)]
pub struct Duty {
    store: Store,
    folder: String,
    on: Arc<AtomicBool>,
}

impl Duty {
    /// Nobody is on duty yet.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn of(store: Store, work: &Path) -> Result<Self> {
        Ok(Self { store, folder: name(work)?, on: Arc::default() })
    }

    /// The name of its folder.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// Who this process is among all that were ever over its store: over a file they are of one machine.
    pub fn process(&self) -> String {
        let process = format!("serving-{}", std::process::id());
        if self.store.is_shared() { format!("{process}-{}", self.folder) } else { process }
    }

    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Takes the duty whenever it is free, and keeps it, for ever.
    pub async fn keep(&self) {
        loop {
            self.look().await;
            tokio::time::sleep(RENEWED).await;
        }
    }

    /// Takes the duty if it is free, or renews it.
    pub async fn look(&self) {
        let now = clock()();
        let until = Timestamp(now.0.saturating_add(LASTS_US));
        let held = match self.store.take_lease(LEASE, &self.folder, now, until).await {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!(%error, "who does what falls due cannot be read");
                false
            }
        };
        if self.on.swap(held, Ordering::Relaxed) != held {
            tracing::info!(held, "the duty of what falls due");
        }
    }

    /// Another may take it at once.
    pub async fn end(&self) {
        self.on.store(false, Ordering::Relaxed);
        if let Err(error) = self.store.drop_lease(LEASE, &self.folder).await {
            tracing::warn!(%error, "the duty of what falls due ends by itself only");
        }
    }
}

/// The name of a folder, which it is given when it is first used.
///
/// # Errors
/// The folder cannot be read or written.
pub fn name(work: &Path) -> Result<String> {
    let file = work.join(NAME);
    let made = Uuid::now_v7().simple().to_string();
    match std::fs::OpenOptions::new().write(true).create_new(true).open(&file) {
        Ok(mut new) => {
            let written = new.write_all(made.as_bytes()).and_then(|()| new.sync_all());
            written.with_context(|| format!("writing {}", file.display()))?;
            Ok(made)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let name = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            // Somebody is just writing it, or the machine stopped in the middle.
            anyhow::ensure!(!name.trim().is_empty(), "{} is empty: remove it, and start again", file.display());
            Ok(name.trim().to_owned())
        }
        Err(error) => Err(error).with_context(|| format!("writing {}", file.display())),
    }
}
