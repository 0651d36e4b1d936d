//! The stage of the demo: everything that runs, from its start until the last of it is ended.

use super::cast::{self, Keys, Ports};
use super::children::Process;
use super::fault::Fault;
use super::planned;
use super::postgres::Server;
use super::serving_watch::{self, Serving};
use super::shoppers::Shoppers;
use super::story::{Story, Told};
use super::{Args, Engine, Work, mapping_refused, report};
use crate::exit::{Ears, Exit};
use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Plan, Store};
use vocab::id::ShopId;

/// How long after the story a fault may still wait for its moment: people go on buying until the end.
const FAULT_MAX: Duration = Duration::from_secs(15);

/// Shops that `--keep` leaves with a way back, so that the host page can hold them.
const OPEN_KEPT: usize = 2;

/// Everything that runs.
pub struct Stage {
    folder: PathBuf,
    store: Store,
    shops: Vec<ShopId>,
    server: Option<Server>,
    legacy: Process,
    provider: Process,
    serving: Serving,
    shoppers: Shoppers,
    host: Process,
    legacy_url: String,
}

impl Stage {
    pub async fn set(args: &Args, work: &Work, fault: Option<Fault>) -> Result<Self> {
        let folder = work.folder.clone();
        let ports = Ports::of(args.port, &folder).await?;
        let keys = Keys::fresh(args.seed);
        let (server, program_url, mover_url) = match args.source {
            Engine::Sqlite => {
                let url = format!("sqlite:{}", folder.join("legacy.sqlite").display());
                (None, url.clone(), url)
            }
            Engine::Postgres => {
                let server = Server::start(&cluster(&folder), ports.postgres, work.temporary).await?;
                let (program, mover) = (server.legacy_url(), server.mover_url());
                (Some(server), program, mover)
            }
        };
        let (legacy, names) = cast::start_legacy(args, ports, &program_url, &keys).await?;
        let provider = cast::start_provider(&folder, ports.provider, &keys).await?;
        let store = Store::open(&folder).context("opening the store")?;
        let plan = planned::plan(args, &mover_url, fault)?;
        mover::compile(&plan).map_err(|error| mapping_refused::Refused(error.to_string()))?;
        let shops: Vec<ShopId> = plan.shops.iter().map(|planned| planned.shop.clone()).collect();
        store.create_heads(&shops).await?;
        match store.plan().await? {
            None if !args.manual => {
                store.set_plan(&plan).await?;
            }
            // Taken up again: the source is where it is now, and the rest as it was planned.
            Some(old) if old.source != plan.source => {
                store.set_plan(&Plan { source: plan.source.clone(), ..old }).await?;
            }
            Some(_) | None => {}
        }
        let serving_args = cast::serving_args(args, &folder, ports, fault);
        let serving = Serving::start(serving_args, keys.clone(), folder.clone()).await?;
        planned::write_files(&folder, &plan)?;
        let addresses = serving_watch::Addresses { ports, keys, legacy: mover_url.clone(), legacy_pid: legacy.pid() };
        serving.publish(addresses).await?;
        let shoppers = Shoppers::start(&cast::shopper_args(args, &folder, &shops)).await?;
        serving.shoppers_are(shoppers.pid());
        let host = cast::start_host(&folder, ports, &names, Some(!args.manual)).await?;
        eprintln!(
            "ready: host page http://127.0.0.1:{}, console http://127.0.0.1:{}, host apps at http://127.0.0.1:{}, addresses in {}",
            ports.host,
            ports.console,
            ports.seam,
            folder.join("addresses.json").display()
        );
        Ok(Self { folder, store, shops, server, legacy, provider, serving, shoppers, host, legacy_url: mover_url })
    }

    pub async fn play(mut self, args: &Args, fault: Option<Fault>) -> Result<Exit> {
        let mut ears = Ears::open();
        let told = tokio::select! {
            told = self.story(args, fault) => told?,
            _ = ears.asked() => {
                Box::pin(self.end()).await?;
                return Ok(Exit::Interrupted);
            }
        };
        let Self { folder, store, shops, server, legacy, provider, serving, shoppers, mut host, .. } = self;
        let said = shoppers.finish().await?;
        let found = report::Found { args, store: &store, shops: &shops, told: &told, said: &said, fault };
        let report = report::assemble(&found).await?;
        let exit = report::show(args, &report)?;
        if args.keep {
            eprintln!("everything keeps running; ctrl-c ends it ({})", folder.display());
            host.tell("free").await?;
            eprintln!("the host page can move the last {OPEN_KEPT} shops, which are not sealed");
            Ears::open().asked().await;
        }
        host.end().await;
        Box::pin(end(serving, provider, legacy, server, store, &folder)).await?;
        Ok(exit)
    }

    async fn story(&mut self, args: &Args, fault: Option<Fault>) -> Result<Told> {
        if args.manual {
            return self.wait_for_operator(args).await;
        }
        let tampering =
            fault.map(|fault| fault.tamper(self.folder.clone(), self.legacy_url.clone(), self.shops.clone()));
        let open = if args.keep { OPEN_KEPT } else { 0 };
        let mut story = Story {
            store: &self.store,
            shops: &self.shops,
            seconds: args.seconds,
            surge: args.surge,
            open,
            shoppers: &mut self.shoppers,
        };
        let told = match tampering {
            None => story.tell().await?,
            Some(tampering) => {
                let watching = tokio::spawn(tampering);
                let told = story.tell().await?;
                let seeded = tokio::time::timeout(FAULT_MAX, watching).await;
                let refused_by = seeded.context("no moment came for the fault")?.context("seeding the fault")??;
                Told { refused_by, ..told }
            }
        };
        Ok(told)
    }

    /// An operator moves; the demo only serves until its time is over.
    async fn wait_for_operator(&mut self, args: &Args) -> Result<Told> {
        eprintln!("nothing moves by itself: `baliklayar move plan --work {}` begins", self.folder.display());
        tokio::time::sleep(Duration::from_secs(args.seconds)).await;
        Ok(Told::default())
    }

    async fn end(self) -> Result<()> {
        drop(self.shoppers);
        self.host.end().await;
        Box::pin(end(self.serving, self.provider, self.legacy, self.server, self.store, &self.folder)).await
    }
}

/// Ends what runs, in order; no shop is left between a hold and its release.
async fn end(
    serving: Serving,
    provider: Process,
    legacy: Process,
    server: Option<Server>,
    store: Store,
    folder: &Path,
) -> Result<()> {
    serving.end().await;
    provider.end().await;
    let released = crate::moving::release(store, folder).await.context("releasing what was held");
    legacy.end().await;
    if let Some(server) = server {
        server.stop().await;
    }
    released.map(drop)
}

/// Where the private PostgreSQL cluster of a work folder lives: inside it, unless the server's account cannot enter it.
/// What an earlier run of a folder of the same name left is removed.
fn cluster(folder: &Path) -> PathBuf {
    let may_enter = |at: &Path| at.metadata().is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0);
    let at = if !rustix::process::getuid().is_root() || folder.ancestors().all(may_enter) {
        folder.join("postgres")
    } else {
        let digest = ring::digest::digest(&ring::digest::SHA256, folder.as_os_str().as_encoded_bytes());
        let name: String = crate::hex(&digest.as_ref()[..8]);
        std::env::temp_dir().join(format!("baliklayar-postgres-{name}"))
    };
    if !folder.join("store.sqlite").exists() {
        let _ = std::fs::remove_dir_all(&at);
    }
    at
}
