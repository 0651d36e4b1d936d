//! One table: what its catalogue entry means for a move, and the few figures that only the table itself has.

use super::Eye;
use super::catalogue::{Attribute, Relation};
use crate::error::Result;
use crate::inspect::{Code, Kind, ROWS_COUNTED_MAX, Rows, Table, Traps, Unread, is_money};
use crate::sql::ident;

/// What a mending statement costs whoever uses the table.
const REWRITES: &str = "-- rewrites the table under an exclusive lock";
const INDEXES: &str = "-- builds an index under an exclusive lock";
/// A repaired amount keeps what four digits behind the point can say.
const MONEY_TYPE: &str = "numeric(20,4)";

/// `role` is ours, quoted.
pub(super) async fn look(eye: &Eye, relation: Relation, role: &str, traps: &mut Traps) -> Result<Table> {
    identity(&relation, traps);
    storage(&relation, role, traps);
    effects(&relation, traps);
    columns(&relation, traps);
    let (rows, bytes) = figures(eye, &relation, role, traps).await?;
    sequence(eye, &relation, role, traps).await?;
    let (name, kind) = (relation.name(), relation.kind());
    let columns = relation.columns.into_iter().map(|attribute| attribute.column).collect();
    Ok(Table { name, kind, rows, bytes, key: relation.key, columns, references: relation.references })
}

/// Whether the stream can say which row was changed.
fn identity(relation: &Relation, traps: &mut Traps) {
    if relation.kind() == Kind::Elsewhere {
        return;
    }
    let (name, quoted) = (relation.name(), relation.quoted());
    let has_key = !relation.key.is_empty();
    if !has_key {
        let (detail, mend) = if relation.unique.is_empty() {
            let mend = format!("alter table {quoted} add column row_no bigserial primary key; {REWRITES}");
            ("nothing is unique and never null either".to_owned(), mend)
        } else {
            let columns: Vec<String> = relation.unique.iter().map(|column| ident(column)).collect();
            let mend = format!("alter table {quoted} add primary key ({}); {INDEXES}", columns.join(", "));
            (format!("({}) is unique and never null", relation.unique.join(", ")), mend)
        };
        traps.table(Code::NoPrimaryKey, &name, detail, Some(mend));
    }
    let detail = match relation.identity.as_str() {
        "n" => "its replica identity is nothing",
        "i" => "its replica identity is another index than the primary key",
        "d" if !has_key => "its replica identity is the primary key, and there is none",
        "d" if relation.key_is_deferrable => "its primary key is deferrable, so it identifies nothing in the stream",
        _ => return,
    };
    let identity = if has_key && !relation.key_is_deferrable { "default" } else { "full" };
    traps.table(
        Code::ReplicaIdentity,
        &name,
        detail,
        Some(format!("alter table {quoted} replica identity {identity};")),
    );
}

/// Where the rows are, and who sees them.
fn storage(relation: &Relation, role: &str, traps: &mut Traps) {
    let (name, quoted) = (relation.name(), relation.quoted());
    match relation.kind() {
        Kind::Plain | Kind::Partition => {}
        Kind::Partitioned => {
            traps.table(Code::Partitioned, &name, format!("{} partitions", relation.children), None);
        }
        Kind::Inherited => {
            traps.table(Code::Inherited, &name, format!("{} tables inherit from it", relation.children), None);
        }
        Kind::Elsewhere => traps.table(Code::RowsElsewhere, &name, "a foreign table", None),
    }
    if relation.is_unlogged {
        traps.table(Code::Unlogged, &name, "unlogged", Some(format!("alter table {quoted} set logged; {REWRITES}")));
    }
    if relation.hides_rows {
        let mend = format!("alter role {role} bypassrls;");
        traps.table(Code::RowsHidden, &name, "its policies hold for our role", Some(mend));
    } else if relation.has_policies {
        traps.table(Code::RowSecurity, &name, "its policies do not hold for our role", None);
    }
}

/// What changes rows beside whoever writes.
fn effects(relation: &Relation, traps: &mut Traps) {
    let name = relation.name();
    for (trigger, function) in &relation.triggers {
        traps.table(Code::LegacyTrigger, &name, format!("trigger {} calls {}", ident(trigger), ident(function)), None);
    }
    for reference in &relation.references {
        let effects = [("delete", &reference.on_delete), ("update", &reference.on_update)];
        let told = effects.iter().filter_map(|(when, effect)| Some(format!("on {when} {}", effect.as_ref()?)));
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            let detail = format!("{} of {}", told.join(", "), reference.table);
            traps.columns(Code::Cascade, &name, reference.columns.clone(), detail, None);
        }
    }
}

fn columns(relation: &Relation, traps: &mut Traps) {
    let named = |is: &dyn Fn(&Attribute) -> bool| -> Vec<String> {
        relation.columns.iter().filter(|of| is(of)).map(|of| of.column.name.clone()).collect()
    };
    let alter = |columns: &[String], action: &dyn Fn(&str) -> String| {
        let actions: Vec<String> = columns.iter().map(|column| action(&ident(column))).collect();
        format!("alter table {} {};", relation.quoted(), actions.join(", "))
    };
    let name = relation.name();
    let floats = named(&|of| ["float4", "float8"].contains(&of.base.as_str()) && is_money(&of.column.name));
    if !floats.is_empty() {
        let mend = alter(&floats, &|column| format!("alter column {column} type {MONEY_TYPE}"));
        traps.columns(Code::FloatMoney, &name, floats, "an amount as a float", Some(format!("{mend} {REWRITES}")));
    }
    let zoneless = named(&|of| of.base == "timestamp");
    if !zoneless.is_empty() {
        let to = |column: &str| format!("alter column {column} type timestamptz using {column} at time zone 'ZONE'");
        let mend = format!("{} {REWRITES}; ZONE: what the program meant", alter(&zoneless, &to));
        traps.columns(Code::ZonelessTime, &name, zoneless, "a time without a zone", Some(mend));
    }
    let generated = named(&|of| of.is_generated);
    if !generated.is_empty() {
        let mend = alter(&generated, &|column| format!("alter column {column} drop expression"));
        let mend = format!("{mend} -- the program must fill it from then on");
        traps.columns(Code::Generated, &name, generated, "generated from other columns", Some(mend));
    }
}

/// Rows and bytes, and whether values are out of line.
async fn figures(eye: &Eye, relation: &Relation, role: &str, traps: &mut Traps) -> Result<(Rows, Option<u64>)> {
    if relation.kind() == Kind::Elsewhere {
        return Ok((Rows::Unread(Unread::Elsewhere), None));
    }
    if !(relation.is_readable && relation.is_reachable) {
        unread(relation, Unread::Right, role, traps);
        return Ok((Rows::Unread(Unread::Right), None));
    }
    // A trap of its own.
    if relation.hides_rows {
        return Ok((Rows::Unread(Unread::RowsHidden), None));
    }
    let sql = format!(
        "select pg_total_relation_size(c.oid), \
         case when c.reltoastrelid = 0 then 0 else pg_relation_size(c.reltoastrelid) end \
         from pg_class c where c.oid = {}",
        relation.oid
    );
    let size = |row: &[Option<String>], column: usize| -> Option<u64> { row.get(column)?.as_deref()?.parse().ok() };
    let sizes = eye.table(&sql).await?;
    // Of a partitioned table only the partitions have a size.
    let bytes = sizes.as_ref().ok().and_then(|row| size(row, 0)).filter(|_| relation.kind() != Kind::Partitioned);
    if sizes.is_ok_and(|row| size(&row, 1).is_some_and(|bytes| bytes > 0)) {
        out_of_line(relation, traps);
    }
    let known = u64::try_from(relation.estimate).ok().filter(|rows| *rows > ROWS_COUNTED_MAX);
    if let Some(rows) = known {
        return Ok((Rows::Estimate(rows), bytes));
    }
    let only = if relation.kind() == Kind::Inherited { "only " } else { "" };
    let most = ROWS_COUNTED_MAX + 1;
    let sql = format!("select count(*) from (select 1 from {only}{} limit {most}) counted", relation.quoted());
    let counted = eye.table(&sql).await?.and_then(|row| size(&row, 0).ok_or(Unread::Failed));
    Ok(match counted {
        Ok(rows) if rows == most => (Rows::AtLeast(ROWS_COUNTED_MAX), bytes),
        Ok(rows) => (Rows::Exact(rows), bytes),
        Err(why) => {
            unread(relation, why, role, traps);
            (Rows::Unread(why), bytes)
        }
    })
}

fn unread(relation: &Relation, why: Unread, role: &str, traps: &mut Traps) {
    let schema = format!("grant usage on schema {} to {role};", ident(&relation.schema));
    let table = format!("grant select on {} to {role};", relation.quoted());
    let needed = [(relation.is_reachable, schema), (relation.is_readable, table)];
    let grants: Vec<String> = needed.into_iter().filter(|(has, _)| !has).map(|(_, grant)| grant).collect();
    let mend = (why == Unread::Right).then(|| grants.join(" "));
    traps.table(Code::Unread, &relation.name(), format!("not read: {}", why.reason()), mend);
}

fn out_of_line(relation: &Relation, traps: &mut Traps) {
    let wide = relation.columns.iter().filter(|of| of.is_wide).map(|of| of.column.name.clone());
    let wide: Vec<String> = wide.collect();
    if !wide.is_empty() && relation.identity != "f" {
        let mend = format!(
            "alter table {} replica identity full; -- every change then logs the whole old row",
            relation.quoted()
        );
        traps.columns(Code::OutOfLine, &relation.name(), wide, "some rows have values out of line", Some(mend));
    }
}

/// Where the next ids come from.
async fn sequence(eye: &Eye, relation: &Relation, role: &str, traps: &mut Traps) -> Result<()> {
    let Some(key) = relation.number_key() else { return Ok(()) };
    // What is numbered as its parent's row, or lives in a partition, is not numbered here.
    let borrowed = relation.references.iter().any(|reference| reference.columns == [key]);
    if borrowed || matches!(relation.kind(), Kind::Partition | Kind::Elsewhere) {
        return Ok(());
    }
    let (name, table, column) = (relation.name(), relation.quoted(), ident(key));
    let columns = vec![key.to_owned()];
    let Some(sequence) = &relation.sequence else {
        traps.columns(Code::NoSequence, &name, columns, "no sequence numbers it", None);
        return Ok(());
    };
    let from = format!("'{}'", sequence.name.replace('\'', "''"));
    if !sequence.is_linked {
        let detail = format!("sequence {} has the name, and is not its default", sequence.name);
        let mend = format!("alter table {table} alter column {column} set default nextval({from});");
        traps.columns(Code::NoSequence, &name, columns.clone(), detail, Some(mend));
    }
    if !(relation.is_readable && relation.is_reachable) || relation.hides_rows {
        return Ok(());
    }
    let next = format!(
        "select coalesce(max({column}) >= (select case when is_called then last_value + 1 else last_value end \
         from {}), false) from {table}",
        sequence.name
    );
    match eye.table(&next).await? {
        Ok(row) if row.first().and_then(Option::as_deref) == Some("t") => {
            let mend = format!("select setval({from}, (select max({column}) from {table}));");
            let detail = format!("sequence {} would give ids that are taken", sequence.name);
            traps.columns(Code::SequenceBehind, &name, columns, detail, Some(mend));
        }
        Ok(_) => {}
        Err(why) => {
            let mend = format!("grant select on sequence {} to {role};", sequence.name);
            let detail = format!("sequence {} not read: {}", sequence.name, why.reason());
            traps.columns(Code::Unread, &name, columns, detail, (why == Unread::Right).then_some(mend));
        }
    }
    Ok(())
}
