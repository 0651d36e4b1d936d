//! A running kios for a test: a fresh database, a server in this process, and a client of twenty lines.

use crate::loket::Loket;
use demo_legacy::{Database, Keys};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub const HOST: &str = "host-key";
pub const SELLER: &str = "seller-key";

/// Where its tables are, and what keeps them.
enum Home {
    Sqlite(tempfile::TempDir),
    Postgres(testkit::postgres::Database),
}

pub struct Kios {
    home: Home,
    address: SocketAddr,
    keys: AtomicU64,
    serving: JoinHandle<()>,
    /// The provider through which buyers pay later, where the test has one.
    loket: Option<Loket>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body of an answer that is no refusal.
    pub fn ok(self, status: u16) -> Value {
        assert_eq!((self.status, self.body["ucp"]["status"].as_str()), (status, Some("success")), "{}", self.body);
        self.body
    }

    /// The body of a refusal with this code.
    pub fn refused(self, code: &str) -> Value {
        assert_eq!((self.status, self.body["ucp"]["status"].as_str()), (200, Some("error")), "{}", self.body);
        assert_eq!(self.body["messages"][0]["code"], code, "{}", self.body);
        self.body
    }

    /// Status and code of an answer without envelope.
    pub fn failed(self) -> (u16, String) {
        (self.status, self.body["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Runs a test on SQLite, then on PostgreSQL, each with a database of its own: two shops from seed 7.
pub async fn on_both(test: impl AsyncFn(&Kios)) {
    test(&Kios::start(Home::Sqlite(tempfile::tempdir().unwrap()), None).await).await;
    test(&Kios::start(Home::Postgres(testkit::postgres::fresh_database().await), None).await).await;
}

/// The same with the archive loaded.
pub async fn on_both_with(data: &std::path::Path, test: impl AsyncFn(&Kios)) {
    test(&Kios::start(Home::Sqlite(tempfile::tempdir().unwrap()), Some(data)).await).await;
    test(&Kios::start(Home::Postgres(testkit::postgres::fresh_database().await), Some(data)).await).await;
}

/// A kios on SQLite whose buyers can also pay later.
pub async fn paying_later() -> Kios {
    paying_later_within(1).await
}

/// The same, where the provider may learn of money and of refunds so many seconds late.
pub async fn paying_later_within(grace_s: i64) -> Kios {
    Kios::start_with_loket(Home::Sqlite(tempfile::tempdir().unwrap()), grace_s).await
}

/// The same on PostgreSQL.
pub async fn paying_later_on_postgres() -> Kios {
    Kios::start_with_loket(Home::Postgres(testkit::postgres::fresh_database().await), 1).await
}

impl Home {
    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("kios.db").display()),
            Self::Postgres(database) => database.url.clone(),
        }
    }
}

impl Kios {
    async fn start(home: Home, data: Option<&std::path::Path>) -> Self {
        let database = Database::open(&home.url()).await.unwrap();
        demo_legacy::init(&database, 7, 2, data).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with the test's runtime.
        let serving = tokio::spawn(async move { demo_legacy::serve(listener, database, bearers()).await.unwrap() });
        Self { home, address, keys: AtomicU64::new(0), serving, loket: None }
    }

    async fn start_with_loket(home: Home, grace_s: i64) -> Self {
        let database = Database::open(&home.url()).await.unwrap();
        demo_legacy::init(&database, 7, 2, None).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let loket = Loket::start(address, grace_s).await;
        let serving = serve_with(listener, database, &loket);
        Self { home, address, keys: AtomicU64::new(0), serving, loket: Some(loket) }
    }

    pub fn loket(&self) -> &Loket {
        self.loket.as_ref().unwrap()
    }

    /// The program is gone, and begins anew on what is in the tables.
    pub async fn restart(&mut self) {
        self.serving.abort();
        let gone = &mut self.serving;
        assert!(gone.await.unwrap_err().is_cancelled());
        let listener = TcpListener::bind(self.address).await.unwrap();
        let database = Database::open(&self.home.url()).await.unwrap();
        self.serving = serve_with(listener, database, self.loket());
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self.home, Home::Sqlite(_))
    }

    /// Statements from outside the program.
    pub async fn script(&self, sql: &str) {
        match &self.home {
            Home::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("kios.db")).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Home::Postgres(database) => database.connect().await.batch_execute(sql).await.unwrap(),
        }
    }

    /// Every row, as text; null is `-`.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.home {
            Home::Sqlite(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("kios.db")).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let width = statement.column_count();
                let cell = |row: &rusqlite::Row<'_>, place: usize| {
                    Ok(match row.get_ref(place)? {
                        rusqlite::types::ValueRef::Null => "-".to_owned(),
                        rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                        rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                        other @ (rusqlite::types::ValueRef::Real(_) | rusqlite::types::ValueRef::Blob(_)) => {
                            panic!("{other:?} from {sql}")
                        }
                    })
                };
                let rows = statement.query_map([], |row| (0..width).map(|place| cell(row, place)).collect());
                rows.unwrap().map(Result::unwrap).collect()
            }
            Home::Postgres(database) => {
                let client = database.connect().await;
                let messages = client.simple_query(sql).await.unwrap();
                let row = |message: &tokio_postgres::SimpleQueryMessage| {
                    let tokio_postgres::SimpleQueryMessage::Row(row) = message else { return None };
                    Some((0..row.len()).map(|place| row.get(place).unwrap_or("-").to_owned()).collect())
                };
                messages.iter().filter_map(row).collect()
            }
        }
    }

    /// The first column of every row.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.into_iter().map(|row| row.into_iter().next().unwrap()).collect()
    }

    pub async fn one(&self, sql: &str) -> String {
        self.column(sql).await.into_iter().next().unwrap_or_else(|| panic!("no row: {sql}"))
    }

    pub async fn stock(&self, product: &str) -> i64 {
        self.one(&format!("select stok from produk where id = {product}")).await.parse().unwrap()
    }

    pub fn fresh_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: kios\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{body}", body.len());
        exchange(self.address, &request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {HOST}");
        self.send("GET", &format!("/shops/{path}"), &[("authorization", &bearer)], "").await
    }

    /// A POST that writes nothing.
    pub async fn ask(&self, path: &str, body: Value) -> Answer {
        self.send("POST", &format!("/shops/{path}"), &[], &body.to_string()).await
    }

    /// A write under this key, as the host.
    pub async fn write_as(&self, key: &str, method: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {HOST}");
        let headers = [("idempotency-key", key), ("authorization", bearer.as_str())];
        self.send(method, &format!("/shops/{path}"), &headers, &body.to_string()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.write_as(&self.fresh_key(), "POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.write_as(&self.fresh_key(), "PUT", path, body).await
    }

    /// The seller changes a product.
    pub async fn edit(&self, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {SELLER}");
        let key = self.fresh_key();
        let headers = [("idempotency-key", key.as_str()), ("authorization", bearer.as_str())];
        self.send("PUT", &format!("/shops/{path}"), &headers, &body.to_string()).await
    }

    /// Products on sale in a shop.
    pub async fn on_sale(&self, shop: i64) -> Vec<String> {
        let body = json!({"pagination": {"limit": 50}});
        let found = self.ask(&format!("{shop}/catalog/search"), body).await.ok(200);
        let products = found["products"].as_array().unwrap();
        products.iter().map(|product| product["id"].as_str().unwrap().to_owned()).collect()
    }

    /// A checkout that only needs to be paid.
    pub async fn ready_checkout(&self, shop: i64, lines: &[(&str, i64)]) -> Value {
        let mut body = filled_in();
        body["line_items"] = line_items(lines);
        self.post(&format!("{shop}/checkout-sessions"), body).await.ok(201)
    }

    pub async fn complete(&self, shop: i64, checkout: &str, choice: &str) -> Answer {
        self.post(&format!("{shop}/checkout-sessions/{checkout}/complete"), payment(choice)).await
    }

    /// A paid order of these lines, as shown.
    pub async fn paid_order(&self, shop: i64, lines: &[(&str, i64)]) -> Value {
        let checkout = self.ready_checkout(shop, lines).await;
        let done = self.complete(shop, checkout["id"].as_str().unwrap(), "approve").await.ok(200);
        let order = done["order"]["id"].as_str().unwrap();
        self.get(&format!("{shop}/orders/{order}")).await.ok(200)
    }
}

/// One request, and the answer until the other side hangs up.
pub async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let text = body.to_owned();
    Answer { status, head: head.to_lowercase(), body: serde_json::from_str(body).unwrap_or(Value::Null), text }
}

fn bearers() -> Keys {
    Keys { host: HOST.into(), seller: SELLER.into() }
}

fn serve_with(listener: TcpListener, database: Database, loket: &Loket) -> JoinHandle<()> {
    let provider = loket.provider.clone();
    tokio::spawn(async move { demo_legacy::serve_with(listener, database, bearers(), &provider).await.unwrap() })
}

pub fn line_items(lines: &[(&str, i64)]) -> Value {
    lines.iter().map(|(id, quantity)| json!({"item": {"id": id}, "quantity": quantity})).collect()
}

pub fn payment(choice: &str) -> Value {
    let instrument = json!({"id": choice, "handler_id": "instant", "type": "instant", "selected": true});
    json!({"payment": {"instruments": [instrument]}})
}

/// Buyer, address and option of a checkout.
pub fn filled_in() -> Value {
    let destination = json!({"street_address": "Jl. Braga 5", "address_locality": "Bandung",
        "postal_code": "40111", "address_country": "ID"});
    json!({
        "buyer": {"full_name": "Rina Halim", "phone_number": "+628119999999"},
        "fulfillment": {"methods": [{"destinations": [destination], "groups": [{"selected_option_id": "flat"}]}]},
    })
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// The amount of this type among `totals`.
pub fn amount(value: &Value, of: &str) -> i64 {
    let totals = value["totals"].as_array().unwrap_or_else(|| panic!("no totals in {value}"));
    totals.iter().find(|total| total["type"] == of).and_then(|total| total["amount"].as_i64()).unwrap()
}
