//! Commits that are made in one transaction.

use super::rows::Rows;
use super::seen::Seen;
use super::{CommitError, Committed, Prepared};
use crate::sql::Connection;
use crate::{Result, payments};
use std::collections::BTreeMap;
use vocab::id::{Kind, ShopId};

/// Makes all of them, in their order, and answers each: what is refused has left nothing. The server is asked once for all that
/// those of a shop have to know, and nobody has waited yet for what they write.
///
/// # Errors
/// The database failed, and nothing of it may be kept: who made several may make them again one by one.
pub fn together(connection: &Connection, commits: &[&Prepared]) -> Result<Vec<Result<Committed, CommitError>>> {
    let mut shops: BTreeMap<&ShopId, Vec<usize>> = BTreeMap::new();
    for (nth, prepared) in commits.iter().enumerate() {
        shops.entry(&prepared.commit.shop).or_default().push(nth);
    }
    let mut answers = BTreeMap::new();
    for (shop, places) in shops {
        let some: Vec<&Prepared> = places.iter().map(|nth| commits[*nth]).collect();
        answers.extend(places.into_iter().zip(of_shop(connection, shop, &some)?));
    }
    Ok(answers.into_values().collect())
}

fn of_shop(
    connection: &Connection,
    shop: &ShopId,
    commits: &[&Prepared],
) -> Result<Vec<Result<Committed, CommitError>>> {
    let mut seen = Seen::read(connection, shop, commits)?;
    let mut rows = Rows::default();
    let made: Vec<_> = commits.iter().map(|prepared| seen.make(prepared, &mut rows)).collect();
    rows.write(connection, shop)?;
    for prepared in commits.iter().zip(&made).filter(|(_, made)| made.is_ok()).map(|(prepared, _)| prepared) {
        beside_intents(connection, prepared)?;
    }
    Ok(made)
}

/// What stands beside the intents that a commit writes.
fn beside_intents(connection: &Connection, prepared: &Prepared) -> Result<()> {
    let commit = &prepared.commit;
    for write in commit.writes.iter().filter(|write| write.kind == Kind::Intent) {
        let wake = commit.wakes.iter().find(|wake| wake.intent == write.id).map(|wake| wake.at);
        payments::set(connection, &commit.shop, &write.id, &write.document, wake)?;
    }
    Ok(())
}
