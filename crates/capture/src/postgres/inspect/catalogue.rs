//! The catalogue as plain values: seven queries over all tables at once, then put together table by table.
//!
//! None of them asks a function that would lock a table of the legacy's.

use super::Eye;
use crate::error::{Error, Result};
use crate::inspect::{Column, Kind, Reference, TABLES_MAX};
use crate::postgres::session::number;
use crate::sql::ident;
use std::collections::HashMap;

/// What is looked at: `c` is `pg_class`, `n` its schema.
pub(super) const OF_OTHERS: &str = "c.relkind in ('r', 'p', 'f') and n.nspname <> 'information_schema' \
     and left(n.nspname, 3) <> 'pg_' and left(c.relname, 6) <> 'balik_'";

/// One table, as the catalogue knows it.
#[derive(Default)]
pub(super) struct Relation {
    pub oid: String,
    pub schema: String,
    pub table: String,
    pub kind: String,
    pub is_partition: bool,
    pub children: u64,
    pub is_unlogged: bool,
    /// `d`, `n`, `f` or `i`.
    pub identity: String,
    /// What statistics say; below zero where there are none.
    pub estimate: i64,
    /// Our role may select from it, and may name it at all.
    pub is_readable: bool,
    pub is_reachable: bool,
    pub has_policies: bool,
    pub hides_rows: bool,
    pub columns: Vec<Attribute>,
    pub key: Vec<String>,
    pub key_is_deferrable: bool,
    /// Columns that are unique and never null, where there is no primary key.
    pub unique: Vec<String>,
    pub sequence: Option<Sequence>,
    /// Name and function.
    pub triggers: Vec<(String, String)>,
    pub references: Vec<Reference>,
}

pub(super) struct Attribute {
    pub column: Column,
    /// The type's own name, of a domain the one below.
    pub base: String,
    pub is_generated: bool,
    /// As long as somebody writes, so perhaps out of line.
    pub is_wide: bool,
}

pub(super) struct Sequence {
    /// Quoted, with its schema.
    pub name: String,
    /// The key takes its default from it. Otherwise it is only named as one that would.
    pub is_linked: bool,
}

impl Relation {
    /// As a mapping names it.
    pub fn name(&self) -> String {
        shown(&self.schema, &self.table)
    }

    /// As a statement names it, wherever the search path leads.
    pub fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.table))
    }

    pub fn kind(&self) -> Kind {
        match self.kind.as_str() {
            "f" => Kind::Elsewhere,
            "p" => Kind::Partitioned,
            _ if self.is_partition => Kind::Partition,
            _ if self.children > 0 => Kind::Inherited,
            _ => Kind::Plain,
        }
    }

    /// The key's one column, where it is a whole number.
    pub fn number_key(&self) -> Option<&str> {
        let [key] = self.key.as_slice() else { return None };
        let whole = |attribute: &&Attribute| ["int2", "int4", "int8"].contains(&attribute.base.as_str());
        self.columns.iter().filter(whole).any(|attribute| attribute.column.name == *key).then_some(key.as_str())
    }
}

pub(super) async fn relations(eye: &Eye) -> Result<Vec<Relation>> {
    let mut relations = Vec::new();
    for row in eye.catalogue(&chosen(TABLES)).await? {
        relations.push(relation(&row)?);
    }
    let places: HashMap<String, usize> =
        relations.iter().enumerate().map(|(place, relation)| (relation.oid.clone(), place)).collect();
    for (query, fill) in PARTS {
        for row in eye.catalogue(&chosen(query)).await? {
            // A table that was made since the first query is not looked at.
            if let Some(place) = places.get(text(&row, 0)?) {
                fill(&mut relations[*place], &row)?;
            }
        }
    }
    Ok(relations)
}

fn shown(schema: &str, table: &str) -> String {
    if schema == "public" { table.to_owned() } else { format!("{schema}.{table}") }
}

/// A query over the tables that are looked at: their numbers are `chosen.oid`.
fn chosen(query: &str) -> String {
    format!(
        "with chosen as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where {OF_OTHERS} order by n.nspname, c.relname limit {TABLES_MAX}) {query}"
    )
}

fn text(row: &[Option<String>], column: usize) -> Result<&str> {
    row.get(column)
        .and_then(Option::as_deref)
        .ok_or_else(|| Error::Decode(format!("no value in column {column} of the catalogue")))
}

fn flag(row: &[Option<String>], column: usize) -> Result<bool> {
    text(row, column).map(|word| word == "t")
}

const TABLES: &str = "select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence = 'u', c.relreplident, \
     c.reltuples::bigint, c.relispartition, c.relrowsecurity, row_security_active(c.oid), \
     has_table_privilege(c.oid, 'select'), (select count(*) from pg_inherits i where i.inhparent = c.oid), \
     has_schema_privilege(n.oid, 'usage') \
     from chosen join pg_class c on c.oid = chosen.oid join pg_namespace n on n.oid = c.relnamespace \
     order by n.nspname <> 'public', n.nspname, c.relname";

fn relation(row: &[Option<String>]) -> Result<Relation> {
    Ok(Relation {
        oid: text(row, 0)?.to_owned(),
        schema: text(row, 1)?.to_owned(),
        table: text(row, 2)?.to_owned(),
        kind: text(row, 3)?.to_owned(),
        is_unlogged: flag(row, 4)?,
        identity: text(row, 5)?.to_owned(),
        estimate: number(text(row, 6)?)?,
        is_partition: flag(row, 7)?,
        has_policies: flag(row, 8)?,
        hides_rows: flag(row, 9)?,
        is_readable: flag(row, 10)?,
        children: number(text(row, 11)?)?,
        is_reachable: flag(row, 12)?,
        ..Relation::default()
    })
}

/// A query whose rows each belong to the table whose number they begin with, and what a row adds to it.
type Part = (&'static str, fn(&mut Relation, &[Option<String>]) -> Result<()>);

const PARTS: [Part; 6] = [
    (COLUMNS, column),
    (KEYS, key),
    (UNIQUES, unique),
    (SEQUENCES, sequence),
    (TRIGGERS, trigger),
    (REFERENCES, reference),
];

const COLUMNS: &str = "select a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull, \
     coalesce(b.typname, t.typname), a.attgenerated <> '', a.attstorage <> 'p' and a.atttypmod < 0 \
     and coalesce(b.typname, t.typname) <> 'numeric' \
     from chosen join pg_attribute a on a.attrelid = chosen.oid and a.attnum > 0 and not a.attisdropped \
     join pg_type t on t.oid = a.atttypid left join pg_type b on b.oid = t.typbasetype \
     order by a.attrelid, a.attnum";

fn column(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    let column =
        Column { name: text(row, 1)?.to_owned(), type_name: text(row, 2)?.to_owned(), nullable: flag(row, 3)? };
    let base = text(row, 4)?.to_owned();
    relation.columns.push(Attribute { column, base, is_generated: flag(row, 5)?, is_wide: flag(row, 6)? });
    Ok(())
}

const KEYS: &str = "select i.indrelid, a.attname, i.indimmediate \
     from chosen join pg_index i on i.indrelid = chosen.oid and i.indisprimary \
     cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, place) \
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum \
     where k.place <= i.indnkeyatts order by i.indrelid, k.place";

fn key(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    relation.key.push(text(row, 1)?.to_owned());
    relation.key_is_deferrable = !flag(row, 2)?;
    Ok(())
}

/// Of several, the oldest.
const UNIQUES: &str = "select i.indrelid, a.attname from (select distinct on (i.indrelid) i.* from chosen \
       join pg_index i on i.indrelid = chosen.oid where i.indisunique and i.indimmediate and i.indisvalid \
       and i.indpred is null and i.indexprs is null \
       and not exists (select 1 from pg_index p where p.indrelid = i.indrelid and p.indisprimary) \
       and not exists (select 1 from unnest(i.indkey::int2[]) k (attnum) \
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum where not a.attnotnull) \
       order by i.indrelid, i.indexrelid) i \
     cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, place) \
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum \
     where k.place <= i.indnkeyatts order by i.indrelid, k.place";

fn unique(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    relation.unique.push(text(row, 1)?.to_owned());
    Ok(())
}

/// The sequence behind a key: its own, the one of its default, or one that only has the usual name.
const SEQUENCES: &str = "select i.indrelid, sn.nspname, s.relname, s.oid = l.seq \
     from chosen join pg_index i on i.indrelid = chosen.oid and i.indisprimary and i.indnkeyatts = 1 \
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] \
     join pg_class c on c.oid = i.indrelid \
     left join lateral (select d.objid as seq from pg_depend d where d.classid = 'pg_class'::regclass \
         and d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum \
         and d.deptype in ('i', 'a') and exists (select 1 from pg_class q where q.oid = d.objid and q.relkind = 'S') \
       union all select d.refobjid from pg_attrdef f join pg_depend d on d.classid = 'pg_attrdef'::regclass \
         and d.objid = f.oid and d.refclassid = 'pg_class'::regclass \
         join pg_class q on q.oid = d.refobjid and q.relkind = 'S' \
         where f.adrelid = a.attrelid and f.adnum = a.attnum limit 1) l on true \
     join pg_class s on s.relkind = 'S' and (s.oid = l.seq or l.seq is null \
       and s.relnamespace = c.relnamespace and s.relname = c.relname || '_' || a.attname || '_seq') \
     join pg_namespace sn on sn.oid = s.relnamespace";

fn sequence(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    let name = format!("{}.{}", ident(text(row, 1)?), ident(text(row, 2)?));
    let is_linked = row.get(3).and_then(Option::as_deref) == Some("t");
    relation.sequence = Some(Sequence { name, is_linked });
    Ok(())
}

const TRIGGERS: &str = "select t.tgrelid, t.tgname, p.proname from chosen \
     join pg_trigger t on t.tgrelid = chosen.oid and not t.tgisinternal and t.tgenabled <> 'D' and t.tgparentid = 0 \
     join pg_proc p on p.oid = t.tgfoid where left(t.tgname, 6) <> 'balik_' order by t.tgrelid, t.tgname";

fn trigger(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    relation.triggers.push((text(row, 1)?.to_owned(), text(row, 2)?.to_owned()));
    Ok(())
}

const REFERENCES: &str = "select r.conrelid, k.place, a.attname, n.nspname, f.relname, b.attname, \
     r.confdeltype, r.confupdtype from chosen \
     join pg_constraint r on r.conrelid = chosen.oid and r.contype = 'f' and r.conparentid = 0 \
     cross join lateral unnest(r.conkey, r.confkey) with ordinality k (here, there, place) \
     join pg_attribute a on a.attrelid = r.conrelid and a.attnum = k.here \
     join pg_attribute b on b.attrelid = r.confrelid and b.attnum = k.there \
     join pg_class f on f.oid = r.confrelid join pg_namespace n on n.oid = f.relnamespace \
     order by r.conrelid, r.conkey, r.conname, k.place";

fn reference(relation: &mut Relation, row: &[Option<String>]) -> Result<()> {
    let (here, there) = (text(row, 2)?.to_owned(), text(row, 5)?.to_owned());
    // The first column of a key opens it, the others follow in their order.
    if let Some(open) = relation.references.last_mut().filter(|_| row[1].as_deref() != Some("1")) {
        open.columns.push(here);
        open.to.push(there);
        return Ok(());
    }
    let table = shown(text(row, 3)?, text(row, 4)?);
    let (on_delete, on_update) = (effect(text(row, 6)?), effect(text(row, 7)?));
    relation.references.push(Reference { columns: vec![here], table, to: vec![there], on_delete, on_update });
    Ok(())
}

fn effect(letter: &str) -> Option<String> {
    let word = match letter {
        "c" => "cascade",
        "n" => "set null",
        "d" => "set default",
        _ => return None,
    };
    Some(word.to_owned())
}
