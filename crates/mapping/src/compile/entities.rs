//! `[entity.…]`: one rule each, from its anchor table to its last derived column.

use super::forms::{self, Place};
use super::groups;
use super::parts::{self, PartDraft, Trunk};
use super::{Declarations, Draft, Role, RuleDraft, decisions, derived, elements};
use crate::diagnostics::{Problem, Sink, Span};
use crate::expr::{Expr, Source};
use crate::file::{Entries, Item, Text};
use crate::program::{Class, Fate, From, Program, Remove, Voters};
use crate::syntax;
use crate::typing::{self, Names};
use std::collections::BTreeMap;
use vocab::id::{Kind, Name};
use vocab::row::{ColumnNo, ShopPath, TableNo};
use vocab::shape::{Field, Shape};

pub(crate) fn compile(root: &mut Entries<'_>, declarations: &Declarations, draft: &mut Draft<'_>, sink: &mut Sink<'_>) {
    let Some(mut entities) = root.take_table("entity", sink) else {
        sink.error("file/missing", root.span, "no entity is declared", "`[entity.…]` is missing");
        return;
    };
    for (name, span, item) in entities.rest() {
        let shape = Kind::from_name(&name).and_then(|kind| draft.shapes.iter().find(|shape| shape.kind == kind));
        let Some(shape) = shape.copied() else {
            let known: Vec<_> = draft.shapes.iter().map(|shape| shape.kind.name()).collect();
            sink.push(
                Problem::new("entity/unknown", format!("there is no entity `{name}`"))
                    .at(span, "not known")
                    .help(format!("one of: {}", known.join(", "))),
            );
            continue;
        };
        let Some(entries) = item.table(sink) else { continue };
        entity(entries, shape, span, declarations, draft, sink);
    }
}

/// The texts of an entity that stand beside its fields.
struct Clauses<'t> {
    filter: Option<Text>,
    remove: Option<Text>,
    classes: Option<Item<'t>>,
    asserts: Option<Item<'t>>,
    voters: Option<Text>,
    fault_is_history: bool,
    losers: Vec<String>,
    history: Option<Entries<'t>>,
}

fn clauses<'t>(entries: &mut Entries<'t>, sink: &mut Sink<'_>) -> Clauses<'t> {
    let fault = entries.take_text("fault", sink);
    if let Some(text) = fault.as_ref().filter(|text| text.text != "history") {
        sink.error("entity/fault", text.span, "`fault` can only be \"history\"", "here");
    }
    let losers = entries.take("losers").map(|item| item.list(sink)).unwrap_or_default();
    Clauses {
        filter: entries.take_text("where", sink),
        remove: entries.take_text("remove", sink),
        classes: entries.take("class"),
        asserts: entries.take("assert"),
        voters: entries.take_text("use", sink),
        fault_is_history: fault.is_some(),
        losers: losers.iter().filter_map(|item| item.text(sink)).map(|text| text.text).collect(),
        history: entries.take_table("history", sink),
    }
}

fn entity(
    mut entries: Entries<'_>,
    shape: Shape,
    span: Span,
    declarations: &Declarations,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<()> {
    let (table, group) = anchor(&mut entries, draft, sink)?;
    let clauses = clauses(&mut entries, sink);
    let fields = entries.take_table("fields", sink);
    let trunk = Trunk { table, group, shape: shape.fields, declarations };
    let lists = entries.take_table("list", sink);
    let lists = parts::lists(lists, &trunk, draft, sink);
    let ones = entries.take_table("one", sink);
    let ones = parts::ones(ones, &trunk, draft, sink);
    let derived_entries = entries.take_table("derived", sink);
    entries.finish("an entity", sink);

    let writes = group.is_none() && !draft.table(table).read_only;
    let parts: Vec<Name> = lists.iter().chain(&ones).map(|part| part.name.clone()).collect();
    let structural = structural(table, &ones, draft);
    let place = Place {
        table,
        part: None,
        group,
        structural: &structural,
        writes,
        parts: &parts,
        losers: &clauses.losers,
        declarations,
    };
    let (filter, remove) = filter_and_remove(&clauses, span, &place, draft, sink)?;
    let classes = classes(clauses.classes, &lists, &place, draft, sink);
    let asserts = asserts(clauses.asserts, shape.fields, sink);
    let voters = voters(clauses.voters.as_ref(), &place, draft, sink);
    let mut places = BTreeMap::new();
    let fields = forms::compile(fields, span, shape.fields, &place, &mut places, draft, sink);
    let mut history = elements::history_total(clauses.history, &place, draft, sink);
    let lists = elements::list_forms(lists, &place, &mut history, &mut places, draft, sink);
    let ones = elements::one_forms(ones, &place, &mut places, draft, sink);
    let derived = derived::compile(derived_entries, shape.fields, &lists, &place, draft, sink);
    let program = Program {
        shape,
        table,
        group,
        currency: declarations.header.currency.clone(),
        minor: declarations.header.minor,
        filter,
        remove,
        classes,
        fault_is_history: clauses.fault_is_history,
        fields,
        lists,
        ones,
        derived,
        asserts,
        history,
        voters,
    };
    let source = declarations.header.source.clone();
    draft.rules.push(RuleDraft { kind: shape.kind, source, program, span });
    Some(())
}

fn voters(text: Option<&Text>, place: &Place<'_>, draft: &mut Draft<'_>, sink: &mut Sink<'_>) -> Option<Voters> {
    let text = text?;
    if place.group.is_none() {
        sink.error("use/not_grouped", text.span, "only rows of a group vote", "here");
        return None;
    }
    let voters = groups::voters(text, place.table, place.declarations, draft, sink)?;
    draft.mark(place.table, voters.column, Role::Read);
    Some(voters)
}

/// The anchor table, and the column that groups its rows.
fn anchor(
    entries: &mut Entries<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<(TableNo, Option<ColumnNo>)> {
    let from = entries.need_text("from", sink)?;
    let group = entries.take_text("group", sink);
    let Some(table) = draft.table_named(&from.text) else {
        sink.error("entity/no_table", from.span, format!("there is no table {}", from.text), "not declared");
        return None;
    };
    if draft.table(table).shop == ShopPath::Shared {
        sink.error("entity/shared", from.span, "rows of many shops cannot be aggregates of one", "shared");
        return None;
    }
    let Some(group) = group else { return Some((table, None)) };
    if !draft.table(table).read_only {
        let title = "a group is read only: its table needs `writes = \"never\"`";
        sink.error("group/writes", group.span, title, "a document has no one row to write to");
    }
    let column = forms::column_of(&(group.text.clone(), group.span), table, draft, sink)?;
    if draft.table(table).columns[column].nullable {
        sink.error("group/null", group.span, "rows without a group would belong to no document", "may be null");
    }
    draft.mark(table, column, Role::Read);
    Some((table, Some(column)))
}

/// Columns of the anchor that fields may read, but never write.
fn structural(table: TableNo, ones: &[PartDraft<'_>], draft: &Draft<'_>) -> Vec<ColumnNo> {
    let of = draft.table(table);
    let mut columns = of.key.clone();
    if let ShopPath::Column(column) | ShopPath::Through { column, .. } = of.shop {
        columns.push(column);
    }
    columns.extend(ones.iter().filter_map(|one| match one.from {
        From::Join { anchor_column, .. } => Some(anchor_column),
        From::Own | From::Group => None,
    }));
    columns
}

fn filter_and_remove(
    clauses: &Clauses<'_>,
    span: Span,
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Option<(Option<Expr>, Remove)> {
    let filter = match &clauses.filter {
        Some(text) => Some(groups::condition(text, place.table, draft, sink)?),
        None => None,
    };
    let columns = filter.as_ref().map(Expr::columns).unwrap_or_default();
    draft.mark_all(place.table, &columns, &Role::Where);
    let Some(text) = &clauses.remove else {
        if place.writes {
            let title = "what happens to the rows when an aggregate is gone?";
            sink.error("entity/remove", span, title, "`remove` is missing: \"debt\", \"delete\" or assignments");
        }
        return Some((filter, Remove::Debt));
    };
    let remove = match text.text.as_str() {
        "debt" => Remove::Debt,
        "delete" => Remove::Delete,
        _ => {
            let cells = decisions::assigned(text, place.table, draft, sink)?;
            let known = |column: ColumnNo| cells.iter().find(|(no, _)| *no == column).map(|(_, cell)| cell.clone());
            if filter.as_ref().and_then(|filter| filter.settled(&known)) != Some(false) {
                sink.error("remove/not_removed", text.span, "`remove` does not make `where` false", "still there");
            }
            let columns: Vec<_> = cells.iter().map(|(column, _)| *column).collect();
            draft.mark_all(place.table, &columns, &Role::Where);
            Remove::Set(cells)
        }
    };
    Some((filter, remove))
}

/// Marks every cell that an expression over the anchor and its lists reads.
fn mark_reads(expr: &Expr, table: TableNo, lists: &[(Name, TableNo)], draft: &mut Draft<'_>) {
    let mut cells = Vec::new();
    expr.cells(None, &mut cells);
    for (source, column) in cells {
        let of = match source {
            None | Some(Source::Group) => Some(table),
            Some(Source::Rows(no)) => lists.get(no).map(|(_, table)| *table),
            Some(Source::List(_)) => None,
        };
        if let Some(of) = of {
            draft.mark(of, column, Role::Read);
        }
    }
}

fn classes(
    item: Option<Item<'_>>,
    lists: &[PartDraft<'_>],
    place: &Place<'_>,
    draft: &mut Draft<'_>,
    sink: &mut Sink<'_>,
) -> Vec<Class> {
    let joined: Vec<(Name, TableNo)> = lists.iter().map(|part| (part.name.clone(), part.table)).collect();
    let mut classes = Vec::new();
    for item in item.map(|item| item.list(sink)).unwrap_or_default() {
        let Some(mut entries) = item.table(sink) else { continue };
        let (when, is) = (entries.need_text("when", sink), entries.need_text("is", sink));
        let why = entries.take_text("why", sink);
        entries.finish("a class", sink);
        let (Some(when), Some(is)) = (when, is) else { continue };
        let fate = match is.text.as_str() {
            "live" => Fate::Live,
            "history" => Fate::History,
            "refused" => Fate::Refused,
            "merged" => Fate::Merged,
            _ => {
                sink.error("class/unknown", is.span, "live, history, refused or merged", "none of these");
                continue;
            }
        };
        if why.as_ref().is_none_or(|why| why.text.is_empty()) && fate != Fate::Live {
            sink.error("class/why", item.span, "a class that is not live says why", "`why` is missing");
        }
        let Some(node) = syntax::expression(&when, sink) else { continue };
        let tables: Vec<_> = joined.iter().map(|(name, no)| (name.clone(), draft.table(*no))).collect();
        let of = draft.table(place.table);
        let group = place.group.map(|_| of);
        let names = Names { table: Some(of), lists: &tables, group, ..Names::default() };
        let Some(expr) = typing::boolean(&node, names, sink) else { continue };
        if let Some(column) =
            expr.columns().into_iter().find(|column| place.group.is_some_and(|group| group != *column))
        {
            let title = format!("{} may differ between the rows of a group", of.columns[column].name);
            sink.error("group/not_constant", when.span, title, "say any(rows, …) or all(rows, …)");
        }
        mark_reads(&expr, place.table, &joined, draft);
        classes.push(Class { when: expr, is: fate, why: why.map_or("live".into(), |why| why.text.into()) });
    }
    classes
}

fn asserts(item: Option<Item<'_>>, fields: &'static [Field], sink: &mut Sink<'_>) -> Vec<(String, Expr)> {
    let mut asserts = Vec::new();
    for item in item.map(|item| item.list(sink)).unwrap_or_default() {
        let Some(text) = item.text(sink) else { continue };
        let Some(node) = syntax::expression(&text, sink) else { continue };
        if let Some(expr) = typing::boolean(&node, Names { fields, ..Names::default() }, sink) {
            asserts.push((text.text, expr));
        }
    }
    asserts
}
