//! Stands between the mover and the link, and stops the mover at a look inside a hold: there a fault can come at exactly
//! this place, and not a moment before or after.

use super::fault::Phase;
use crate::world::Between;
use mover::Ask;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Store;
use tokio::sync::{mpsc, oneshot};
use vocab::id::ShopId;

const REACHED_MAX: Duration = Duration::from_secs(120);

/// The mover waits as long as this value lives.
pub struct Stopped(#[expect(dead_code, reason = "its end is what is waited for")] oneshot::Sender<()>);

struct Armed {
    shop: ShopId,
    phase: Phase,
    here: oneshot::Sender<Stopped>,
}

#[derive(Clone, Default)]
pub struct Gate {
    armed: Arc<Mutex<Option<Armed>>>,
    eyes: Arc<Mutex<Option<Eyes>>>,
}

/// With what the gate looks where a hold stands.
#[derive(Clone)]
struct Eyes {
    store: Store,
    sql: Arc<tokio_postgres::Client>,
}

impl Gate {
    pub fn between(&self) -> Between {
        let gate = self.clone();
        Box::new(move |mut asked: mpsc::Receiver<Ask>, asks: mpsc::Sender<Ask>| {
            tokio::spawn(async move {
                while let Some(ask) = asked.recv().await {
                    let Ask::Look { shop, epoch, seen } = ask else {
                        let _ = asks.send(ask).await;
                        continue;
                    };
                    let (answer, answered) = oneshot::channel();
                    let _ = asks.send(Ask::Look { shop: shop.clone(), epoch, seen: answer }).await;
                    let gate = gate.clone();
                    tokio::spawn(async move {
                        let Ok(answer) = answered.await else { return };
                        if answer.is_some_and(|hold| hold.acknowledged && hold.in_flight_zero) {
                            gate.pass(&shop).await;
                        }
                        let _ = seen.send(answer);
                    });
                }
            });
        })
    }

    pub fn look_with(&self, store: Store, sql: tokio_postgres::Client) {
        *self.eyes.lock().unwrap() = Some(Eyes { store, sql: Arc::new(sql) });
    }

    /// Stops the mover at the next hold of the shop that comes there.
    pub fn arm(&self, shop: &ShopId, phase: Phase) -> oneshot::Receiver<Stopped> {
        let (here, stopped) = oneshot::channel();
        *self.armed.lock().unwrap() = Some(Armed { shop: shop.clone(), phase, here });
        stopped
    }

    async fn pass(&self, shop: &ShopId) {
        let phase = match &*self.armed.lock().unwrap() {
            Some(armed) if armed.shop == *shop => armed.phase,
            _ => return,
        };
        if !self.is_at(shop, phase).await {
            return;
        }
        let Some(armed) = self.armed.lock().unwrap().take() else { return };
        let (stopped, goes_on) = oneshot::channel();
        let _ = armed.here.send(Stopped(stopped));
        let _ = goes_on.await;
    }

    async fn is_at(&self, shop: &ShopId, phase: Phase) -> bool {
        let eyes = self.eyes.lock().unwrap().clone().expect("the gate was given no eyes");
        let closed = "select closed from balik_fence where shop = $1";
        match phase {
            Phase::Held => true,
            Phase::Fenced => {
                let fences = eyes.sql.query(closed, &[&shop.as_str()]).await.unwrap();
                fences.first().is_some_and(|row| row.get(0))
            }
            Phase::HeldBack => eyes.store.head(shop).await.unwrap().is_some_and(|head| head.fenced),
            Phase::Copying | Phase::Tracking | Phase::Ready | Phase::Soaking => false,
        }
    }
}

pub async fn reached(stopped: oneshot::Receiver<Stopped>) -> Result<Stopped, String> {
    match tokio::time::timeout(REACHED_MAX, stopped).await {
        Ok(Ok(stopped)) => Ok(stopped),
        Ok(Err(_)) | Err(_) => Err("the hold never came so far".to_owned()),
    }
}
