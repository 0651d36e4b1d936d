//! The lines between supervisor and shoppers: JSON, one object a line, `tell` in, `said` out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::Write;

/// Where the run stands: `before` ends at the first hold, `after` begins at the last release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Before,
    During,
    After,
}

/// What the supervisor tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "tell", rename_all = "lowercase")]
pub enum Tell {
    Phase {
        phase: Phase,
    },
    /// So many requests per second at one shop, beside the usual ones; 0: no more.
    Surge {
        shop: String,
        rate: u32,
    },
    Hold {
        shop: String,
        on: bool,
    },
    Check {
        shop: String,
    },
    Finish,
}

/// What the shoppers say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "said", rename_all = "lowercase")]
pub enum Said {
    Ready,
    /// Totals so far; latencies (µs) of the last second alone.
    Tick {
        requests: u64,
        ok: u64,
        refused: u64,
        retried: u64,
        failed: u64,
        wrong: u64,
        in_flight: u64,
        skipped: u64,
        p50_us: u64,
        p99_us: u64,
    },
    Checked {
        shop: String,
        found: u64,
        missing: u64,
        different: u64,
    },
    Report {
        requests: Value,
        oracle: Value,
        isolation: Value,
        reasons: Vec<String>,
        examples: Vec<String>,
    },
}

/// Writes one line and flushes it.
pub fn say(to: &mut dyn Write, said: &Said) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Phase, Said, Tell, say};

    #[test]
    fn every_line_of_the_supervisor_is_understood() {
        let read = |line: &str| serde_json::from_str::<Tell>(line).unwrap();
        assert_eq!(read(r#"{"tell":"phase","phase":"during"}"#), Tell::Phase { phase: Phase::During });
        assert_eq!(read(r#"{"tell":"surge","shop":"17","rate":300}"#), Tell::Surge { shop: "17".into(), rate: 300 });
        assert_eq!(read(r#"{"tell":"hold","shop":"17","on":false}"#), Tell::Hold { shop: "17".into(), on: false });
        assert_eq!(read(r#"{"tell":"check","shop":"17"}"#), Tell::Check { shop: "17".into() });
        assert_eq!(read(r#"{"tell":"finish"}"#), Tell::Finish);
        assert!(serde_json::from_str::<Tell>(r#"{"tell":"dance"}"#).is_err());
    }

    #[test]
    fn what_is_said_is_one_line_of_json() {
        let mut out = Vec::new();
        say(&mut out, &Said::Ready).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"said\":\"ready\"}\n");
    }
}
