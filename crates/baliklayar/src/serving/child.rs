//! The serving process as the demo's supervisor starts it: told everything on its command line, ended by the end of its input.

use super::{Provider, Setting, serve};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use store::Store;
use tokio::io::AsyncReadExt;

/// How the process is told to serve.
/// Keys are in it: this type does not print itself.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Folder of the store and the staged rows
    #[arg(long)]
    work: PathBuf,
    /// postgres://… of a database for the store, remembered in the folder; without it the store is a file there
    #[arg(long, env = "BALIK_STORE", hide_env_values = true)]
    store: Option<String>,
    #[arg(long)]
    seam_port: u16,
    #[arg(long)]
    backend_port: u16,
    /// Where the console listens; there is none without it
    #[arg(long)]
    console_port: Option<u16>,
    /// host:port of the legacy program
    #[arg(long)]
    legacy: String,
    #[arg(long, env = "BALIK_HOST_KEY", hide_env_values = true)]
    host_key: String,
    #[arg(long, env = "BALIK_SELLER_KEY", hide_env_values = true)]
    seller_key: String,
    /// http://host:port of the payment provider's API; without it buyers can pay by the instant rail only
    #[arg(long)]
    provider: Option<String>,
    #[arg(long, env = "BALIK_PROVIDER_KEY", hide_env_values = true, default_value = "")]
    provider_key: String,
    /// https://host[:port] of the page where the provider takes the number of a card; without it cards are not taken
    #[arg(long)]
    provider_cards: Option<api::WebOrigin>,
    /// The provider's couriers take money at the door
    #[arg(long)]
    cash_on_delivery: bool,
    /// What the provider signs notices with: the key, and behind a comma the one before while it is being replaced
    #[arg(long, env = "BALIK_PROVIDER_NOTICE_KEYS", hide_env_values = true, default_value = "")]
    provider_notice_keys: String,
    /// What links to pages where buyers pay are made with; needed with --provider
    #[arg(long, env = "BALIK_PAGE_KEY", hide_env_values = true, default_value = "")]
    page_key: String,
    /// https://host[:port] of a host app that may show the page where a buyer pays in a frame; without it nobody may
    #[arg(long, env = "BALIK_HOST_ORIGINS", value_delimiter = ',')]
    host_origin: Vec<api::WebOrigin>,
    /// Detector to take away; tests and demo only
    #[arg(long)]
    without: Vec<String>,
    /// Seeded fault; tests and demo only
    #[arg(long)]
    fault: Option<String>,
}

/// Serves until standard input ends. Prints `ready` on standard output once it does.
pub async fn run(args: Args) -> Result<()> {
    if let Ok(point) = std::env::var("BALIK_CRASH") {
        crash::arm(&point).map_err(anyhow::Error::msg)?;
    }
    let opened = args.store.as_ref().map_or_else(|| Store::open(&args.work), |url| Store::open_at(&args.work, url));
    let store = opened.context("opening the store")?;
    Box::pin(serve(store, args.setting()?, say_ready, stdin_ended())).await
}

impl Args {
    fn setting(self) -> Result<Setting> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let provider = match self.provider {
            None => None,
            Some(_) if self.page_key.is_empty() => anyhow::bail!("--provider needs BALIK_PAGE_KEY in the environment"),
            Some(api) => {
                let told = Provider::told(api, self.provider_key, &self.provider_notice_keys)?;
                Some(told.taking(self.provider_cards, self.cash_on_delivery))
            }
        };
        Ok(Setting {
            work: self.work,
            seam: at(self.seam_port),
            backend: at(self.backend_port),
            console: self.console_port.map(at),
            metrics: None,
            public: None,
            legacy: Some(self.legacy),
            keys: api::Keys::of(&self.host_key, &self.seller_key, &self.page_key),
            options: api::Options { rate: None, framed_by: self.host_origin },
            instant: true,
            provider,
            without: self.without,
            fault: self.fault,
        })
    }
}

#[expect(clippy::print_stdout, reason = "the supervisor waits for this line")]
fn say_ready() {
    println!("ready");
}

/// The supervisor holds the other end; when it is gone, so is this process.
async fn stdin_ended() {
    let mut buffer = [0_u8; 64];
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
