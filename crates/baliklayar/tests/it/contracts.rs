//! docs/contracts.md against the executable: every flag and subcommand, every crash point and fault, and the fields of
//! what it writes. What stands in the document and not in the program, or the other way round, fails here. And what it
//! says of keys and instruments is tried at the seam.

use crate::client::{Request, filled_in, id, line_items};
use crate::demo::{alone, executable};
use crate::world::{Engine, World};
use mover::Verb;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use vocab::id::{ShopId, Side};

const PHASES: [&str; 3] = [".before", ".during", ".after"];

pub fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts.md");
    std::fs::read_to_string(path).unwrap()
}

pub fn run(args: &[&str]) -> Output {
    let mut command = Command::new(executable());
    command.args(args).stdin(Stdio::null());
    for variable in ["BALIK_WORK", "BALIK_SEED", "BALIK_CRASH", "BALIK_HOST_KEY", "BALIK_SELLER_KEY"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The text under a heading, to the next one of any depth.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no `{heading}`"));
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

/// The rows of the tables in a text, heads included, cell by cell and without backticks.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches('`')).collect()).collect()
}

/// The block of the language and name given behind the fence.
fn block<'a>(document: &'a str, fence: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("\n```{fence}\n")).unwrap_or_else(|| panic!("no block `{fence}`"));
    rest.split_once("\n```").unwrap().0
}

/// The flags that a command's `--help` shows.
fn flags(command: &[&str]) -> BTreeSet<String> {
    let help = said(&[command, &["--help"]].concat());
    let words = help.lines().filter_map(|line| line.trim_start().split([' ', ',']).find(|word| word.starts_with("--")));
    words.filter(|flag| *flag != "--help" && *flag != "--version").map(str::to_owned).collect()
}

fn documented(document: &str, heading: &str) -> BTreeSet<String> {
    let first = rows(section(document, heading)).into_iter().map(|row| row[0].to_owned());
    first.filter(|cell| cell.starts_with("--")).collect()
}

#[test]
fn every_flag_is_documented_and_every_documented_flag_is_there() {
    let document = document();
    for command in ["demo", "move", "serve", "backup", "restore", "serving"] {
        assert_eq!(flags(&[command]), documented(&document, &format!("### `baliklayar {command}`")), "{command}");
    }
    let common = flags(&["move"]);
    for subcommand in subcommands() {
        let nested = words(&["move", &subcommand]);
        let mut own = flags(&["move", &subcommand]);
        nested.iter().for_each(|word| own.extend(flags(&["move", &subcommand, word])));
        let own: BTreeSet<String> = own.difference(&common).cloned().collect();
        let heading = format!("### `baliklayar move {subcommand}`");
        let told = document.contains(&format!("\n{heading}\n"));
        assert_eq!(own, if told { documented(&document, &heading) } else { BTreeSet::new() }, "move {subcommand}");
    }
}

fn subcommands() -> BTreeSet<String> {
    words(&["move"])
}

/// The words that may follow a command.
fn words(command: &[&str]) -> BTreeSet<String> {
    let help = said(&[command, &["--help"]].concat());
    let Some((_, list)) = help.split_once("Commands:\n") else { return BTreeSet::new() };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| {
        let indented = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
        indented.split(' ').next()
    });
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_subcommand_of_move_is_documented_and_there() {
    let document = document();
    let table = rows(section(&document, "### `baliklayar move`"));
    let known: BTreeSet<String> =
        table.into_iter().map(|row| row[0].to_owned()).filter(|cell| !cell.starts_with("--")).collect();
    let headings = ["subcommand", "flag"].map(str::to_owned);
    assert_eq!(subcommands(), known.into_iter().filter(|cell| !headings.contains(cell)).collect());
}

#[test]
fn the_crash_points_are_those_of_the_document() {
    let document = document();
    let acts = block(&document, "text crash-points").lines();
    let told: BTreeSet<String> = acts.flat_map(|act| PHASES.map(|phase| format!("{act}{phase}"))).collect();
    let listed: BTreeSet<String> = said(&["demo", "--list-crash-points"]).lines().map(str::to_owned).collect();
    assert_eq!(listed, told);
}

#[test]
fn the_faults_and_their_detectors_are_those_of_the_document() {
    let document = document();
    let pair = |fault: &str, detector: &str| (fault.trim().to_owned(), detector.trim().to_owned());
    let table = rows(section(&document, "## Seeded faults"));
    let told: BTreeSet<_> =
        table.iter().map(|row| pair(row[0], row[1])).filter(|(fault, _)| fault != "fault").collect();
    let list = said(&["demo", "--list-faults"]);
    let listed: BTreeSet<_> = list.lines().map(|line| line.split_once(' ').unwrap()).map(|(a, b)| pair(a, b)).collect();
    assert_eq!(listed, told);
}

/// The paths of all fields, with the first element for every list.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{at}.{name}");
                found.insert(path.clone());
                paths(member, &path, found);
            }
        }
        Value::Array(elements) => {
            if let Some(first) = elements.first() {
                paths(first, &format!("{at}[]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[track_caller]
pub fn same_fields(document: &str, fence: &str, written: &Value) {
    let (mut told, mut found) = (BTreeSet::new(), BTreeSet::new());
    paths(&serde_json::from_str(block(document, fence)).unwrap(), "$", &mut told);
    paths(written, "$", &mut found);
    assert_eq!(found, told, "{fence}");
}

#[test]
fn report_addresses_and_status_have_the_fields_of_the_document() {
    let _alone = alone();
    let document = document();
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().display().to_string();
    let size = ["--shops", "2", "--shoppers", "6", "--rate", "20", "--surge", "40", "--seconds", "5", "--port", "0"];
    let output = run(&[&["demo", "--json", "-", "--work", &folder], &size[..]].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    same_fields(&document, "json report", &report);
    let addresses = std::fs::read(work.path().join("addresses.json")).unwrap();
    same_fields(&document, "json addresses", &serde_json::from_slice(&addresses).unwrap());
    let status = said(&["move", "status", "--json", "--work", &folder]);
    same_fields(&document, "json status", &serde_json::from_str(&status).unwrap());
    for file in ["store.sqlite", "staged.sqlite", "losers.csv", "journal.jsonl", "mapping"] {
        assert!(section(&document, "## Files in the work folder").contains(file), "{file} is not documented");
        assert!(work.path().join(file).exists(), "{file} is not there");
    }
}

#[test]
fn a_wrong_command_line_is_2_and_a_refusal_4() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().display().to_string();
    assert_eq!(run(&["move", "nonsense"]).status.code(), Some(2));
    assert_eq!(run(&["demo", "--shops", "0"]).status.code(), Some(2));
    assert_eq!(run(&["move", "status", "--work", &folder]).status.code(), Some(3), "there is no plan");
    let mapping = work.path().join("none.toml");
    std::fs::write(&mapping, "mapping = 1\n").unwrap();
    let source = format!("sqlite:{folder}/none.sqlite");
    let plan = ["move", "plan", "--work", &folder, "--source", &source, "--mapping", mapping.to_str().unwrap()];
    let refused = run(&plan);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(String::from_utf8_lossy(&refused.stdout).trim(), "mapping");
}

/// The longest `Idempotency-Key` that the document promises.
fn key_max(document: &str) -> usize {
    let headers = rows(section(document, "## Headers"));
    let row = headers.iter().find(|row| row[0] == "Idempotency-Key").unwrap();
    let (_, bound) = row[2].split_once("1 to ").unwrap();
    bound.split(' ').next().unwrap().parse().unwrap()
}

/// A product with plenty of stock.
async fn product(world: &World, shop: &ShopId) -> String {
    let sql = "select id from produk where aktif = 'Y' and hapus = 0 and stok > 100 and toko_id =";
    world.one(&format!("{sql} {shop} order by id")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_as_long_as_the_document_says_is_taken_by_both_sides_and_a_longer_one_by_neither() {
    let longest = key_max(&document());
    let world = World::start(Engine::Sqlite, 5, 1).await;
    let shop = world.shops[0].clone();
    let body = json!({"line_items": line_items(&[(&product(&world, &shop).await, 1)])});
    world.start_moving().await;
    for (side, letter) in [(Side::Legacy, "l"), (Side::Backend, "b")] {
        if side == Side::Backend {
            world.wish(Verb::Flip, None).await;
        }
        assert_eq!(world.owner(&shop).await, side);
        for (length, status) in [(0, 400), (1, 201), (longest, 201), (longest + 1, 400)] {
            let key = Some(letter.repeat(length));
            let request = Request { key, ..world.write("POST", &shop, "carts", &body) };
            let answer = world.send(&request).await;
            assert_eq!(answer.status, status, "{side:?}, a key of {length}: {}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_handler_id_that_pays_is_the_one_of_the_document_and_not_the_handlers_name() {
    let document = document();
    // Every other piece stands between backticks.
    let words: Vec<&str> = section(&document, "## Paying").split('`').skip(1).step_by(2).collect();
    let after = words.iter().position(|word| *word == "handler_id").unwrap();
    let [_, "id", instance, "ucp.payment_handlers", name, ..] = words[after..] else { panic!("{words:?}") };

    let world = World::start(Engine::Sqlite, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;
    world.wish(Verb::Flip, None).await;
    let product = product(&world, &shop).await;
    let checkout = world.post(&shop, "checkout-sessions", filled_in(&[(&product, 1)])).await;
    assert_eq!(checkout["ucp"]["payment_handlers"][name][0]["id"], instance, "{checkout}");
    let path = format!("checkout-sessions/{}/complete", id(&checkout));
    for (handler_id, status) in [(name, 400), (instance, 200)] {
        let instrument = json!({"id": "approve", "handler_id": handler_id, "type": "instant", "selected": true});
        let body = json!({"payment": {"instruments": [instrument]}});
        let answer = world.send(&world.write("POST", &shop, &path, &body)).await;
        assert_eq!(answer.status, status, "{handler_id}: {}", answer.body);
    }
}
