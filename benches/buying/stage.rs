//! What is measured: the serving process over a store of its own, and what it and the store's server use.

use crate::children::{end, free_ports};
use crate::kios;
use crate::place::{Engine, Place};
use crate::resources::{Server, of_process};
use crate::shops::Market;
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::process::Child;

/// Nobody listens there: no shop is a legacy's.
const NO_LEGACY: u16 = 9;

/// Processor time, by whom it was used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Of the process that is measured.
    pub ours: Duration,
    /// Of all processes of the store's server; SQLite has none.
    pub database: Duration,
}

impl Cost {
    pub fn since(self, before: Self) -> Self {
        Self { ours: self.ours.saturating_sub(before.ours), database: self.database.saturating_sub(before.database) }
    }
}

/// Whose processor time is counted.
pub struct Meter {
    pid: u32,
    server: Option<Server>,
    /// By which the server was found; it must not end meanwhile, or it would be counted with it.
    _client: Option<tokio_postgres::Client>,
}

impl Meter {
    pub async fn of(pid: u32, place: &Place) -> Result<Self> {
        let client = match &place.database {
            None => None,
            Some(database) => Some(database.connect().await),
        };
        let server = match &client {
            None => None,
            Some(client) => Some(Server::of(client).await?),
        };
        Ok(Self { pid, server, _client: client })
    }

    pub fn now(&self) -> Cost {
        let database = self.server.map_or(Duration::ZERO, |server| server.used().cpu);
        Cost { ours: of_process(self.pid).cpu, database }
    }
}

/// A serving process, with shops that are the backend's.
pub struct Stage {
    pub place: Place,
    pub backend: SocketAddr,
    pub meter: Meter,
    serving: Child,
}

impl Stage {
    pub async fn set(engine: Engine, market: Market) -> Result<Self> {
        let place = Place::new(engine).await?;
        market.open(&place.open()?).await.context("opening the shops")?;
        let [seam, backend] = free_ports()?;
        let serving = kios::serving(place.folder.path(), seam, backend, NO_LEGACY).await?;
        let meter = Meter::of(serving.id().context("the serving process has ended")?, &place).await?;
        let backend = SocketAddr::from((Ipv4Addr::LOCALHOST, backend));
        Ok(Self { place, backend, meter, serving })
    }

    /// Ends the process; the store stays.
    pub async fn end(self) -> Place {
        end(self.serving).await;
        self.place
    }
}
