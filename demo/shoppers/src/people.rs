//! What people bought by hand, at the host page, while the shoppers were at it: it belongs into the books of a shop too.
//!
//! The host page writes a checkout down before it completes it, one path a line. Here it is looked up what became of each.
//! Absent on purpose: whether what they saw was right. Nobody but them knows what they saw.

use crate::memory::Change;
use crate::plan::Plan;
use crate::seen::{Kind, Seen};
use crate::world::World;
use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

/// Beside the addresses; docs/contracts.md names it.
const COMPLETED: &str = "people.txt";

/// Counts what the checkouts of people sold. No one may be buying any more.
pub async fn count(world: &World) -> anyhow::Result<()> {
    for (shop, checkout) in completed(world.client.addresses_file())? {
        let exchange = world.client.send(&Plan::get(&shop, Kind::Checkout, &checkout)).await;
        let answer = exchange.answer.with_context(|| format!("shop {shop} does not say what became of {checkout}"))?;
        // One that was refused, or has expired, sold nothing.
        let Ok(seen) = Seen::parse(Kind::Checkout, &answer.body) else { continue };
        let Some(order) = &seen.order else { continue };
        if let Some(memory) = world.oracle.borrow_mut().memories.get_mut(&shop) {
            memory.orders.insert(checkout, order.clone());
            for line in &seen.lines {
                let sold = Change::Sold { product: line.product.clone(), units: line.quantity };
                memory.apply(&sold, Instant::now());
            }
        }
    }
    Ok(())
}

/// Shop and checkout of each line, once.
fn completed(addresses: &Path) -> anyhow::Result<BTreeSet<(String, String)>> {
    let file = addresses.with_file_name(COMPLETED);
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
    use super::parsed;

    #[test]
    fn a_line_is_the_path_of_a_checkout() {
        assert_eq!(parsed("/shops/7/checkout-sessions/20095").unwrap(), ("7".into(), "20095".into()));
        for line in ["", "/shops/7/checkout-sessions/1/complete", "/shops/7/carts/1", "shops/7/checkout-sessions/1"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
