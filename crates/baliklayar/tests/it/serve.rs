//! `serve`: a sandbox in one command, a settings file that is made at the first run, figures, and an end without loss.

use crate::client::{self, exchange, filled_in, id, payment};
use crate::demo::executable;
use crate::served::{READY_MAX, Served, at, buy, call};
use baliklayar::seed::{Product, open_shop};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use store::Store;
use vocab::id::{ShopId, Timestamp};

/// Orders before it is asked to end: by then every buyer is in the middle of something.
const SERVED_MIN: usize = 40;

#[tokio::test]
async fn a_sandbox_sells_and_goes_on_where_it_ended() {
    let work = tempfile::tempdir().unwrap();
    let log = work.path().join("said.log");
    let folder = work.path().join("box");
    let args = ["--sandbox", "--port", "0", "--work", folder.to_str().unwrap()];
    let served = Served::start(&args, &log);
    let addresses: Value = serde_json::from_slice(&std::fs::read(folder.join("addresses.json")).unwrap()).unwrap();
    let shop = addresses["sandbox"]["shop"].as_str().unwrap();
    let products = addresses["sandbox"]["products"].as_array().unwrap();
    let (seam, key) = (at(&addresses, "seam"), addresses["keys"]["host"].as_str().unwrap());
    for path in ["/health", "/ready"] {
        assert_eq!(call(seam, key, "GET", path, &Value::Null).await.0, 200);
    }
    let product = products[0]["id"].as_str().unwrap();
    let order = buy(seam, key, shop, product).await;
    let path = format!("/shops/{shop}/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(call(seam, key, "GET", &path, &Value::Null).await.0, 200);
    assert_eq!(call(seam, "another", "GET", &path, &Value::Null).await.0, 401);
    // What the page is for: a way that is paid at the provider.
    let body = filled_in(&[(product, 1)]);
    let (_, open) = call(seam, key, "POST", &format!("/shops/{shop}/checkout-sessions"), &body).await;
    let handlers = open["ucp"]["payment_handlers"].as_object().unwrap();
    assert!(handlers.len() == 2 && open["continue_url"].is_string(), "{open}");
    let (status, page) = call(at(&addresses, "host"), key, "GET", "/", &Value::Null).await;
    assert!(status == 200 && page.to_string().contains("Warung Contoh"), "{status}");
    assert_figures(at(&addresses, "metrics"), &["balik_shops{owner=\"backend\"} 1", "balik_duty 1"]).await;
    assert_figures(
        at(&addresses, "metrics"),
        &["balik_requests_total{method=\"POST\",path=\"/shops/{shop}/checkout-sessions/{id}/complete\",status=\"200\"} 1"],
    )
    .await;
    assert_eq!(served.end("-INT").code(), Some(130));
    let served = Served::start(&args, &log);
    let addresses: Value = serde_json::from_slice(&std::fs::read(folder.join("addresses.json")).unwrap()).unwrap();
    assert_eq!(addresses["sandbox"]["products"][0]["stock"], products[0]["stock"].as_i64().unwrap() - 1);
    assert_eq!(call(at(&addresses, "seam"), key, "GET", &path, &Value::Null).await.0, 200);
    assert_eq!(served.end("-TERM").code(), Some(0));
}

async fn assert_figures(metrics: SocketAddr, wanted: &[&str]) {
    let (status, text) = call(metrics, "", "GET", "/metrics", &Value::Null).await;
    let text = text.as_str().unwrap();
    assert!(status == 200 && text.trim_end().ends_with("# EOF"), "{text}");
    for line in wanted {
        assert!(text.lines().any(|said| said == *line), "no `{line}` in {text}");
    }
}

/// A settings file on free ports, with a shop `s1` in its store.
async fn settings(folder: &Path, change: impl FnOnce(String) -> String) -> (PathBuf, SocketAddr) {
    let file = folder.join("serve.toml");
    let host = api::KeyDigest::of(client::HOST);
    let ports: Vec<SocketAddr> = {
        let held: Vec<_> = (0..4).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        held.iter().map(|held| held.local_addr().unwrap()).collect()
    };
    let text = format!(
        "work = \"work\"\nlisten = \"{}\"\nbackend = \"{}\"\nmetrics = \"{}\"\ninstant = false\n\
         [keys]\nhost = [\"{host}\"]\nseller = [\"{host}\"]\n",
        ports[0], ports[1], ports[2]
    );
    std::fs::write(&file, change(text)).unwrap();
    let store = Store::open(&folder.join("work")).unwrap();
    let shelf = [Product { id: "1", title: "Barang", price: 4_500_000, stock: 1_000 }];
    open_shop(&store, &ShopId::parse("s1").unwrap(), "Toko Satu", &shelf, Timestamp(0)).await.unwrap();
    (file, ports[0])
}

/// The environment may be that of shops which are in earnest: a sandbox takes no store from it, and none that is somebody's.
#[tokio::test]
async fn a_sandbox_opens_no_shop_of_anybody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = settings(folder.path(), |text| text).await;
    let served = Served::start(&["--config", file.to_str().unwrap()], &folder.path().join("said.log"));
    assert_eq!(served.end("-TERM").code(), Some(0));
    let work = folder.path().join("work");
    let output = Command::new(executable())
        .args(["serve", "--sandbox", "--port", "0", "--work", work.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && said.contains("no sandbox's"), "{said}");
    let mut child = Command::new(executable())
        .args(["serve", "--sandbox", "--port", "0"])
        .envs([("BALIK_WORK", work.to_str().unwrap()), ("BALIK_STORE", "postgres://nobody@127.0.0.1:9/none")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let ready = lines.find(|line| line.as_ref().unwrap().starts_with("ready: ")).unwrap().unwrap();
    assert!(!ready.contains(work.to_str().unwrap()), "{ready}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0), "a terminal that goes away ends it in order");
    // Buyers and secrets are in it: it is its owner's alone.
    for path in [work.clone(), work.join("store.sqlite")] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", path.display());
    }
}

#[tokio::test]
async fn the_first_run_makes_settings_and_keys_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/serve.toml");
    // Its ports are the usual ones, which may be taken here: what it says before that is what counts.
    let output = Command::new(executable())
        .args(["serve", "--config", file.to_str().unwrap(), "--store", "postgres://nobody@127.0.0.1:9/none"])
        .env_remove("BALIK_STORE")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("it was made") && said.contains("serve.toml.keys"), "{said}");
    let keys = std::fs::read_to_string(folder.path().join("new/serve.toml.keys")).unwrap();
    for key in keys.lines().map(|line| line.split_once(' ').unwrap().1) {
        assert!(!said.contains(key), "a key is shown");
        assert!(!std::fs::read_to_string(&file).unwrap().contains(key), "a key is kept");
    }
}

#[tokio::test]
async fn settings_that_are_wrong_are_told_with_their_place_and_end_as_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to, says) in
        [("instant = false", "instnat = false", "line 5"), ("\"sha256:", "\"", "line 7: number 1: is not `sha256:`")]
    {
        let (file, _) = settings(folder.path(), |text| text.replacen(from, to, 1)).await;
        let output = Command::new(executable()).args(["serve", "--config", file.to_str().unwrap()]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(says) && said.contains("serve.toml"), "{said}");
    }
    assert_eq!(Command::new(executable()).arg("serve").output().unwrap().status.code(), Some(2));
}

#[tokio::test]
async fn a_shop_that_is_to_be_paid_takes_no_host_apps_word_for_money() {
    let folder = tempfile::tempdir().unwrap();
    let (file, seam) = settings(folder.path(), |text| text).await;
    let served = Served::start(&["--config", file.to_str().unwrap()], &folder.path().join("said.log"));
    let path = "/shops/s1/checkout-sessions";
    let (_, open) = call(seam, client::HOST, "POST", path, &filled_in(&[("1", 1)])).await;
    assert_eq!(open["ucp"]["payment_handlers"], json!({}), "{open}");
    let complete = format!("{path}/{}/complete", id(&open));
    let (status, refused) = call(seam, client::HOST, "POST", &complete, &payment("approve")).await;
    assert_eq!((status, refused["messages"][0]["code"].as_str()), (200, Some("payment_unavailable")), "{refused}");
    assert!(served.said().contains("Nobody can pay yet"));
    assert_eq!(served.end("-TERM").code(), Some(0));
}

/// Whoever has an answer when the process is asked to end has it whole, and what was acknowledged is there afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_served_when_it_is_asked_to_end_gets_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    // A provider that nobody is at: what it would be called and signed with is there to be logged.
    let trusting =
        |text: String| text.replace("instant = false", "instant = true") + "[provider]\napi = \"http://127.0.0.1:9\"\n";
    let (file, seam) = settings(folder.path(), trusting).await;
    let (args, log) = (["--config", file.to_str().unwrap()], folder.path().join("said.log"));
    let served = Served::start(&args, &log);
    // A second one in the same folder would be on duty too.
    let again = Command::new(executable())
        .args(["serve", "--config", file.to_str().unwrap()])
        .envs([("BALIK_PROVIDER_KEY", "k"), ("BALIK_PROVIDER_NOTICE_KEYS", "k")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(3) && said.contains("another process serves from this folder"), "{said}");
    let placed = Arc::new(AtomicUsize::new(0));
    let buyers: Vec<_> = (0..8).map(|_| tokio::spawn(buy_until_nobody_is_there(seam, Arc::clone(&placed)))).collect();
    let begun = Instant::now();
    while placed.load(Ordering::Relaxed) < SERVED_MIN {
        assert!(begun.elapsed() < READY_MAX, "only {placed:?} orders");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(served.end("-TERM").code(), Some(0));
    let mut orders = Vec::new();
    for buyer in buyers {
        orders.extend(buyer.await.unwrap());
    }
    assert!(orders.len() >= SERVED_MIN);
    // Whatever was done was told: nothing was executed whose answer was dropped.
    let store = Store::open(&folder.path().join("work")).unwrap();
    let counts = store.counts(&ShopId::parse("s1").unwrap()).await.unwrap();
    let placed = counts.iter().find(|count| count.kind == vocab::id::Kind::Order).map_or(0, |count| count.documents);
    assert_eq!(placed, u64::try_from(orders.len()).unwrap());
    drop(store);
    let served = Served::start(&args, &log);
    assert_eq!(page_of(seam).await, 200);
    for order in &orders {
        let path = format!("/shops/s1/orders/{order}");
        assert_eq!(call(seam, client::HOST, "GET", &path, &Value::Null).await.0, 200, "{order}");
    }
    let said = served.said();
    // Whatever it logged, at the finest level: nothing of a buyer, no key.
    for canary in ["Rina", "+62811", "Braga", client::HOST, "provider-key-canary", "notice-key-canary"] {
        assert!(!said.contains(canary), "the log has `{canary}`");
    }
    let lines = said.lines().filter(|line| line.starts_with('{'));
    assert!(said.contains("the payment provider does not answer"), "nothing of the provider is logged");
    assert!(lines.clone().count() > 0 && lines.clone().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    eprintln!("{} orders acknowledged before the end, all there after it", orders.len());
}

/// Chooses on the page of a new checkout how to pay; its status.
async fn page_of(seam: SocketAddr) -> u16 {
    let created = try_call(seam, "/shops/s1/checkout-sessions", &filled_in(&[("1", 1)])).await.unwrap();
    let link = created["continue_url"].as_str().unwrap();
    exchange(seam, &client::form(link, "method=virtual_account")).await.0
}

/// Orders that were acknowledged; ends when a connection is refused, or closed before a byte of an answer.
async fn buy_until_nobody_is_there(seam: SocketAddr, placed: Arc<AtomicUsize>) -> Vec<String> {
    let mut orders = Vec::new();
    while let Some(created) = try_call(seam, "/shops/s1/checkout-sessions", &filled_in(&[("1", 1)])).await {
        let path = format!("/shops/s1/checkout-sessions/{}/complete", id(&created));
        let Some(completed) = try_call(seam, &path, &payment("approve")).await else { break };
        orders.push(completed["order"]["id"].as_str().unwrap_or_else(|| panic!("{completed}")).to_owned());
        placed.fetch_add(1, Ordering::Relaxed);
    }
    orders
}

async fn try_call(seam: SocketAddr, path: &str, body: &Value) -> Option<Value> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = client::Request {
        method: "POST",
        path: path.to_owned(),
        key: Some(uuid::Uuid::now_v7().to_string()),
        body: body.to_string(),
    };
    let mut stream = tokio::net::TcpStream::connect(seam).await.ok()?;
    let mut answer = Vec::new();
    // Reset before the request was read: nobody was there any more.
    stream.write_all(&request.bytes()).await.ok()?;
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        return None;
    }
    read.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("half an answer: `{answer}`"));
    // The seam says so itself to who comes when nobody is served any more.
    if head.starts_with("HTTP/1.1 503") {
        assert!(head.to_lowercase().contains("retry-after"), "{head}");
        return None;
    }
    assert!(head.starts_with("HTTP/1.1 20"), "{answer}");
    Some(serde_json::from_str(body).unwrap_or_else(|error| panic!("half an answer ({error}): `{answer}`")))
}
