//! A private PostgreSQL server for the demo's legacy: in a folder of its own, on loopback, gone afterwards.

use super::Missing;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, test_kill_process};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A running server.
pub struct Server {
    folder: PathBuf,
    port: u16,
    account: Option<&'static str>,
    temporary: bool,
    child: Option<Child>,
}

const READY_TRIES: u32 = 200;
const READY_PAUSE: Duration = Duration::from_millis(50);
const STOP_MAX: Duration = Duration::from_secs(20);

impl Server {
    /// Starts the cluster in `folder` on a port of loopback, after making it where there is none. A temporary one is
    /// removed when it stops.
    pub async fn start(folder: &Path, port: u16, temporary: bool) -> Result<Self> {
        let Some(programs) = programs() else {
            return Err(Missing::of(
                "no PostgreSQL server is installed: `apt-get install postgresql-15`, or take --source sqlite",
            ));
        };
        // PostgreSQL refuses to run as root; its package brings an account of its own.
        let account = rustix::process::getuid().is_root().then_some("postgres");
        let mut server = Self { folder: folder.to_owned(), port, account, temporary, child: None };
        let made = folder.join("data/PG_VERSION").exists();
        if made {
            server.wait_gone().await?;
        } else {
            server.make_cluster(&programs).await?;
        }
        server.serve(&programs)?;
        server.wait_ready().await?;
        if !made {
            server.make_database().await?;
        }
        Ok(server)
    }

    async fn make_cluster(&self, programs: &Path) -> Result<()> {
        self.make_folder().await?;
        let data = self.data();
        let initdb = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"];
        self.run(&programs.join("initdb"), &initdb).await?;
        // No socket file: the path of one has to be short.
        let settings = "listen_addresses='127.0.0.1'\nunix_socket_directories=''\nwal_level=logical\n\
             shared_buffers=256MB\nmax_connections=200\nmax_wal_senders=8\nmax_replication_slots=8\n";
        let path = self.folder.join("data/postgresql.conf");
        let before = tokio::fs::read_to_string(&path).await?;
        Ok(tokio::fs::write(&path, before + settings).await?)
    }

    /// The server of a supervisor that was killed stops by itself, and takes its time.
    async fn wait_gone(&self) -> Result<()> {
        for _ in 0..READY_TRIES {
            // What was killed with its supervisor has left the file and is no process.
            let said = tokio::fs::read_to_string(self.folder.join("data/postmaster.pid")).await.unwrap_or_default();
            let pid = said.lines().next().and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw);
            if pid.is_none_or(|pid| test_kill_process(pid).is_err()) {
                return Ok(());
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
        bail!("an earlier PostgreSQL server still runs in {}", self.data())
    }

    /// The server ends when our end of its standard input does, however we end.
    fn serve(&mut self, programs: &Path) -> Result<()> {
        let script =
            "\"$1\" -D \"$2\" -p \"$3\" >>\"$2/log\" 2>&1 & server=$!; cat >/dev/null; kill -INT $server; wait $server";
        let program = programs.join("postgres").display().to_string();
        let mut command = self.as_account(Path::new("sh"));
        command.args(["-c", script, "postgres", &program, &self.data(), &self.port.to_string()]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C is for the supervisor, which ends its children in order.
        command.process_group(0);
        self.child = Some(command.spawn().context("starting the private PostgreSQL server")?);
        Ok(())
    }

    async fn wait_ready(&self) -> Result<()> {
        for _ in 0..READY_TRIES {
            let url = self.url("postgres", "postgres");
            if let Ok((client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
                drop((client, connection));
                return Ok(());
            }
            tokio::time::sleep(READY_PAUSE).await;
        }
        bail!("the private PostgreSQL server does not answer; see {}/log", self.data())
    }

    fn as_account(&self, program: &Path) -> Command {
        match self.account {
            None => Command::new(program),
            Some(account) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={account}"), &format!("--regid={account}"), "--init-groups"]);
                command.arg(program);
                command
            }
        }
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    async fn make_folder(&self) -> Result<()> {
        match self.account {
            None => Ok(tokio::fs::create_dir_all(&self.folder).await?),
            Some(account) => {
                let folder = self.folder.display().to_string();
                let made = Command::new("install").args(["-d", "-o", account, "-m", "755", &folder]).status().await?;
                if !made.success() {
                    bail!("the folder {folder} cannot be given to the account {account}");
                }
                Ok(())
            }
        }
    }

    async fn run(&self, program: &Path, args: &[&str]) -> Result<()> {
        let mut command = self.as_account(program);
        let quiet =
            command.args(args).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = quiet.status().await.with_context(|| format!("running {}", program.display()))?;
        if !status.success() {
            bail!("{} failed ({status}); see {}/log", program.display(), self.data());
        }
        Ok(())
    }

    /// The legacy program has a role of its own, so that drain can tell its work from others'.
    async fn make_database(&self) -> Result<()> {
        let (client, connection) =
            tokio_postgres::connect(&self.url("postgres", "postgres"), tokio_postgres::NoTls).await?;
        let running = tokio::spawn(connection);
        client.batch_execute("create role kios login").await?;
        client.batch_execute("create database kios owner kios").await?;
        drop(client);
        running.await??;
        Ok(())
    }

    fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// As the legacy program connects.
    pub fn legacy_url(&self) -> String {
        self.url("kios", "kios")
    }

    /// As the mover connects.
    pub fn mover_url(&self) -> String {
        self.url("postgres", "kios")
    }

    pub async fn stop(mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
                tracing::warn!("the private PostgreSQL server does not stop");
            }
        }
        if self.temporary {
            // What cannot be removed is no harm: it is in the folder for temporary things.
            let _ = tokio::fs::remove_dir_all(&self.folder).await;
        }
    }
}

/// Where Debian keeps the server's programs, the newest version first.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}
