//! What a shop's entities came to, as they stood when the control totals last agreed: for the report of a move.

use crate::context::Context;
use crate::error::Result;
use crate::totals::Figure;
use std::collections::BTreeMap;
use store::Store;
use vocab::document::{Node, Record};
use vocab::id::{Kind, ShopId};

/// One kind and class of one shop's documents, counted at the source and with us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The `source` of the mapping file.
    pub mapped: String,
    pub kind: Kind,
    /// `live`, `history:<why>` or `any`.
    pub class: String,
    /// Everything of the class at the source, save what changed just then.
    pub source: Sums,
    /// What of it was refused, and accepted so.
    pub refused: Sums,
    pub ours: Sums,
    /// So many of the kind changed while both sides were looked at, and are in neither.
    pub changing: i64,
}

/// Documents, their lines, and the sum of their totals as exact decimal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    pub documents: String,
    pub rows: String,
    pub amount: String,
}

fn key(shop: &ShopId) -> String {
    format!("figures/{shop}")
}

/// Keeps the figures of a shop whose control totals agree.
pub(crate) async fn keep(cx: &Context, shop: &ShopId, figures: &[Figure]) -> Result<()> {
    let rows: Vec<Node> = figures.iter().map(|figure| Node::Record(render(figure))).collect();
    Ok(cx.store.note(&key(shop), Record::default().with("figures", rows)).await?)
}

fn render(figure: &Figure) -> Record {
    let text = |value: Option<i128>| {
        decimal_text(value.unwrap_or(0), figure.measure.starts_with("sum ").then_some(figure.scale))
    };
    Record::default()
        .with("mapped", figure.mapped.as_str())
        .with("kind", figure.kind.name())
        .with("class", figure.class.as_str())
        .with("measure", figure.measure.as_str())
        .with("source", text(figure.refused.map_or(figure.source, |no| Some(figure.source.unwrap_or(0) + no))))
        .with("refused", text(figure.refused))
        .with("ours", text(figure.ours))
        .with("changing", i64::try_from(figure.changing).unwrap_or(i64::MAX))
}

/// An integer of units of 10^-scale as decimal text.
fn decimal_text(value: i128, scale: Option<u32>) -> String {
    let Some(scale) = scale.filter(|scale| *scale > 0) else { return value.to_string() };
    let unit = 10_i128.pow(scale);
    let sign = if value < 0 { "-" } else { "" };
    let (whole, rest) = (value.abs() / unit, value.abs() % unit);
    let mut digits = format!("{rest:0width$}", width = usize::try_from(scale).unwrap_or(0));
    while digits.len() > 2 && digits.ends_with('0') {
        digits.pop();
    }
    format!("{sign}{whole}.{digits}")
}

/// The entities of a shop, as kept when its control totals last agreed; empty before that.
///
/// # Errors
/// The store cannot be read.
pub async fn entities(store: &Store, shop: &ShopId) -> Result<Vec<Entity>> {
    let note = store.noted(&key(shop)).await?.unwrap_or_default();
    let mut entities: BTreeMap<(String, Kind, String), Entity> = BTreeMap::new();
    for node in note.list("figures") {
        let Node::Record(row) = node else { continue };
        let text = |name: &str| row.text(name).unwrap_or_default().to_owned();
        let Some(kind) = Kind::from_name(&text("kind")) else { continue };
        let at = (text("mapped"), kind, text("class"));
        let entity = entities.entry(at.clone()).or_insert_with(|| Entity {
            mapped: at.0,
            kind,
            class: at.2,
            source: Sums::default(),
            refused: Sums::default(),
            ours: Sums::default(),
            changing: 0,
        });
        entity.changing = entity.changing.max(row.int("changing").unwrap_or(0));
        entity.source.take(&text("measure"), text("source"));
        entity.refused.take(&text("measure"), text("refused"));
        entity.ours.take(&text("measure"), text("ours"));
    }
    Ok(entities.into_values().collect())
}

impl Sums {
    fn take(&mut self, measure: &str, value: String) {
        match measure {
            "count" => self.documents = value,
            "count lines" => self.rows = value,
            "sum total" => self.amount = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_integers_are_shown_as_exact_decimals() {
        assert_eq!(decimal_text(1_065_294_121, Some(2)), "10652941.21");
        assert_eq!(decimal_text(-89_681_249, Some(2)), "-896812.49");
        assert_eq!(decimal_text(2_681_274, Some(3)), "2681.274");
        assert_eq!(decimal_text(-896_812_490, Some(3)), "-896812.49");
        assert_eq!(decimal_text(-5, Some(2)), "-0.05");
        assert_eq!(decimal_text(7, None), "7");
    }
}
