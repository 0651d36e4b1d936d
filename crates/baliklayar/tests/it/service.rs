//! Whoever looks at serving from outside: when it dies, and how long after that it answers again.

use crate::demo::{Addresses, ask, is_alive};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The bound, from the kill to the first right answer.
pub const BACK_MAX: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(1);
/// How long an end is waited for.
const GIVE_UP: Duration = Duration::from_secs(15);

/// What was seen of one kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// From the kill to the first read of every shop that was answered, and to the first write.
    pub reads: Duration,
    pub writes: Duration,
}

/// Watches one serving process and, once it is dead, its successor.
pub struct Watch {
    stop: Arc<AtomicBool>,
    watching: Option<JoinHandle<Option<Outage>>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Watch {
    pub fn start(addresses: &Addresses, shops: u32) -> Self {
        let seam = addresses.seam();
        let pid = addresses.serving().unwrap();
        let shops: Vec<String> = (1..=shops).map(|shop| shop.to_string()).collect();
        let products: Vec<String> = shops.iter().map(|shop| product(&seam, shop)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let watching = std::thread::spawn(move || {
            while is_alive(pid) {
                if stopped.load(Ordering::SeqCst) {
                    return None;
                }
                std::thread::sleep(LOOK);
            }
            outage(&seam, &shops, &products)
        });
        Self { stop, watching: Some(watching) }
    }

    pub fn saw_death(&self) -> bool {
        self.watching.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What was seen, if the process died and was answered for again.
    pub fn end(mut self) -> Option<Outage> {
        self.stop.store(true, Ordering::SeqCst);
        self.watching.take()?.join().unwrap()
    }
}

/// Something that is for sale.
fn product(seam: &str, shop: &str) -> String {
    let path = format!("/shops/{shop}/catalog/search");
    let (_, body) = ask(seam, "POST", &path, None, "{}").expect("the shop shows its shelf");
    body["products"][0]["variants"][0]["id"].as_str().expect("something is for sale").to_owned()
}

fn outage(seam: &str, shops: &[String], products: &[String]) -> Option<Outage> {
    let died = Instant::now();
    std::thread::scope(|scope| {
        let asking = shops.iter().zip(products);
        let writing: Vec<_> = asking
            .map(|(shop, product)| scope.spawn(move || until_answered(died, || writes(seam, shop, product))))
            .collect();
        let reading: Vec<_> =
            shops.iter().map(|shop| scope.spawn(move || until_answered(died, || reads(seam, shop)))).collect();
        let most = |all: Vec<std::thread::ScopedJoinHandle<'_, Option<Duration>>>| {
            let each = all.into_iter().map(|one| one.join().unwrap());
            each.collect::<Option<Vec<_>>>()?.into_iter().max()
        };
        Some(Outage { reads: most(reading)?, writes: most(writing)? })
    })
}

/// None where nobody answers any more.
fn until_answered(died: Instant, mut answered: impl FnMut() -> bool) -> Option<Duration> {
    while !answered() {
        if died.elapsed() > GIVE_UP {
            return None;
        }
        std::thread::sleep(EVERY);
    }
    Some(died.elapsed())
}

/// A cart that is not there: its owner has to say so.
fn reads(seam: &str, shop: &str) -> bool {
    let answer = ask(seam, "GET", &format!("/shops/{shop}/carts/none"), None, "");
    answer.is_some_and(|(status, body)| status == 200 && body["ucp"]["status"] == "error")
}

/// A new cart: a write that passes gate, owner and fence, and changes nobody's stock.
fn writes(seam: &str, shop: &str, product: &str) -> bool {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let key = format!("probe-{}-{}", std::process::id(), KEYS.fetch_add(1, Ordering::Relaxed));
    let body: Value = json!({"line_items": [{"item": {"id": product}, "quantity": 1}]});
    let answer = ask(seam, "POST", &format!("/shops/{shop}/carts"), Some(&key), &body.to_string());
    answer.is_some_and(|(status, body)| status == 201 && body["id"].is_string())
}
