//! The way back: facts of the backend become edits of cells in the legacy, each batch in one legacy transaction.
//!
//! `balik_applied` in the legacy's own database says how far it is, so a batch is carried back exactly once. Facts of
//! a batch are coalesced: `put` depends on the base and the last document only, and stock differences add up.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::source_rows;
use crate::staged::{Ledger, Staged};
use capture::{Expect, WriteBack, WriteBackError};
use crash::{Act, Phase};
use mapping::{Anchor, ChangeOf, Put, PutOutcome, Rows, RuleNo};
use std::collections::BTreeMap;
use store::{Debt, Fact, Finding};
use vocab::document::Record;
use vocab::id::{Kind, Origin, PublicId, Seq, ShopId, Timestamp};
use vocab::row::{RowKey, TableNo};

/// Facts carried back in one transaction of the legacy. A server of many writers takes more at once than a file that has
/// one: whoever else writes there waits for the whole of it.
const BATCH_FILE: usize = 64;
const BATCH_SERVER: usize = 512;

/// How many facts one batch has, at most.
pub(crate) fn batch(cx: &Context) -> usize {
    if cx.plan.source.starts_with("postgres") { BATCH_SERVER } else { BATCH_FILE }
}

/// Why the way back of a shop cannot go on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The legacy did not read back what was written, or refused it.
    Mismatch(String),
}

/// The net change of a run of facts.
struct Net {
    last: Seq,
    at: Timestamp,
    documents: BTreeMap<(Kind, PublicId), Record>,
    stock: BTreeMap<PublicId, i64>,
}

/// One aggregate of the net change, with its rows at the flip and now.
struct Touched {
    rule: RuleNo,
    anchor: Anchor,
    kind: Kind,
    id: PublicId,
    base: Rows,
    rows: Rows,
    after: Record,
}

/// Carries one batch of facts back. Returns the seq the legacy now has, or why it stopped.
pub(crate) async fn carry_back(cx: &Context, shop: &ShopId, applied: Seq) -> Result<std::result::Result<Seq, Halt>> {
    let facts = cx.store.facts(shop, applied, batch(cx)).await?;
    let Some(net) = coalesce(facts) else { return Ok(Ok(applied)) };
    crash::reach(Act::ReverseBatch, Phase::Before);
    let (outcome, touched) = plan(cx, shop, &net).await?;
    let anchors: Vec<(RuleNo, Anchor)> = touched.iter().map(|one| (one.rule, one.anchor.clone())).collect();
    let name = shop.clone();
    cx.staged.run(move |staged| staged.list(Ledger::Prove, &name, &anchors)).await?;
    // Owed before anything is carried back: a crash in between must not forget it.
    open_debts(cx, shop, &net, &outcome).await?;
    crash::reach(Act::ReverseBatch, Phase::During);
    let expect = outcome.expect.iter().cloned().map(|(table, key, cells)| Expect { table, key, cells });
    let batch = WriteBack { after: applied, seq: net.last, edits: outcome.edits.clone(), expect: expect.collect() };
    match cx.source.write_back(shop, &[batch]).await {
        Ok(seq) if seq == net.last => {}
        // An earlier call that nobody waited for any more has carried some of it back.
        Ok(seq) => return Ok(Ok(seq)),
        Err(WriteBackError::Source(error)) => return Err(error.into()),
        Err(halt) => return halted(cx, shop, &halt).await,
    }
    crash::reach(Act::ReverseBatch, Phase::After);
    close_debts(cx, shop, &outcome, &touched).await?;
    Ok(Ok(net.last))
}

async fn halted(cx: &Context, shop: &ShopId, why: &WriteBackError) -> Result<std::result::Result<Seq, Halt>> {
    let detail = Record::default().with("what", shown(cx, why));
    let finding = Finding {
        shop: shop.clone(),
        class: "reverse.mismatch".into(),
        kind: Kind::Shop,
        origin: Origin::new("write_back"),
        detail,
    };
    cx.open_finding(finding).await?;
    Ok(Err(Halt::Mismatch(shown(cx, why))))
}

/// Where write-back stopped, without the cells: they may be personal.
fn shown(cx: &Context, why: &WriteBackError) -> String {
    match why {
        WriteBackError::Mismatch { seq, table, column, .. } => {
            let table = &cx.mapping.tables()[*table];
            format!("fact {seq}: {}.{} does not read back as written", table.name, table.columns[*column].name)
        }
        WriteBackError::Conflict { seq, edit, .. } => {
            format!("fact {seq:?}, edit {edit:?}: the legacy refuses it, or has another row than was read")
        }
        WriteBackError::Source(error) => error.to_string(),
    }
}

fn coalesce(facts: Vec<Fact>) -> Option<Net> {
    let last = facts.last()?;
    let mut net = Net { last: last.seq, at: last.at, documents: BTreeMap::new(), stock: BTreeMap::new() };
    for fact in facts {
        for (kind, id, document) in fact.writes {
            net.documents.insert((kind, id), document);
        }
        for change in fact.stock {
            *net.stock.entry(change.variant).or_insert(0) += change.delta;
        }
    }
    Some(net)
}

/// The edits that carry the net change, from the rows at the flip and the rows as the legacy has them.
async fn plan(cx: &Context, shop: &ShopId, net: &Net) -> Result<(PutOutcome, Vec<Touched>)> {
    let mut reader = cx.source.snapshot().await?;
    let mut touched = Vec::with_capacity(net.documents.len());
    for ((kind, id), document) in &net.documents {
        let Some((rule, anchor)) = anchor(cx, shop, *kind, document) else {
            return Err(Error::Plan(format!("no rule of the mapping can write {} {id} of shop {shop}", kind.name())));
        };
        touched.push(Touched {
            rule,
            anchor,
            kind: *kind,
            id: id.clone(),
            base: Rows::default(),
            rows: Rows::default(),
            after: document.clone(),
        });
    }
    read_base(cx, &mut touched).await?;
    read_now(cx, &mut reader, &mut touched).await?;
    let stock_rows = stock_rows(cx, &mut reader, net).await?;
    drop(reader);
    let fact = Put {
        shop,
        at: net.at,
        changes: touched.iter().map(Touched::change).collect(),
        stock: net.stock.iter().map(|(variant, delta)| (variant.clone(), *delta)).collect(),
        stock_rows: &stock_rows,
    };
    let outcome = cx.mapping.put(&fact);
    Ok((outcome, touched))
}

impl Touched {
    fn change(&self) -> ChangeOf<'_> {
        ChangeOf {
            rule: self.rule,
            anchor: self.anchor.clone(),
            base: &self.base,
            rows: &self.rows,
            before: None,
            after: Some(&self.after),
        }
    }
}

/// The writable rule and the anchor of a document.
pub(crate) fn anchor(cx: &Context, shop: &ShopId, kind: Kind, document: &Record) -> Option<(RuleNo, Anchor)> {
    let rules = cx.mapping.rules().iter().enumerate().filter(|(_, rule)| rule.kind == kind);
    rules.filter_map(|(rule, _)| Some((rule, cx.mapping.anchor_of(rule, shop, document)?))).next()
}

async fn read_base(cx: &Context, touched: &mut [Touched]) -> Result<()> {
    let wanted: Vec<_> =
        touched.iter().map(|one| (cx.mapping.rules()[one.rule].gather.clone(), one.anchor.clone())).collect();
    let read = move |staged: &Staged| wanted.iter().map(|(gather, anchor)| staged.base(gather, anchor)).collect();
    let bases: Vec<Rows> = cx.staged.run(read).await?;
    for (one, base) in touched.iter_mut().zip(bases) {
        one.base = base;
    }
    Ok(())
}

async fn read_now(cx: &Context, reader: &mut capture::Reader, touched: &mut [Touched]) -> Result<()> {
    let mut by_rule: BTreeMap<RuleNo, Vec<Anchor>> = BTreeMap::new();
    for one in touched.iter() {
        by_rule.entry(one.rule).or_default().push(one.anchor.clone());
    }
    for (rule, anchors) in by_rule {
        let mut rows = source_rows::read(reader, cx.mapping.tables(), &cx.mapping.rules()[rule], &anchors).await?;
        for one in touched.iter_mut().filter(|one| one.rule == rule) {
            one.rows = rows.remove(&one.anchor).unwrap_or_default();
        }
    }
    Ok(())
}

async fn stock_rows(cx: &Context, reader: &mut capture::Reader, net: &Net) -> Result<Rows> {
    let mut wanted: BTreeMap<TableNo, Vec<RowKey>> = BTreeMap::new();
    for (table, key) in net.stock.keys().filter_map(|variant| cx.mapping.stock_row(variant)) {
        wanted.entry(table).or_default().push(key);
    }
    let mut rows = Rows::default();
    for (table, keys) in wanted {
        for (key, row) in reader.rows_by_key(table, &keys).await? {
            rows.insert(table, key, row);
        }
    }
    Ok(rows)
}

/// Debts are per aggregate and whole, and named.
async fn open_debts(cx: &Context, shop: &ShopId, net: &Net, outcome: &PutOutcome) -> Result<()> {
    for debt in &outcome.debts {
        let id = PublicId::new(debt.id.as_str());
        cx.store.close_debts(shop, debt.kind, &id).await?;
        let owed = Debt { shop: shop.clone(), kind: debt.kind, id, name: debt.name.into(), seq: net.last };
        cx.store.open_debt(owed).await?;
    }
    Ok(())
}

/// An aggregate that was written whole owes nothing.
async fn close_debts(cx: &Context, shop: &ShopId, outcome: &PutOutcome, touched: &[Touched]) -> Result<()> {
    if cx.store.count_debts(shop).await? == 0 {
        return Ok(());
    }
    let owes = |one: &Touched| outcome.debts.iter().any(|debt| debt.kind == one.kind && debt.id == one.id.as_str());
    for one in touched.iter().filter(|one| !owes(one)) {
        cx.store.close_debts(shop, one.kind, &one.id).await?;
    }
    Ok(())
}
