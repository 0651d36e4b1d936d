//! Which are to be looked at in a round: a page of those that are not done, in the order of their ids; and a few of the
//! others. Each round goes on where the last one ended, so that however many there are each has its turn.

use crate::clock;
use crate::database::{Error, Transaction};
use crate::value::{Row, args};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// In one round, of those that are not done.
const PAGE: usize = 256;
/// Tries whose time is over, in one round.
const OVER_MAX: i64 = 256;
/// For so long they are asked about as soon as they can be; whatever is older is found when its turn comes among all.
const OVER_FOR_H: i64 = 3 * 24;
/// Of all, in one round.
const SWEPT: i64 = 4;

/// One to look at.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: i64,
    pub shop: i64,
    pub changed: String,
}

/// How far the rounds have come.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The last that was looked at, of those that are not done.
    open: i64,
    swept: i64,
    /// By the end of a try and its `pesanan`; by when it was over and its `pesanan`.
    over: (String, i64),
    dead: (String, i64),
}

/// What a round is about.
pub struct Due {
    /// Not done, in the order of their ids.
    pub open: Vec<Found>,
    pub others: Vec<Found>,
    /// Where the next round goes on, if all of them have their turn.
    pub next: Place,
}

/// Those that are not done: neither an order nor an end; something is under way at the provider; or a refund was rejected
/// and the provider has not spoken of its try since.
const OPEN: [&str; 3] = [
    "select id, toko_id, diubah from pesanan where jual_nomor is null and akhir is null and id > ?1 \
     order by id limit ?2",
    "select p.id, p.toko_id, p.diubah from pesanan_coba c join pesanan p on p.id = c.pesanan_id \
     where rtrim(c.status) in ('CATAT', 'TUNGGU', 'RAGU') and c.pesanan_id > ?1 order by c.pesanan_id limit ?2",
    "select p.id, p.toko_id, p.diubah from pesanan_balik b join pesanan p on p.id = b.pesanan_id \
     where rtrim(b.status) in ('CATAT', 'RAGU', 'TAKADA', 'TERIMA', 'TOLAK') and b.pesanan_id > ?1 \
     and (rtrim(b.status) <> 'TOLAK' or exists (select 1 from pesanan_coba c where c.pesanan_id = b.pesanan_id \
     and c.ke = b.ke and c.dengar_pada <= b.tolak_pada)) order by b.pesanan_id limit ?2",
];

/// Tries that brought money, or are over and nobody knows since when, by their end.
const OVER: &str = "select p.id, p.toko_id, p.diubah, c.dengar_pada, c.batas, p.batas, '0000-00-00 00:00:00', c.batas \
                    from pesanan_coba c join pesanan p on p.id = c.pesanan_id \
                    where (c.batas, c.pesanan_id) > (?1, ?2) and c.batas <= ?3 and (rtrim(c.status) = 'LUNAS' \
                    or (rtrim(c.status) = 'MATI' and c.mati_pada = '0000-00-00 00:00:00')) \
                    order by c.batas, c.pesanan_id limit ?4";
/// Tries that are over, by since when.
const DEAD: &str = "select p.id, p.toko_id, p.diubah, c.dengar_pada, c.batas, p.batas, c.mati_pada, c.mati_pada \
                    from pesanan_coba c join pesanan p on p.id = c.pesanan_id \
                    where (c.mati_pada, c.pesanan_id) > (?1, ?2) and c.mati_pada <= ?3 and rtrim(c.status) = 'MATI' \
                    order by c.mati_pada, c.pesanan_id limit ?4";

impl Place {
    /// From the first that had to wait for its turn, if one had to.
    pub fn waited_for_by(self, first: Option<i64>) -> Self {
        Self { open: first.map_or(self.open, |id| id - 1), ..self }
    }

    /// What is due from here on.
    pub fn look(&self, tx: &mut Transaction<'_>, now: Timestamp, grace_s: i64) -> Result<Due, Error> {
        let (open, next_open) = self.open(tx)?;
        let rows = tx.rows(
            "select id, toko_id, diubah from pesanan where id > ?1 order by id limit ?2",
            args![self.swept, SWEPT],
        )?;
        let mut others = rows.iter().map(found).collect::<Result<Vec<_>, Error>>()?;
        let swept = others.last().map_or(0, |it| it.id);
        let over = last_words(tx, OVER, &self.over, (now, grace_s), &mut others)?;
        let dead = last_words(tx, DEAD, &self.dead, (now, grace_s), &mut others)?;
        Ok(Due { open, others, next: Self { open: next_open, swept, over, dead } })
    }

    fn open(&self, tx: &mut Transaction<'_>) -> Result<(Vec<Found>, i64), Error> {
        let mut all = BTreeMap::new();
        let mut seen_to = i64::MAX;
        for sql in OPEN {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let rows = tx.rows(sql, args![self.open, limit])?;
            let page = rows.iter().map(found).collect::<Result<Vec<_>, Error>>()?;
            if let Some(last) = page.last().filter(|_| page.len() >= PAGE) {
                seen_to = seen_to.min(last.id);
            }
            all.extend(page.into_iter().map(|it| (it.id, it)));
        }
        all.retain(|id, _| *id <= seen_to);
        let next = if seen_to == i64::MAX { 0 } else { seen_to };
        Ok((all.into_values().collect(), next))
    }
}

fn found(row: &Row) -> Result<Found, Error> {
    Ok(Found { id: row.int(0)?, shop: row.int(1)?, changed: row.text(2)? })
}

/// Tries of which the provider has to know by now all that was paid in time, and has not spoken since. How far that went.
fn last_words(
    tx: &mut Transaction<'_>,
    sql: &'static str,
    from: &(String, i64),
    (now, grace_s): (Timestamp, i64),
    due: &mut Vec<Found>,
) -> Result<(String, i64), Error> {
    let oldest = clock::hours_before(now, OVER_FOR_H);
    let (from, after) = if from.0 < oldest { (&oldest, 0) } else { (&from.0, from.1) };
    let until = clock::wib(now - SignedDuration::from_secs(grace_s));
    let rows = tx.rows(sql, args![from, after, &until, OVER_MAX])?;
    for row in &rows {
        // Text, and in the order of time.
        let (heard, end, dead) = (row.text(3)?, row.text(4)?.max(row.text(5)?), row.text(6)?);
        let end = if dead == clock::NEVER { end } else { end.min(dead) };
        let is_heard = clock::at(&end).is_some_and(|end| heard >= clock::wib(end + SignedDuration::from_secs(grace_s)));
        if end <= until && !is_heard {
            due.push(found(row)?);
        }
    }
    let is_page = i64::try_from(rows.len()).is_ok_and(|rows| rows >= OVER_MAX);
    match rows.last().filter(|_| is_page) {
        Some(last) => Ok((last.text(7)?, last.int(0)?)),
        None => Ok((String::new(), 0)),
    }
}
