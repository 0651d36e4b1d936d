//! A seam between two owners, with a heartbeat, for one test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::uri::Authority;
use seam::{Config, Handle, Route, Seam};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vocab::id::{Epoch, ShopId, Side};

use crate::client::{Client, PATIENCE, Reply};
use crate::owner::{Owner, Seen};

pub struct World {
    pub seam: Seam,
    pub handle: Handle,
    pub legacy: Owner,
    pub backend: Owner,
    pub shop: ShopId,
}

impl World {
    /// Shop `a` at Legacy, epoch 1.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let legacy = Owner::start("legacy").await;
        let backend = Owner::start("backend").await;
        let mut config = Config::new(authority(legacy.address), authority(backend.address));
        // A busy machine must not end a hold that a test did not mean to end.
        config.limits.hold_max = PATIENCE;
        config.limits.stale_after = PATIENCE;
        // On a machine with one processor, too.
        config.threads = 2;
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seam = seam::start(listener, config).unwrap();
        let handle = seam.handle();
        let world = Self { seam, handle, legacy, backend, shop: ShopId::parse("a").unwrap() };
        world.handle.publish(&world.route(Side::Legacy, 1)).unwrap();
        world.handle.heartbeat();
        world
    }

    pub fn address(&self) -> SocketAddr {
        self.seam.address()
    }

    pub fn route(&self, owner: Side, epoch: u64) -> Route {
        Route { shop: self.shop.clone(), owner, epoch: Epoch(epoch) }
    }

    /// A hold that no test waits out.
    pub fn hold(&self, epoch: u64) {
        self.handle.hold(&self.shop, Epoch(epoch), Instant::now() + PATIENCE).unwrap();
    }

    pub fn stats(&self) -> seam::Stats {
        self.handle.stats(&self.shop).unwrap()
    }

    /// What both owners got.
    pub fn owners_seen(&self) -> Vec<Seen> {
        [self.legacy.seen(), self.backend.seen()].concat()
    }

    pub async fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        Client::connect(self.address()).await.call(method, path, body).await
    }

    /// Sends a write that will be parked, and waits until it is.
    pub async fn park(&self, method: &str, path: &str, body: &str) -> JoinHandle<Reply> {
        let parked = self.stats().parked;
        let waiting = self.send(method, path, body);
        eventually("parked", || self.stats().parked == parked + 1).await;
        waiting
    }

    /// Sends on a connection of its own, without waiting.
    pub fn send(&self, method: &str, path: &str, body: &str) -> JoinHandle<Reply> {
        let (address, method, path, body) = (self.address(), method.to_owned(), path.to_owned(), body.to_owned());
        tokio::spawn(async move { Client::connect(address).await.call(&method, &path, &body).await })
    }
}

pub fn authority(address: SocketAddr) -> Authority {
    address.to_string().parse().unwrap()
}

/// Looks until it is so; the pause only spares the processor.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let given_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < given_up, "never: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
