//! What a process and its children have used, as the system counts it.

use anyhow::{Context, Result};

/// Clock ticks of a second: what Linux shows to programs on every machine.
const TICKS: u64 = 100;
const MICROS: u64 = 1_000_000;

/// Microseconds of processor time that a process and its living children have used so far.
pub fn processor_us(pid: u32) -> Result<u64> {
    let own = ticks(pid)? * MICROS / TICKS;
    children(pid).into_iter().try_fold(own, |sum, child| Ok(sum + processor_us(child)?))
}

/// Kibibytes that they hold in memory now.
pub fn memory_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let own: u64 = line.trim().trim_end_matches(" kB").parse()?;
    children(pid).into_iter().try_fold(own, |sum, child| Ok(sum + memory_kib(child)?))
}

/// User and system time; the name before them may contain anything.
fn ticks(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    let (_, after_name) = stat.rsplit_once(')').context("a stat without a name")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |at: usize| -> Result<u64> { Ok(fields.get(at).context("a short stat")?.parse()?) };
    Ok(field(11)? + field(12)?)
}

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
