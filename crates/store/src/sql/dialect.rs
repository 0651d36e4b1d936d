//! What the two engines say otherwise. Statements and tables are written once, in SQLite's words; here they become
//! PostgreSQL's. The behaviour tests of all doors run on both.

/// What PostgreSQL has to be told and SQLite does not: one writer needs no lock on a row.
const FOR_UPDATE: &str = " /* for update */";

/// A statement in the words of PostgreSQL.
pub fn of_postgres(sql: &str) -> String {
    let sql =
        without_hints(sql).replace(FOR_UPDATE, " for update").replace("instr(", "strpos(").replace("x''", "''::bytea");
    let sql = sql.replace("insert or fail into", "insert into");
    let mut text = fields(&sql).replace('?', "$");
    text.shrink_to_fit();
    text
}

/// A statement that is written for one key, or for one row, said to PostgreSQL of many at once: cell by cell there is an array, of
/// these types. Rows that are found have behind their cells which of the keys they are of, from 1.
pub fn of_each(sql: &str, types: &[&str]) -> String {
    let count = types.len();
    let arrays: Vec<String> = (1..=count).zip(types).map(|(nth, of)| format!("${nth}::{of}[]")).collect();
    let arrays = arrays.join(", ");
    let said = of_postgres(sql);
    let cells: Vec<String> = (1..=count).map(|nth| format!("${nth}")).collect();
    let row = format!("values ({})", cells.join(", "));
    if said.contains(&row) {
        return said.replacen(&row, &format!("select * from unnest({arrays})"), 1);
    }
    // The highest first: `$1` is the beginning of `$12`.
    let keyed = (1..=count).rev().fold(said, |said, nth| said.replace(&format!("${nth}"), &format!("k.a{nth}")));
    let names: Vec<String> = (1..=count).map(|nth| format!("a{nth}")).collect();
    // `offset 0`: it is looked for key by key, by an index, however few rows the planner believes in.
    format!(
        "select q.*, k.nth from unnest({arrays}) with ordinality as k({}, nth), lateral ({keyed} offset 0) q",
        names.join(", ")
    )
}

/// Tables and indexes in the words of PostgreSQL. Text is compared byte by byte, as SQLite does.
pub fn tables_of_postgres(sql: &str) -> String {
    let without_comments = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    let lines: Vec<String> = without_comments
        .map(|line| {
            let line = line.replace(" strict, without rowid", "").replace(" strict;", ";");
            // An entry of an index there has no room for a title of any length.
            let line = line.replace("(shop, number, id, title)", "(shop, number, id)");
            let line = typed(&line, "integer", "bigint");
            let line = typed(&line, "blob", "bytea");
            fields(&typed(&line, "text", "text collate \"C\""))
        })
        .collect();
    lines.join("\n")
}

/// A column's type, which stands behind its name.
fn typed(line: &str, from: &str, to: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let of = |word: &str| match word.strip_prefix(from) {
        Some(rest) if rest.is_empty() || rest == "," || rest == ";" => Some(format!("{to}{rest}")),
        _ => None,
    };
    words.into_iter().map(|word| of(word).unwrap_or_else(|| word.to_owned())).collect::<Vec<_>>().join(" ")
}

/// `json_extract(body, '$.cart')` is `(body::json ->> 'cart')`: of type json: the text is kept as it is. A document with a
/// character of value zero cannot be read so, and is not imported.
fn fields(sql: &str) -> String {
    const CALL: &str = "json_extract(";
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, call)) = rest.split_once(CALL) {
        text.push_str(before);
        let parts = call.split_once(", '$.").and_then(|(of, path)| Some((of, path.split_once("')")?)));
        let Some((of, (name, after))) = parts else {
            text.push_str(CALL);
            rest = call;
            continue;
        };
        text.push_str(&format!("({of}::json ->> '{name}')"));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// PostgreSQL chooses its indexes itself.
fn without_hints(sql: &str) -> String {
    const HINT: &str = " indexed by ";
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, hint)) = rest.split_once(HINT) {
        text.push_str(before);
        rest =
            hint.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).map_or("", |end| &hint[end..]);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_said_in_the_other_words() {
        let said = of_postgres(
            "select id from document indexed by document_by_cart\n where json_extract(body, '$.cart') = ?2 and instr(title, ?4) > 0",
        );
        assert_eq!(said, "select id from document\n where (body::json ->> 'cart') = $2 and strpos(title, $4) > 0");
        assert_eq!(
            of_postgres("select 1 from a where b = ?1 /* for update */"),
            "select 1 from a where b = $1 for update"
        );
    }

    #[test]
    fn what_is_said_of_one_is_said_of_many_at_once() {
        let said = of_each("select n from t where a = ?1 and b = ?2 order by n desc limit 1", &["text", "bigint"]);
        assert_eq!(
            said,
            "select q.*, k.nth from unnest($1::text[], $2::bigint[]) with ordinality as k(a1, a2, nth), \
             lateral (select n from t where a = k.a1 and b = k.a2 order by n desc limit 1 offset 0) q"
        );
        let said = of_each("insert into t (a, b)\n values (?1, ?2) on conflict do nothing", &["text", "bytea"]);
        assert_eq!(said, "insert into t (a, b)\n select * from unnest($1::text[], $2::bytea[]) on conflict do nothing");
    }

    #[test]
    fn a_table_has_the_other_types() {
        let sql = "-- A comment.\ncreate table t (\n    a text    not null,\n    b integer,\n    c blob check (length(c) = 16)\n) strict, without rowid;\nalter table t add column d integer;";
        let said = "create table t (\n    a text collate \"C\"    not null,\n    b bigint,\n    c bytea check (length(c) = 16)\n);\nalter table t add column d bigint;";
        assert_eq!(tables_of_postgres(sql), said);
    }
}
