//! A legacy that is fast: three calls on the tables of the real one, each a function of the database, one round trip.
//!
//! The demo's legacy asks its database eight times for one write, as programs of its age do; on two cores that it shares
//! with everything else it does not reach a thousand writes a second. This one leaves the machine to what is measured.
//! It is a process of its own, and writes the same rows, idempotency record included.
//! Absent on purpose: reads, refusals, replays. The writers need none.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio_postgres::{Client, NoTls, Statement};

/// Sessions, and so writes at one time.
const SESSIONS: usize = 12;

const FUNCTIONS: &str = "
create or replace function lean_now() returns text language sql as
  $$ select to_char(clock_timestamp() at time zone 'Asia/Jakarta', 'YYYY-MM-DD HH24:MI:SS') $$;
create or replace function lean_done(op text, k text, body text, code bigint, what text, id bigint) returns bigint
  language sql as $$
  insert into idem (toko_id, op, kunci, badan, kode, jenis, hasil, tgl)
    values (1, op, k, encode(sha256(convert_to(body, 'UTF8')), 'hex'), code, what, id::text, lean_now()) returning id $$;
create or replace function lean_cart(k text, body text, product bigint, n bigint) returns bigint language plpgsql as $$
declare cart bigint;
begin
  insert into keranjang (toko_id, status, sesi, dibuat, diubah) values (1, 'BUKA', '-', lean_now(), lean_now())
    returning id into cart;
  insert into keranjang_isi (keranjang_id, produk_id, jml) values (cart, product, n);
  return lean_done('cart.create', k, body, 201, 'keranjang', cart);
end $$;
create or replace function lean_change(k text, body text, cart bigint, product bigint, n bigint) returns bigint
  language plpgsql as $$
begin
  update keranjang set diubah = lean_now() where id = cart;
  delete from keranjang_isi where keranjang_id = cart;
  insert into keranjang_isi (keranjang_id, produk_id, jml) values (cart, product, n);
  return lean_done('cart.update', k, body, 200, 'keranjang', cart);
end $$;
create or replace function lean_stock(k text, body text, product bigint, n bigint) returns bigint
  language plpgsql as $$
begin
  update produk set stok = stok + n where id = product;
  return lean_done('product.edit', k, body, 200, 'produk', product);
end $$;";

struct Session {
    client: Client,
    cart: Statement,
    change: Statement,
    stock: Statement,
}

struct App {
    idle: Mutex<Vec<Session>>,
    turns: Semaphore,
}

/// Serves until standard input ends: `lean DATABASE PORT`.
pub fn run(args: &[String]) -> Result<()> {
    let [database, port] = args else { bail!("lean DATABASE PORT") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(database, port.parse()?))
}

async fn serve(database: &str, port: u16) -> Result<()> {
    let mut idle = Vec::with_capacity(SESSIONS);
    for at in 0..SESSIONS {
        idle.push(session(database, at == 0).await?);
    }
    let app = Arc::new(App { idle: Mutex::new(idle), turns: Semaphore::new(SESSIONS) });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    ready();
    let mut stdin = tokio::io::stdin();
    let mut byte = [0_u8; 1];
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(connection(stream, app.clone()));
            }
            read = stdin.read(&mut byte) => if read? == 0 { return Ok(()) },
        }
    }
}

#[expect(clippy::print_stdout, reason = "whoever started us waits for this line")]
fn ready() {
    println!("ready");
}

async fn session(database: &str, first: bool) -> Result<Session> {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await?;
    tokio::spawn(connection);
    if first {
        client.batch_execute(FUNCTIONS).await.context("making the functions")?;
    }
    Ok(Session {
        cart: client.prepare("select lean_cart($1, $2, $3, $4)").await?,
        change: client.prepare("select lean_change($1, $2, $3, $4, $5)").await?,
        stock: client.prepare("select lean_stock($1, $2, $3, $4)").await?,
        client,
    })
}

async fn connection(stream: TcpStream, app: Arc<App>) {
    // An answer is one small write. Whoever has gone needs none.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(app.clone(), request));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(app: Arc<App>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (status, body) = match write(&app, request).await {
        Ok(done) => done,
        // A closed fence, mostly: the seam never lets that be seen.
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, json!({"code": "failed", "content": format!("{error:#}")})),
    };
    Ok(Response::builder().status(status).body(Full::new(Bytes::from(body.to_string())))?)
}

async fn write(app: &App, request: Request<Incoming>) -> Result<(StatusCode, Value)> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    let key = head.headers.get("idempotency-key").context("no key")?.to_str()?.to_owned();
    let asked: Value = serde_json::from_str(&body)?;
    let line = &asked["line_items"][0];
    let product = || line["item"]["id"].as_str().context("no product")?.parse::<i64>().context("a product's id");
    let quantity = line["quantity"].as_i64().unwrap_or(1);
    let path: Vec<&str> = head.uri.path().trim_start_matches("/shops/1/").split('/').collect();
    let _turn = app.turns.acquire().await?;
    let session = app.idle.lock().await.pop().context("more turns than sessions")?;
    let written = match (&head.method, path.as_slice()) {
        (&Method::POST, ["carts"]) => {
            session.client.query_one(&session.cart, &[&key, &body, &product()?, &quantity]).await
        }
        (&Method::PUT, ["carts", id]) => {
            let cart: i64 = id.parse()?;
            session.client.query_one(&session.change, &[&key, &body, &cart, &product()?, &quantity]).await
        }
        (&Method::PUT, ["seller", "products", id]) => {
            let (product, by): (i64, i64) = (id.parse()?, asked["stock_delta"].as_i64().unwrap_or(0));
            session.client.query_one(&session.stock, &[&key, &body, &product, &by]).await
        }
        _ => bail!("{} {} is no call of this program", head.method, head.uri.path()),
    };
    app.idle.lock().await.push(session);
    let id: i64 = written?.get(0);
    let status = if head.method == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, json!({"ucp": {"version": "2026-08-25", "status": "success"}, "id": id.to_string()})))
}
