//! Serving, watched: when it dies it is started again at once, and the addresses are told anew.

use super::cast::{self, Keys, Ports};
use super::children::Process;
use anyhow::Result;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long serving may take to answer again; the bound is for the outside, this one for giving up.
const READY_MAX: Duration = Duration::from_secs(30);
/// Starts within one run; a program that dies at once is not started for ever.
const STARTS_MAX: u32 = 1_000;

/// What `addresses.json` says.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub ports: Ports,
    pub keys: Keys,
    pub legacy: String,
    pub legacy_pid: Option<u32>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Option<Addresses>,
    serving: Option<u32>,
    shoppers: Option<u32>,
    restarts: u32,
}

/// The watched process.
pub struct Serving {
    folder: PathBuf,
    known: Arc<Mutex<Known>>,
    stop: Option<oneshot::Sender<()>>,
    watching: JoinHandle<()>,
}

impl Serving {
    pub async fn start(args: Vec<String>, keys: Keys, folder: PathBuf) -> Result<Self> {
        let crash = std::env::var("BALIK_CRASH").ok();
        let mut process = spawn(&args, &keys, crash.as_deref())?;
        process.wait_for(READY_MAX, |line| line == "ready").await?;
        let known = Arc::new(Mutex::new(Known { serving: process.pid(), ..Known::default() }));
        let (stop, stopped) = oneshot::channel();
        let watching = tokio::spawn(watch(process, args, keys, folder.clone(), known.clone(), stopped));
        Ok(Self { folder, known, stop: Some(stop), watching })
    }

    /// Writes the addresses, now and after each restart.
    pub async fn publish(&self, addresses: Addresses) -> Result<()> {
        lock(&self.known).addresses = Some(addresses);
        write(&self.folder, &self.known)
    }

    pub fn shoppers_are(&self, pid: Option<u32>) {
        lock(&self.known).shoppers = pid;
        if let Err(error) = write(&self.folder, &self.known) {
            tracing::warn!(%error, "the addresses could not be written");
        }
    }

    pub async fn end(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let _ = self.watching.await;
    }
}

fn spawn(args: &[String], keys: &Keys, crash: Option<&str>) -> Result<Process> {
    let mut envs = vec![
        ("BALIK_HOST_KEY", keys.host.as_str()),
        ("BALIK_SELLER_KEY", keys.seller.as_str()),
        ("BALIK_PROVIDER_KEY", keys.provider.as_str()),
        ("BALIK_PROVIDER_NOTICE_KEYS", keys.notices.as_str()),
        ("BALIK_PAGE_KEY", keys.pages.as_str()),
        // The host page shows how long a tap was held.
        ("BALIK_DEBUG_HEADERS", "1"),
    ];
    envs.extend(crash.map(|point| ("BALIK_CRASH", point)));
    Process::start("serving", args, &envs)
}

async fn watch(
    mut process: Process,
    args: Vec<String>,
    keys: Keys,
    folder: PathBuf,
    known: Arc<Mutex<Known>>,
    mut stopped: oneshot::Receiver<()>,
) {
    for _ in 0..STARTS_MAX {
        tokio::select! {
            _ = &mut stopped => return process.end().await,
            ended = process.ended() => {
                let how = ended.map_or_else(|error| format!("{error:#}"), |status| status.to_string());
                eprintln!("serving ended ({how}) and is started again");
            }
        }
        process = match spawn(&args, &keys, None) {
            Ok(process) => process,
            Err(error) => return eprintln!("serving cannot be started again: {error:#}"),
        };
        {
            let mut known = lock(&known);
            known.serving = process.pid();
            known.restarts += 1;
        }
        if let Err(error) = write(&folder, &known) {
            eprintln!("the addresses could not be written: {error:#}");
        }
        if let Err(error) = process.wait_for(READY_MAX, |line| line == "ready").await {
            eprintln!("serving is not ready again: {error:#}");
        }
    }
}

fn write(folder: &Path, known: &Mutex<Known>) -> Result<()> {
    let known = lock(known);
    let Some(addresses) = &known.addresses else { return Ok(()) };
    let mut text = addresses.ports.addresses();
    text["legacy"] = format!("http://127.0.0.1:{}", addresses.ports.legacy).into();
    text["pids"] = json!({"serving": known.serving, "legacy": addresses.legacy_pid, "shoppers": known.shoppers});
    text["restarts"] = known.restarts.into();
    text["databases"] = json!({"legacy": addresses.legacy, "store": cast::store_url(folder)});
    text["mapping"] = json!(folder.join("mapping/kios.toml"));
    text["keys"] = addresses.keys.addresses();
    cast::write_addresses(folder, &text)
}

fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
