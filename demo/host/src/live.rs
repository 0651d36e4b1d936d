//! Keeps what is behind the screen true while somebody looks: whenever a part differs from what was sent, it is sent.

use crate::App;
use crate::lang::Lang;
use crate::people::Seat;
use crate::stage;
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
use tokio::time::{Interval, MissedTickBehavior, interval};

const BEAT: Duration = Duration::from_millis(300);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Viewer {
    app: App,
    seat: Arc<Seat>,
    lang: Lang,
    shop: String,
    sent: BTreeMap<&'static str, String>,
    beat: Interval,
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
    let viewer = Viewer { app, seat, lang, shop, sent: BTreeMap::new(), beat, _permit: permit };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Viewer {
    /// Waits until a part differs from what the viewer has.
    async fn next(&mut self) -> Event {
        loop {
            self.beat.tick().await;
            let parts = stage::fragments(&self.app, self.lang, &self.seat, &self.shop).await;
            let fresh: Vec<_> = parts.into_iter().filter(|(id, html)| self.sent.get(id) != Some(html)).collect();
            if !fresh.is_empty() {
                let event = Event::default().event("put").data(serde_json::json!(fresh).to_string());
                self.sent.extend(fresh);
                return event;
            }
        }
    }
}
