//! `move findings`: what could not be moved or does not agree. Listed, explained with both sides, accepted, read again.
//!
//! List and explanation look for themselves, with the mover dead or alive; accepting and reading again are wishes.
//! Invariant: a list shows where something is and not what stands there; of both sides nothing personal is shown.

use super::wish::{Saying, come_true, sum};
use super::{Args as Common, planned, say};
use crate::exit::Exit;
use crate::print;
use crate::sides;
use anyhow::Result;
use clap::Subcommand;
use console::sides::{Field, Legacy, fields, ours};
use console::{Explained, Lang, explain};
use mover::{Eyes, Verb};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{FoundFinding, Store};
use vocab::document::Record;
use vocab::id::{Kind, Origin, ShopId, Timestamp};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Only findings of this class
    #[arg(long, global = true)]
    class: Option<String>,
}

#[derive(Subcommand)]
enum What {
    /// Each with its shop, class, place and time (as without a word)
    List,
    /// What each class means and what to do, and both sides of each aggregate, field by field
    Explain,
    /// Let the open findings of a class block no more, if there are exactly so many
    Accept {
        /// So many as you have looked at: of the shop, or of all shops together
        #[arg(long)]
        count: u64,
        /// Why; it is kept with them
        #[arg(long, default_value = "command line")]
        why: String,
    },
    /// Read the source again: a cause is mended, or something may have changed
    Reread,
}

const SCHEMA: &str = "baliklayar.move-findings/1";
/// Findings of one list, and of one explanation, which reads the source for each.
const LISTED_MAX: usize = 1_000;
const EXPLAINED_MAX: usize = 20;
/// Aggregates of one finding of which both sides are shown.
const SIDES_MAX: usize = 5;

pub(super) async fn run(common: &Common, args: &Args, store: &Store, shops: &[ShopId]) -> Result<Exit> {
    planned(store).await?;
    let class = args.class.as_deref();
    match &args.what {
        None | Some(What::List) => list(common, store, shops, class).await,
        Some(What::Explain) => explained(common, store, shops, class).await,
        Some(What::Accept { count, why }) => {
            let Some(class) = class else { anyhow::bail!("say which class: --class") };
            let args = Record::default().with("class", class).with("count", i64::try_from(*count)?);
            let saying = Saying { args, why: why.clone() };
            match come_true(common, store, Verb::Accept, shops, &saying).await? {
                Ok(_) => {
                    let text = format!("accepted: {count} of {class}");
                    say(common, &json!({"fulfilled": "accept", "class": class, "count": count}), &text);
                    Ok(Exit::Clean)
                }
                Err(refused) => Ok(refused),
            }
        }
        Some(What::Reread) => reread(common, store, shops, class).await,
    }
}

async fn reread(common: &Common, store: &Store, shops: &[ShopId], class: Option<&str>) -> Result<Exit> {
    let saying = Saying { args: Record::default().with("class", class), why: "command line".to_owned() };
    match come_true(common, store, Verb::Reread, shops, &saying).await? {
        Ok(outcomes) => {
            let (read, left) = (sum(&outcomes, "read"), sum(&outcomes, "left"));
            let text = format!("read again: {read} aggregates; {left} findings are still open");
            say(common, &json!({"fulfilled": "reread", "read": read, "left": left}), &text);
            Ok(Exit::Clean)
        }
        Err(refused) => Ok(refused),
    }
}

/// What was found, of the shops and the class that were asked for, and how much more there is.
async fn find(store: &Store, shops: &[ShopId], class: Option<&str>, max: usize) -> Result<(Vec<FoundFinding>, u64)> {
    let of: Vec<Option<&ShopId>> = if shops.is_empty() { vec![None] } else { shops.iter().map(Some).collect() };
    let (mut found, mut all) = (Vec::new(), 0);
    for shop in of {
        let room = max.saturating_sub(found.len());
        found.extend(store.findings_page(shop, class, 0, room).await?);
        let counts = match shop {
            Some(shop) => store.finding_counts(shop).await?,
            None => store.finding_classes().await?,
        };
        let counts = counts.iter().filter(|count| class.is_none_or(|class| *count.class == *class));
        all += counts.map(|count| count.open + count.accepted).sum::<u64>();
    }
    let left_out = all.saturating_sub(u64::try_from(found.len())?);
    Ok((found, left_out))
}

async fn list(common: &Common, store: &Store, shops: &[ShopId], class: Option<&str>) -> Result<Exit> {
    let (found, left_out) = find(store, shops, class, LISTED_MAX).await?;
    let rows: Vec<Value> = found.iter().map(row).collect();
    if common.json {
        print(&json!({"schema": SCHEMA, "findings": rows, "left_out": left_out}).to_string());
        return Ok(Exit::Clean);
    }
    if rows.is_empty() {
        print("no findings");
    }
    for one in &found {
        print(&line(one));
    }
    if left_out > 0 {
        print(&format!("and {left_out} more: --shop and --class say which"));
    }
    Ok(Exit::Clean)
}

fn row(one: &FoundFinding) -> Value {
    let finding = &one.finding;
    json!({
        "shop": finding.shop.as_str(),
        "class": &*finding.class,
        "stops": cutover::stopping::stops(&finding.class),
        "kind": finding.kind.name(),
        "origin": finding.origin.as_str(),
        "what": finding.detail.text("what"),
        "since": one.since.map(instant),
        "accepted_by": one.accepted_by,
        "accepted_why": one.accepted_why,
    })
}

fn line(one: &FoundFinding) -> String {
    let finding = &one.finding;
    let state = match (&one.accepted_by, &one.accepted_why) {
        (Some(who), Some(why)) => format!("accepted by {who}: {why}"),
        (Some(who), None) => format!("accepted by {who}"),
        (None, _) => "open".to_owned(),
    };
    format!(
        "{}  shop {}  {} {}\n    since {}, {state}\n    {}",
        finding.class,
        finding.shop,
        finding.kind.name(),
        finding.origin,
        one.since.map_or_else(|| "unknown".to_owned(), instant),
        finding.detail.text("what").unwrap_or("-"),
    )
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map_or_else(|_| at.0.to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// An aggregate that a finding is about, as both sides have it now.
struct Sides {
    kind: Kind,
    origin: Origin,
    legacy: Legacy,
    ours: Option<String>,
    fields: Vec<Field>,
}

async fn explained(common: &Common, store: &Store, shops: &[ShopId], class: Option<&str>) -> Result<Exit> {
    let eyes = Eyes::open(&planned(store).await?).await;
    let (found, left_out) = find(store, shops, class, EXPLAINED_MAX).await?;
    let mut by_class: BTreeMap<String, Vec<(FoundFinding, Vec<Sides>)>> = BTreeMap::new();
    for one in found {
        let mut sides = Vec::new();
        for (kind, origin) in one.finding.about().into_iter().take(SIDES_MAX) {
            sides.push(both(store, &eyes, &one.finding.shop, kind, origin).await?);
        }
        by_class.entry(one.finding.class.to_string()).or_default().push((one, sides));
    }
    if common.json {
        let told: Vec<Value> = by_class.iter().map(|(class, found)| told(class, found)).collect();
        print(&json!({"schema": SCHEMA, "explained": told, "left_out": left_out}).to_string());
        return Ok(Exit::Clean);
    }
    if by_class.is_empty() {
        print("no findings");
    }
    for (class, found) in &by_class {
        print(&heading(class, &explain(Lang::En, class)));
        for (one, sides) in found {
            print(&line(one));
            sides.iter().for_each(|both| print(&table(both)));
        }
    }
    if left_out > 0 {
        print(&format!("and {left_out} more: --shop and --class say which"));
    }
    Ok(Exit::Clean)
}

async fn both(store: &Store, eyes: &mover::Result<Eyes>, shop: &ShopId, kind: Kind, origin: Origin) -> Result<Sides> {
    let legacy = match eyes {
        Ok(eyes) => sides::look(eyes, shop, kind, &origin).await,
        Err(error) => Legacy::Unknown(error.to_string()),
    };
    let document = match &legacy {
        Legacy::Document(document) => Some(document),
        Legacy::Nothing | Legacy::Unknown(_) => None,
    };
    let stored = ours(store, shop, kind, &origin).await?;
    let fields = fields(document, stored.as_ref().map(|(_, stored)| &stored.document));
    let ours = stored.map(|(id, _)| id.to_string());
    Ok(Sides { kind, origin, legacy, ours, fields })
}

fn told(class: &str, found: &[(FoundFinding, Vec<Sides>)]) -> Value {
    let Explained { stops, meaning, to_do, page } = explain(Lang::En, class);
    let findings = found.iter().map(|(one, sides)| {
        let mut row = row(one);
        row["sides"] = sides.iter().map(side).collect();
        row
    });
    json!({"class": class, "stops": stops, "meaning": meaning, "to_do": to_do, "page": page,
           "findings": findings.collect::<Vec<_>>()})
}

fn side(both: &Sides) -> Value {
    let (is, why) = legacy_is(&both.legacy);
    let fields = both
        .fields
        .iter()
        .map(|field| json!({"field": field.path, "legacy": field.legacy, "ours": field.ours, "same": field.same}));
    json!({"kind": both.kind.name(), "origin": both.origin.as_str(), "legacy": is, "why": why, "ours": both.ours,
           "fields": fields.collect::<Vec<_>>()})
}

fn legacy_is(legacy: &Legacy) -> (&'static str, Option<&str>) {
    match legacy {
        Legacy::Document(_) => ("document", None),
        Legacy::Nothing => ("nothing", None),
        Legacy::Unknown(why) => ("unknown", Some(why)),
    }
}

fn heading(class: &str, words: &Explained) -> String {
    let Explained { stops, meaning, to_do, page } = words;
    let does = if *stops { "stops the move of its shop" } else { "blocks flip, rollback and seal of its shop" };
    format!("{class} ({does})\n  {meaning}\n  {to_do}\n  More in {page}.\n")
}

/// Both sides beside each other, what differs with a mark.
fn table(both: &Sides) -> String {
    let mut lines = vec![format!("    {} {}, both sides now:", both.kind.name(), both.origin)];
    match legacy_is(&both.legacy) {
        ("nothing", _) => lines.push("      the legacy has no rows for it".to_owned()),
        (_, Some(why)) => lines.push(format!("      the legacy's side cannot be told: {why}")),
        _ => {}
    }
    if both.ours.is_none() {
        lines.push("      we have no document of it".to_owned());
    }
    lines.push(format!("      {:1} {:28} {:28} {}", "", "field", "legacy", "ours"));
    let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
    lines.extend(both.fields.iter().map(|field| {
        let mark = if field.same { "" } else { "≠" };
        format!("      {mark:1} {:28} {:28} {}", field.path, text(&field.legacy), text(&field.ours))
    }));
    lines.join("\n")
}
