//! What the tables of a store look like, on either engine.

use super::bench::Bench;

/// Of the deployment as a whole, or of nobody's shop yet.
const OF_NO_SHOP: [&str; 7] = ["id_block", "inbox", "lease", "migration", "note", "plan", "wish"];

#[tokio::test]
async fn every_primary_key_begins_with_the_shop() {
    let keys = Bench::new().await.primary_keys().await;
    let (of_shops, of_none): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|(table, _)| !OF_NO_SHOP.contains(&table.as_str()));
    assert!(of_shops.len() >= 12, "only {} tables were found", of_shops.len());
    for (table, first) in of_shops {
        assert_eq!(first.as_deref(), Some("shop"), "the primary key of {table}");
    }
    let mut named: Vec<&str> = of_none.iter().map(|(table, _)| table.as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, OF_NO_SHOP, "an exempt table that is not there");
}
