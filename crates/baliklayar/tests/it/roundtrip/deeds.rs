//! What the backend does with a shop, one deed after another, and what each should come to in the legacy.

use super::later;
use super::stage::{Line, Meant, Stage};
use crate::client::{filled_in, id, line_items, payment};
use crate::world::World;
use baliklayar::serving::clock;
use commerce::cart::LIFETIME_US;
use serde_json::{Value, json};
use vocab::id::Timestamp;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    CancelPart,
    CancelWhole,
    CancelPartThenRest,
    RefundPart,
    RefundWhole,
    Price,
    StockUp,
    StockDown,
    CartCreate,
    CartUpdate,
    CartCancel,
    CheckoutCreate,
    CheckoutOfCart,
    CheckoutUpdate,
    CheckoutCancel,
    CheckoutComplete,
    /// A code is given out, and nobody pays it.
    PayBegin,
    /// A code is given out and paid.
    PayDone,
    /// The same; then some of it goes back, and waits until the buyer says where to.
    PayBack,
    /// Cart, checkout of it, details, payment; then some of it comes back.
    NewOrder,
    /// Last, because it is every cart's.
    Expire,
    /// A checkout loses its details and gets other ones.
    CheckoutStripped,
    /// Two lines of one product, and then one.
    CartOfTwice,
    /// Every unit of every line by name: that is all of the order.
    CancelByLines,
    RefundThenCancel,
    /// Of an order that the backend made before it was the legacy's.
    CancelSold,
    /// A code that was out before the legacy gave the shop away.
    PayBegun,
    /// Of an order that was paid by a code before it was the legacy's.
    BackOfPaid,
}

impl Deed {
    pub const ALL: [Self; 21] = [
        Self::CancelPart,
        Self::CancelWhole,
        Self::CancelPartThenRest,
        Self::RefundPart,
        Self::RefundWhole,
        Self::Price,
        Self::StockUp,
        Self::StockDown,
        Self::CartCreate,
        Self::CartUpdate,
        Self::CartCancel,
        Self::CheckoutCreate,
        Self::CheckoutOfCart,
        Self::CheckoutUpdate,
        Self::CheckoutCancel,
        Self::CheckoutComplete,
        Self::PayBegin,
        Self::PayDone,
        Self::PayBack,
        Self::NewOrder,
        Self::Expire,
    ];

    /// More, for the shop with all of them; before the others, which change prices.
    pub const MORE: [Self; 7] = [
        Self::PayBegun,
        Self::BackOfPaid,
        Self::CheckoutStripped,
        Self::CartOfTwice,
        Self::CancelByLines,
        Self::RefundThenCancel,
        Self::CancelSold,
    ];

    /// Takes a checkout that can be paid.
    pub const fn pays_later(self) -> bool {
        matches!(self, Self::PayBegin | Self::PayDone | Self::PayBack)
    }

    pub async fn perform(self, world: &World, stage: &mut Stage) -> Meant {
        match self {
            Self::CancelPart => {
                let order = stage.paid_order(world).await;
                cancel_part(world, stage, &order).await
            }
            Self::CancelWhole => {
                let order = stage.paid_order(world).await;
                cancel_whole(world, stage, &order, 0).await
            }
            Self::CancelPartThenRest => {
                let order = stage.paid_order(world).await;
                let mut meant = cancel_part(world, stage, &order).await;
                meant.add(cancel_whole(world, stage, &order, 1).await);
                meant
            }
            Self::RefundPart => refund_part(world, stage).await,
            Self::RefundWhole => refund_whole(world, stage).await,
            Self::Price => edit(world, stage, "product.edit.price", json!({"price": 7_777_700}), 0).await,
            Self::StockUp => edit(world, stage, "product.edit.stock_up", json!({"stock_delta": 17}), 17).await,
            Self::StockDown => edit(world, stage, "product.edit.stock_down", json!({"stock_delta": -5}), -5).await,
            Self::CartCreate => cart_create(world, stage).await.1,
            Self::CartUpdate => cart_update(world, stage).await,
            Self::CartCancel => cart_cancel(world, stage).await,
            Self::CheckoutCreate => checkout_create(world, stage).await,
            Self::CheckoutOfCart => checkout_of_cart(world, stage).await,
            Self::CheckoutUpdate => checkout_update(world, stage).await,
            Self::CheckoutCancel => checkout_cancel(world, stage).await,
            Self::CheckoutComplete => checkout_complete(world, stage).await,
            Self::PayBegin => later::begin(world, stage).await,
            Self::PayDone => later::done(world, stage).await,
            Self::PayBack => later::back(world, stage).await,
            Self::NewOrder => new_order(world, stage).await,
            Self::Expire => expire(world, stage).await,
            Self::CheckoutStripped => checkout_stripped(world, stage).await,
            Self::CartOfTwice => cart_of_twice(world, stage).await,
            Self::CancelByLines => cancel_by_lines(world, stage).await,
            Self::RefundThenCancel => refund_then_cancel(world, stage).await,
            Self::CancelSold => cancel_sold(world, stage).await,
            Self::PayBegun => later::begun(world, stage).await,
            Self::BackOfPaid => later::back_of_paid(world, stage).await,
        }
    }
}

async fn cancel_part(world: &World, stage: &mut Stage, order: &str) -> Meant {
    let (_, lines) = stage.order_lines(world, order).await;
    let path = format!("orders/{order}");
    let body = json!({"lines": [{"id": lines[0].row, "quantity": 1}]});
    let shown = world.post(&stage.shop, &format!("{path}/cancel"), body).await;
    assert_eq!(shown["status"], "paid");
    stage.show(&path);
    Meant::of("order.cancel").row("jual_detil", &lines[0].row).moved(&lines[0].product, 1).born("kembali", 1)
}

/// All of an order, of whose first line some were cancelled already.
async fn cancel_whole(world: &World, stage: &mut Stage, order: &str, already: i64) -> Meant {
    let (key, mut lines) = stage.order_lines(world, order).await;
    let path = format!("orders/{order}");
    let before = world.get(&stage.shop, &path).await.ok();
    lines[0].quantity = before["line_items"][0]["quantity"]["total"].as_i64().unwrap();
    assert!(already == 0 || lines[0].quantity > 0);
    let shown = world.post(&stage.shop, &format!("{path}/cancel"), json!({})).await;
    assert_eq!(shown["status"], "cancelled");
    stage.show(&path);
    let meant = Meant::of("order.cancel.whole").row("jual", &key).born("kembali", 1);
    lines.iter().fold(meant, |meant, line| meant.row("jual_detil", &line.row).moved(&line.product, line.quantity))
}

async fn refund_part(world: &World, stage: &mut Stage) -> Meant {
    let sql = "select nomor from jual where toko_id = {shop} and status like 'KIRIM%' order by id";
    let order = stage.take(world, "orders", sql).await;
    let (_, lines) = stage.order_lines(world, &order).await;
    let path = format!("orders/{order}");
    let body = json!({"lines": [{"id": lines[0].row, "quantity": 1}]});
    world.post(&stage.shop, &format!("{path}/refund"), body).await;
    stage.show(&path);
    Meant::of("order.refund").row("jual_detil", &lines[0].row).born("kembali", 1)
}

async fn refund_whole(world: &World, stage: &mut Stage) -> Meant {
    let order = stage.paid_order(world).await;
    let (_, lines) = stage.order_lines(world, &order).await;
    let path = format!("orders/{order}");
    world.post(&stage.shop, &format!("{path}/refund"), json!({})).await;
    stage.show(&path);
    let meant = Meant::of("order.refund").born("kembali", 1);
    lines.iter().fold(meant, |meant, line| meant.row("jual_detil", &line.row))
}

async fn cancel_by_lines(world: &World, stage: &mut Stage) -> Meant {
    let order = stage.paid_order(world).await;
    let (key, lines) = stage.order_lines(world, &order).await;
    let path = format!("orders/{order}");
    let each: Vec<Value> = lines.iter().map(|line| json!({"id": line.row, "quantity": line.quantity})).collect();
    let shown = world.post(&stage.shop, &format!("{path}/cancel"), json!({"lines": each})).await;
    assert_eq!(shown["status"], "cancelled");
    stage.show(&path);
    let meant = Meant::of("order.cancel").row("jual", &key).born("kembali", lines.len());
    let meant = Meant { also: vec!["order.cancel.whole"], ..meant };
    lines.iter().fold(meant, |meant, line| meant.row("jual_detil", &line.row).moved(&line.product, line.quantity))
}

async fn refund_then_cancel(world: &World, stage: &mut Stage) -> Meant {
    let order = stage.paid_order(world).await;
    let (key, lines) = stage.order_lines(world, &order).await;
    let path = format!("orders/{order}");
    let body = json!({"lines": [{"id": lines[0].row, "quantity": 1}]});
    world.post(&stage.shop, &format!("{path}/refund"), body).await;
    let shown = world.post(&stage.shop, &format!("{path}/cancel"), json!({})).await;
    assert_eq!(shown["status"], "cancelled");
    stage.show(&path);
    let mut meant = Meant::of("order.refund").born("kembali", 2).born("idem", 1).row("jual", &key);
    meant.commands.push("order.cancel.whole");
    for (line, shown) in lines.iter().zip(shown["line_items"].as_array().unwrap()) {
        let left = shown["quantity"]["total"].as_i64().unwrap();
        meant = meant.row("jual_detil", &line.row).moved(&line.product, line.quantity - left);
    }
    meant
}

async fn cancel_sold(world: &World, stage: &mut Stage) -> Meant {
    let was_there = |order: &&String| stage.standing.contains(&format!("orders/{order}"));
    let Some(order) = stage.sold.iter().find(was_there).cloned() else { return Meant::default() };
    cancel_part(world, stage, &order).await
}

async fn edit(world: &World, stage: &mut Stage, command: &'static str, body: Value, by: i64) -> Meant {
    let product = stage.goods(world, 1).await.remove(0);
    world.put(&stage.shop, &format!("seller/products/{product}"), body).await;
    Meant::of(command).row("produk", &product).moved(&product, by)
}

async fn cart_create(world: &World, stage: &mut Stage) -> (String, Meant) {
    let goods = stage.goods(world, 2).await;
    let body = json!({"line_items": line_items(&[(&goods[0], 1), (&goods[1], 2)])});
    let cart = id(&world.post(&stage.shop, "carts", body).await);
    stage.show(&format!("carts/{cart}"));
    (cart, Meant::of("cart.create").born("keranjang", 1).born("keranjang_isi", 2))
}

/// The first line gets more, the others go, and one comes.
fn replaced(lines: &[Line], fresh: &str) -> Vec<(String, i64)> {
    vec![(lines[0].product.clone(), lines[0].quantity + 4), (fresh.to_owned(), 2)]
}

fn pairs(lines: &[(String, i64)]) -> Vec<(&str, i64)> {
    lines.iter().map(|(product, quantity)| (product.as_str(), *quantity)).collect()
}

fn of_replaced(meant: Meant, table: &'static str, lines: &[Line]) -> Meant {
    let mut meant = meant.row(table, &lines[0].row);
    // The backend gives the row of a line that goes to nobody: what comes has a row of its own.
    meant.gone.extend(lines[1..].iter().map(|line| (table.to_owned(), line.row.clone())));
    meant.born(table, 1)
}

async fn cart_update(world: &World, stage: &mut Stage) -> Meant {
    let (cart, lines) = stage.open_cart(world).await;
    let fresh = stage.goods_but(world, 1, &lines).await.remove(0);
    let path = format!("carts/{cart}");
    let body = json!({"line_items": line_items(&pairs(&replaced(&lines, &fresh)))});
    world.put(&stage.shop, &path, body).await;
    stage.show(&path);
    of_replaced(Meant::of("cart.update"), "keranjang_isi", &lines).row("keranjang", &cart)
}

async fn cart_of_twice(world: &World, stage: &mut Stage) -> Meant {
    let goods = stage.goods(world, 2).await;
    let twice = line_items(&[(&goods[0], 1), (&goods[1], 2), (&goods[0], 3)]);
    let cart = world.post(&stage.shop, "carts", json!({"line_items": twice})).await;
    assert_eq!(cart["line_items"].as_array().unwrap().len(), 3);
    let path = format!("carts/{}", id(&cart));
    let turned = line_items(&[(&goods[1], 1), (&goods[0], 5)]);
    world.put(&stage.shop, &path, json!({"line_items": turned})).await;
    stage.show(&path);
    let meant = Meant::of("cart.create").born("idem", 1).born("keranjang", 1).born("keranjang_isi", 2);
    Meant { also: vec!["cart.update"], ..meant }
}

async fn cart_cancel(world: &World, stage: &mut Stage) -> Meant {
    let (cart, _) = stage.open_cart(world).await;
    let path = format!("carts/{cart}");
    world.post(&stage.shop, &format!("{path}/cancel"), json!({})).await;
    stage.show(&path);
    Meant::of("cart.cancel").row("keranjang", &cart)
}

async fn checkout_create(world: &World, stage: &mut Stage) -> Meant {
    let goods = stage.goods(world, 2).await;
    let body = json!({"line_items": line_items(&[(&goods[0], 1), (&goods[1], 3)])});
    let checkout = id(&world.post(&stage.shop, "checkout-sessions", body).await);
    stage.show(&format!("checkout-sessions/{checkout}"));
    Meant::of("checkout.create").born("transaksi", 1).born("transaksi_isi", 2)
}

async fn checkout_of_cart(world: &World, stage: &mut Stage) -> Meant {
    let (cart, lines) = stage.open_cart(world).await;
    let checkout = id(&world.post(&stage.shop, "checkout-sessions", json!({"cart_id": cart})).await);
    stage.show(&format!("checkout-sessions/{checkout}"));
    Meant::of("checkout.create").born("transaksi", 1).born("transaksi_isi", lines.len())
}

async fn checkout_update(world: &World, stage: &mut Stage) -> Meant {
    let (checkout, lines) = stage.open_checkout(world).await;
    let fresh = stage.goods_but(world, 1, &lines).await.remove(0);
    let path = format!("checkout-sessions/{checkout}");
    world.put(&stage.shop, &path, filled_in(&pairs(&replaced(&lines, &fresh)))).await;
    stage.show(&path);
    of_replaced(Meant::of("checkout.update"), "transaksi_isi", &lines).row("transaksi", &checkout)
}

async fn checkout_stripped(world: &World, stage: &mut Stage) -> Meant {
    let (checkout, lines) = stage.open_checkout(world).await;
    let path = format!("checkout-sessions/{checkout}");
    let lines: Vec<(String, i64)> = lines.into_iter().map(|line| (line.product, line.quantity)).collect();
    let stripped = world.put(&stage.shop, &path, json!({"line_items": line_items(&pairs(&lines))})).await;
    assert_eq!(stripped["status"], "incomplete");
    world.put(&stage.shop, &path, filled_in(&pairs(&lines))).await;
    // Another deed may have it.
    stage.used.remove(&path);
    Meant::of("checkout.update").born("idem", 1).row("transaksi", &checkout)
}

async fn checkout_cancel(world: &World, stage: &mut Stage) -> Meant {
    let sql = "select id from transaksi where toko_id = {shop} and status like 'BUKA%' and kirim is null order by id";
    let checkout = stage.take(world, "checkout-sessions", sql).await;
    let path = format!("checkout-sessions/{checkout}");
    world.post(&stage.shop, &format!("{path}/cancel"), json!({})).await;
    stage.show(&path);
    Meant::of("checkout.cancel").row("transaksi", &checkout)
}

async fn checkout_complete(world: &World, stage: &mut Stage) -> Meant {
    let (checkout, lines) = stage.open_checkout(world).await;
    let path = format!("checkout-sessions/{checkout}");
    let done = world.post(&stage.shop, &format!("{path}/complete"), payment("approve")).await;
    let order = id(&done["order"]);
    stage.show(&path);
    stage.show(&format!("orders/{order}"));
    stage.sold.push(order);
    let meant = completed(lines.len()).row("transaksi", &checkout);
    lines.iter().fold(meant, |meant, line| meant.moved(&line.product, -line.quantity))
}

fn completed(lines: usize) -> Meant {
    Meant::of("checkout.complete").born("pelanggan", 1).born("jual", 1).born("jual_detil", lines).born("bayar", 1)
}

async fn new_order(world: &World, stage: &mut Stage) -> Meant {
    let (cart, mut meant) = cart_create(world, stage).await;
    let shop = stage.shop.clone();
    let checkout = world.post(&shop, "checkout-sessions", json!({"cart_id": cart})).await;
    let lines: Vec<(String, i64)> = checkout["line_items"].as_array().unwrap().iter().map(shown_line).collect();
    let path = format!("checkout-sessions/{}", id(&checkout));
    world.put(&shop, &path, filled_in(&pairs(&lines))).await;
    let done = world.post(&shop, &format!("{path}/complete"), payment("approve")).await;
    let order = id(&done["order"]);
    stage.show(&path);
    stage.show(&format!("orders/{order}"));
    let shown = world.get(&shop, &format!("orders/{order}")).await.ok();
    let one = |at: usize| json!({"lines": [{"id": id(&shown["line_items"][at]), "quantity": 1}]});
    world.post(&shop, &format!("orders/{order}/cancel"), one(1)).await;
    world.post(&shop, &format!("orders/{order}/refund"), one(0)).await;
    stage.sold.push(order);
    let mut all = completed(lines.len()).born("transaksi", 1).born("transaksi_isi", lines.len());
    // Five keys: of the checkout's creation, update and completion, of the order's cancel and refund.
    all = all.born("idem", 4).born("kembali", 2);
    for (product, quantity) in &lines {
        all = all.moved(product, -quantity);
    }
    all = all.moved(&lines[1].0, 1);
    meant.add(all);
    meant.commands = vec!["cart.create"];
    meant.also = vec!["checkout.complete", "checkout.create", "checkout.update", "order.cancel", "order.refund"];
    meant
}

fn shown_line(line: &Value) -> (String, i64) {
    (id(&line["item"]), line["quantity"].as_i64().unwrap())
}

async fn expire(world: &World, stage: &mut Stage) -> Meant {
    let mut meant = Meant { commands: vec!["cart.expire"], ..Meant::default() };
    for path in stage.standing.clone() {
        let Some(cart) = path.strip_prefix("carts/") else { continue };
        if world.get(&stage.shop, &path).await.body["ucp"]["status"] == "success" {
            stage.show(&path);
            meant = meant.row("keranjang", cart);
        }
    }
    let later = Timestamp(clock()().0 + LIFETIME_US + 1_000_000);
    assert!(world.service.expire_carts(&stage.shop, later).await.unwrap() > 0);
    meant
}
