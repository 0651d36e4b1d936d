//! Every statement of this crate, found in its own sources and prepared on a fresh store of either engine.
//!
//! Invariant: what the finder cannot complete it says, and fails: no statement is skipped in silence. A literal is one if it
//! begins with a word of `BEGINNINGS`; a hole of it is the name of a constant of this crate.
//! Absent on purpose: what a statement answers, which is for the tests of the doors; tables, which migrations make.

mod tokens;

use super::dialect;
use super::value::Value;
use crate::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use testkit::postgres::fresh_database;
use tokens::{Token, Tokens, closing, tokens};
use tokio_postgres::types::{ToSql, Type};

const BEGINNINGS: [&str; 5] = ["select", "insert", "update", "delete", "with"];
/// What only a part of a statement has: whoever puts one together from such would be missed.
const PARTS: [&str; 6] = [" where ", "order by ", "group by ", "on conflict", " returning ", "?1"];
/// What people are told, and has such a word.
const PROSE: [&str; 1] = ["{} has a store already, which is somewhere else"];
/// Whoever is handed a statement, and as which of its arguments.
const TAKERS: [(&str, usize); 6] =
    [("all", 2), ("first", 2), ("first_of_each", 2), ("execute", 2), ("defer", 2), ("defer_each", 2)];
/// Made of whatever tables there are (the tests of copies run each of them for every table, on both engines), or of whatever
/// statement is said of many at once (those of the dialect, and of what waits for the server).
const OF_ANY: [&str; 2] = ["copy.rs", "dialect.rs"];
/// What the dialect says otherwise: the beginning of a statement, of which there is nothing more.
const BEGUN: [&str; 2] = ["insert or fail into", "insert into"];
/// Fewer than there are: a finder that finds nothing proves nothing.
const LEAST: usize = 100;

/// The same without the modules of tests, and the files that are such modules.
fn without_tests(tokens: &Tokens, file: &Path) -> (Tokens, Vec<PathBuf>) {
    let words = |at: usize| -> String {
        let some = tokens[at..].iter().take(8).map(|(token, _)| match token {
            Token::Word(word) => word.clone(),
            Token::Sign(sign) => sign.to_string(),
            Token::Text(_) => "\"".to_owned(),
        });
        some.collect()
    };
    let (mut left, mut files, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        if !words(at).starts_with("#[cfg(test)]") {
            left.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += 7;
        // What is no module stays: a statement in it is one as well.
        if tokens[at].0.word() != Some("mod") {
            continue;
        }
        if tokens[at + 2].0.is(';') {
            let folder = if file.ends_with("lib.rs") { file.with_file_name("") } else { file.with_extension("") };
            files.push(folder.join(tokens[at + 1].0.word().unwrap()).with_extension("rs"));
            at += 3;
        } else {
            at = closing(tokens, at + 2) + 1;
        }
    }
    (left, files)
}

/// Each statement with where it stands, or why it cannot be said what it is.
#[derive(Default)]
struct Found {
    statements: Vec<(String, String)>,
    wrong: Vec<String>,
}

fn is_statement(text: &str) -> bool {
    let word: String = text.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    BEGINNINGS.contains(&word.as_str()) && text.trim() != word && !BEGUN.contains(&text)
}

fn is_part(text: &str) -> bool {
    PARTS.iter().any(|part| text.contains(part)) && !PROSE.iter().any(|prose| text.starts_with(prose))
}

impl Found {
    fn look(&mut self, file: &str, tokens: &Tokens, constants: &BTreeMap<String, String>) {
        for (n, (token, line)) in tokens.iter().enumerate() {
            let place = format!("{file}:{line}");
            match token {
                Token::Text(text) if is_statement(text) => match whole(tokens, n, text, constants) {
                    Ok(statement) => self.statements.push((place, statement)),
                    Err(why) => self.wrong.push(format!("{place}: {why}: {text}")),
                },
                Token::Text(text) if is_part(text) => {
                    self.wrong.push(format!("{place}: a part of a statement: {text}"));
                }
                Token::Word(word) => {
                    if let Err(why) = handed(tokens, n, word) {
                        self.wrong.push(format!("{place}: {word}: {why}"));
                    }
                }
                Token::Text(_) | Token::Sign(_) => {}
            }
        }
    }
}

/// A statement with its holes filled.
fn whole(tokens: &Tokens, at: usize, text: &str, constants: &BTreeMap<String, String>) -> Result<String, &'static str> {
    let sign = |at: usize, sign: char| tokens.get(at).is_some_and(|(token, _)| token.is(sign));
    let is_of = |name: &str| {
        at > 2 && sign(at - 1, '(') && sign(at - 2, '!') && tokens[at - 3].0 == Token::Word(name.to_owned())
    };
    if sign(at + 1, '.') || sign(at + 1, '+') || is_of("concat") {
        return Err("something is done to it");
    }
    if !is_of("format") {
        return if text.contains(['{', '}']) { Err("a hole outside of format!") } else { Ok(text.to_owned()) };
    }
    if !sign(at + 1, ')') || sign(at + 2, '.') || sign(at + 2, '+') {
        return Err("its holes have no name, or something is done to it");
    }
    let (mut whole, mut rest) = (String::new(), text);
    while let Some((before, hole)) = rest.split_once('{') {
        let (name, after) = hole.split_once('}').ok_or("a hole that does not end")?;
        whole += before;
        whole += constants.get(name).ok_or("a hole that is no constant")?;
        rest = after;
    }
    Ok(whole + rest)
}

/// Whoever takes a statement takes one that was found: a literal, a constant, or what was made of literals beforehand.
fn handed(tokens: &Tokens, at: usize, word: &str) -> Result<(), String> {
    let Some((_, argument)) = TAKERS.iter().find(|(taker, _)| *taker == word) else { return Ok(()) };
    let is_called = tokens.get(at + 1).is_some_and(|(token, _)| token.is('('));
    let before = |n: usize| at.checked_sub(n).map(|at| &tokens[at].0);
    // A method of something else, or the definition.
    if !is_called || before(1) != Some(&Token::Sign(':')) || before(3) != Some(&Token::Word("sql".to_owned())) {
        return Ok(());
    }
    let arguments = split(&tokens[at + 2..closing(tokens, at + 1)]);
    let given = arguments.get(*argument).ok_or("too few arguments")?;
    let given: Vec<&Token> = given.iter().map(|(token, _)| token).filter(|token| !token.is('&')).collect();
    let [given] = given[..] else { return Err(format!("not a name: {given:?}")) };
    let Some(name) = given.word() else { return Ok(()) };
    if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return Ok(());
    }
    let binds = |n: &usize| {
        tokens[*n].0.word() == Some("let") && tokens[n + 1].0.word() == Some(name) && tokens[n + 2].0.is('=')
    };
    let bound = (0..at).rev().find(binds).ok_or("a statement from elsewhere")?;
    let mut end = bound;
    while !tokens[end].0.is(';') {
        end = if tokens[end].0.is('{') || tokens[end].0.is('(') { closing(tokens, end) + 1 } else { end + 1 };
    }
    let says = |(token, _): &(Token, usize)| matches!(token, Token::Text(text) if is_statement(text));
    if tokens[bound..end].iter().any(says) { Ok(()) } else { Err(format!("`{name}` is no statement")) }
}

/// Arguments, which commas separate.
fn split(tokens: &[(Token, usize)]) -> Vec<&[(Token, usize)]> {
    let (mut found, mut begun, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        match tokens[at].0 {
            Token::Sign('(' | '[' | '{') => at = closing(tokens, at),
            Token::Sign(',') => {
                found.push(&tokens[begun..at]);
                begun = at + 1;
            }
            Token::Sign(_) | Token::Word(_) | Token::Text(_) => {}
        }
        at += 1;
    }
    found.push(&tokens[begun..]);
    found
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// All statements of this crate.
fn statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    files.sort();
    let read: Vec<(PathBuf, (Tokens, Vec<PathBuf>))> = files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let left = without_tests(&tokens(&text), &path);
            (path, left)
        })
        .collect();
    let tests: Vec<&PathBuf> = read.iter().flat_map(|(_, (_, tests))| tests).collect();
    let ours = || read.iter().filter(|(path, _)| !tests.contains(&path));
    let constants = ours().flat_map(|(_, (tokens, _))| constants(tokens)).collect();
    let mut found = Found::default();
    for (path, (tokens, _)) in ours().filter(|(path, _)| !OF_ANY.iter().any(|name| path.ends_with(name))) {
        found.look(&path.strip_prefix(&folder).unwrap().display().to_string(), tokens, &constants);
    }
    assert!(found.wrong.is_empty(), "what these are cannot be said:\n{}", found.wrong.join("\n"));
    assert!(found.statements.len() >= LEAST, "only {} statements were found", found.statements.len());
    found.statements
}

/// `const NAME: &str = "…";`
fn constants(tokens: &Tokens) -> BTreeMap<String, String> {
    let constant = |window: &[(Token, usize)]| match window {
        [(Token::Word(word), _), (Token::Word(name), _), .., (Token::Sign('='), _), (Token::Text(text), _)]
            if word == "const" =>
        {
            Some((name.clone(), text.clone()))
        }
        _ => None,
    };
    tokens.windows(7).filter_map(constant).collect()
}

/// Of one engine alone, because it asks for what only that has.
fn is_postgres_alone(sql: &str) -> bool {
    sql.contains("pg_")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_statement_is_one_to_either_engine() {
    let (dir, database) = (tempfile::tempdir().unwrap(), fresh_database().await);
    drop(Store::open(dir.path()).unwrap());
    drop(Store::open_at(tempfile::tempdir().unwrap().path(), &database.url).unwrap());
    let file = rusqlite::Connection::open(dir.path().join("store.sqlite")).unwrap();
    let server = database.connect().await;
    let (mut wrong, mut counts) = (Vec::new(), [0, 0]);
    for (place, sql) in statements() {
        if !is_postgres_alone(&sql) {
            counts[0] += 1;
            wrong.extend(file.prepare(&sql).err().map(|error| format!("{place}: SQLite: {error}: {sql}")));
        }
        if is_sqlite_alone(&sql) {
            continue;
        }
        counts[1] += 1;
        match server.prepare(&dialect::of_postgres(&sql)).await {
            Err(error) => wrong.push(format!("{place}: PostgreSQL: {error:?}: {sql}")),
            Ok(statement) => {
                let strange: Vec<&Type> =
                    statement.params().iter().filter(|ty| !<Value<'_> as ToSql>::accepts(ty)).collect();
                let unread = statement.columns().iter().filter(|column| !is_read(column.type_()));
                let unread: Vec<&str> = unread.map(tokio_postgres::Column::name).collect();
                if !(strange.is_empty() && unread.is_empty()) {
                    wrong.push(format!("{place}: PostgreSQL: cells {strange:?}, columns {unread:?}: {sql}"));
                }
            }
        }
    }
    println!("statements prepared: {} on SQLite, {} on PostgreSQL", counts[0], counts[1]);
    assert!(wrong.is_empty(), "{} are none:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_sqlite_alone(sql: &str) -> bool {
    sql.contains("sqlite_schema")
}

/// Whether a cell of this type is read: a number with a fraction is not.
fn is_read(ty: &Type) -> bool {
    matches!(*ty, Type::VOID) || <Value<'_> as ToSql>::accepts(ty)
}

#[test]
fn what_cannot_be_completed_is_not_skipped() {
    let check = |source: &str, said: &str| {
        let tokens = tokens(source);
        let mut found = Found::default();
        found.look("f", &tokens, &constants(&tokens));
        let all = [found.wrong, found.statements.into_iter().map(|(_, sql)| sql).collect()].concat();
        assert_eq!(all.join("|"), said, "{source}");
    };
    check("// \"select 1\"\nlet a = 'b'; let c = r#\"select \"1\"\"#;", "select \"1\"");
    check("let a = \"select \\\n     1\";", "select 1");
    check("const NAMES: &str = \"a, b\"; format!(\"select {NAMES} from t\")", "select a, b from t");
    check("format!(\"select {names} from t\")", "f:1: a hole that is no constant: select {names} from t");
    check(
        "format!(\"select {} from t\", a)",
        "f:1: its holes have no name, or something is done to it: select {} from t",
    );
    check("\"select 1\" + more", "f:1: something is done to it: select 1");
    check("concat!(\"select 1\", \" from t\")", "f:1: something is done to it: select 1");
    check("sql.push_str(\" where a = b\")", "f:1: a part of a statement:  where a = b");
    check("fn f(sql: &str) { sql::all(c, W, sql, p) }", "f:1: all: a statement from elsewhere");
    check("let sql = made(); sql::all(c, W, &sql, p)", "f:1: all: `sql` is no statement");
    check(
        "let sql = if a { \"delete from t\" } else { \"select 1\" }; sql::first(c, W, sql, p)",
        "delete from t|select 1",
    );
    check("sql::execute(c, W, made(), p)", "f:1: execute: not a name: [Word(\"made\"), Sign('('), Sign(')')]");
}
