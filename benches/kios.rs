//! What most measurements move: one shop of the demo's legacy, kios, from the PostgreSQL server that is named, by this
//! executable again, in its other parts.

use crate::children::until_ready;
use anyhow::Result;
use store::{Plan, PlanFile, PlannedShop};
use tokio::process::{Child, Command};
use vocab::id::{Part, ShopId};

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

pub fn plan(source: &str, shop: &ShopId) -> Plan {
    let file = |name: &str, text: &str| PlanFile { name: name.to_owned(), text: text.to_owned() };
    Plan {
        source: source.to_owned(),
        mappings: vec![file("kios.toml", KIOS)],
        totals: vec![file("kios.totals.toml", KIOS_TOTALS)],
        // Every session of the database is the legacy's, save ours.
        policy: String::new(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: vec![PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }],
        deadline: None,
        created_at: (baliklayar::serving::clock())(),
    }
}
