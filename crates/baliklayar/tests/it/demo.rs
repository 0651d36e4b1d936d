//! The demo as its own process, as anyone would start it: addresses, step records, the report, and its end.
//!
//! The executable is the one that `BALIK_BIN` names, else the one that was built for these tests. Only processes that
//! were started here are ever killed.

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest waits: for a demo to be ready, and for one step of a test to come true.
const READY_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);
/// What is shown of a demo that went wrong; all of it is in its folder.
const LAST_LINES: usize = 20;

/// Two demos at once would fight for the same cores, and no figure of either would mean anything.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The full counts are asked for.
pub fn long() -> bool {
    std::env::var_os("BALIK_LONG").is_some()
}

pub fn seed() -> u64 {
    std::env::var("BALIK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Figures, for whoever runs these tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the lines are what the run is asked for")]
pub fn say(line: &str) {
    println!("{line}");
}

pub fn executable() -> PathBuf {
    std::env::var_os("BALIK_BIN").map_or_else(|| env!("CARGO_BIN_EXE_baliklayar").into(), PathBuf::from)
}

/// How a demo is started.
#[derive(Debug, Clone)]
pub struct How {
    pub source: &'static str,
    pub shops: u32,
    pub rate: u32,
    pub surge: u32,
    pub seconds: u64,
    /// `point[:nth]`
    pub crash: Option<String>,
    /// Runs it inside another program.
    pub inside: Vec<String>,
    /// Until somebody interrupts it.
    pub keep: bool,
    /// Every byte that the host app and the shoppers are answered is kept there.
    pub heard: Option<PathBuf>,
}

impl How {
    pub fn on(source: &'static str) -> Self {
        Self {
            source,
            shops: 2,
            rate: 40,
            surge: 80,
            seconds: 6,
            crash: None,
            inside: Vec::new(),
            keep: false,
            heard: None,
        }
    }

    fn command(&self, work: &Path) -> Command {
        let program = executable();
        let mut command = match self.inside.split_first() {
            None => Command::new(program),
            Some((outer, args)) => {
                let mut command = Command::new(outer);
                command.args(args).arg(program);
                command
            }
        };
        command.args(["demo", "--shoppers", "8", "--port", "0", "--json", "-", "--source", self.source]).arg("--work");
        command.arg(work);
        for (flag, value) in [
            ("--shops", u64::from(self.shops)),
            ("--rate", u64::from(self.rate)),
            ("--surge", u64::from(self.surge)),
            ("--seconds", self.seconds),
            ("--seed", seed()),
        ] {
            command.args([flag, &value.to_string()]);
        }
        command.args(self.keep.then_some("--keep"));
        command.env_remove("BALIK_HEARD").envs(self.heard.iter().map(|folder| ("BALIK_HEARD", folder)));
        command.env_remove("BALIK_CRASH").envs(self.crash.iter().map(|point| ("BALIK_CRASH", point)));
        command
    }
}

/// A running demo. Dropped, its supervisor is killed, and what that started ends with it.
pub struct Demo {
    pub work: PathBuf,
    folder: TempDir,
    child: Child,
    output: Option<JoinHandle<String>>,
}

/// A demo that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub report: Value,
    /// What it said on standard error.
    pub said: String,
    /// How often serving was started again.
    pub restarts: u64,
    pub steps: Vec<Step>,
    pub folder: TempDir,
}

impl Demo {
    pub fn start(how: &How) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The account of the private PostgreSQL server has to get in, or its cluster would stay behind elsewhere.
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        for enterable in [folder.path(), &work] {
            std::fs::set_permissions(enterable, Permissions::from_mode(0o755)).unwrap();
        }
        Self::start_in(how, folder)
    }

    /// In a folder that may have been another demo's, which then goes on.
    pub fn start_in(how: &How, folder: TempDir) -> Self {
        let work = folder.path().join("work");
        let said = File::create(folder.path().join("said")).unwrap();
        let mut command = how.command(&work);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said);
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        });
        Self { work, folder, child, output: Some(output) }
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    /// What `addresses.json` says once everything runs.
    pub fn addresses(&mut self) -> Addresses {
        // A folder that was used before has an old file.
        let mut found = None;
        self.until("the demo is ready", READY_MAX, |demo| {
            found = demo.said().contains("ready: ").then(|| Addresses::read(&demo.work)).flatten();
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until it is true, as long as the demo runs.
    #[track_caller]
    pub fn until(&mut self, what: &str, within: Duration, mut is: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + within;
        while !is(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: the demo ended before ({ended:?}):\n{}", self.said());
            assert!(Instant::now() < deadline, "{what}: not in time:\n{}", self.said());
            std::thread::sleep(LOOK);
        }
    }

    /// Asks the supervisor to end, as ctrl-c does.
    pub fn interrupt(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end of the story.
    #[track_caller]
    pub fn end(mut self, within: Duration) -> Ended {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the demo does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = self.output.take().unwrap().join().unwrap();
        let report = serde_json::from_str(&text).unwrap_or(Value::Null);
        let restarts = Addresses::read(&self.work).map_or(0, |addresses| addresses.restarts());
        let (said, steps) = (self.said(), steps(&self.work));
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Ended { status, report, said, restarts, steps, folder }
    }

    /// Kills the supervisor, waits until all that it started is gone, and leaves the folder.
    pub fn kill(mut self) -> TempDir {
        let pids = Addresses::read(&self.work).map(|addresses| addresses.pids()).unwrap_or_default();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let deadline = Instant::now() + READY_MAX;
        while pids.iter().any(|pid| is_alive(*pid)) {
            assert!(Instant::now() < deadline, "a child outlives its supervisor: {pids:?}");
            std::thread::sleep(LOOK);
        }
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // An error: it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Exit 0, a clean report, every shop flipped and sealed, nothing lost, nothing failed, and an order for each payment in
    /// somebody's own time, of which there are some; else what is wrong.
    pub fn fault(&self) -> Option<String> {
        let report = &self.report;
        let zero = |path: &str| report.pointer(path).and_then(Value::as_u64) == Some(0);
        let later = |what: &str| report["oracle"]["later"][what].as_u64();
        let all = |name: &str| report["shops"][name] == report["shops"]["planned"];
        let checks = [
            (self.status.success(), format!("{}", self.status)),
            (report["clean"] == true, format!("reasons {}", report["reasons"])),
            (all("flipped") && all("sealed"), format!("shops {}", report["shops"])),
            (report["shops"]["rolled_back"] == 1, "no shop went back".to_owned()),
            (
                ["missing", "different", "twice"].iter().all(|what| zero(&format!("/oracle/{what}"))),
                format!("oracle {}", report["oracle"]),
            ),
            (
                later("completed") > Some(0) && later("paid") == later("completed"),
                format!("later {}", report["oracle"]["later"]),
            ),
            (zero("/oracle/stock/oversold"), "oversold".to_owned()),
            (
                ["gaps", "twice"].iter().all(|what| zero(&format!("/oracle/invoices/{what}"))),
                format!("invoices {}", report["oracle"]["invoices"]),
            ),
            (
                ["before", "during", "after"].iter().all(|phase| {
                    zero(&format!("/requests/{phase}/failed")) && zero(&format!("/requests/{phase}/wrong"))
                }),
                format!("requests {}", report["requests"]),
            ),
        ];
        let wrong: Vec<String> = checks.into_iter().filter(|(right, _)| !right).map(|(_, what)| what).collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

impl Ended {
    /// Leaves the folder for whoever looks into it, and says where, with the last that the demo said.
    pub fn keep(self) -> String {
        let last: Vec<&str> = self.said.lines().rev().take(LAST_LINES).collect();
        let folder = self.folder.keep();
        format!("kept in {}\n{}", folder.display(), last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }
}

/// `addresses.json`.
#[derive(Debug, Clone)]
pub struct Addresses(pub Value);

impl Addresses {
    pub fn read(work: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(work.join("addresses.json")).ok()?;
        serde_json::from_str(&text).ok().map(Self)
    }

    pub fn seam(&self) -> String {
        self.0["seam"].as_str().unwrap().trim_start_matches("http://").to_owned()
    }

    /// None while it is being started again.
    pub fn serving(&self) -> Option<u32> {
        self.0["pids"]["serving"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }

    pub fn restarts(&self) -> u64 {
        self.0["restarts"].as_u64().unwrap_or(0)
    }

    fn pids(&self) -> Vec<u32> {
        let pids = ["serving", "legacy", "shoppers"].map(|name| self.0["pids"][name].as_u64());
        pids.into_iter().flatten().filter_map(|pid| u32::try_from(pid).ok()).collect()
    }
}

/// A process that is there and has not ended.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// A step record, as it stands in the store's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub shop: String,
    pub epoch: i64,
    pub direction: String,
    pub step: String,
    pub phase: String,
    /// Who wrote it.
    pub by: String,
}

pub fn open_store(work: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(work.join("store.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// All step records, shop by shop, in their order.
pub fn steps(work: &Path) -> Vec<Step> {
    let Ok(store) = open_store(work) else { return Vec::new() };
    let sql = "select shop, epoch, direction, step, phase, coalesce(json_extract(detail, '$.by'), '') from step_record
               order by shop, n";
    let Ok(mut statement) = store.prepare(sql) else { return Vec::new() };
    let steps = statement.query_map([], |row| {
        Ok(Step {
            shop: row.get(0)?,
            epoch: row.get(1)?,
            direction: row.get(2)?,
            step: row.get(3)?,
            phase: row.get(4)?,
            by: row.get(5)?,
        })
    });
    steps.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

/// Sends one request on a connection of its own: status and body of a complete answer.
pub fn ask(authority: &str, method: &str, path: &str, key: Option<&str>, body: &str) -> Option<(u16, Value)> {
    let address = authority.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let key = key.map_or_else(String::new, |key| format!("idempotency-key: {key}\r\n"));
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         {key}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // A body that was cut off is no answer.
    Some((status, serde_json::from_str(body).ok()?))
}
