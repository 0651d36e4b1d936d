//! The end of a run: unanswered writes, a last look at everything, the books of every shop, and the report.

use crate::charges;
use crate::check::{self, Checked};
use crate::later::Figures;
use crate::line::Said;
use crate::memory::{Memory, Moves};
use crate::oracle::Oracle;
use crate::people;
use crate::resolve;
use crate::series::Series;
use crate::tally::Counts;
use crate::truth::{Standing, Truth};
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What all shops come to.
#[derive(Debug, Default)]
struct Books {
    moves: Moves,
    left: i64,
    ledger: BTreeMap<String, i64>,
    later: Figures,
    found: u64,
    checks: Vec<(String, Checked)>,
}

/// Settles, looks and adds up. No shopper may be asking any more. The lines are the checks and the report.
pub async fn close(world: &World) -> anyhow::Result<Vec<Said>> {
    let truth = Truth::new(&world.client.addresses().databases);
    resolve::all(world, &truth).await?;
    people::count(world).await?;
    let shops: Vec<String> = world.oracle.borrow().memories.keys().cloned().collect();
    let (mut books, mut collected) = (Books::default(), charges::Books::new());
    for shop in shops {
        let checked = check::shop(world, &shop).await?;
        let standing = truth.standing(&shop).await?;
        let mut oracle = world.oracle.borrow_mut();
        let even = audit(&mut oracle, &shop, &standing);
        books.add(oracle.memories.get(&shop), &shop, checked, &standing, even);
        collected.insert(shop, standing.collected);
    }
    if let Some(charges) = charges::all(world).await? {
        let mut oracle = world.oracle.borrow_mut();
        let Oracle { memories, findings, .. } = &mut *oracle;
        charges::audit(&charges, &collected, memories, findings);
    }
    let oracle = world.oracle.borrow();
    let mut said: Vec<Said> = books.checks.iter().map(|(shop, checked)| checked.said(shop)).collect();
    said.push(report(world, &oracle, &books));
    Ok(said)
}

impl Books {
    /// Edits of a shop's products are found where its stock is even.
    fn add(&mut self, memory: Option<&Memory>, shop: &str, checked: Checked, standing: &Standing, even: bool) {
        let Some(memory) = memory else {
            return;
        };
        let (sum, moves) = (self.moves, memory.moves());
        self.moves = Moves {
            initial: sum.initial + moves.initial,
            sold: sum.sold + moves.sold,
            returned: sum.returned + moves.returned,
            adjusted: sum.adjusted + moves.adjusted,
        };
        memory.later.values().for_each(|later| self.later.add(later));
        self.left += standing.left.values().sum::<i64>();
        for (currency, amount) in &standing.ledger {
            *self.ledger.entry(currency.clone()).or_default() += amount;
        }
        self.found += checked.writes + if even { memory.edits } else { 0 };
        self.checks.push((shop.to_owned(), checked));
    }
}

/// Compares what a shop's owner has with what was acknowledged; says whether its stock is even.
fn audit(oracle: &mut Oracle, shop: &str, standing: &Standing) -> bool {
    let Oracle { memories, findings, .. } = oracle;
    let Some(memory) = memories.get(shop) else {
        return true;
    };
    findings.invoices(shop, Series::of(&standing.invoices));
    let mut even = true;
    for (product, moves) in &memory.stock {
        let (due, left) = (moves.left(), standing.left.get(product).copied());
        if due < 0 || left != Some(due) {
            even = false;
            let oversold = (-due).max(0) + left.map_or(0, |left| (left - due.max(0)).max(0));
            findings
                .stock(oversold, &format!("shop {shop} product {product}: {moves:?} leave {due}, on hand {left:?}"));
        }
    }
    let ours = |checkout: &&String| memory.orders.contains_key(*checkout);
    for checkout in standing.orders_twice.iter().filter(ours) {
        findings.twice(format!("shop {shop} has two orders of checkout {checkout}"));
    }
    for order in standing.paid_twice.iter().filter(|order| memory.orders.values().any(|known| known == *order)) {
        findings.twice(format!("shop {shop} has two captured payments of order {order}"));
    }
    even
}

fn report(world: &World, oracle: &Oracle, books: &Books) -> Said {
    let tally = world.tally.borrow();
    let findings = &oracle.findings;
    let Moves { initial, sold, returned, adjusted } = books.moves;
    let Figures { begun, paid, completed, open } = books.later;
    let sum = |(currency, amount): (&String, &i64)| json!({"currency": currency, "sum_minor": amount});
    let ledger: Vec<Value> = books.ledger.iter().map(sum).collect();
    let oracle_figures = json!({
        "acknowledged": oracle.acknowledged, "found": books.found, "missing": findings.missing.len(),
        "different": findings.different.len(), "twice": findings.twice.len(),
        "unanswered": {"applied": oracle.applied, "not_applied": oracle.not_applied},
        "stock": {"initial": initial, "sold": sold, "returned": returned, "adjusted": adjusted, "left": books.left,
            "oversold": findings.oversold},
        "invoices": {"issued": findings.invoices.issued, "gaps": findings.invoices.gaps,
            "twice": findings.invoices.twice},
        "ledger": ledger,
        "later": {"begun": begun, "paid": paid, "completed": completed, "open": open},
    });
    eprintln!(
        "shoppers: {} requests, {} acknowledged writes",
        tally.sum(|counts: &Counts| counts.sent),
        oracle.acknowledged
    );
    Said::Report {
        requests: tally.requests(),
        oracle: oracle_figures,
        isolation: tally.isolation(),
        reasons: findings.reasons(),
        examples: findings.examples.clone(),
    }
}
