//! Deeds of buyers who pay in their own time: a code is given out, it is paid, and some of that goes back.

use super::stage::{Code, Line, Meant, Stage};
use crate::client::{exchange, form, id};
use crate::world::{Provider, World};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a notice brings about is there by then.
const SOON: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

pub async fn begin(world: &World, stage: &mut Stage) -> Meant {
    let (code, lines) = give_out(world, stage).await;
    let meant = Meant::without_key("payment.begin").born("pesanan", 1).born("pesanan_coba", 1);
    let meant = taken(meant.row("transaksi", &code.checkout), &lines);
    stage.codes.push(code);
    meant
}

pub async fn done(world: &World, stage: &mut Stage) -> Meant {
    let (code, lines) = give_out(world, stage).await;
    pay(world, stage, &code).await;
    let meant = ordered(Meant::without_key("payment.paid").born("pesanan", 1).born("pesanan_coba", 1), lines.len());
    taken(meant.row("transaksi", &code.checkout), &lines)
}

pub async fn back(world: &World, stage: &mut Stage) -> Meant {
    let mut meant = done(world, stage).await;
    let order = stage.paid_later.last().unwrap().clone();
    give_back(world, stage, &order).await;
    meant.also.push("payment.back");
    meant.born("kembali", 1).born("pesanan_balik", 1).born("idem", 1)
}

/// Its units left the shelf when it was given out.
pub async fn begun(world: &World, stage: &mut Stage) -> Meant {
    let was_there = |code: &Code| stage.standing.contains(&format!("checkout-sessions/{}", code.checkout));
    let Some(at) = stage.codes.iter().position(was_there) else { return Meant::default() };
    let code = stage.codes.remove(at);
    let pending = world.one(&format!("select pesanan_id from transaksi where id = {}", code.checkout)).await;
    let lines = stage.checkout_lines(world, &code.checkout).await;
    pay(world, stage, &code).await;
    let meant = ordered(Meant::without_key("payment.begun.paid"), lines.len()).row("transaksi", &code.checkout);
    let meant = meant.row("pesanan", &pending).row("pesanan_coba", &format!("{pending}/1"));
    lines.iter().fold(meant, |meant, line| meant.moved(&line.product, 0))
}

pub async fn back_of_paid(world: &World, stage: &mut Stage) -> Meant {
    let was_there = |order: &&String| stage.standing.contains(&format!("orders/{order}"));
    let Some(order) = stage.paid_later.iter().find(was_there).cloned() else { return Meant::default() };
    let (key, lines) = stage.order_lines(world, &order).await;
    let pending = world.one(&format!("select pesanan_id from bayar where jual_id = {key}")).await;
    give_back(world, stage, &order).await;
    let meant = Meant::of("payment.back").born("kembali", 1).born("pesanan_balik", 1);
    meant.row("jual_detil", &lines[0].row).row("pesanan", &pending)
}

fn taken(meant: Meant, lines: &[Line]) -> Meant {
    lines.iter().fold(meant, |meant, line| meant.moved(&line.product, -line.quantity))
}

fn ordered(meant: Meant, lines: usize) -> Meant {
    let meant = meant.born("pesanan_uang", 1).born("pelanggan", 1);
    meant.born("jual", 1).born("jual_detil", lines).born("bayar", 1)
}

/// A checkout that stood there, and what its buyer is given to pay with.
async fn give_out(world: &World, stage: &mut Stage) -> (Code, Vec<Line>) {
    let (checkout, lines) = stage.open_checkout(world).await;
    let path = format!("checkout-sessions/{checkout}");
    let shown = world.get(&stage.shop, &path).await.ok();
    let link = shown["continue_url"].as_str().unwrap_or_else(|| panic!("nobody can pay {shown}"));
    let known = charges(world).await.len();
    let (status, page) = exchange(world.seam(), &form(link, "method=virtual_account")).await;
    assert_eq!(status, 200, "{page}");
    // What there is to pay with is on the page as soon as the provider has answered.
    until(async || world.open(link).await.1.contains("class=\"number\""), "a number to pay with").await;
    let charges = charges(world).await;
    assert_eq!(charges.len(), known + 1);
    stage.show(&path);
    let reference = charges[known]["reference"].as_str().unwrap().to_owned();
    (Code { checkout, reference }, lines)
}

/// At the provider, and whoever owns the shop hears of it: there is an order.
pub async fn pay(world: &World, stage: &mut Stage, code: &Code) {
    provider(world).control("pay", &json!({ "reference": code.reference })).await;
    let path = format!("checkout-sessions/{}", code.checkout);
    until(async || world.get(&stage.shop, &path).await.body["status"] == "completed", "an order").await;
    let order = id(&world.get(&stage.shop, &path).await.ok()["order"]);
    stage.show(&path);
    stage.show(&format!("orders/{order}"));
    stage.paid_later.push(order);
}

/// One unit, whose money waits until the buyer says where it goes.
async fn give_back(world: &World, stage: &mut Stage, order: &str) {
    let path = format!("orders/{order}");
    let shown = world.get(&stage.shop, &path).await.ok();
    let one = json!({"lines": [{"id": id(&shown["line_items"][0]), "quantity": 1}]});
    let refunded = world.post(&stage.shop, &format!("{path}/refund"), one).await;
    assert_eq!(refunded["adjustments"][0]["status"], "pending", "{refunded}");
    let checkout = format!("checkout-sessions/{}", shown["checkout_id"].as_str().unwrap());
    let asks = async || {
        let shown = world.get(&stage.shop, &checkout).await.ok();
        let Some(link) = shown["continue_url"].as_str() else { return false };
        world.open(link).await.1.contains("name=\"account\"")
    };
    until(asks, "the question where it goes").await;
}

async fn until(is: impl AsyncFn() -> bool, what: &str) {
    let deadline = Instant::now() + SOON;
    while !is().await {
        assert!(Instant::now() < deadline, "{what} is not there");
        tokio::time::sleep(LOOK).await;
    }
}

fn provider(world: &World) -> &Provider {
    world.provider.as_ref().unwrap()
}

async fn charges(world: &World) -> Vec<Value> {
    provider(world).book().await["charge"].as_array().unwrap().clone()
}
