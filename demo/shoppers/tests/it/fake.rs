//! A small shop to be judged: right by itself, wrong on demand. It keeps its books in the legacy's own tables, which
//! the oracle reads with its SQL.

mod later;
mod wire;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wire::refusal;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// The first order is acknowledged and then forgotten.
    LoseAcknowledged,
    /// The first checkout that completes has two orders in the books.
    DoubleOrder,
    /// The first order takes the number after the next one.
    SkipNumber,
    /// The first order shows another total than its checkout.
    ChangeTotal,
    /// What is sold stays on the shelf.
    Oversell,
    /// Tax that no rule gives.
    WrongTax,
    /// A write in five is done and its answer lost; it is not lost twice.
    CutAnswers,
    /// The first checkout is made, or not made, and never answered.
    HangAfter,
    HangBefore,
    /// Of those who pay later: nobody keeps the units, nobody waits for the money, another order comes than was promised,
    /// or a second payment is taken, or what was paid goes back.
    KeepNothing,
    CompleteUnpaid,
    OtherOrder,
    ChargeTwice,
    RefundsPaid,
}

#[derive(Debug, Clone)]
struct Line {
    id: String,
    product: String,
    price: i64,
    quantity: i64,
    cancelled: i64,
    refunded: i64,
}

#[derive(Debug, Clone, Default)]
struct Document {
    status: String,
    lines: Vec<Line>,
    ready: bool,
    cart: Option<String>,
    order: Option<String>,
    /// Added to the total that is shown.
    skew: i64,
    given_back: Vec<(&'static str, Option<String>, i64, i64)>,
}

pub struct Shop {
    fault: Fault,
    books: Connection,
    next: i64,
    documents: BTreeMap<(String, String), Document>,
    answered: BTreeMap<String, (u16, String, String)>,
    cut: BTreeSet<String>,
    hung: bool,
    /// Checkouts that were paid later, as the provider knows them: how often.
    charges: BTreeMap<String, u32>,
}

pub type Shared = Arc<Mutex<Shop>>;

type Refused = &'static str;

/// Starts a shop numbered 1 with its books in `folder`; gives back its address.
pub async fn start(folder: &Path, fault: Fault) -> (Shared, String) {
    let shop = Arc::new(Mutex::new(Shop::new(&folder.join("legacy.db"), fault)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(shop.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (shop, format!("http://{address}"))
}

/// The schema file of the legacy itself: when it changes, the oracle's SQL must fit again.
fn schema() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../legacy/schema/sqlite.sql");
    std::fs::read_to_string(path).unwrap()
}

async fn answer(
    State(shop): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    if let Some((status, page)) = shop.lock().unwrap().page(method.as_str(), uri.path(), &body) {
        return (StatusCode::from_u16(status).unwrap(), page);
    }
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
    let answered = shop.lock().unwrap().answer(method.as_str(), uri.path(), key, &body);
    let Some((status, body)) = answered else {
        return std::future::pending().await;
    };
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

impl Shop {
    fn new(path: &Path, fault: Fault) -> Self {
        let books = Connection::open(path).unwrap();
        books.execute_batch(&(schema() + "pragma synchronous = off;")).unwrap();
        books.execute("insert into toko values (1, 'A', 'Toko', '9000.00', 1100, 'WIB', '')", []).unwrap();
        for id in 1..=6 {
            let price = format!("{}.00", 11_700 + id * 150);
            books
                .execute(
                    "insert into produk (id, toko_id, kode, nama, harga, stok, aktif, f1, diubah)
                     values (?1, 1, 'K', 'Produk', ?2, 300, 'Y', '', '')",
                    params![id, price],
                )
                .unwrap();
        }
        let documents = BTreeMap::new();
        let (answered, charges) = (BTreeMap::new(), BTreeMap::new());
        Self { fault, books, next: 100, documents, answered, cut: BTreeSet::new(), hung: false, charges }
    }

    /// From now on nothing goes wrong.
    pub fn mend(&mut self) {
        self.fault = Fault::Nothing;
    }

    fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    /// Price in minor units and stock.
    fn product(&self, id: &str) -> Option<(i64, i64)> {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
        let (price, stock) = self.books.query_row("select harga, stok from produk where id = ?1", [id], row).ok()?;
        Some((price.replace('.', "").parse().unwrap(), stock))
    }

    fn take(&self, product: &str, units: i64) {
        self.books.execute("update produk set stok = stok - ?2 where id = ?1", params![product, units]).unwrap();
    }

    fn show_product(&self, id: &str) -> Value {
        let (price, stock) = self.product(id).unwrap();
        json!({"id": id, "title": "Produk", "variants": [{"id": id, "title": "Produk", "stock": stock,
            "price": {"amount": price, "currency": "IDR"}, "availability": {"available": stock > 0}}]})
    }

    /// Status and body; none where no answer will ever come.
    fn answer(&mut self, method: &str, path: &str, key: Option<String>, body: &[u8]) -> Option<(u16, Value)> {
        let parts: Vec<&str> = path.split('/').skip(3).collect();
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Some(key) = key else {
            return Some(self.read(&parts, &body));
        };
        if let Some((status, kind, id)) = self.answered.get(&key).cloned() {
            return Some((status, self.show(&kind, &id)));
        }
        if self.fault == Fault::HangBefore && self.hangs(&parts) {
            return None;
        }
        let done = self.write(method, &parts, &body);
        let (kind, id) = match done {
            Err(code) => return Some(refusal(code)),
            Ok(done) => done,
        };
        if parts.len() == 3 && body["payment"]["instruments"][0]["handler_id"] == "pay" {
            return Some((200, self.show_escalated(&kind, &id)));
        }
        let status = if parts.len() == 1 { 201 } else { 200 };
        self.answered.insert(key.clone(), (status, kind.clone(), id.clone()));
        self.books.execute("insert into idem values (1, '', ?1, '', 200, '', '', '')", [&key]).unwrap();
        if self.fault == Fault::HangAfter && self.hangs(&parts) {
            return None;
        }
        if self.fault == Fault::CutAnswers && self.answered.len().is_multiple_of(5) && self.cut.insert(key) {
            return Some((503, json!({"code": "unavailable", "content": "cut"})));
        }
        Some((status, self.show(&kind, &id)))
    }

    fn hangs(&mut self, parts: &[&str]) -> bool {
        parts == ["checkout-sessions"] && !std::mem::replace(&mut self.hung, true)
    }

    fn read(&mut self, parts: &[&str], body: &Value) -> (u16, Value) {
        let success = json!({"status": "success"});
        match parts {
            ["catalog", "product"] => {
                (200, json!({"ucp": success, "product": self.show_product(body["id"].as_str().unwrap())}))
            }
            ["catalog", _] => {
                let products: Vec<Value> = (1..=6).map(|id| self.show_product(&id.to_string())).collect();
                (200, json!({"ucp": success, "products": products, "pagination": {"has_next_page": false}}))
            }
            [kind, id] => match self.documents.get(&((*kind).to_owned(), (*id).to_owned())) {
                Some(document) if document.status != "gone" => (200, self.show(kind, id)),
                _ => refusal("not_found"),
            },
            _ => (404, json!({"code": "not_found"})),
        }
    }

    fn write(&mut self, method: &str, parts: &[&str], body: &Value) -> Result<(String, String), Refused> {
        let (kind, id) = match *parts {
            [kind] => (kind, self.id()),
            ["seller", "products", id] => return self.edit(id, body),
            [kind, id, ..] => (kind, id.to_owned()),
            [] => return Err("not_found"),
        };
        let at = (kind.to_owned(), id.clone());
        match (kind, *parts.last().unwrap()) {
            ("orders", verb) => self.give_back(&at, verb, body)?,
            (_, "complete") if body["payment"]["instruments"][0]["handler_id"] == "pay" => {}
            (_, "complete") => {
                let order = self.complete(&at, body)?;
                self.documents.get_mut(&at).unwrap().order = Some(order);
            }
            ("carts", "cancel") => self.documents.get_mut(&at).ok_or("not_found")?.status = "gone".into(),
            (_, "cancel") => self.documents.get_mut(&at).ok_or("not_found")?.status = "canceled".into(),
            _ => self.replace(&at, method, body),
        }
        Ok(at)
    }

    fn edit(&mut self, id: &str, body: &Value) -> Result<(String, String), Refused> {
        let (price, stock) = self.product(id).ok_or("not_found")?;
        let delta = body["stock_delta"].as_i64().unwrap_or(0);
        if stock + delta < 0 {
            return Err("stock_below_zero");
        }
        let price = body["price"].as_i64().unwrap_or(price);
        let text = format!("{}.{:02}", price / 100, price % 100);
        self.books
            .execute("update produk set harga = ?2, stok = stok + ?3 where id = ?1", params![id, text, delta])
            .unwrap();
        Ok(("product".into(), id.to_owned()))
    }

    /// A cart or a checkout, made or replaced.
    fn replace(&mut self, at: &(String, String), method: &str, body: &Value) {
        let mut document = self.documents.remove(at).unwrap_or_default();
        document.status = "open".into();
        if let Some(cart) = body["cart_id"].as_str() {
            document.cart = Some(cart.to_owned());
            document.lines = self.documents[&("carts".to_owned(), cart.to_owned())].lines.clone();
        } else {
            let wanted = body["line_items"].as_array().unwrap().iter();
            let wanted: Vec<_> = wanted
                .map(|line| (line["item"]["id"].as_str().unwrap().to_owned(), line["quantity"].as_i64().unwrap()))
                .collect();
            let line = |(product, quantity)| Line {
                id: String::new(),
                product,
                price: 0,
                quantity,
                cancelled: 0,
                refunded: 0,
            };
            document.lines = wanted.into_iter().map(line).collect();
        }
        for line in &mut document.lines {
            (line.id, line.price) = (self.id(), self.product(&line.product).unwrap().0);
        }
        document.ready = method == "PUT" && body.get("buyer").is_some();
        self.documents.insert(at.clone(), document);
    }

    fn complete(&mut self, at: &(String, String), body: &Value) -> Result<String, Refused> {
        let checkout = self.documents.get(at).cloned().ok_or("not_found")?;
        if body["payment"]["instruments"][0]["id"] == "decline" {
            return Err("payment_failed");
        }
        if checkout.lines.iter().any(|line| self.product(&line.product).unwrap().1 < line.quantity) {
            return Err("out_of_stock");
        }
        self.place(at)
    }

    fn place(&mut self, at: &(String, String)) -> Result<String, Refused> {
        let checkout = self.documents.get(at).cloned().ok_or("not_found")?;
        let id = format!("TRX-{}", self.id());
        let mut order =
            Document { status: "paid".into(), ready: true, lines: checkout.lines.clone(), ..Document::default() };
        for line in &mut order.lines {
            line.id = self.id();
            if self.fault != Fault::Oversell {
                self.take(&line.product, line.quantity);
            }
        }
        self.book(&id, &at.1);
        self.spoil_once(&mut order, &id, &at.1);
        if let Some(cart) = &checkout.cart {
            self.documents.get_mut(&("carts".to_owned(), cart.clone())).unwrap().status = "gone".into();
        }
        self.documents.get_mut(at).unwrap().status = "completed".into();
        self.documents.insert(("orders".into(), id.clone()), order);
        Ok(id)
    }

    fn spoil_once(&mut self, order: &mut Document, id: &str, checkout: &str) {
        match self.fault {
            Fault::LoseAcknowledged => order.status = "gone".into(),
            Fault::ChangeTotal => order.skew = 100,
            Fault::DoubleOrder => self.book(&format!("{id}-B"), checkout),
            Fault::SkipNumber => {
                self.books.execute("update jual set faktur = faktur + 1 where nomor = ?1", [id]).map(drop).unwrap();
            }
            Fault::Nothing | Fault::Oversell | Fault::WrongTax | Fault::CutAnswers => return,
            Fault::HangAfter | Fault::HangBefore | Fault::KeepNothing | Fault::CompleteUnpaid => return,
            Fault::OtherOrder | Fault::ChargeTwice | Fault::RefundsPaid => return,
        }
        self.mend();
    }

    /// An order and its payment in the books.
    fn book(&self, number: &str, checkout: &str) {
        self.books
            .execute(
                "insert into jual (toko_id, nomor, transaksi_id, pelanggan_id, tgl, status, batal_pada, subtotal, pajak,
                 ongkir, total, jml_item, kdx, diubah, faktur) values (1, ?1, ?2, 0, '', 'LUNAS', '', '', '', '', '', 0, '',
                 '', (select coalesce(max(faktur), 0) + 1 from jual))",
                [number, checkout],
            )
            .unwrap();
        self.books
            .execute(
                "insert into bayar (jual_id, cara, jumlah, tgl, lunas, gagal) values (last_insert_rowid(), '', '', '', 'Y', 'T')",
                [],
            )
            .unwrap();
    }

    fn give_back(&mut self, at: &(String, String), verb: &str, body: &Value) -> Result<(), Refused> {
        let mut order = self.documents.get(at).cloned().ok_or("not_found")?;
        if order.status != "paid" {
            return Err("order_not_cancellable");
        }
        let (of, cancel) = if verb == "cancel" { ("cancellation", true) } else { ("refund", false) };
        let (subtotal, tax, total) = order.sums();
        let given: i64 = order.given_back.iter().map(|back| back.3).sum();
        let Some(parts) = body["lines"].as_array() else {
            for line in order.lines.iter_mut().filter(|_| cancel) {
                self.take(&line.product, line.cancelled - line.quantity);
                line.cancelled = line.quantity;
            }
            order.given_back.push((of, None, 0, total - given));
            order.status = if cancel { "cancelled".into() } else { order.status };
            self.documents.insert(at.clone(), order);
            return Ok(());
        };
        let (id, units) = (parts[0]["id"].as_str().unwrap(), parts[0]["quantity"].as_i64().unwrap());
        let left: i64 = order.lines.iter().map(|line| line.quantity - line.cancelled - line.refunded).sum();
        let line = order.lines.iter_mut().find(|line| line.id == id).ok_or("not_found")?;
        if units > line.quantity - line.cancelled - line.refunded {
            return Err("quantity_exceeds_remaining");
        }
        let gross = line.price * units;
        let amount = if left == units { total - given } else { gross + tax * gross / subtotal / 100 * 100 };
        *(if cancel { &mut line.cancelled } else { &mut line.refunded }) += units;
        if cancel {
            self.take(&line.product, -units);
        }
        order.given_back.push((of, Some(id.to_owned()), units, amount));
        if cancel && left == units {
            order.status = "cancelled".into();
        }
        self.documents.insert(at.clone(), order);
        Ok(())
    }
}
