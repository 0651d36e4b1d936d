//! kios as a process: `ready`, a database that is made once, an end with stdin, and a folder without the history.
//!
//! The test program starts itself again with the arguments in its environment.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const ARGUMENTS: &str = "KIOS_ARGUMENTS";

/// No test of its own: what the tests below start.
#[test]
fn as_a_process() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    demo_legacy::run(arguments.split(' ').map(ToOwned::to_owned).collect()).unwrap();
}

fn start(arguments: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["process::as_a_process", "--exact", "--nocapture"]).env(ARGUMENTS, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn it_says_ready_and_ends_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("kios.db");
    let arguments =
        format!("--database sqlite:{} --port 0 --host-key h --seller-key s --shops 1 --init", database.display());
    for _ in 0..2 {
        let mut child = start(&arguments);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        assert!(lines.any(|line| line == "ready"));
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        let made = rusqlite::Connection::open(&database).unwrap();
        let shops: i64 = made.query_row("select count(*) from toko", [], |row| row.get(0)).unwrap();
        assert_eq!(shops, 1);
    }
}

#[test]
fn a_missing_history_is_named_and_ends_it_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("kios.db");
    let arguments = format!(
        "--database sqlite:{} --host-key h --seller-key s --init --data {}",
        database.display(),
        folder.path().display()
    );
    let ended = start(&arguments).wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("uci_online_retail/online_retail.csv.zst is not there"), "{said}");
    assert!(!database.exists());
}
