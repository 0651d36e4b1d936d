//! What is to go wrong: by operation, the n-th time or one time in so many, chosen by a seed. The same seed and the same
//! calls have the same faults.

use crate::book::{Book, set, setting};
use anyhow::bail;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Faults of a call. The second of a pair is whether the effect was had.
pub const OF_CALLS: [&str; 14] = [
    "delay",
    "lost_before",
    "lost_after",
    "late",
    "error_before",
    "error_after",
    "busy",
    "in_progress",
    "cut",
    "garbage",
    "unknown_word",
    "other_amount",
    "other_currency",
    "other_reference",
];
/// Faults of a notice.
pub const OF_NOTICES: [&str; 9] =
    ["never", "late", "times", "forged", "altered", "unknown_reference", "other_merchant", "oversize", "old_key"];
pub const OPERATIONS: [&str; 11] = [
    "charge",
    "query",
    "capture",
    "void",
    "expire",
    "refund",
    "refund_query",
    "refund_settle",
    "balance",
    "statement",
    "notice",
];
const DELAY_MS: u64 = 10_000;
/// Longer than anybody waits for an answer.
const NEVER: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default)]
    pub seed: u64,
    pub plan: Vec<Planned>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    pub operation: String,
    /// The n-th from now on, counted from 1.
    pub nth: Option<i64>,
    /// One of so many, by the seed.
    pub one_in: Option<i64>,
    pub what: String,
    /// For what takes time, or is done several times.
    #[serde(default)]
    pub ms: Option<u64>,
    #[serde(default)]
    pub times: Option<u32>,
}

/// What goes wrong with one call or notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub what: String,
    pub ms: u64,
    pub times: u32,
}

impl Fault {
    pub fn is(&self, what: &str) -> bool {
        self.what == what
    }

    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.ms)
    }

    pub fn delay_us(&self) -> i64 {
        i64::try_from(self.ms).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000)
    }
}

/// Nobody is answered.
pub async fn never() {
    tokio::time::sleep(NEVER).await;
}

impl Planned {
    fn check(&self) -> anyhow::Result<()> {
        if !OPERATIONS.contains(&self.operation.as_str()) {
            bail!("no operation `{}`; there are {}", self.operation, OPERATIONS.join(", "));
        }
        let known: &[&str] = match self.operation.as_str() {
            "notice" => &OF_NOTICES,
            "refund_settle" => &["rejected"],
            _ => &OF_CALLS,
        };
        if !known.contains(&self.what.as_str()) {
            bail!("no fault `{}` of {}; there are {}", self.what, self.operation, known.join(", "));
        }
        if self.nth.is_some() == self.one_in.is_some() || self.nth.or(self.one_in).is_some_and(|it| it < 1) {
            bail!("a fault has either nth or one_in, from 1");
        }
        Ok(())
    }
}

impl Book {
    /// Takes the place of what was planned before, and counts from here.
    pub fn plan(&self, plan: &Plan) -> anyhow::Result<()> {
        plan.plan.iter().try_for_each(Planned::check)?;
        self.write(|book| {
            book.execute_batch("delete from fault; delete from asked")?;
            set(book, "seed", &plan.seed.to_string())?;
            for it in &plan.plan {
                let args = serde_json::json!({ "ms": it.ms, "times": it.times }).to_string();
                let sql = "insert into fault (operation, nth, one_in, what, args) values (?1, ?2, ?3, ?4, ?5)";
                book.execute(sql, rusqlite::params![it.operation, it.nth, it.one_in, it.what, args])?;
            }
            Ok(())
        })
    }

    /// What goes wrong this time.
    pub fn fault(&self, operation: &str) -> anyhow::Result<Option<Fault>> {
        self.write(|book| fault(book, operation))
    }
}

pub fn fault(book: &Connection, operation: &str) -> anyhow::Result<Option<Fault>> {
    let counted = "insert into asked (operation, times) values (?1, 1)
        on conflict do update set times = times + 1 returning times";
    let times: i64 = book.query_row(counted, [operation], |row| row.get(0))?;
    let seed: u64 = setting(book, "seed")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut statement =
        book.prepare_cached("select n, nth, one_in, what, args from fault where operation = ?1 order by n")?;
    let mut rows = statement.query([operation])?;
    while let Some(row) = rows.next()? {
        let (n, nth, one_in): (i64, Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let chosen = nth.map_or_else(|| one_in.is_some_and(|of| chance(seed, n, times, of)), |nth| nth == times);
        if chosen {
            let args: Value = serde_json::from_str(&row.get::<_, String>(4)?)?;
            let ms = args["ms"].as_u64().unwrap_or(DELAY_MS);
            let times = args["times"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(2);
            book.execute("update fault set used = used + 1 where n = ?1", [n])?;
            return Ok(Some(Fault { what: row.get(3)?, ms, times }));
        }
    }
    Ok(None)
}

/// One in so many, the same for the same seed, fault and turn.
fn chance(seed: u64, n: i64, times: i64, of: i64) -> bool {
    let part = |number: i64| u64::from_ne_bytes(number.to_ne_bytes());
    let mut mixed = seed ^ part(n).rotate_left(20) ^ part(times).rotate_left(40);
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(part(of).max(1))
}
