//! The fields of lists and `one`s, and the forms that history documents have instead.

use super::Draft;
use super::forms::{self, Place};
use super::parts::PartDraft;
use crate::diagnostics::{Sink, Span};
use crate::file::{Entries, Text};
use crate::program::{Binding, From, HistoryForms, ListForm, OneForm};
use crate::syntax;
use std::collections::BTreeMap;
use vocab::id::Name;
use vocab::row::ShopPath;
use vocab::shape::{Field, Type};

/// `history = { total = "col as codec" }`.
pub(crate) fn history_total(
    entries: Option<Entries<'_>>,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> HistoryForms {
    let mut total = None;
    if let Some(mut entries) = entries {
        total = history_binding(entries.take_text("total", sink), Type::Text, place, draft, sink);
        entries.finish("the history forms of an entity", sink);
    }
    HistoryForms { total, lines: Vec::new() }
}

fn history_binding(
    text: Option<Text>,
    ty: Type,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<Binding> {
    let text = text?;
    let parsed = syntax::field(&text, sink)?;
    let field = Field { name: "history", ty, nullable: true };
    let reading = Place { writes: false, parts: &[], losers: &[], part: place.part.clone(), ..*place };
    forms::binding(&parsed, text.span, &field, &reading, draft, sink)
}

pub(crate) fn list_forms(
    parts: Vec<PartDraft<'_>>,
    place: &Place<'_>,
    history: &mut HistoryForms,
    places: &mut BTreeMap<(Option<Name>, Name), Span>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<ListForm> {
    let mut forms = Vec::new();
    for part in parts {
        let mut structural = draft.table(part.table).key.clone();
        structural.extend(part.order);
        match part.from {
            From::Join { column, .. } => structural.push(column),
            From::Own => structural.extend_from_slice(place.structural),
            From::Group => {}
        }
        let inside = Place {
            table: part.table,
            part: Some(part.name.clone()),
            group: place.group.filter(|_| part.from == From::Own),
            structural: &structural,
            parts: &[],
            ..*place
        };
        for (name, _, item) in part.history.map(|mut entries| entries.rest()).unwrap_or_default() {
            let ty = match name.as_str() {
                "product" | "title" | "unit_price" => Type::Text,
                "quantity" => Type::Int,
                _ => {
                    let label = "product, title, unit_price or quantity";
                    sink.error("history/field", item.span, format!("history lines have no `{name}`"), label);
                    continue;
                }
            };
            let text = item.text(sink);
            if let Some(binding) = history_binding(text, ty, &inside, draft, sink) {
                history.lines.push((name.into(), binding));
            }
        }
        let fields = forms::compile(part.fields, part.span, part.fields_shape, &inside, places, draft, sink);
        let PartDraft { name, from, table, order, remove, .. } = part;
        let placed = match (from, order) {
            (From::Join { column, .. }, Some(order)) => {
                let key = &draft.table(table).key;
                key.len() == 2 && key.contains(&column) && key.contains(&order)
            }
            _ => false,
        };
        forms.push(ListForm { name, from, table, order, placed, remove, fields });
    }
    forms
}

pub(crate) fn one_forms(
    parts: Vec<PartDraft<'_>>,
    place: &Place<'_>,
    places: &mut BTreeMap<(Option<Name>, Name), Span>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<OneForm> {
    let mut forms = Vec::new();
    for part in parts {
        let (From::Join { column, anchor_column }, Some(link)) = (part.from, part.link) else { continue };
        let structural = draft.table(part.table).key.clone();
        let inside = Place {
            table: part.table,
            part: Some(part.name.clone()),
            group: None,
            structural: &structural,
            parts: &[],
            ..*place
        };
        let fields = forms::compile(part.fields, part.span, part.fields_shape, &inside, places, draft, sink);
        forms.push(OneForm {
            name: part.name,
            nullable: part.field.nullable,
            table: part.table,
            column,
            anchor_column,
            link,
            shared: draft.table(part.table).shop == ShopPath::Shared,
            births: draft.tables[part.table].ids.is_some(),
            fields,
        });
    }
    forms
}
