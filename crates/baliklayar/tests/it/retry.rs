//! The answer is lost and the owner changes before the client asks again: the same key and bytes give the same answer,
//! nothing is done twice, and other bytes are refused. And what was acknowledged by one side is what the other charges.

use crate::client::{Answer, Request, amount, filled_in, id, line_items, payment};
use crate::world::{Engine, World};
use mover::Verb;
use serde_json::{Value, json};
use vocab::id::{Kind, PublicId, ShopId, Side};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_answer_is_given_by_the_next_owner_on_sqlite() {
    lost_answers(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_answer_is_given_by_the_next_owner_on_postgres() {
    lost_answers(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_total_that_was_shown_is_what_is_paid_on_sqlite() {
    acknowledged_totals(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_total_that_was_shown_is_what_is_paid_on_postgres() {
    acknowledged_totals(Engine::Postgres).await;
}

async fn lost_answers(engine: Engine) {
    let world = World::start(engine, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;

    let there = unanswered(&world, &shop, 3).await;
    let told_there = told(&world, &there).await;
    world.wish(Verb::Flip, None).await;
    assert_eq!(world.owner(&shop).await, Side::Backend);
    told_again(&world, &shop, &there, &told_there).await;

    let back = unanswered(&world, &shop, 4).await;
    let told_back = told(&world, &back).await;
    world.wish(Verb::Rollback, None).await;
    assert_eq!(world.owner(&shop).await, Side::Legacy);
    told_again(&world, &shop, &back, &told_back).await;
    told_again(&world, &shop, &there, &told_there).await;
}

/// One request of each kind that the owner has carried out and whose answer nobody got.
async fn unanswered(world: &World, shop: &ShopId, product: usize) -> Vec<Request> {
    let requests = requests(world, shop, product).await;
    for request in &requests {
        world.cut(request, async || is_done(world, shop, request).await).await;
    }
    requests
}

async fn is_done(world: &World, shop: &ShopId, request: &Request) -> bool {
    let key = request.key.as_deref().unwrap();
    if world.owner(shop).await == Side::Legacy {
        return world.one(&format!("select count(*) from idem where kunci = '{key}'")).await == "1";
    }
    let recorded = world.store.documents(shop, Kind::Idempotency, None, 10_000).await.unwrap();
    recorded.iter().any(|(_, stored)| stored.document.text("key") == Some(key))
}

/// A write of every operation, on things of their own, none of it sent yet; the product is the one that is edited.
async fn requests(world: &World, shop: &ShopId, product: usize) -> Vec<Request> {
    let goods = goods(world, shop).await;
    let [a, b, c] = [0, 1, 2].map(|at| goods[at].0.as_str());
    let two = [(a, 2), (b, 1)];
    let cart = async || id(&world.post(shop, "carts", json!({"line_items": line_items(&two)})).await);
    let ready = async || id(&world.post(shop, "checkout-sessions", filled_in(&two)).await);
    let order = async || {
        let path = format!("checkout-sessions/{}", ready().await);
        let done = world.post(shop, &format!("{path}/complete"), payment("approve")).await;
        let order = world.get(shop, &format!("orders/{}", id(&done["order"]))).await.ok();
        (id(&order), id(&order["line_items"][0]))
    };
    let ((cancelled, line), (refunded, _)) = (order().await, order().await);
    let (nothing, changed) = (json!({}), [(b, 4), (c, 1)]);
    let part = json!({"lines": [{"id": line, "quantity": 1}]});
    let checkout = async |what: &str| format!("checkout-sessions/{}{what}", ready().await);
    vec![
        world.write("POST", shop, "carts", &json!({"line_items": line_items(&two)})),
        world.write("PUT", shop, &format!("carts/{}", cart().await), &json!({"line_items": line_items(&changed)})),
        world.write("POST", shop, &format!("carts/{}/cancel", cart().await), &nothing),
        world.write("POST", shop, "checkout-sessions", &filled_in(&two)),
        world.write("POST", shop, "checkout-sessions", &json!({"cart_id": cart().await})),
        world.write("PUT", shop, &checkout("").await, &filled_in(&changed)),
        world.write("POST", shop, &checkout("/complete").await, &payment("approve")),
        world.write("POST", shop, &checkout("/cancel").await, &nothing),
        world.write("POST", shop, &format!("orders/{cancelled}/cancel"), &part),
        world.write("POST", shop, &format!("orders/{refunded}/refund"), &nothing),
        world.write("PUT", shop, &format!("seller/products/{}", goods[product].0), &json!({"stock_delta": 3})),
    ]
}

/// What the owner that carried them out says of them.
async fn told(world: &World, requests: &[Request]) -> Vec<Answer> {
    let mut told = Vec::new();
    for request in requests {
        let answer = world.send(request).await;
        answer.clone().ok();
        told.push(answer);
    }
    told
}

/// Asks twice, and once with other bytes; nothing moves meanwhile.
async fn told_again(world: &World, shop: &ShopId, requests: &[Request], told: &[Answer]) {
    let before = (world.store.head(shop).await.unwrap(), world.dump().await);
    for (request, told) in requests.iter().zip(told) {
        for _ in 0..2 {
            assert_eq!(world.send(request).await, *told, "{request:?}");
        }
        let other = Request { body: format!("{} ", request.body), ..request.clone() };
        let refused = world.send(&other).await;
        let code = refused.body["code"].as_str();
        assert_eq!((refused.status, code), (409, Some("idempotency_conflict")), "{request:?}: {}", refused.body);
    }
    assert_eq!(before, (world.store.head(shop).await.unwrap(), world.dump().await));
}

/// Products with plenty of stock and their prices.
async fn goods(world: &World, shop: &ShopId) -> Vec<(String, i64)> {
    let sql = format!(
        "select id from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 and stok > 100 order by id"
    );
    let ids = world.column(&sql).await;
    let shown = world.look_up(shop, &ids).await.ok();
    let price = |product: &Value| product["variants"][0]["price"]["amount"].as_i64().unwrap();
    shown["products"].as_array().unwrap().iter().map(|product| (id(product), price(product))).collect()
}

async fn acknowledged_totals(engine: Engine) {
    let world = World::start(engine, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;
    let (lines, ours) = rounded_differently(&world, &shop).await;
    let lines: Vec<(&str, i64)> = lines.iter().map(|product| (product.as_str(), 1)).collect();
    let kept = world.post(&shop, "checkout-sessions", filled_in(&lines)).await;
    let updated = world.post(&shop, "checkout-sessions", filled_in(&lines)).await;
    assert_ne!(amount(&kept, "tax"), ours, "the two sides round alike");
    world.wish(Verb::Flip, None).await;

    let path = format!("checkout-sessions/{}", id(&kept));
    assert_eq!(world.get(&shop, &path).await.ok(), kept);
    let done = world.post(&shop, &format!("{path}/complete"), payment("approve")).await;
    assert_eq!((done["status"].as_str(), &done["totals"]), (Some("completed"), &kept["totals"]));
    let number = id(&done["order"]);
    let order = world.get(&shop, &format!("orders/{number}")).await.ok();
    assert_eq!(order["totals"], kept["totals"]);
    let total = amount(&kept, "total");
    assert_eq!(paid(&world, &shop, &number).await, total);

    // Who asks for a new price gets the new owner's, and is told so.
    let path = format!("checkout-sessions/{}", id(&updated));
    let repriced = world.put(&shop, &path, filled_in(&lines)).await;
    assert_eq!((amount(&repriced, "tax"), &repriced["messages"][0]["code"]), (ours, &json!("price_changed")));

    world.wish(Verb::Rollback, None).await;
    assert_eq!(world.get(&shop, &format!("orders/{number}")).await.ok(), order);
    let payments = "select jumlah from bayar where jual_id in (select id from jual where nomor =";
    assert_eq!(world.column(&format!("{payments} '{number}')")).await, [format!("{}.{:02}", total / 100, total % 100)]);
    let done = world.post(&shop, &format!("{path}/complete"), payment("approve")).await;
    assert_eq!(done["totals"], repriced["totals"]);
}

/// What the backend says was paid for an order.
async fn paid(world: &World, shop: &ShopId, order: &str) -> i64 {
    let loaded = world.store.load(shop, &[(Kind::Order, PublicId::new(order))]).await.unwrap();
    let stored = loaded.documents[0].as_ref().unwrap();
    let [vocab::document::Node::Record(payment)] = stored.document.list("payments") else { panic!("{stored:?}") };
    assert_eq!(payment.text("state"), Some("captured"));
    payment.int("amount").unwrap()
}

/// Two products whose taxes, each rounded, do not come to the tax on both; and that tax.
async fn rounded_differently(world: &World, shop: &ShopId) -> ([String; 2], i64) {
    let bp: i64 = world.one(&format!("select pajak_bp from toko where id = {shop}")).await.parse().unwrap();
    let goods = goods(world, shop).await;
    let pairs = goods.iter().enumerate().flat_map(|(at, one)| goods[at + 1..].iter().map(move |other| (one, other)));
    let mut differing = pairs.filter(|(one, other)| tax(one.1, bp) + tax(other.1, bp) != tax(one.1 + other.1, bp));
    let (one, other) = differing.next().unwrap();
    ([one.0.clone(), other.0.clone()], tax(one.1 + other.1, bp))
}

/// Half up to whole rupiah, in hundredths.
fn tax(amount: i64, bp: i64) -> i64 {
    (amount * bp + 500_000) / 1_000_000 * 100
}
