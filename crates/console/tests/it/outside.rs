//! Addresses and forms of the console, bent in every way: each is answered, with no 5xx, and what is refused has wished for
//! nothing. And what a shop's rows, an operator or a program wrote is text on every page.

use crate::{NOW, plan};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use store::{Finding, Store, Wish};
use tempfile::TempDir;
use testkit::html::skeleton;
use testkit::outside::{Bends, Inputs};
use testkit::postgres::{Database, fresh_database};
use vocab::document::Record;
use vocab::id::{Kind, Origin, ShopId, Timestamp};

/// Without `BALIK_LONG`, and on a server with it.
const FEW: u64 = 1_500;
const OF_A_SERVER: u64 = 20_000;

const PATHS: [&str; 12] = [
    "/",
    "/?page=2&state=ready&find=1&lang=id",
    "/shops/1",
    "/shops/1/flip",
    "/all/pause",
    "/findings?shop=1&class=total_differs&page=1",
    "/findings/accept?shop=1&class=total_differs&count=1",
    "/findings/reread?class=total_differs",
    "/finding?shop=1&class=total_differs&kind=order&origin=jual%3A31",
    "/console.css",
    "/findings?class=a%00b",
    "/finding?shop=1&class=stream.lost&kind=order&origin=%00",
];
const FORMS: [&str; 4] = ["why=because+of+the+weather", "why=%C3%A9&why=2", "why=", "why=a%00b"];

struct Bench {
    _dir: TempDir,
    _database: Option<Database>,
    store: Store,
    router: TowerToHyperService<axum::Router>,
}

impl Bench {
    /// Two shops of a plan; of the first there is a finding and a wish that say this.
    async fn start(on_server: bool, said: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = if on_server { Some(fresh_database().await) } else { None };
        let store = match &database {
            Some(database) => Store::open_at(dir.path(), &database.url).unwrap(),
            None => Store::open(dir.path()).unwrap(),
        };
        let shops = ["1", "2"].map(|shop| ShopId::parse(shop).unwrap());
        store.create_heads(&shops).await.unwrap();
        store.set_plan(&plan(&shops)).await.unwrap();
        let row = |waits: &str| Record::default().with("state", "tracking").with("epoch", 1).with("waits_for", waits);
        store.note("board", Record::default().with("1", row(said)).with("2", row("a wish"))).await.unwrap();
        for (class, origin) in [("total_differs", "jual:31"), ("stream.lost", said)] {
            let (shop, class, origin) = (shops[0].clone(), class.into(), Origin::new(origin));
            let detail = Record::default()
                .with("what", said)
                .with(vocab::id::Name::from(said), said)
                .with("paths", vec![said.into()]);
            store
                .open_finding(Finding { shop, class, kind: Kind::Order, origin, detail }, Timestamp(NOW))
                .await
                .unwrap();
        }
        let (who, why) = (said.to_owned(), said.to_owned());
        let wish = Wish {
            shop: Some(shops[0].clone()),
            verb: "pause".into(),
            args: Record::default(),
            who,
            why,
            at: Timestamp(NOW),
        };
        store.wish(wish).await.unwrap();
        let router = console::router(console::Console::new(store.clone(), Arc::new(|| Timestamp(NOW))));
        Self { _dir: dir, _database: database, store, router: TowerToHyperService::new(router) }
    }

    /// The number of the newest wish: they are counted.
    async fn newest(&self) -> i64 {
        self.store.newest_wishes(None, 1).await.unwrap()[0].id
    }

    async fn ask(
        &self,
        method: &str,
        address: &[u8],
        headers: &[(&'static str, &[u8])],
        form: Vec<u8>,
    ) -> Option<(u16, String)> {
        let mut request =
            Request::builder().method(method).uri(Uri::try_from(address).ok()?).header("host", "127.0.0.1:7401");
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
        }
        let request = request.body(Full::new(Bytes::from(form))).unwrap();
        let answer = self.router.call(request).await.unwrap();
        let status = answer.status().as_u16();
        // What goes on for ever is not read.
        if answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            return Some((status, String::new()));
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Some((status, String::from_utf8(body.to_vec()).unwrap()))
    }
}

async fn nothing_brings_it_down(what: &'static str, on_server: bool) {
    let bench = Bench::start(on_server, "a wish").await;
    let paths = Bends::of(PATHS)
        .knowing(["?", "&", "=", "%00", "%2F", "/live", "?known=", "shop=", "class=", "count=", "origin=", "lang="]);
    let forms = Bends::of(FORMS).knowing(["why=", "&", "%00", "%0A", "%F0%9F%A7%BA", "+"]);
    let texts = Bends::of(["same-origin", "lang=id; a=b", "id-ID,en;q=0.5", "application/x-www-form-urlencoded"]);
    let mut inputs = Inputs::counted(what, FEW, if on_server { OF_A_SERVER } else { 1_000_000 });
    let mut newest = bench.newest().await;
    while let Some(mut chance) = inputs.another() {
        let method = chance.of(&["GET", "GET", "POST", "HEAD"]);
        let (address, form) =
            (paths.next(&mut chance), if method == "POST" { forms.next(&mut chance) } else { Vec::new() });
        let bent = texts.next(&mut chance);
        let name = chance.of(&["cookie", "accept-language", "x-nothing"]);
        let site: &[u8] = if chance.one_in(8) { &bent } else { b"same-origin" };
        let headers =
            [("sec-fetch-site", site), ("content-type", &b"application/x-www-form-urlencoded"[..]), (name, &bent)];
        inputs.tries(&[method.as_bytes(), b" ", &address, b"\n", &bent, b"\n\n", &form].concat());
        let Some((status, body)) = bench.ask(method, &address, &headers, form).await else {
            inputs.came_to("no HTTP");
            continue;
        };
        assert!(status < 500, "{status} {body}");
        let is_page = status == 200 && body.starts_with("<!DOCTYPE html>");
        if is_page {
            skeleton(&body);
        }
        if method == "POST" {
            let now = bench.newest().await;
            assert_eq!(now - newest, i64::from(status == 303), "{status}");
            newest = now;
        }
        inputs.came_to(&status.to_string());
    }
    inputs.reached(&["200", "303", "403", "404", "422"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_and_no_form_brings_the_console_down() {
    nothing_brings_it_down("console", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_and_no_form_brings_the_console_down_on_postgres() {
    nothing_brings_it_down("console, on PostgreSQL", true).await;
}

#[tokio::test]
async fn whatever_was_written_adds_no_element_and_no_attribute_to_a_page() {
    let pages = [
        "/",
        "/shops/1",
        "/findings",
        "/findings?shop=1",
        "/shops/1/flip",
        "/findings/reread?class=ORIGIN",
        "/finding?shop=1&class=stream.lost&kind=order&origin=ORIGIN",
    ];
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut harmless = Vec::new();
    for said in [
        "Sari",
        "<script>window.hit=1</script>",
        "\"><img src=x onerror=window.hit=1>",
        "' onmouseover='window.hit=1",
        "</title><svg onload=window.hit=1>",
        "javascript:window.hit=1",
        "&lt;b&gt;&#60;",
        "a&b=c?d#e",
    ] {
        let bench = Bench::start(false, said).await;
        let mut trees = Vec::new();
        for page in pages {
            let address = page.replace("ORIGIN", &escaped(said));
            let (status, html) = bench.ask("GET", address.as_bytes(), &[], Vec::new()).await.unwrap();
            assert_eq!(status, 200, "{address}");
            assert!(!html.contains("<script>window") && !html.contains("<img src=x"), "{address}: {html}");
            trees.push(skeleton(&html));
        }
        if harmless.is_empty() {
            harmless = trees;
        } else {
            assert_eq!(trees, harmless, "{said}");
        }
    }
}
