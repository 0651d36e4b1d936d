//! A flash sale: one product, everybody at once, each with a checkout that lacks only its payment, which the instant rail
//! answers in the process.
//!
//! First few units for many buyers, again and again: exactly as many are sold as there were, at the first attempt, or the
//! measurement ends with an error. Then more units than are wanted, and as many orders as there can be.

use crate::buyers::{Asked, Buyer, Turns, crowd};
use crate::checkout::STOCK;
use crate::figures::{Figures, Round, Waits, median, micros, millis};
use crate::place::Engine;
use crate::shops::Market;
use crate::stage::Stage;
use crate::{Args, bare, children, people, print, table};
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Sales of few units, and one before them that is not counted.
const SALES: u32 = 10;
const UNITS: u32 = 50;
/// For them, all at once.
const BUYERS: u32 = 200;
/// On the shelf while checkouts are made: nobody may have a checkout of what is not there.
const MANY: i64 = 1_000;
/// Checkouts are made for so long at most, by so many at once.
const PREPARING: Duration = Duration::from_secs(8);
const PREPARERS: usize = 64;
/// Of so many one is paid beforehand, which nobody counts.
const WARM_UP: usize = 10;

pub async fn measure(args: &Args) -> Result<()> {
    let mut few = Vec::new();
    for &engine in &args.stores {
        few.push(few_units(engine).await.with_context(|| format!("{}, few units", engine.name()))?);
    }
    let heading =
        ["store", "buyers", "units", "sales", "orders of each", "refused", "all told after, ms", "p50 ms", "p99 ms"];
    print(&table::table(&heading, &few));
    let mut many = Vec::new();
    for &engine in &args.stores {
        let mut figures = Figures::default();
        for round in 0..args.rounds {
            figures.add(many_units(args, engine).await?);
            let load = children::load_average();
            eprintln!("{}, many units: round {} of {}, load {load}", engine.name(), round + 1, args.rounds);
        }
        many.push([vec![engine.name().to_owned(), args.crowd.to_string()], figures.cells()].concat());
    }
    print(&table::table(&[&["store", "buyers at once"], &Figures::heading("orders/s")[..]].concat(), &many));
    Ok(())
}

/// Each sale in a shop of its own. What the first of them finds out for the process is not counted.
async fn few_units(engine: Engine) -> Result<Vec<String>> {
    let market = Market { shops: SALES + 1, products: 1, stock: MANY };
    let stage = Stage::set(engine, market).await?;
    let mut sales = Vec::new();
    for shop in 0..market.shops {
        sales.push(sale(stage.backend, &Market::shop(shop.into())).await?);
    }
    let sold = Market { stock: UNITS.into(), ..market };
    sold.sold(&stage.end().await.open()?, u64::from(UNITS * market.shops)).await?;
    let sales = &sales[1..];
    let of = |figure: fn(&Sale) -> u64| millis(median(sales.iter().map(figure)));
    Ok(vec![
        engine.name().to_owned(),
        BUYERS.to_string(),
        UNITS.to_string(),
        sales.len().to_string(),
        // Of every one of them, or there would have been an error.
        UNITS.to_string(),
        (BUYERS - UNITS).to_string(),
        of(|sale| micros(sale.took)),
        of(|sale| sale.waits.p50),
        of(|sale| sale.waits.p99),
    ])
}

struct Sale {
    took: Duration,
    waits: Waits,
}

async fn sale(backend: SocketAddr, shop: &str) -> Result<Sale> {
    let (checkouts, _) = prepare(backend, shop, BUYERS.into()).await?;
    ensure!(checkouts.len() == usize::try_from(BUYERS)?, "{} of {BUYERS} checkouts could be made", checkouts.len());
    crowd(backend, 1, |mut seller| {
        let (path, less) =
            (format!("/shops/{shop}/seller/products/1"), json!({"stock_delta": i64::from(UNITS) - MANY}));
        let body = Bytes::from(less.to_string());
        let asked = Asked { method: "PUT", path, key: Some("less".to_owned()), body };
        async move { Ok(vec![seller.get_done(asked).await?]) }
    })
    .await?;
    let (told, took) = pay(backend, shop, checkouts, usize::try_from(BUYERS)?, Duration::MAX).await?;
    let orders = told.iter().filter(|(paid, _)| *paid).count();
    ensure!(
        (orders, told.len()) == (usize::try_from(UNITS)?, usize::try_from(BUYERS)?),
        "{orders} orders of {UNITS} units for {} of {BUYERS} buyers",
        told.len()
    );
    Ok(Sale { took, waits: Waits::of(told.iter().map(|(_, waited)| micros(*waited)).collect()) })
}

/// As many orders as there can be.
async fn many_units(args: &Args, engine: Engine) -> Result<Round> {
    let market = Market { shops: 1, products: 1, stock: STOCK };
    let stage = Stage::set(engine, market).await?;
    let (shop, buyers) = (Market::shop(0), usize::try_from(args.crowd)?);
    let (mut checkouts, _) = prepare(stage.backend, &shop, args.count).await?;
    let first = checkouts.split_off(checkouts.len() - checkouts.len() / WARM_UP);
    let lasting = Duration::from_secs(args.seconds);
    let (warm, _) = pay(stage.backend, &shop, first, buyers, lasting).await?;
    let mark = bare::heads(&stage.place).await?;
    let before = stage.meter.now();
    let (told, took) = pay(stage.backend, &shop, checkouts, buyers, lasting).await?;
    let cost = stage.meter.now().since(before);
    let place = stage.end().await;
    ensure!(told.iter().chain(&warm).all(|(paid, _)| *paid), "somebody was refused although there was enough");
    market.sold(&place.open()?, u64::try_from(told.len() + warm.len())?).await?;
    let group = bare::group(engine, args.crowd, market.shops);
    let bare = bare::run(engine, market, &mark, group, &place, told.len()).await?;
    Ok(Round::new(told.into_iter().map(|(_, waited)| waited).collect(), took, cost, bare))
}

/// The ids of as many checkouts as could be made of those that are wanted, of one unit each.
async fn prepare(backend: SocketAddr, shop: &str, count: u64) -> Result<(Vec<String>, Duration)> {
    let turns = Turns::new(count, PREPARING);
    crowd(backend, PREPARERS, |mut buyer| {
        let (turns, shop) = (turns.clone(), shop.to_owned());
        async move {
            let mut made = Vec::new();
            while let Some(number) = turns.next() {
                let whole = people::checkout(number, &json!([{"item": {"id": "1"}, "quantity": 1}]));
                let (path, key) = (format!("/shops/{shop}/checkout-sessions"), Some(format!("made-{number}")));
                let asked = Asked { method: "POST", path, key, body: Bytes::from(whole.to_string()) };
                let (checkout, _) = buyer.get_done(asked).await?;
                made.push(checkout["id"].as_str().context("a checkout without an id")?.to_owned());
            }
            Ok(made)
        }
    })
    .await
}

/// Pays them, so many at once, and says of each that time was left for whether there is an order, and how long it took.
async fn pay(
    backend: SocketAddr,
    shop: &str,
    checkouts: Vec<String>,
    buyers: usize,
    lasting: Duration,
) -> Result<(Vec<(bool, Duration)>, Duration)> {
    let turns = Turns::new(u64::try_from(checkouts.len())?, lasting);
    let (checkouts, body) = (Arc::new(checkouts), Bytes::from(people::payment().to_string()));
    crowd(backend, buyers, |buyer| {
        let (turns, checkouts, body, shop) = (turns.clone(), checkouts.clone(), body.clone(), shop.to_owned());
        pay_some(buyer, turns, checkouts, body, shop)
    })
    .await
}

async fn pay_some(
    mut buyer: Buyer,
    turns: Arc<Turns>,
    checkouts: Arc<Vec<String>>,
    body: Bytes,
    shop: String,
) -> Result<Vec<(bool, Duration)>> {
    let mut told = Vec::new();
    while let Some(number) = turns.next() {
        let id = &checkouts[usize::try_from(number)?];
        let path = format!("/shops/{shop}/checkout-sessions/{id}/complete");
        let (answer, took) =
            buyer.ask(Asked { method: "POST", path, key: Some(format!("paid-{id}")), body: body.clone() }).await?;
        told.push((is_paid(&serde_json::from_slice(&answer)?)?, took));
    }
    Ok(told)
}

/// Is there an order? The only other answer is that nothing is left.
fn is_paid(answer: &Value) -> Result<bool> {
    if answer["ucp"]["status"] == "success" && answer["status"] == "completed" {
        return Ok(true);
    }
    if answer["messages"][0]["code"] == "out_of_stock" {
        return Ok(false);
    }
    bail!("neither an order nor a refusal: {answer}")
}
