//! A PostgreSQL server of a test's own, which may be harmed: stopped, restarted, set back to an earlier state.
//!
//! It hangs on a pipe: it stops when this value is dropped or the process ends, however that ends, and its folder goes
//! with it. As root it runs as the account of the package, because PostgreSQL refuses to be root.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

const SETTINGS: &str = "listen_addresses='127.0.0.1'\nunix_socket_directories=''\nwal_level=logical\n\
    max_replication_slots=64\nmax_wal_senders=64\nmax_connections=300\nshared_buffers=128MB\n";
const READY_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
const ACCOUNT: &str = "postgres";

/// A running server, or one that was stopped.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Makes a cluster and starts its server.
    ///
    /// # Panics
    /// Where no PostgreSQL is installed, or it does not start.
    pub async fn start() -> Self {
        Self::start_on(|_| {}).await
    }

    /// The same, where `prepare` has made the empty folder that its files will be in something else: a small disk.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_on(prepare: impl FnOnce(&Path)) -> Self {
        let folder = std::env::temp_dir().join(format!("balik-server-{}-{}", std::process::id(), nanos()));
        let mut server = Self { folder, programs: programs(), port: free_port(), child: None };
        server.make_folder();
        prepare(&server.folder);
        let data = server.data();
        let made = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        server.run(&server.programs.join("initdb"), &made);
        let path = server.folder.join("data/postgresql.conf");
        let mut settings = std::fs::OpenOptions::new().append(true).open(path).expect("the settings of the cluster");
        settings.write_all(SETTINGS.as_bytes()).expect("write the settings of the cluster");
        server.go_on().await;
        server
    }

    /// `postgres://…` of the database in which others can be created.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again after [`stop`](Self::stop), and waits until it lets people in.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn go_on(&mut self) {
        // The server ends when our end of its standard input does.
        let script =
            "\"$1\" -D \"$2\" -p \"$3\" >>\"$2/log\" 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server";
        let program = self.programs.join("postgres").display().to_string();
        let mut command = self.as_account(Path::new("sh"));
        command.args(["-c", script, "postgres", &program, &self.data(), &self.port.to_string()]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("start a private server"));
        let begun = Instant::now();
        while tokio_postgres::connect(&self.url(), NoTls).await.is_err() {
            assert!(begun.elapsed() < READY_MAX, "the private server does not start; see {}/log", self.data());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends all sessions and stops it; what was committed is on disk.
    pub async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            // Waiting blocks a thread, and no other.
            let waited = tokio::task::spawn_blocking(move || child.wait()).await;
            waited.expect("wait for a private server").expect("wait for a private server");
        }
    }

    /// Ends it in the middle of what it does; what it had written and not synced is still there.
    ///
    /// # Panics
    /// Where it does not run.
    pub async fn kill(&mut self) {
        self.send("-KILL", std::iter::once(&*self.process()));
        self.stop().await;
    }

    /// Stops all that it does, in the middle: connections stay, and nobody answers on them.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// It goes on where it was.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let first = self.process();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        let processes = std::iter::once(&*first).chain(children.split_whitespace());
        self.send(signal, processes);
    }

    /// By the shell's own word: not every Debian has the program of that name.
    fn send<'a>(&self, signal: &'a str, processes: impl Iterator<Item = &'a str>) {
        let args = ["-c", "kill \"$@\"", "kill", signal].into_iter().chain(processes);
        self.run(Path::new("sh"), &args.collect::<Vec<_>>());
    }

    fn process(&self) -> String {
        let said = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("the server's process");
        said.lines().next().expect("the server's process").trim().to_owned()
    }

    /// Keeps the state in which the stopped server is, under a name; what had the name before is gone.
    pub fn keep(&self, name: &str) {
        assert!(self.child.is_none(), "a running server's files are no state");
        let kept = self.folder.join(name).display().to_string();
        // Into a folder that is there already it would be copied as a folder of its own.
        self.run(Path::new("rm"), &["-rf", &kept]);
        self.run(Path::new("cp"), &["-a", &self.data(), &kept]);
    }

    /// Sets the stopped server back to a state that was kept.
    pub fn set_back(&self, name: &str) {
        assert!(self.child.is_none(), "a running server's files are no state");
        let kept = self.folder.join(name).display().to_string();
        self.run(Path::new("rm"), &["-rf", &self.data()]);
        self.run(Path::new("cp"), &["-a", &kept, &self.data()]);
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn make_folder(&self) {
        let folder = self.folder.display().to_string();
        let mut command = Command::new("install");
        command.args(["-d", "-m", "700"]);
        if is_root() {
            command.args(["-o", ACCOUNT]);
        }
        let made = command.arg(&folder).status().expect("make a folder for a private server");
        assert!(made.success(), "the folder {folder} cannot be made");
    }

    fn run(&self, program: &Path, args: &[&str]) {
        let mut command = self.as_account(program);
        let ran = command.args(args).current_dir("/").stdin(Stdio::null()).output();
        let ran = ran.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        assert!(ran.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&ran.stderr));
    }

    fn as_account(&self, program: &Path) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={ACCOUNT}"), &format!("--regid={ACCOUNT}"), "--init-groups"]).arg(program);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
        // What cannot be removed is no harm: it is in the folder for temporary things.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The account of a process owns its entry in `/proc`; elsewhere nobody runs these tests as root.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

fn nanos() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a port").port()
}

/// Where Debian keeps the server's programs, the newest version first.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let mut found: Vec<PathBuf> = found.filter(|bin| bin.join("initdb").exists()).collect();
    found.sort();
    found.pop().expect("no PostgreSQL server is installed: run ./test, which installs one")
}
