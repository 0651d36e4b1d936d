//! The statement of a day, as the provider's country counts days. A refund stands on the day on which it is done.

use crate::book::Book;
use crate::clock::WIB_US;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

const DAY_US: i64 = 86_400_000_000;

impl Book {
    /// Every movement and every finished refund of a day, with gross, fee and net. None: no date.
    pub fn statement(&self, date: &str) -> anyhow::Result<Option<Value>> {
        let Ok(day) = date.parse::<Date>() else { return Ok(None) };
        let Ok(midnight) = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)) else { return Ok(None) };
        let midnight = midnight.as_microsecond() - WIB_US;
        let end = midnight + DAY_US;
        self.read(|book| {
            let sql = "select m.id, coalesce(c.reference, m.payout), m.kind, m.amount, m.fee, m.at
                from movement m left join charge c on c.id = m.charge
                where m.at >= ?1 and m.at < ?2 and m.kind not in ('authorised', 'voided', 'collected')
                union all
                select r.key, coalesce(c.reference, r.key), 'refunded', -r.amount, 0, r.settles_at
                from refund r left join charge c on c.id = r.charge
                where r.settles_at >= ?1 and r.settles_at < ?2 and r.status <> 'rejected'
                order by 6, 1";
            let mut statement = book.prepare_cached(sql)?;
            let lines = statement.query_map([midnight, end], |row| {
                let (id, reference, kind): (String, Option<String>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (gross, fee, at): (i64, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
                Ok(json!({
                    "transaction": id, "reference": reference, "kind": kind,
                    "gross": gross, "fee": fee, "net": gross - fee, "at": at,
                }))
            })?;
            let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
            Ok(Some(json!({ "date": date, "currency": "IDR", "lines": lines })))
        })
    }
}
