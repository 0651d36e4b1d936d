//! Processes that a measurement starts: this executable again, in another part. They end with it.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const CHILD_READY_MAX: Duration = Duration::from_secs(60);
const CHILD_END_MAX: Duration = Duration::from_secs(10);

/// Starts a process that holds to standard input, and waits for its word `ready`.
pub async fn until_ready(mut command: Command, name: &str) -> Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let output = child.stdout.take().context("a child without output")?;
    let mut lines = BufReader::new(output).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if line.trim() == "ready" {
                return Ok(());
            }
        }
        bail!("{name} ended before it was ready; its own messages say why")
    };
    tokio::time::timeout(CHILD_READY_MAX, ready).await.with_context(|| format!("{name} is not ready"))??;
    Ok(child)
}

/// Lets a child end by itself: its standard input ends.
pub async fn end(child: Child) {
    end_within(child, CHILD_END_MAX).await;
}

pub async fn end_within(mut child: Child, max: Duration) {
    drop(child.stdin.take());
    if tokio::time::timeout(max, child.wait()).await.is_err() {
        eprintln!("a child does not end by itself and is killed");
        // One that has ended meanwhile is none to kill.
        let _ = child.kill().await;
    }
}

/// Held all at once, so that they are different ones; free again a moment before they are needed.
pub fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let mut ports = [0; N];
    for (port, held) in ports.iter_mut().zip(&held) {
        *port = held.as_ref().map_err(|error| anyhow::anyhow!("no free port: {error}"))?.local_addr()?.port();
    }
    Ok(ports)
}

/// The machine's, over the last minute: a figure without it says little.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}
