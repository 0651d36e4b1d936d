//! The load: `wrk`, whose figures are read as whole numbers from a script's last word.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

use crate::owner::BODY;

/// What is asked for again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A cart is read.
    Read,
    /// A cart is made, with a body.
    Write,
}

impl Call {
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "GET",
            Self::Write => "POST",
        }
    }

    fn script(self) -> String {
        let (path, body) = match self {
            Self::Read => ("/shops/7/carts/31", String::new()),
            Self::Write => ("/shops/7/carts", format!("wrk.body = \"{}\"\n", "y".repeat(BODY))),
        };
        format!(
            "wrk.method = \"{}\"\nwrk.path = \"{path}\"\n{body}\
             wrk.headers[\"Content-Type\"] = \"application/json\"\n\
             wrk.headers[\"Authorization\"] = \"Bearer of-a-host-app\"\n\
             wrk.headers[\"Idempotency-Key\"] = \"0198f3a2-7c1e-7d3b-9a55-3f6f2f6c1a10\"\n\
             done = function(summary, latency, requests)\n\
             local e = summary.errors\n\
             io.write(string.format(\"FIGURES %d %d %d %d %d\\n\", summary.requests, summary.duration,\n\
             latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))\n\
             end\n",
            self.name()
        )
    }
}

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub requests: u64,
    pub per_second: u64,
    pub p50_us: u64,
    pub p99_us: u64,
}

/// Asks for so many seconds, with so many clients at once, from these processors.
pub async fn run(folder: &Path, call: Call, port: u16, load: Load<'_>) -> Result<Run> {
    let script = folder.join(format!("{}.lua", call.name()));
    std::fs::write(&script, call.script())?;
    let mut command = Command::new("taskset");
    command.args(["-c", load.processors, "wrk", "-t", "1", "-c", &load.clients.to_string()]);
    command.args(["-d", &format!("{}s", load.seconds), "-s"]).arg(&script).arg(format!("http://127.0.0.1:{port}"));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("starting wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().find_map(|line| line.strip_prefix("FIGURES "));
    let figures = figures.with_context(|| format!("wrk said: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    let figures: Vec<u64> = figures.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, took_us, p50_us, p99_us, errors] = figures[..] else { bail!("wrk said {figures:?}") };
    anyhow::ensure!(errors == 0, "{errors} of {requests} requests failed");
    Ok(Run { requests, per_second: requests * 1_000_000 / took_us.max(1), p50_us, p99_us })
}

#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    pub clients: u32,
    pub seconds: u32,
    pub processors: &'a str,
}
