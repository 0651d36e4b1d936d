//! The lease of the one mover, and the folder that its staged rows are in.
//!
//! A store on PostgreSQL is there for several processes, each with a folder of its own. A mover over another folder than the one
//! that began would start with no row, and take changes from the stream that the first one then never sees.

use crate::board::progress;
use crate::error::{Error, Result};
use crate::run::Setup;
use cutover::bounds::LEASE_MS;
use cutover::state::State;
use std::time::Duration;
use store::Store;
use vocab::document::Record;
use vocab::id::Timestamp;

/// The lease of the one mover.
pub(crate) const LEASE: &str = "mover";
/// The note that says where the staged rows are.
const FOLDER: &str = "mover.folder";
/// How often is looked whether the lease is free.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
/// And whether what another folder began is over: each look reads the records of every shop.
pub(crate) const LOOK_ELSEWHERE: Duration = Duration::from_secs(2);

/// Takes the lease, if it is free and the staged rows are here.
///
/// # Errors
/// `Elsewhere` where they are in another folder.
pub(crate) async fn take(setup: &Setup) -> Result<bool> {
    let noted = if setup.store.is_shared() { setup.store.noted(FOLDER).await? } else { None };
    let elsewhere = noted.as_ref().and_then(|noted| noted.text("folder")).filter(|folder| *folder != setup.folder);
    if let Some(folder) = elsewhere
        && is_under_way(&setup.store).await?
    {
        return Err(Error::Elsewhere(folder.to_owned()));
    }
    let now = (setup.clock)();
    let until = Timestamp(now.0 + i64::from(LEASE_MS) * 1_000);
    let taken = setup.store.take_lease(LEASE, &setup.holder, now, until).await?;
    if taken && setup.store.is_shared() && (noted.is_none() || elsewhere.is_some()) {
        setup.store.note(FOLDER, Record::default().with("folder", &*setup.folder)).await?;
    }
    Ok(taken)
}

/// Whether a shop was begun and is not sealed: there are rows that belong to it.
async fn is_under_way(store: &Store) -> Result<bool> {
    for head in store.heads().await? {
        let (_, stands) = progress(store, &head.shop).await?;
        if !matches!(stands.state(), State::Planned | State::Sealed) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Renews the lease until another has it.
pub(crate) async fn renew(setup: Setup) -> Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(u64::from(LEASE_MS) / 4)).await;
        let until = Timestamp((setup.clock)().0 + i64::from(LEASE_MS) * 1_000);
        if !setup.store.renew_lease(LEASE, &setup.holder, until).await? {
            return Err(Error::LeaseLost);
        }
    }
}
