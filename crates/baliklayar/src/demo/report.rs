//! The report of the demo: what the records say, what the oracle saw, and whether both are clean.

use super::fault::Fault;
use super::story::Told;
use super::{Args, mapping_refused};
use crate::exit::Exit;
use crate::{holds, print};
use anyhow::{Context, Result};
use cutover::bounds::{HOLD_MS_MAX, TAKEOVER_MS_MAX};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::Store;
use vocab::id::{Kind, ShopId, Side};

/// What the report is made from.
pub struct Found<'a> {
    pub args: &'a Args,
    pub store: &'a Store,
    pub shops: &'a [ShopId],
    pub told: &'a Told,
    /// What the shoppers and the oracle said.
    pub said: &'a Value,
    pub fault: Option<Fault>,
}

/// Puts the report together and judges it.
pub async fn assemble(found: &Found<'_>) -> Result<Value> {
    let holds = holds::all(found.store, found.shops).await?;
    let mut reasons: BTreeSet<String> = text_list(&found.said["reasons"]).into_iter().collect();
    let moved = moved(found).await?;
    let findings = findings(found, &mut reasons).await?;
    ledger(found, &mut reasons).await?;
    judge_holds(&holds, &mut reasons);
    for stuck in &found.told.stuck {
        eprintln!("stuck: {stuck}");
        reasons.insert("stuck".to_owned());
    }
    judge_requests(&found.said["requests"], &mut reasons);
    let entities = entities(found).await?;
    let compared: i64 = holds.iter().map(|hold| hold.of.held).sum();
    tracing::debug!(compared, "writes held over all holds");
    let report = json!({
        "schema": "baliklayar.demo-report/1",
        "version": env!("CARGO_PKG_VERSION"),
        "seed": found.args.seed,
        "seconds": found.args.seconds,
        "source": found.args.source.name(),
        "clean": reasons.is_empty(),
        "reasons": reasons,
        "refused_by": found.told.refused_by,
        "shops": {"planned": found.shops.len(), "flipped": moved.flipped, "rolled_back": found.told.rolled_back,
                  "sealed": moved.sealed},
        "requests": found.said["requests"],
        "holds": holds.iter().map(holds::Hold::to_json).collect::<Vec<_>>(),
        "oracle": found.said["oracle"],
        "isolation": found.said["isolation"],
        "entities": entities,
        "verify": {"aggregates": moved.aggregates, "mismatches": findings},
        "progress": moved.progress,
        "evidence": Value::Null,
    });
    if let Some(fault) = found.fault {
        eprintln!("seeded fault {}: reasons {:?}", fault.name(), report["reasons"]);
    }
    Ok(report)
}

/// What the heads and records came to.
struct Moved {
    flipped: usize,
    sealed: usize,
    aggregates: u64,
    progress: Value,
}

async fn moved(found: &Found<'_>) -> Result<Moved> {
    let states = mover::status(found.store).await?;
    let (mut flipped, mut sealed, mut aggregates) = (0, 0, 0);
    for shop in found.shops {
        let head = found.store.head(shop).await?.context("a planned shop has a head")?;
        flipped += usize::from(head.owner == Side::Backend);
        let state = states.record(shop.as_str()).and_then(|row| row.text("state"));
        sealed += usize::from(state == Some("sealed"));
        aggregates += found.store.counts(shop).await?.iter().map(|count| count.documents).sum::<u64>();
    }
    let plan = found.store.plan().await?.context("a demo that moved has a plan")?;
    let reading = crate::count::count(found.store, &plan).await?;
    let parts: Vec<Value> = reading
        .parts
        .iter()
        .map(|count| {
            json!({"part": count.part.name(), "weight_bp": count.weight_bp, "done": count.done, "left": count.left,
                   "total": count.total})
        })
        .collect();
    let bp = |thousandths: u128| u64::try_from(thousandths * 10).unwrap_or(u64::MAX);
    let progress = json!({"formula": "1", "parts": parts, "done_bp": bp(reading.done.thousandths_down()),
                          "left_bp": bp(reading.left.thousandths_up())});
    Ok(Moved { flipped, sealed, aggregates, progress })
}

/// Open findings name their class; returns the number of aggregates that verification found to differ.
async fn findings(found: &Found<'_>, reasons: &mut BTreeSet<String>) -> Result<u64> {
    let mut mismatches = 0;
    for shop in found.shops {
        for finding in found.store.findings(shop).await?.into_iter().filter(|found| found.accepted_by.is_none()) {
            let class = finding.finding.class;
            mismatches += u64::from(&*class == "verify.digest");
            eprintln!("finding of shop {shop}: {class}: {}", finding.finding.detail.text("what").unwrap_or(""));
            reasons.insert(class.to_string());
        }
    }
    Ok(mismatches)
}

async fn ledger(found: &Found<'_>, reasons: &mut BTreeSet<String>) -> Result<()> {
    if found.args.without.iter().any(|detector| detector == "verify.ledger") {
        return Ok(());
    }
    for shop in found.shops {
        if !found.store.unbalanced_orders(shop, 1).await?.is_empty() {
            reasons.insert("verify.ledger".to_owned());
        }
    }
    Ok(())
}

/// A hold that took longer than its deadline and did not end in an abort was never allowed. Where its mover died the
/// seam has refused what waited at the deadline, and the next mover has a bound of its own.
fn judge_holds(holds: &[holds::Hold], reasons: &mut BTreeSet<String>) {
    let (deadline_us, takeover_us) = (i64::from(HOLD_MS_MAX) * 1_000, i64::from(TAKEOVER_MS_MAX) * 1_000);
    for hold in holds {
        let late = match hold.of.taken_over_us {
            Some(us) => (us > takeover_us).then_some("hold.takeover"),
            None => (!hold.of.aborted && hold.of.total_us > deadline_us).then_some("hold.deadline"),
        };
        reasons.extend(late.map(str::to_owned));
    }
}

fn judge_requests(requests: &Value, reasons: &mut BTreeSet<String>) {
    for phase in ["before", "during", "after"] {
        for what in ["failed", "wrong"] {
            if requests[phase][what].as_u64().unwrap_or(0) > 0 {
                reasons.insert(format!("requests.{what}"));
            }
        }
    }
}

async fn entities(found: &Found<'_>) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for shop in found.shops {
        let accepted = accepted(found.store, shop).await?;
        for entity in mover::entities(found.store, shop).await? {
            let class = match entity.class.strip_prefix("history:") {
                Some(why) => why,
                None if entity.class == "live" && entity.mapped == "arsip" => "sale",
                None => entity.class.as_str(),
            };
            let sums = |sums: &mover::Sums| {
                json!({"documents": number(&sums.documents), "rows": number(&sums.rows),
                       "amount": if sums.amount.is_empty() { "0.00" } else { sums.amount.as_str() }})
            };
            let mut source = sums(&entity.source);
            source["currency"] = json!(if entity.mapped == "arsip" { "GBP" } else { "IDR" });
            let history = entity.class.starts_with("history:");
            let none = json!({"documents": 0, "rows": 0, "amount": "0.00"});
            let ours = sums(&entity.ours);
            let refused = sums(&entity.refused);
            let by = if refused["documents"] == 0 { None } else { accepted.get(&entity.kind) };
            let (moved, kept) = if history { (none.clone(), ours) } else { (ours, none.clone()) };
            let flat = entity.mapped == "arsip" && entity.kind == Kind::Order;
            let name = if flat { "document" } else { entity.kind.name() };
            rows.push(json!({"shop": shop.as_str(), "entity": name, "kind": entity.kind.name(), "class": class,
                "source": source, "moved": moved, "history": kept, "merged": none, "refused": refused,
                "changing": entity.changing, "accepted_by": by.into_iter().flatten().collect::<Vec<_>>()}));
        }
    }
    Ok(rows)
}

/// Who accepted what was refused, by kind.
async fn accepted(store: &Store, shop: &ShopId) -> Result<BTreeMap<Kind, BTreeSet<String>>> {
    let mut accepted: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    for found in store.findings(shop).await? {
        if let Some(by) = found.accepted_by {
            accepted.entry(found.finding.kind).or_default().insert(by);
        }
    }
    Ok(accepted)
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

fn text_list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Shows the report and says how the process should end.
pub fn show(args: &Args, report: &Value) -> Result<Exit> {
    match args.json.as_deref() {
        Some("-") => print(&serde_json::to_string_pretty(report)?),
        Some(path) => {
            std::fs::write(path, serde_json::to_string_pretty(report)?).with_context(|| format!("writing {path}"))?;
            in_words(report);
        }
        None => in_words(report),
    }
    Ok(if report["clean"] == true { Exit::Clean } else { Exit::NotClean })
}

/// A plan that was refused because its mapping is not right is an outcome, and the detector is the coverage check.
pub async fn refused(args: &Args, error: &anyhow::Error) -> Result<Exit> {
    eprintln!("{error:#}");
    let coverage =
        error.downcast_ref::<mapping_refused::Refused>().is_some_and(|refused| refused.0.contains("coverage/"));
    let named = coverage && !args.without.iter().any(|detector| detector == "mapping.coverage");
    let reasons: Vec<&str> = if named { vec!["mapping.coverage"] } else { vec!["mapping"] };
    let report = json!({"schema": "baliklayar.demo-report/1", "version": env!("CARGO_PKG_VERSION"), "seed": args.seed,
        "seconds": args.seconds, "source": args.source.name(), "clean": false, "reasons": reasons});
    show(args, &report)
}

fn in_words(report: &Value) {
    let shops = &report["shops"];
    if shops.is_null() {
        return print(&verdict(report));
    }
    let mut lines = vec![
        String::new(),
        format!(
            "{} shops planned, {} moved, {} rolled back and moved again, {} sealed.",
            shops["planned"], shops["flipped"], shops["rolled_back"], shops["sealed"]
        ),
    ];
    for phase in ["before", "during", "after"] {
        let requests = &report["requests"][phase];
        lines.push(format!(
            "{phase:7} {:>7} requests: {} ok, {} refused by the shop, {} repeated, {} failed, {} wrong; p50 {} µs, p99 {} µs",
            requests["sent"], requests["ok"], requests["refused"], requests["retried"], requests["failed"],
            requests["wrong"], requests["p50_us"], requests["p99_us"]
        ));
    }
    let empty = Vec::new();
    let holds = report["holds"].as_array().unwrap_or(&empty);
    let mut totals: Vec<i64> = holds.iter().filter_map(|hold| hold["us"]["total"].as_i64()).collect();
    totals.sort_unstable();
    let held: i64 = holds.iter().filter_map(|hold| hold["held"].as_i64()).sum();
    if let (Some(median), Some(most)) = (totals.get(totals.len() / 2), totals.last()) {
        lines.push(format!(
            "{} holds kept {held} writes waiting; median {median} µs, longest {most} µs, deadline {} µs.",
            totals.len(),
            HOLD_MS_MAX * 1_000
        ));
    }
    let oracle = &report["oracle"];
    lines.push(format!(
        "oracle: {} writes acknowledged, {} found, {} missing, {} different, {} twice; oversold {}.",
        oracle["acknowledged"],
        oracle["found"],
        oracle["missing"],
        oracle["different"],
        oracle["twice"],
        oracle["stock"]["oversold"]
    ));
    let later = &oracle["later"];
    lines.push(format!(
        "paid later: {} began, {} paid, {} orders of them; {} are not paid yet.",
        later["begun"], later["paid"], later["completed"], later["open"]
    ));
    lines.push(verdict(report));
    print(&lines.join("\n"));
}

fn verdict(report: &Value) -> String {
    match report["clean"] == true {
        true => "Clean: nobody noticed.".to_owned(),
        false => format!("Not clean: {}", report["reasons"]),
    }
}
