//! Keeps what is behind the screen true while somebody looks: whenever a part differs from what was sent, it is sent. And
//! tells the page when what is being paid beside it has come on.

use crate::App;
use crate::checkout;
use crate::lang::Lang;
use crate::people::Seat;
use crate::stage;
use crate::standing::{self, News, Standing};
use crate::visit::Visit;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

const BEAT: Duration = Duration::from_millis(300);
/// How often the shop is asked what became of a checkout.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Viewer {
    app: App,
    seat: Arc<Seat>,
    lang: Lang,
    shop: String,
    sent: BTreeMap<&'static str, String>,
    beat: Interval,
    /// How the checkout stood when it was looked at last, and when that was.
    standing: Option<Standing>,
    looked: Instant,
    _permit: OwnedSemaphorePermit,
}

pub async fn follow(State(app): State<App>, visit: Visit) -> Response {
    let shop = visit.query.get("shop").filter(|shop| app.shop(shop).is_some()).cloned();
    let (Some(shop), Ok(permit)) = (shop, app.viewers().try_acquire_owned()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Visit { seat, lang, .. } = visit;
    let (standing, looked) = (None, Instant::now());
    let viewer = Viewer { app, seat, lang, shop, sent: BTreeMap::new(), beat, standing, looked, _permit: permit };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Viewer {
    /// Waits until a part differs from what the viewer has, or there is news of what is being paid.
    async fn next(&mut self) -> Event {
        loop {
            self.beat.tick().await;
            let parts = stage::fragments(&self.app, self.lang, &self.seat, &self.shop).await;
            let fresh: Vec<_> = parts.into_iter().filter(|(id, html)| self.sent.get(id) != Some(html)).collect();
            if !fresh.is_empty() {
                let event = put(&fresh);
                self.sent.extend(fresh);
                return event;
            }
            if let Some(event) = self.paid().await {
                return event;
            }
        }
    }

    async fn paid(&mut self) -> Option<Event> {
        if self.looked.elapsed() < LOOK_AGAIN {
            return None;
        }
        self.looked = Instant::now();
        let standing = standing::look(&self.app, &self.seat, &self.shop).await?;
        match standing.news(self.standing.replace(standing)) {
            News::None => None,
            News::BeingPaid => Some(put(&[("pay-here", checkout::being_paid(self.lang).into_string())])),
            News::LookAgain => Some(Event::default().event("look").data(&self.shop)),
        }
    }
}

/// Parts by id, for the page to put where they belong.
fn put(parts: &[(&str, String)]) -> Event {
    Event::default().event("put").data(serde_json::json!(parts).to_string())
}
