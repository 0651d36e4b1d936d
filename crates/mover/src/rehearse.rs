//! The rehearsal of the way back on a shop's own data, before it may move: putting back what was got changes nothing.

use crate::context::Context;
use crate::derive::{self, Meaning};
use crate::error::Result;
use crate::staged::Staged;
use mapping::{Anchor, ChangeOf, Put, Rows, RuleNo};
use vocab::id::{ShopId, Timestamp};

/// Aggregates rehearsed, of each rule.
const SAMPLE: usize = 200;

/// Puts a sample of each rule back unchanged (law L1). Returns what went wrong, by aggregate.
pub(crate) async fn rehearse(cx: &Context, shop: &ShopId) -> Result<Vec<String>> {
    let (mapping, classes, name) = (cx.mapping.clone(), cx.classes.clone(), shop.clone());
    cx.staged
        .run(move |staged| {
            let mut wrong = Vec::new();
            for (rule_no, rule) in mapping.rules().iter().enumerate().filter(|(_, rule)| rule.writes) {
                for (_, anchor) in staged.anchors(&rule.gather, name.as_str(), None, SAMPLE)? {
                    wrong.extend(restore(staged, &mapping, &classes, &name, rule_no, &anchor)?);
                }
            }
            Ok(wrong)
        })
        .await
}

fn restore(
    staged: &Staged,
    mapping: &mapping::Mapping,
    classes: &derive::Classes,
    shop: &ShopId,
    rule: RuleNo,
    anchor: &Anchor,
) -> Result<Option<String>> {
    let rows = staged.rows(&mapping.rules()[rule].gather, anchor)?;
    // The same rows for both: the stream goes on meanwhile.
    let derived = derive::told(staged, mapping, classes, rule, anchor, &rows);
    let Meaning::Live { canonical, .. } = &derived.what else { return Ok(None) };
    let change = ChangeOf {
        rule,
        anchor: anchor.clone(),
        base: &rows,
        rows: &rows,
        before: Some(&canonical.document),
        after: Some(&canonical.document),
    };
    let none = Rows::default();
    let put = Put { shop, at: Timestamp(0), changes: vec![change], stock: Vec::new(), stock_rows: &none };
    let outcome = mapping.put(&put);
    if outcome.edits.is_empty() && outcome.debts.is_empty() {
        return Ok(None);
    }
    let debts: Vec<&str> = outcome.debts.iter().map(|debt| debt.name).collect();
    Ok(Some(format!(
        "{}: put back unchanged it makes {} edits and owes {debts:?}",
        derived.origin,
        outcome.edits.len()
    )))
}
