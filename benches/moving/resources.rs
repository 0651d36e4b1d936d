//! What a measurement costs: processor time, memory and writes, as Linux counts them under /proc.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::time::Duration;

/// Linux counts processor time in hundredths of a second, whatever the machine.
const TICK: Duration = Duration::from_millis(10);

/// Processor time and writes, of something that goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    pub cpu: Duration,
    pub written: u64,
}

impl Used {
    pub fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), written: self.written.saturating_sub(before.written) }
    }
}

/// The server that answers a session: its first process and everything that this one has started.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    first: u32,
}

impl Server {
    pub async fn of(client: &tokio_postgres::Client) -> Result<Self> {
        let backend: i32 = client.query_one("select pg_backend_pid()", &[]).await?.get(0);
        let stat = stat(u32::try_from(backend)?).context("the server is not on this machine")?;
        Ok(Self { first: stat.parent })
    }

    /// Processes that have ended are counted with the one that waited for them.
    pub fn used(self) -> Used {
        let mut used = of_ended(self.first);
        for (pid, stat) in processes() {
            if pid == self.first || stat.parent == self.first {
                used.cpu += stat.own;
                used.written += written(pid);
            }
        }
        // What ended processes wrote is counted with their parent's own.
        used
    }
}

fn of_ended(pid: u32) -> Used {
    Used { cpu: stat(pid).map_or(Duration::ZERO, |stat| stat.children), written: 0 }
}

/// What the processes have used that this one started and saw end.
pub fn of_my_children() -> Duration {
    stat(std::process::id()).map_or(Duration::ZERO, |stat| stat.children)
}

/// What one process has used so far.
pub fn of_process(pid: u32) -> Used {
    Used { cpu: stat(pid).map_or(Duration::ZERO, |stat| stat.own), written: written(pid) }
}

/// The most memory a process ever held, in kB.
pub fn memory_kb(pid: u32) -> u64 {
    figure(&format!("/proc/{pid}/status"), "VmHWM:")
}

fn written(pid: u32) -> u64 {
    figure(&format!("/proc/{pid}/io"), "write_bytes:")
}

fn figure(path: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

struct Stat {
    parent: u32,
    own: Duration,
    children: Duration,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name, which may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok().map(|ticks| TICK * ticks);
    Some(Stat { parent: fields.get(1)?.parse().ok()?, own: ticks(11)? + ticks(12)?, children: ticks(13)? + ticks(14)? })
}

fn processes() -> BTreeMap<u32, Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}
