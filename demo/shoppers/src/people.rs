//! What people bought by hand, at the host page, while the shoppers were at it: it belongs into the books of a shop too.
//!
//! The host page writes a checkout down before it completes it or offers the link to the page where it is paid, one path a
//! line. Here it is looked up what became of each: what was sold, and what is kept for somebody who pays in their own time.
//! Absent on purpose: whether what they saw was right. Nobody but them knows what they saw.

use crate::memory::{Change, Memory};
use crate::plan::Plan;
use crate::seen::{Kind, Seen};
use crate::world::World;
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

/// Beside the addresses; docs/contracts.md names it.
const WRITTEN_DOWN: &str = "people.txt";
/// A checkout's status while its units are kept for whoever pays.
const BEING_PAID: &str = "complete_in_progress";

/// Counts what the checkouts of people sold. No one may be buying any more.
pub async fn count(world: &World) -> anyhow::Result<()> {
    for (shop, checkout) in written_down(world.client.addresses_file())? {
        let exchange = world.client.send(&Plan::get(&shop, Kind::Checkout, &checkout)).await;
        let answer = exchange.answer.with_context(|| format!("shop {shop} does not say what became of {checkout}"))?;
        // One that was refused, or has expired, sold nothing.
        let Ok(seen) = Seen::parse(Kind::Checkout, &answer.body) else { continue };
        if let Some(memory) = world.oracle.borrow_mut().memories.get_mut(&shop) {
            became(memory, seen);
        }
    }
    Ok(())
}

/// Its units are off the shelf where there is an order, or something to pay with. Else it took nothing.
fn became(memory: &mut Memory, seen: Seen) {
    if seen.order.is_none() && seen.status != BEING_PAID {
        return;
    }
    for line in &seen.lines {
        let sold = Change::Sold { product: line.product.clone(), units: line.quantity };
        memory.apply(&sold, Instant::now());
    }
    if let Some(order) = seen.order {
        memory.orders.insert(seen.id, order);
    }
}

/// Shop and checkout of each line, once.
fn written_down(addresses: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    let file = addresses.with_file_name(WRITTEN_DOWN);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    text.lines().map(|line| parsed(line).with_context(|| format!("{}: `{line}`", file.display()))).collect()
}

fn parsed(line: &str) -> anyhow::Result<(String, String)> {
    let parts: Vec<&str> = line.split('/').collect();
    match parts.as_slice() {
        ["", "shops", shop, "checkout-sessions", checkout] => Ok(((*shop).to_owned(), (*checkout).to_owned())),
        _ => bail!("is no path of a checkout"),
    }
}

#[cfg(test)]
mod tests {
    use super::{became, parsed};
    use crate::arithmetic::Terms;
    use crate::memory::{Memory, Opening};
    use crate::seen::{Kind, Seen};
    use serde_json::json;
    use std::collections::BTreeMap;

    /// How many of ten are left, and how many orders there are, after a checkout of two.
    fn check(status: &str, order: Option<&str>, due: (i64, usize)) {
        let stock = BTreeMap::from([("p".to_owned(), 10)]);
        let opening = Opening { shop: "1".into(), terms: Terms::new("IDR", 0, 0), stock, orders: Vec::new() };
        let mut memory = Memory::new(opening);
        let order = order.map(|id| json!({"id": id}));
        let line = json!({"id": "l", "item": {"id": "p", "price": 500}, "quantity": 2, "totals": []});
        let shown = json!({"id": "c", "status": status, "line_items": [line], "totals": [], "order": order});
        became(&mut memory, Seen::parse(Kind::Checkout, &shown).unwrap());
        assert_eq!((memory.moves().left(), memory.orders.len()), due, "{status}");
    }

    #[test]
    fn what_is_ordered_or_being_paid_is_off_the_shelf() {
        check("completed", Some("o"), (8, 1));
        check("complete_in_progress", None, (8, 0));
        check("ready_for_complete", None, (10, 0));
        check("canceled", None, (10, 0));
    }

    #[test]
    fn a_line_is_the_path_of_a_checkout() {
        assert_eq!(parsed("/shops/7/checkout-sessions/20095").unwrap(), ("7".into(), "20095".into()));
        for line in ["", "/shops/7/checkout-sessions/1/complete", "/shops/7/carts/1", "shops/7/checkout-sessions/1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
