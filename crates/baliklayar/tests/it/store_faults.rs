//! The store's PostgreSQL is stopped, killed, cut off, frozen, or its disk is full, while people buy: whoever asks then is answered, or
//! told to come back; soon after the server is back everybody is answered, and nothing is lost or done twice.

use crate::buyers::{Buyer, Till, Told, at_rest};
use crate::client::{Request, filled_in};
use crate::demo::say;
use crate::deployment::{Deployment, open_shop};
use crate::world::Provider;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::chance::Chance;
use testkit::postgres::{connect, fresh_database_on};
use testkit::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use vocab::id::ShopId;

const STOCK: i64 = 10_000;
const COMES_EVERY: Duration = Duration::from_millis(200);
const BEFORE: Duration = Duration::from_secs(2);
const LASTS: Duration = Duration::from_secs(4);
/// Longer than anybody is asked to wait for a server that says nothing.
const LASTS_FROZEN: Duration = Duration::from_secs(12);
const LASTS_LONG: Duration = Duration::from_secs(60);
/// After the server is back, until everybody is served again.
const BACK_MAX: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(4);
/// Nobody waits longer for an answer, whatever it is.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Whoever waits so long for an answer feels that something is wrong.
const HARMED: Duration = Duration::from_secs(1);
const PROBE: Duration = Duration::from_millis(100);
/// What a cluster needs, and room for what these tests write.
const DISK: &str = "200m";

/// What was answered to somebody who came at that time.
struct Probe {
    at: Instant,
    status: u16,
    comes_back: bool,
    took: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Stopped,
    Killed,
    Cut,
    Frozen,
    Full,
}

/// A disk that can be filled.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Option<Self> {
        let owner = std::fs::metadata(at).unwrap();
        let options = format!("size={DISK},mode=700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "balik"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        for part in [64 << 10, 512, 1] {
            while filler.write_all(&vec![0; part]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Harms the server for so long; it is whole again when this is over. Answers how many connections it cut.
async fn harm(server: &mut Server, disk: Option<&Disk>, fault: Fault, lasts: Duration) -> usize {
    let (ends, mut cut) = (Instant::now() + lasts, 0);
    match fault {
        Fault::Stopped | Fault::Killed => {
            if fault == Fault::Killed {
                server.kill().await
            } else {
                server.stop().await
            }
            tokio::time::sleep_until(ends.into()).await;
            server.go_on().await;
        }
        Fault::Cut => {
            let operator = connect(&server.url()).await.unwrap();
            while Instant::now() < ends {
                let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname like 'balik%'";
                cut += operator.query(sql, &[]).await.unwrap().len();
                tokio::time::sleep(PROBE * 4).await;
            }
        }
        Fault::Frozen => {
            server.freeze();
            tokio::time::sleep_until(ends.into()).await;
            server.thaw();
        }
        Fault::Full => {
            let disk = disk.unwrap();
            disk.fill();
            tokio::time::sleep_until(ends.into()).await;
            disk.make_room();
            // It may have ended by itself: what it cannot write down it must not go on with.
            server.stop().await;
            server.go_on().await;
        }
    }
    cut
}

/// Somebody begins a checkout at this moment.
async fn probe(seam: SocketAddr, number: usize) -> Probe {
    let request = Request {
        method: "POST",
        path: "/shops/s1/checkout-sessions".into(),
        key: Some(format!("probe-{number}")),
        body: filled_in(&[("1", 1)]).to_string(),
    };
    let at = Instant::now();
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(seam).await.unwrap();
        stream.write_all(&request.bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(ANSWER_MAX, ask).await.expect("nobody answers");
    let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Probe { at, status, took: at.elapsed(), comes_back: head.contains("\r\nretry-after: ") }
}

async fn probes(seam: SocketAddr, ends: Arc<AtomicBool>) -> Vec<Probe> {
    let mut tasks = JoinSet::new();
    for number in 0.. {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        tasks.spawn(probe(seam, number));
        tokio::time::sleep(PROBE).await;
    }
    tasks.join_all().await
}

/// One comes after the other, for so long.
fn buyers_for(long: Duration, seam: SocketAddr, provider: &Arc<Provider>) -> JoinSet<Told> {
    let mut buyers = JoinSet::new();
    for number in 0..u64::try_from(long.as_millis() / COMES_EVERY.as_millis()).unwrap() {
        let (shop, product, chance) = ("s1".to_owned(), "1".to_owned(), Chance(number));
        let buyer = Buyer { shop, product, dawdles_ms: 2_000, cards: true, number, seam, chance };
        let provider = Arc::clone(provider);
        buyers.spawn(async move {
            tokio::time::sleep(COMES_EVERY * u32::try_from(number).unwrap()).await;
            buyer.buy(&provider).await
        });
    }
    buyers
}

/// One after the other: each has a server of its own, and looks at how long something takes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn people_buy_through(fault: Fault) {
    let _turn = TURN.lock().await;
    let long = std::env::var_os("BALIK_LONG").is_some();
    let lasts = match fault {
        _ if long => LASTS_LONG,
        Fault::Frozen => LASTS_FROZEN,
        Fault::Stopped | Fault::Killed | Fault::Cut | Fault::Full => LASTS,
    };
    let mut disk = None;
    let mut server = Server::start_on(|folder| {
        if fault == Fault::Full {
            disk = Disk::mount(folder);
        }
    })
    .await;
    if fault == Fault::Full && disk.is_none() {
        say("a full disk cannot be tried here: nobody may mount one");
        return;
    }
    let database = fresh_database_on(&server.url()).await;
    let deployment = Deployment::over(Some(database), 1).await;
    let store = deployment.store();
    open_shop(&store, STOCK).await;
    let serving = tokio::task::block_in_place(|| deployment.processes[0].start());
    let seam = deployment.processes[0].seam;
    let ends = Arc::new(AtomicBool::new(false));
    let probing = tokio::spawn(probes(seam, Arc::clone(&ends)));
    let buyers = buyers_for(BEFORE + lasts + AFTER, seam, &deployment.provider);
    tokio::time::sleep(BEFORE).await;
    let begun = Instant::now();
    let cut = harm(&mut server, disk.as_ref(), fault, lasts).await;
    let back = Instant::now();
    tokio::time::sleep(BACK_MAX + AFTER).await;
    ends.store(true, Ordering::Relaxed);
    let probes = probing.await.unwrap();
    let told = buyers.join_all().await;
    let till = Till { shop: ShopId::parse("s1").unwrap(), product: "1".to_owned(), stock: STOCK, clearing: 0 };
    at_rest(&store, &till.shop).await;
    till.judge(&store, &deployment.provider.book().await, &told).await;
    drop(serving);
    let refused = probes.iter().filter(|probe| probe.status != 201).collect::<Vec<_>>();
    for probe in &refused {
        assert!(probe.status == 503 && probe.comes_back, "{fault:?}: {} at {:?}", probe.status, probe.at - begun);
    }
    // Whoever waits while it comes back, or comes then, and is not served.
    let late = |probe: &&Probe| probe.status != 201 || probe.took > HARMED;
    let last = probes.iter().filter(late).map(|probe| probe.at + probe.took).max();
    let served_after = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(back));
    assert!(served_after < BACK_MAX, "{fault:?}: {served_after:?} after it was back somebody was not served");
    let met = |probe: &&&Probe| begun < probe.at && probe.at < begun + lasts;
    // Who finds a connection cut before anything is asked on it makes another, and nobody notices.
    assert!(cut > 0 || refused.iter().any(|probe| met(&probe)), "{fault:?} harmed nobody");
    say(&format!(
        "store faults: {fault:?} for {lasts:?}: {} asked, {} told to come back, the last {served_after:?} after the server was \
         back; {} buyers, each one order or nothing",
        probes.len(),
        refused.len(),
        told.len()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_buy_through_a_restart_of_the_stores_server() {
    people_buy_through(Fault::Stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_buy_through_a_kill_of_the_stores_server() {
    people_buy_through(Fault::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_buy_while_connections_to_the_store_are_cut() {
    people_buy_through(Fault::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_buy_while_the_stores_server_says_nothing() {
    people_buy_through(Fault::Frozen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_buy_through_a_full_disk_of_the_stores_server() {
    people_buy_through(Fault::Full).await;
}
