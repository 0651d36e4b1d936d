//! The lease of the one mover, and the folder that its staged rows are in.

use crate::error::{Error, Result};
use crate::run::Setup;
use cutover::bounds::LEASE_MS;
use std::time::Duration;
use vocab::document::Record;
use vocab::id::Timestamp;

/// The lease of the one mover.
pub(crate) const LEASE: &str = "mover";
/// The note that says where the staged rows are.
const FOLDER: &str = "mover.folder";
/// How often is looked whether the lease is free.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Takes the lease, if it is free and the staged rows are here.
pub(crate) async fn take(setup: &Setup) -> Result<bool> {
    if !has_rows(setup).await? {
        return Ok(false);
    }
    let now = (setup.clock)();
    let until = Timestamp(now.0 + i64::from(LEASE_MS) * 1_000);
    Ok(setup.store.take_lease(LEASE, &setup.holder, now, until).await?)
}

/// Whether the staged rows of what was begun are in this folder, or nothing was begun yet. A mover over another folder would
/// begin with no row, and take changes from the stream that the first one never sees.
pub(crate) async fn has_rows(setup: &Setup) -> Result<bool> {
    let noted = match setup.store.noted(FOLDER).await? {
        Some(noted) => noted,
        None => setup.store.note_first(FOLDER, Record::default().with("folder", &*setup.folder)).await?,
    };
    Ok(noted.text("folder") == Some(&*setup.folder))
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
