//! `serve`: shops behind host apps, for as long as they sell. With a settings file, or as a sandbox to try out.

mod config;
mod sandbox;

use crate::exit::{Ears, Exit};
use crate::serving::{Setting, serve};
use anyhow::{Context, Result};
use config::{Config, Secrets, Wrong};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use store::Store;
use vocab::document::Record;
use vocab::id::Side;

/// How shops are to be served.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Settings; where the file is not there it is made, with new keys, and explained
    #[arg(long, required_unless_present = "sandbox", conflicts_with = "sandbox")]
    config: Option<PathBuf>,
    /// A shop, a payment provider and a host page to try out, on this machine only
    #[arg(long)]
    sandbox: bool,
    /// First of the sandbox's ports on 127.0.0.1; 0 takes free ones
    #[arg(long, default_value_t = 7400, requires = "sandbox")]
    port: u16,
    /// Folder of the store, instead of the settings' (which BALIK_WORK is too); without it a sandbox is gone when it ends
    #[arg(long)]
    work: Option<PathBuf>,
    /// postgres://… of a database for the store; without it, and without BALIK_STORE, the store of settings is a file in the folder
    #[arg(long)]
    store: Option<String>,
}

/// Serves until the process is asked to end: politely (exit status 0) or by Ctrl-C (130).
pub async fn run(args: Args) -> Result<Exit> {
    let ears = Ears::open();
    match &args.config {
        // Nothing that stands in the environment: it may be that of shops which are in earnest.
        None => Box::pin(sandbox::run(&args, ears)).await,
        Some(file) => match Box::pin(with_settings(&args, file, ears)).await {
            Err(error) if error.downcast_ref::<Wrong>().is_some() => {
                eprintln!("baliklayar: {error}");
                Ok(Exit::Usage)
            }
            ended => ended,
        },
    }
}

async fn with_settings(args: &Args, file: &Path, ears: Ears) -> Result<Exit> {
    if let Some(keys) = config::make(file)? {
        eprintln!(
            "There was no {}: it was made, and can be changed. The keys of the host app and of sellers are in {}: hand them to whoever \
             calls, and delete it; the settings have only their digests.",
            file.display(),
            keys.display()
        );
    }
    let mut config = Config::read(file)?;
    let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    if let Some(work) = args.work.clone().or_else(|| said("BALIK_WORK").map(PathBuf::from)) {
        config.work = work;
    }
    let url = args.store.clone().or_else(|| said("BALIK_STORE"));
    let store = open(url.as_deref(), &config.work)?;
    let shops = store.heads().await?;
    if config.legacy.is_none() && shops.iter().any(|head| head.owner == Side::Legacy) {
        let why = "shops in the store are still their legacy's: say in `legacy` where its program is";
        return Err(Wrong(format!("{}: {why}", file.display())).into());
    }
    let secrets = secrets(&store).await?;
    let setting = config.setting(secrets)?;
    let told = told(&setting, shops.len());
    Box::pin(until_asked(store, setting, ears, move || eprintln!("{told}"))).await
}

/// Serves, and says how the process should end.
async fn until_asked(store: Store, setting: Setting, mut ears: Ears, ready: impl FnOnce()) -> Result<Exit> {
    let asked = Cell::new(Exit::Clean);
    Box::pin(serve(store, setting, ready, async { asked.set(ears.asked().await) })).await?;
    Ok(asked.get())
}

/// What whoever started it wants to know next.
fn told(setting: &Setting, shops: usize) -> String {
    let or_none =
        |at: Option<std::net::SocketAddr>, path: &str| at.map_or("none".to_owned(), |at| format!("http://{at}{path}"));
    let mut text = format!(
        "ready: {shops} shops; host apps at http://{}, console {}, figures {}, health at /health and /ready of the first",
        setting.seam,
        or_none(setting.console, "/"),
        or_none(setting.metrics, "/metrics"),
    );
    if shops == 0 {
        text += "\nThere is no shop yet: `baliklayar move plan --work ";
        text += &setting.work.display().to_string();
        text += "` begins to bring those of a legacy here; `baliklayar serve --sandbox` has one to try out.";
    }
    if setting.provider.is_none() && !setting.instant {
        text += "\nNobody can pay yet: the settings name no provider.";
    }
    text
}

fn open(url: Option<&str>, work: &Path) -> Result<Store> {
    let opened = url.map_or_else(|| Store::open(work), |url| Store::open_at(work, url));
    opened.context("opening the store")
}

/// In the store, so that every process over it makes the same links.
const LINKS: &str = "serve.links";

/// Of the environment, or of the store, where they are made at the first time.
async fn secrets(store: &Store) -> Result<Secrets> {
    let fresh =
        Record::default().with("invoices", config::fresh_key("invoices")?).with("pages", config::fresh_key("pages")?);
    let kept = store.note_first(LINKS, fresh).await?;
    let of = |name: &str, variable: &str| match std::env::var(variable) {
        Ok(secret) if !secret.is_empty() => Ok(secret),
        Ok(_) | Err(_) => kept.text(name).map(str::to_owned).with_context(|| format!("the note {LINKS} has no {name}")),
    };
    Ok(Secrets { invoices: of("invoices", "BALIK_INVOICE_KEY")?, pages: of("pages", "BALIK_PAGE_KEY")? })
}
