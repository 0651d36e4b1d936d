//! The demo's toy: a person lets their shop be moved while they buy, and feels how long that takes.
//!
//! A host app cannot do this and must not. It is asked for in the operator's way, on the command line of the program that
//! moves shops, so what is shown here is a real flip or rollback and nothing else.

use crate::App;
use crate::deed::look_into;
use crate::options::Steering;
use crate::people::Seat;
use crate::seam::Trouble;
use crate::wire::Ask;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// How old what is known of the shops may be.
const LOOK_AGAIN: Duration = Duration::from_millis(400);
const STATUS_MAX: Duration = Duration::from_secs(10);
/// A pause between two saves of a basket: about how fast a finger is on `+`.
const SAVE_AGAIN: Duration = Duration::from_millis(20);
/// Saves go on until one was held; if none is by then, no more are made while the move is waited for.
const SAVES_MAX: Duration = Duration::from_secs(10);
/// Longer than the command waits for its wish.
const MOVE_MAX: Duration = Duration::from_secs(130);

/// Where a shop stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stand {
    pub shop: String,
    pub owner: String,
    pub epoch: u64,
    pub state: String,
    /// The code that keeps it where it is.
    pub stopped: Option<String>,
    pub rollback: WayBack,
}

/// Whether it could go back at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct WayBack {
    pub ready: bool,
}

#[derive(Deserialize)]
struct Status {
    shops: Vec<Stand>,
}

/// What a person felt of the last move that they asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Felt {
    /// The code, where it did not come true.
    pub refused: Option<String>,
    pub to_backend: bool,
    /// Saves of their basket meanwhile; none where it was empty.
    pub saves: u64,
    /// How long the slowest of them took, and how long the longest held one was held.
    pub slowest_us: u64,
    pub held_us: u64,
}

/// Why a shop cannot be held now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Not {
    NoSteering,
    Unplanned,
    /// Somebody else moves the shops just now.
    Busy,
    Unready,
    Sealed,
    UnderWay,
}

type Known = Option<Arc<BTreeMap<String, Stand>>>;

#[derive(Debug, Default)]
pub struct Steer {
    steering: Option<Steering>,
    known: tokio::sync::Mutex<Option<(Instant, Known)>>,
    under_way: Mutex<BTreeSet<String>>,
    busy: AtomicBool,
}

impl Steer {
    pub fn new(steering: Option<Steering>, busy: bool) -> Self {
        Self { steering, busy: busy.into(), ..Self::default() }
    }

    /// Nobody else moves the shops any more.
    pub fn free(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    /// Where a shop stands, as far as the operator's program says.
    pub async fn stand(&self, shop: &str) -> Option<Stand> {
        let mut known = self.known.lock().await;
        let fresh = known.as_ref().filter(|(seen, _)| seen.elapsed() < LOOK_AGAIN).map(|(_, known)| known.clone());
        let stands = match fresh {
            Some(stands) => stands,
            None => {
                let stands = self.look().await.map(Arc::new);
                *known = Some((Instant::now(), stands.clone()));
                stands
            }
        };
        stands?.get(shop).cloned()
    }

    async fn look(&self) -> Option<BTreeMap<String, Stand>> {
        let said = timeout(STATUS_MAX, self.run(&["status", "--json"])?).await.ok()?.ok()?;
        let status: Status = serde_json::from_slice(&said.stdout).ok()?;
        Some(status.shops.into_iter().map(|stand| (stand.shop.clone(), stand)).collect())
    }

    fn run(&self, args: &[&str]) -> Option<impl Future<Output = std::io::Result<Output>> + use<>> {
        let steering = self.steering.as_ref()?;
        let mut command = Command::new(&steering.program);
        command.arg("move").args(args).arg("--work").arg(&steering.work).env_remove("BALIK_CRASH");
        command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        Some(async move { command.output().await })
    }

    /// Whether the shop can be asked to move, and whereto; `true` is to the backend.
    pub fn may(&self, shop: &str, stand: Option<&Stand>) -> Result<bool, Not> {
        if self.steering.is_none() {
            return Err(Not::NoSteering);
        }
        if self.under_way.lock().unwrap_or_else(PoisonError::into_inner).contains(shop) {
            return Err(Not::UnderWay);
        }
        let stand = stand.ok_or(Not::Unplanned)?;
        if stand.state == "sealed" {
            return Err(Not::Sealed);
        }
        if self.busy.load(Ordering::Relaxed) {
            return Err(Not::Busy);
        }
        match stand.owner.as_str() {
            _ if stand.stopped.is_some() => Err(Not::Unready),
            "legacy" if stand.state == "ready" => Ok(true),
            "backend" if stand.rollback.ready => Ok(false),
            _ => Err(Not::Unready),
        }
    }

    fn begin(&self, shop: &str) -> bool {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(shop.to_owned())
    }

    fn end(&self, shop: &str) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(shop);
    }
}

/// Moves a shop to its other side, if it can be, and goes on answering; what the person feels of it is told when it is over.
pub async fn hold(app: App, seat: Arc<Seat>, shop: String) {
    let stand = app.steer().stand(&shop).await;
    let Ok(to_backend) = app.steer().may(&shop, stand.as_ref()) else { return };
    let verb = if to_backend { "flip" } else { "rollback" };
    let asked = app.steer().run(&[verb, "--shop", &shop, "--yes", "--as", "host page"]);
    let Some(asked) = asked.filter(|_| app.steer().begin(&shop)) else { return };
    tokio::spawn(async move {
        let mut felt = Felt { to_backend, ..Felt::default() };
        let began = Instant::now();
        let mut moving = std::pin::pin!(timeout(MOVE_MAX, asked));
        let said = loop {
            tokio::select! {
                said = &mut moving => break said,
                () = sleep(SAVE_AGAIN), if felt.held_us == 0 && began.elapsed() < SAVES_MAX => save_again(&app, &seat, &shop, &mut felt).await,
            }
        };
        felt.refused = match said {
            Ok(Ok(said)) if said.status.success() => None,
            Ok(Ok(said)) => Some(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("not_yet".to_owned()),
        };
        seat.person().felt.insert(shop.clone(), felt);
        app.steer().end(&shop);
    });
}

/// Saves the basket as it is, as somebody does who taps and taps.
async fn save_again(app: &App, seat: &Seat, shop: &str, felt: &mut Felt) {
    let _one_at_a_time = seat.deeds.lock().await;
    let Ok(Some(cart)) = look_into(app.seam(), seat, shop).await else { return };
    let ask = Ask::change_cart(app.people().word(), shop, &cart.id, &cart.wanted());
    match app.seam().send(&ask).await {
        Ok(answer) => {
            felt.saves += 1;
            felt.slowest_us = felt.slowest_us.max(u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX));
            felt.held_us = felt.held_us.max(answer.held_us.unwrap_or(0));
        }
        // The next one tells; a basket that has ended is seen there.
        Err(Trouble::Refused(_) | Trouble::Silent | Trouble::Odd(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shop_that_can_go_there_and_back_is_held() {
        let steering = Steering { program: "x".into(), work: "y".into() };
        let steer = Steer::new(Some(steering.clone()), false);
        let stand = |owner: &str, state: &str| Stand {
            shop: "1".into(),
            owner: owner.into(),
            epoch: 1,
            state: state.into(),
            stopped: None,
            rollback: WayBack { ready: true },
        };
        let check = |stand: Option<&Stand>, expected| assert_eq!(steer.may("1", stand), expected, "{stand:?}");
        check(None, Err(Not::Unplanned));
        check(Some(&stand("legacy", "planned")), Err(Not::Unready));
        check(Some(&stand("legacy", "copying")), Err(Not::Unready));
        check(Some(&stand("legacy", "ready")), Ok(true));
        check(Some(&stand("backend", "soaking")), Ok(false));
        check(Some(&Stand { rollback: WayBack { ready: false }, ..stand("backend", "soaking") }), Err(Not::Unready));
        check(Some(&Stand { stopped: Some("stream.lost".into()), ..stand("legacy", "ready") }), Err(Not::Unready));
        check(Some(&stand("backend", "sealed")), Err(Not::Sealed));
        let busy = Steer::new(Some(steering), true);
        assert_eq!(busy.may("1", Some(&stand("legacy", "ready"))), Err(Not::Busy));
        busy.free();
        assert_eq!(busy.may("1", Some(&stand("legacy", "ready"))), Ok(true));
        assert!(steer.begin("1"));
        check(Some(&stand("backend", "soaking")), Err(Not::UnderWay));
        steer.end("1");
        assert_eq!(Steer::new(None, false).may("1", None), Err(Not::NoSteering));
    }
}
