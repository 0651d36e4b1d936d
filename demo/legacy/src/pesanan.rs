//! Orders to come: what a checkout waits for while its buyer pays, how it was tried, what money came and went.
//!
//! Invariant: all of it is in the tables `pesanan`, `pesanan_coba`, `pesanan_uang` and `pesanan_balik`, and written there
//! before anything is asked of the provider. Tries, receipts and refunds are only added to. Rows may have been written by
//! somebody else: references and keys are read and never taken apart.
//!
//! Locks: draft, `pesanan`, cart, products by id, customer, shop. Giving an order back holds order and products first, and
//! nobody who holds a `pesanan` with an order waits for either.

pub mod back;
pub mod begin;
mod ending;
pub mod hear;
mod owed;
mod plan;

pub use plan::Act;

use crate::clock;
use crate::database::{Error, Transaction};
use crate::value::{Row, args};
use jiff::{SignedDuration, Timestamp};

/// Words of a column, each written once.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal,)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $type { $($variant,)* }

        impl $type {
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// As the tables have it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            fn of(row: &Row, index: usize) -> Result<Self, Error> {
                let word = row.word(index)?;
                let found = Self::ALL.into_iter().find(|it| it.word() == word);
                found.ok_or_else(|| Error::new(format!("column {index} holds a word that this program does not know")))
            }
        }
    };
}

words!(Method {
    VirtualAccount = "VA",
    Qr = "QRIS",
    Wallet = "DOMPET",
});

impl Method {
    /// As the wire and `bayar.cara` have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VirtualAccount => "virtual_account",
            Self::Qr => "qr",
            Self::Wallet => "wallet",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether money goes back the way it came.
    const fn goes_back(self) -> bool {
        matches!(self, Self::Qr | Self::Wallet)
    }
}

words!(Fate {
    Recorded = "CATAT",
    Waits = "TUNGGU",
    Paid = "LUNAS",
    Declined = "TOLAK",
    Unknown = "RAGU",
    Absent = "TAKADA",
    Over = "MATI",
});

impl Fate {
    pub const fn is_dead(self) -> bool {
        matches!(self, Self::Declined | Self::Absent | Self::Over)
    }

    /// Nobody knows yet whether the provider has it.
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::Recorded | Self::Unknown)
    }
}

words!(Why {
    Returned = "RETUR",
    Over = "LEBIH",
    Ended = "AKHIR",
});

words!(RefundState {
    NeedsAccount = "REK",
    Recorded = "CATAT",
    Unknown = "RAGU",
    Absent = "TAKADA",
    Accepted = "TERIMA",
    Confirmed = "KIRIM",
    Rejected = "TOLAK",
    Withdrawn = "TARIK",
});

impl RefundState {
    const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Rejected | Self::Withdrawn)
    }

    /// The money has gone, or may have.
    const fn gives(self) -> bool {
        !matches!(self, Self::Rejected | Self::Withdrawn)
    }
}

/// A try. What the buyer pays with is in it: it does not print itself.
#[derive(Clone)]
pub struct Try {
    pub number: i64,
    pub reference: String,
    pub method: Method,
    pub amount: i64,
    pub fate: Fate,
    /// When it was asked about last so that the provider said something of it.
    pub heard_at: Option<Timestamp>,
    /// When the provider first said that it is over.
    pub dead_at: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub code: Option<String>,
    pub made: Timestamp,
}

impl Try {
    fn heard_since(&self, at: Timestamp) -> bool {
        self.heard_at.is_some_and(|heard| heard >= at)
    }
}

/// A movement of money, as the provider told it.
#[derive(Debug, Clone)]
pub struct Receipt {
    of_try: i64,
    transaction: String,
    kind: String,
    amount: i64,
}

/// Money on its way back. The buyer's account is in it: it does not print itself.
#[derive(Clone)]
pub struct Refund {
    pub number: i64,
    pub key: String,
    /// The try whose money goes back on its rail; none: it is paid out.
    pub of_try: Option<i64>,
    pub amount: i64,
    why: Why,
    pub state: RefundState,
    /// When it was put on record to be sent, or to be sent again.
    made: Timestamp,
    pub account: Option<String>,
    /// When its rail said no. It may say otherwise afterwards.
    rejected_at: Option<Timestamp>,
}

/// One order to come, with everything about it.
#[derive(Clone)]
pub struct Pesanan {
    pub id: i64,
    pub shop: i64,
    pub draft: i64,
    /// The number that the order will have.
    pub nomor: String,
    pub due: i64,
    /// What the order gave back.
    pub returned: i64,
    too_late: bool,
    /// The order, once it is there.
    pub order: Option<String>,
    /// Why it ended without one.
    pub ended: Option<String>,
    pub cancel_asked: Option<Timestamp>,
    pub until: Timestamp,
    pub changed: String,
    pub tries: Vec<Try>,
    pub receipts: Vec<Receipt>,
    pub refunds: Vec<Refund>,
}

fn optional_time(row: &Row, index: usize) -> Result<Option<Timestamp>, Error> {
    let text = row.text(index)?;
    if text == clock::NEVER {
        return Ok(None);
    }
    clock::at(&text).map(Some).ok_or_else(|| Error::new(format!("column {index} holds no time")))
}

fn time(row: &Row, index: usize) -> Result<Timestamp, Error> {
    optional_time(row, index)?.ok_or_else(|| Error::new(format!("column {index} holds no time")))
}

const ONE: &str = "select toko_id, transaksi_id, nomor, jumlah, dikembalikan, telat, jual_nomor, akhir, \
                   minta_batal, batas, diubah from pesanan where id = ?1";
const ONE_LOCKED: &str = "select toko_id, transaksi_id, nomor, jumlah, dikembalikan, telat, jual_nomor, akhir, \
                          minta_batal, batas, diubah from pesanan where id = ?1 /*lock*/";

/// One as it stands.
///
/// # Errors
/// What the database says.
pub fn find(tx: &mut Transaction<'_>, id: i64) -> Result<Option<Pesanan>, Error> {
    load(tx, ONE, id)
}

/// The same, and nobody else changes it until the transaction ends. Whoever changes its checkout too has that first.
///
/// # Errors
/// What the database says; one that is not there.
pub fn lock(tx: &mut Transaction<'_>, id: i64) -> Result<Pesanan, Error> {
    load(tx, ONE_LOCKED, id)?.ok_or_else(|| Error::new(format!("pesanan {id} is not there")))
}

fn load(tx: &mut Transaction<'_>, sql: &'static str, id: i64) -> Result<Option<Pesanan>, Error> {
    let Some(row) = tx.row(sql, args![id])? else { return Ok(None) };
    Ok(Some(Pesanan {
        id,
        shop: row.int(0)?,
        draft: row.int(1)?,
        nomor: row.text(2)?,
        due: row.money(3)?,
        returned: row.money(4)?,
        too_late: row.int(5)? != 0,
        order: row.optional_text(6)?,
        ended: row.optional_text(7)?,
        cancel_asked: optional_time(&row, 8)?,
        until: time(&row, 9)?,
        changed: row.text(10)?,
        tries: tries(tx, id)?,
        receipts: receipts(tx, id)?,
        refunds: refunds(tx, id)?,
    }))
}

fn tries(tx: &mut Transaction<'_>, id: i64) -> Result<Vec<Try>, Error> {
    let sql = "select ke, rujukan, cara, jumlah, status, mati_pada, batas, kode, dibuat, dengar_pada from pesanan_coba \
               where pesanan_id = ?1 order by ke";
    let read = |row: &Row| {
        Ok(Try {
            number: row.int(0)?,
            reference: row.text(1)?,
            method: Method::of(row, 2)?,
            amount: row.money(3)?,
            fate: Fate::of(row, 4)?,
            heard_at: optional_time(row, 9)?,
            dead_at: optional_time(row, 5)?,
            until: optional_time(row, 6)?,
            code: row.optional_text(7)?,
            made: time(row, 8)?,
        })
    };
    tx.rows(sql, args![id])?.iter().map(read).collect()
}

fn receipts(tx: &mut Transaction<'_>, id: i64) -> Result<Vec<Receipt>, Error> {
    let sql = "select ke, transaksi, jenis, jumlah from pesanan_uang where pesanan_id = ?1 order by urut";
    let read = |row: &Row| {
        Ok(Receipt { of_try: row.int(0)?, transaction: row.text(1)?, kind: row.word(2)?, amount: row.money(3)? })
    };
    tx.rows(sql, args![id])?.iter().map(read).collect()
}

fn refunds(tx: &mut Transaction<'_>, id: i64) -> Result<Vec<Refund>, Error> {
    let sql = "select urut, kunci, ke, jumlah, sebab, status, dibuat, rekening, tolak_pada from pesanan_balik \
               where pesanan_id = ?1 order by urut";
    let read = |row: &Row| {
        Ok(Refund {
            number: row.int(0)?,
            key: row.text(1)?,
            of_try: row.optional_int(2)?,
            amount: row.money(3)?,
            why: Why::of(row, 4)?,
            state: RefundState::of(row, 5)?,
            made: time(row, 6)?,
            account: row.optional_text(7)?,
            rejected_at: optional_time(row, 8)?,
        })
    };
    tx.rows(sql, args![id])?.iter().map(read).collect()
}

/// All that were ever begun for a checkout, oldest first.
///
/// # Errors
/// What the database says.
pub fn of_draft(tx: &mut Transaction<'_>, draft: i64) -> Result<Vec<Pesanan>, Error> {
    let rows = tx.rows("select id from pesanan where transaksi_id = ?1 order by id", args![draft])?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.extend(find(tx, row.int(0)?)?);
    }
    Ok(found)
}

/// Writes that something is about to be done with it, in a way that no two writes are the same: a change, and not only a
/// statement, is what a database refuses that is not ours to write any more.
///
/// # Errors
/// What the database says.
pub fn touch(tx: &mut Transaction<'_>, it: &mut Pesanan, now: Timestamp) -> Result<(), Error> {
    let after = clock::at(&it.changed).map_or(now, |before| now.max(before + SignedDuration::from_secs(1)));
    it.changed = clock::wib(after);
    tx.run("update pesanan set diubah = ?1 where id = ?2", args![&it.changed, it.id])
}

impl Pesanan {
    pub fn try_of(&self, number: i64) -> Option<&Try> {
        self.tries.iter().find(|it| it.number == number)
    }

    pub fn refund_of(&self, number: i64) -> Option<&Refund> {
        self.refunds.iter().find(|it| it.number == number)
    }

    /// From when on nothing is wanted of it but to be over.
    pub fn over_from(&self) -> Timestamp {
        self.cancel_asked.map_or(self.until, |asked| asked.min(self.until))
    }

    /// Neither an order nor an end.
    pub const fn is_open(&self) -> bool {
        self.order.is_none() && self.ended.is_none()
    }

    /// The try that may still bring money by itself.
    pub fn live(&self) -> Option<&Try> {
        self.tries.iter().rev().find(|it| !it.fate.is_dead() && it.fate != Fate::Paid)
    }

    /// What stands of it, short enough to see whether anything has come of a look.
    pub fn signature(&self) -> String {
        let mut text = format!("{:?}{:?}{}", self.order, self.ended, self.receipts.len());
        text.extend(self.tries.iter().map(|it| it.fate.word()));
        text.extend(self.refunds.iter().map(|it| it.state.word()));
        text
    }
}
