//! Complete checkouts: create, address, option, complete, and a look at the order, each an HTTP request that is answered when
//! its writes are on disk.

use crate::bare;
use crate::buyers::{Asked, Buyer, Turns, crowd};
use crate::figures::{Figures, Round, micros};
use crate::people;
use crate::place::Engine;
use crate::shops::Market;
use crate::stage::Stage;
use crate::{Args, print, table};
use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const PRODUCTS: u32 = 100;
/// More than are ever sold.
pub const STOCK: i64 = 1_000_000;
/// Of so many checkouts one more is made beforehand, which nobody counts.
const WARM_UP: u64 = 10;

/// What each request took, in their order.
pub const STEPS: [&str; 5] = ["create", "address", "option", "complete", "order"];
type Took = [Duration; STEPS.len()];

pub async fn measure(args: &Args) -> Result<()> {
    let mut tables = (Vec::new(), Vec::new());
    for &engine in &args.stores {
        for &buyers in &args.buyers {
            let mut figures = Figures::default();
            for round in 0..args.rounds {
                figures.add(round_of(args, engine, buyers).await?);
                eprintln!(
                    "{}, {buyers} at once: round {} of {}, load {}",
                    engine.name(),
                    round + 1,
                    args.rounds,
                    crate::children::load_average()
                );
            }
            let who = vec![engine.name().to_owned(), buyers.to_string()];
            tables.0.push([who.clone(), figures.cells()].concat());
            tables.1.push([who, figures.steps()].concat());
        }
    }
    print(&table::table(&[&["store", "buyers at once"], &Figures::heading("checkouts/s")[..]].concat(), &tables.0));
    print(&table::table(&[&["store", "buyers at once"], &STEPS[..]].concat(), &tables.1));
    Ok(())
}

async fn round_of(args: &Args, engine: Engine, buyers: u32) -> Result<Round> {
    let market = Market { shops: args.shops, products: PRODUCTS, stock: STOCK };
    let stage = Stage::set(engine, market).await?;
    let lasting = Duration::from_secs(args.seconds);
    let warm = buy(stage.backend, market, buyers, Turns::new(args.count / WARM_UP, lasting), "warm").await?;
    let mark = bare::heads(&stage.place).await?;
    let before = stage.meter.now();
    let (bought, took) = buy(stage.backend, market, buyers, Turns::new(args.count, lasting), "counted").await?;
    let cost = stage.meter.now().since(before);
    let place = stage.end().await;
    market.sold(&place.open()?, u64::try_from(warm.0.len() + bought.len())?).await?;
    let group = bare::group(engine, buyers, args.shops);
    let bare = bare::run(engine, market, &mark, group, &place, bought.len()).await?;
    let mut round = Round::new(bought.iter().map(|took| took.iter().sum()).collect(), took, cost, bare);
    for step in 0..STEPS.len() {
        round.steps.push(bought.iter().map(|took| micros(took[step])).collect());
    }
    Ok(round)
}

async fn buy(
    backend: SocketAddr,
    market: Market,
    buyers: u32,
    turns: std::sync::Arc<Turns>,
    run: &'static str,
) -> Result<(Vec<Took>, Duration)> {
    crowd(backend, usize::try_from(buyers)?, |mut buyer| {
        let turns = turns.clone();
        async move {
            let mut bought = Vec::new();
            while let Some(number) = turns.next() {
                bought.push(journey(&mut buyer, market, number, run).await?);
            }
            Ok(bought)
        }
    })
    .await
}

/// One unit of one product, bought in one of the shops.
async fn journey(buyer: &mut Buyer, market: Market, number: u64, run: &str) -> Result<Took> {
    let shops = u64::from(market.shops);
    let (shop, product) = (Market::shop(number % shops), 1 + number / shops % u64::from(market.products));
    let [created, addressed, whole] = contents(number, product);
    let write = |method, path: &str, step: usize, body: &Value| Asked {
        method,
        path: format!("/shops/{shop}/{path}"),
        key: Some(format!("{run}-{number}-{step}")),
        body: Bytes::from(body.to_string()),
    };
    let (made, create) = buyer.get_done(write("POST", "checkout-sessions", 0, &created)).await?;
    let path = format!("checkout-sessions/{}", made["id"].as_str().context("a checkout without an id")?);
    let (_, address) = buyer.get_done(write("PUT", &path, 1, &addressed)).await?;
    let (_, option) = buyer.get_done(write("PUT", &path, 2, &whole)).await?;
    let (paid, complete) = buyer.get_done(write("POST", &format!("{path}/complete"), 3, &people::payment())).await?;
    let order = paid["order"]["id"].as_str().context("a completed checkout without an order")?;
    let look = Asked { method: "GET", path: format!("/shops/{shop}/orders/{order}"), key: None, body: Bytes::new() };
    let (_, look) = buyer.get_done(look).await?;
    Ok([create, address, option, complete, look])
}

/// What is sent step by step: an update names all that is to stand afterwards.
fn contents(number: u64, product: u64) -> [Value; 3] {
    let whole = people::checkout(number, &json!([{"item": {"id": product.to_string()}, "quantity": 1}]));
    let (mut created, mut addressed) = (whole.clone(), whole.clone());
    if let Some(content) = created.as_object_mut() {
        content.remove("fulfillment");
    }
    if let Some(method) = addressed["fulfillment"]["methods"][0].as_object_mut() {
        method.remove("groups");
    }
    [created, addressed, whole]
}
