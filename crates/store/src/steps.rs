//! Step records: the mover's own record, durable before a step's effect. Never among the facts.

use crate::leases;
use crate::sql::{Connection, Row, params};
use crate::writer::Door;
use crate::{Error, Result, Store, json, sql};
use cutover::hold::Timed;
use cutover::record::{Phase, Reason, StepName};
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Name, Seq, ShopId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub shop: ShopId,
    pub epoch: Epoch,
    pub direction: Direction,
    pub step: Name,
    /// `intent`, `done` or `failed`.
    pub phase: Name,
    pub at: Timestamp,
    pub detail: Record,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedStep {
    /// Rises within a shop, from 1.
    pub number: i64,
    /// The head's seq at that moment, where the record came with a change of the head.
    pub seq: Option<Seq>,
    pub step: Step,
}

impl RecordedStep {
    /// As `cutover` reads it; none where a later version wrote it.
    pub fn record(&self) -> Option<cutover::record::Record> {
        let step = &self.step;
        let name = StepName::from_name(&step.step)?;
        let phase = Phase::from_name(&step.phase)?;
        let flipped = name == StepName::Flip && phase == Phase::Done && step.direction == Direction::ToBackend;
        Some(cutover::record::Record {
            epoch: step.epoch,
            direction: step.direction,
            step: name,
            phase,
            mark: step.detail.int("mark").and_then(|mark| u64::try_from(mark).ok()),
            reverse_start: self.seq.filter(|_| flipped),
            reason: step.detail.text("reason").map(Reason::parse),
        })
    }

    /// The same with what was measured beside it.
    pub fn timed(&self) -> Option<Timed> {
        let detail = &self.step.detail;
        let by = detail.text("by").map(Into::into);
        Some(Timed { record: self.record()?, at: self.step.at, by, held: detail.int("held") })
    }
}

/// Records of one read.
const STEPS_MAX: i64 = 10_000;

impl Store {
    /// Stores the record durably and answers its number within the shop.
    pub async fn record_step(&self, step: Step) -> Result<i64> {
        self.record_steps(vec![step]).await
    }

    /// Stores records in their order, all of them or none, and answers the number of the last; 0 for none.
    pub async fn record_steps(&self, steps: Vec<Step>) -> Result<i64> {
        let lease = self.lease.clone();
        self.write(Door::Control, move |connection| {
            leases::check(connection, lease.as_deref())?;
            steps.iter().try_fold(0, |_, step| insert(connection, step, None))
        })
        .await
    }

    /// The records of a shop after the number `after` (0: from the first), in their order, at most 10,000.
    pub async fn steps(&self, shop: &ShopId, after: i64) -> Result<Vec<RecordedStep>> {
        let shop = shop.clone();
        self.read(move |connection| {
            let sql = "select n, seq, epoch, direction, step, phase, at, detail from step_record
                       where shop = ?1 and n > ?2 order by n limit ?3";
            let cells = params![shop.as_str(), after, STEPS_MAX];
            sql::all(connection, "read of step records", sql, cells, |row| recorded(&shop, row))
        })
        .await
    }
}

/// `seq` is the head's, where the record comes with a change of it.
pub fn insert(connection: &Connection, step: &Step, seq: Option<Seq>) -> Result<i64> {
    let sql = "insert into step_record (shop, n, epoch, direction, step, phase, at, seq, detail)
               select ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 from step_record where shop = ?1
               returning n";
    let cells = params![
        step.shop.as_str(),
        sql::int(step.epoch.0)?,
        step.direction.name(),
        step.step,
        step.phase,
        step.at.0,
        seq.map(|seq| sql::int(seq.0)).transpose()?,
        json::encode(&step.detail)?,
    ];
    let number = sql::first(connection, "write of a step record", sql, cells, |row| sql::cell(row, 0))?;
    number.ok_or_else(|| Error::Corrupt { what: "step record", why: "its number did not come back".to_owned() })
}

fn recorded(shop: &ShopId, row: &Row<'_>) -> Result<RecordedStep> {
    let step = Step {
        shop: shop.clone(),
        epoch: sql::epoch(row, 2)?,
        direction: direction(row, 3)?,
        step: sql::name(row, 4)?,
        phase: sql::name(row, 5)?,
        at: sql::timestamp(row, 6)?,
        detail: sql::record(row, 7)?,
    };
    Ok(RecordedStep { number: sql::cell(row, 0)?, seq: sql::natural_or_null(row, 1)?.map(Seq), step })
}

pub fn direction(row: &Row<'_>, at: usize) -> Result<Direction> {
    let name: String = sql::cell(row, at)?;
    let mut all = [Direction::ToBackend, Direction::ToLegacy].into_iter();
    all.find(|direction| direction.name() == name).ok_or(Error::Corrupt { what: "direction", why: name })
}
