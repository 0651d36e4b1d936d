//! What most measurements move: shops of the demo's legacy, kios, from the PostgreSQL server that is named, by this
//! executable again, in its other parts.

use crate::children::until_ready;
use anyhow::Result;
use std::path::Path;
use store::{Plan, PlanFile, PlannedShop};
use tokio::process::{Child, Command};
use vocab::id::{Part, ShopId};

/// The bearer keys, of this run only.
pub const HOST_KEY: &str = "host";
pub const SELLER_KEY: &str = "seller";

const KIOS: &str = include_str!("../demo/legacy/mapping/kios.toml");
const KIOS_TOTALS: &str = include_str!("../demo/legacy/mapping/kios.totals.toml");

/// Says what is missing where no PostgreSQL server is named.
pub fn server_is_named() -> Result<()> {
    let name = testkit::postgres::SERVER;
    anyhow::ensure!(
        std::env::var_os(name).is_some(),
        "{name} names no PostgreSQL server; it needs one with wal_level = logical on which databases may be created, \
         for example {name}=postgres://postgres@127.0.0.1:5432/postgres"
    );
    Ok(())
}

/// Starts this executable as one of its parts, and waits until it is ready.
pub async fn child(args: &[String]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args);
    until_ready(command, &args[0]).await
}

/// The demo's legacy program, with so many shops, at this port.
pub async fn legacy(database: &str, shops: u32, port: u16) -> Result<Child> {
    let (shops, port) = (shops.to_string(), port.to_string());
    let args = ["legacy", "--database", database, "--init", "--shops", &shops, "--port", &port];
    child(&with_keys(&args)).await
}

/// Backend, seam and mover over a work folder, before the legacy at its port.
pub async fn serving(work: &Path, seam: u16, backend: u16, legacy: u16) -> Result<Child> {
    let (work, legacy) = (work.display().to_string(), format!("127.0.0.1:{legacy}"));
    let (seam, backend) = (seam.to_string(), backend.to_string());
    let args = ["serving", "--work", &work, "--seam-port", &seam, "--backend-port", &backend, "--legacy", &legacy];
    child(&with_keys(&args)).await
}

fn with_keys(args: &[&str]) -> Vec<String> {
    let keys = ["--host-key", HOST_KEY, "--seller-key", SELLER_KEY];
    args.iter().chain(&keys).map(|&arg| arg.to_owned()).collect()
}

/// Every session of the database is the legacy's, save ours, unless the policy says whose are.
pub fn plan(source: &str, shops: &[ShopId], policy: &str) -> Plan {
    let file = |name: &str, text: &str| PlanFile { name: name.to_owned(), text: text.to_owned() };
    Plan {
        source: source.to_owned(),
        mappings: vec![file("kios.toml", KIOS)],
        totals: vec![file("kios.totals.toml", KIOS_TOTALS)],
        policy: policy.to_owned(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: shops.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }).collect(),
        deadline: None,
        created_at: (baliklayar::serving::clock())(),
    }
}
