//! Giving back: cancel (units return to the shelf) and refund (they do not), of lines or of all that is left.
//!
//! Each line and command makes one row of `kembali`, the whole rest makes one without a line. Whatever takes the last
//! unit also takes the rest of the money, shipping included, so that nothing is left over by rounding.

use crate::cart;
use crate::catalog;
use crate::database::Transaction;
use crate::money;
use crate::order::{self, Order};
use crate::pesanan::back;
use crate::shop::{ARCHIVE_SHOP, Ctx, Done};
use crate::value::args;
use crate::wire::{Kind, Refusal, Stop, number};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Refund,
}

impl Command {
    const fn word(self) -> &'static str {
        match self {
            Self::Cancel => "BATAL",
            Self::Refund => "RETUR",
        }
    }

    fn allowed(self, state: &str) -> bool {
        match self {
            Self::Cancel => state == "paid",
            Self::Refund => matches!(state, "paid" | "shipped" | "done"),
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Asked {
    lines: Option<Vec<AskedLine>>,
}

#[derive(Debug, Deserialize)]
struct AskedLine {
    id: String,
    quantity: i64,
}

/// # Errors
/// `not_found`, `order_not_cancellable`, `quantity_exceeds_remaining`, or what the database says.
pub fn give_back(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    nomor: &str,
    command: Command,
    asked: &Asked,
) -> Result<Done, Stop> {
    let Some(mut order) = order::lock(tx, ctx, nomor)? else {
        return Err(of_the_archive(tx, ctx, nomor)?);
    };
    if !command.allowed(order.state()) {
        return Err(not_cancellable(nomor).into());
    }
    let mut given = given(tx, &order)?;
    let lines = asked.lines.as_deref().filter(|lines| !lines.is_empty());
    let changes = match lines {
        None => vec![take_rest(&mut order, command, given).map_err(|refusal| refusal.about(Kind::Order, nomor))?],
        Some(lines) => {
            let mut changes = Vec::with_capacity(lines.len());
            for (index, line) in lines.iter().enumerate() {
                let change = take(&mut order, command, (index, line), given);
                let change = change.map_err(|refusal| refusal.about(Kind::Order, nomor))?;
                given += change.amount;
                changes.push(change);
            }
            changes
        }
    };
    record(tx, ctx, &order, command, &changes)?;
    let amount = changes.iter().map(|change| change.amount).sum();
    let owed = back::given_by_order(tx, ctx, order.id, amount);
    let done = Done::ok(Kind::Order, nomor);
    Ok(match owed.map_err(|stop| cart::beside(stop, Kind::Order, nomor))? {
        Some((pending, sends)) => Done { pending: Some(pending), sends, ..done },
        None => done,
    })
}

/// The archive is never written.
fn of_the_archive(tx: &mut Transaction<'_>, ctx: &Ctx, nomor: &str) -> Result<Stop, Stop> {
    let archived = ctx.shop.id == ARCHIVE_SHOP && order::render(tx, ctx, nomor)?.is_some();
    let refusal = if archived { not_cancellable(nomor) } else { Refusal::not_found(Kind::Order, nomor) };
    Ok(refusal.into())
}

fn not_cancellable(nomor: &str) -> Refusal {
    let refusal = Refusal::new("order_not_cancellable", "an order in this state gives nothing back");
    refusal.for_good().about(Kind::Order, nomor)
}

/// The money given back so far.
fn given(tx: &mut Transaction<'_>, order: &Order) -> Result<i64, Stop> {
    let mut sum = 0;
    for row in tx.rows("select jumlah from kembali where jual_id = ?1", args![order.id])? {
        sum += row.money(0)?;
    }
    Ok(sum)
}

/// A row of `kembali` to be.
struct Change {
    line: Option<i64>,
    quantity: i64,
    amount: i64,
}

fn take_rest(order: &mut Order, command: Command, given: i64) -> Result<Change, Refusal> {
    let quantity = order.lines.iter().map(order::Line::remaining).sum();
    if quantity == 0 {
        return Err(exceeds("$", 0));
    }
    for line in &mut order.lines {
        let units = line.remaining();
        take_units(line, command, units);
    }
    Ok(Change { line: None, quantity, amount: order.sums.total - given })
}

fn take(
    order: &mut Order,
    command: Command,
    (index, asked): (usize, &AskedLine),
    given: i64,
) -> Result<Change, Refusal> {
    let path = format!("$.lines[{index}]");
    let sums = order.sums;
    let key = number(&asked.id);
    let Some(line) = order.lines.iter_mut().find(|line| Some(line.id) == key) else {
        return Err(Refusal::new("not_found", format!("no line `{}` in this order", asked.id)).for_good().at(path));
    };
    if asked.quantity < 1 || asked.quantity > line.remaining() {
        return Err(exceeds(&path, line.remaining()));
    }
    take_units(line, command, asked.quantity);
    let (id, goods) = (line.id, line.price * asked.quantity);
    let last = order.lines.iter().all(|line| line.remaining() == 0);
    let amount = if last { sums.total - given } else { money::give_back(goods, sums.tax, sums.subtotal) };
    Ok(Change { line: Some(id), quantity: asked.quantity, amount })
}

const fn take_units(line: &mut order::Line, command: Command, units: i64) {
    match command {
        Command::Cancel => line.cancelled += units,
        Command::Refund => line.refunded += units,
    }
}

fn exceeds(path: &str, remaining: i64) -> Refusal {
    Refusal::new("quantity_exceeds_remaining", format!("only {remaining} units remain")).at(path)
}

/// Writes what `order` became. The trigger moves the stock of the products, so they are locked first.
fn record(
    tx: &mut Transaction<'_>,
    ctx: &Ctx,
    order: &Order,
    command: Command,
    changes: &[Change],
) -> Result<(), Stop> {
    let touched = |line: &&order::Line| changes.iter().any(|change| change.line.is_none_or(|id| id == line.id));
    if command == Command::Cancel {
        let products: BTreeSet<i64> = order.lines.iter().filter(touched).map(|line| line.product).collect();
        for product in products {
            catalog::lock(tx, ctx.shop.id, product)?;
        }
    }
    for line in order.lines.iter().filter(touched) {
        let (sql, units) = match command {
            Command::Cancel => ("update jual_detil set batal_jml = ?1 where id = ?2", line.cancelled),
            Command::Refund => ("update jual_detil set retur_jml = ?1 where id = ?2", line.refunded),
        };
        tx.run(sql, args![units, line.id])?;
    }
    for change in changes {
        let sql = "insert into kembali (jual_id, detil_id, jenis, jml, jumlah, tgl, petugas) \
                   values (?1, ?2, ?3, ?4, ?5, ?6, 'sistem')";
        let amount = money::print(change.amount);
        tx.run(sql, args![order.id, change.line, command.word(), change.quantity, amount, &ctx.now])?;
    }
    if command == Command::Cancel && order.lines.iter().all(|line| line.remaining() == 0) {
        let sql = "update jual set status = 'BATAL', batal_pada = ?1, diubah = ?1 where id = ?2";
        tx.run(sql, args![&ctx.now, order.id])?;
    }
    Ok(())
}
