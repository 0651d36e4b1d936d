//! Pages that stay true: while somebody looks at one, what changed on it is sent, and nothing else.
//!
//! A stream remembers what its viewer has, as text by element; every beat it renders those elements again and sends
//! the ones that differ. So what a viewer costs depends on what the page shows, never on how many shops there are. The
//! id of an event is a digest of all that the viewer then has: a page carries it from the start, a browser that lost
//! its connection sends it back, and if nothing differs by then nothing is sent.

use crate::Console;
use crate::ask::Ask;
use crate::lang::Lang;
use crate::shop::Look;
use crate::{board, shop};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::HeaderMap;
use maud::Markup;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};
use vocab::id::ShopId;

/// Pages that are kept true at one time; more are only as true as when they were loaded.
pub const VIEWERS_MAX: usize = 256;
/// How often a page is looked at again.
const BEAT: Duration = Duration::from_millis(500);
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An element of a page that may change: its id and what is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    pub id: String,
    pub html: String,
}

impl Fragment {
    pub fn new(id: impl Into<String>, inside: &Markup) -> Self {
        Self { id: id.into(), html: inside.0.clone() }
    }
}

/// What a viewer looks at.
#[derive(Debug, Clone)]
pub enum View {
    Board(Ask),
    Shop(ShopId),
}

impl View {
    /// The changing elements as they are now; none where there is nothing to look at any more.
    pub async fn fragments(&self, console: &Console, lang: Lang) -> store::Result<Vec<Fragment>> {
        Ok(match self {
            Self::Board(ask) => {
                let picture = console.picture().await?;
                picture.map(|picture| board::fragments(lang, &picture, ask, console.now())).unwrap_or_default()
            }
            Self::Shop(shop) => {
                let look = Look::at(console, shop).await?;
                look.map(|look| shop::fragments(lang, &look)).unwrap_or_default()
            }
        })
    }
}

/// What tells two states of a page apart.
pub fn digest(fragments: &[Fragment]) -> String {
    let mut hasher = DefaultHasher::new();
    for fragment in fragments {
        (&fragment.id, &fragment.html).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// Where a page that shows `fragments` hears of changes.
pub fn address(path: &str, lang: Lang, fragments: &[Fragment]) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}lang={}&known={}", lang.code(), digest(fragments))
}

/// The stream of one viewer. `known` is what the page's address says that it shows.
pub fn follow(console: Console, view: View, lang: Lang, known: Option<&str>, headers: &HeaderMap) -> Response {
    let Ok(permit) = console.viewers().try_acquire_owned() else {
        return (http::StatusCode::SERVICE_UNAVAILABLE, lang.too_many()).into_response();
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer {
        console,
        view,
        lang,
        known: last.or(known).map(str::to_owned),
        sent: None,
        told_moved: false,
        beat,
        _permit: permit,
    };
    let events = stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    Sse::new(Box::pin(events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

struct Viewer {
    console: Console,
    view: View,
    lang: Lang,
    /// The digest of what the viewer has.
    known: Option<String>,
    /// What the viewer has, once this stream knows it.
    sent: Option<BTreeMap<String, String>>,
    told_moved: bool,
    beat: Interval,
    _permit: OwnedSemaphorePermit,
}

impl Viewer {
    /// Waits until something that the viewer has is no longer so.
    async fn next(&mut self) -> Event {
        loop {
            self.beat.tick().await;
            match self.view.fragments(&self.console, self.lang).await {
                Ok(fragments) => {
                    if let Some(event) = self.compare(fragments) {
                        return event;
                    }
                }
                Err(error) => tracing::warn!(%error, "a page could not be looked at again"),
            }
        }
    }

    fn compare(&mut self, fragments: Vec<Fragment>) -> Option<Event> {
        let digest = digest(&fragments);
        if self.known.as_ref() == Some(&digest) {
            self.sent.get_or_insert_with(|| fragments.into_iter().map(|one| (one.id, one.html)).collect());
            return None;
        }
        // A list that has other rows than the page is not redrawn under its reader: it is told once.
        if let Some(sent) = &self.sent
            && !self.told_moved
            && !(fragments.len() == sent.len() && fragments.iter().all(|one| sent.contains_key(&one.id)))
        {
            self.told_moved = true;
            return Some(Event::default().event("moved").data(""));
        }
        let had = self.sent.take().unwrap_or_default();
        let changed: Vec<(&str, &str)> = fragments
            .iter()
            .filter(|one| had.get(&one.id) != Some(&one.html))
            .map(|one| (one.id.as_str(), one.html.as_str()))
            .collect();
        let data = serde_json::to_string(&changed).unwrap_or_default();
        let event = (!changed.is_empty()).then(|| Event::default().event("put").id(&digest).data(data));
        self.known = Some(digest);
        self.sent = Some(fragments.into_iter().map(|one| (one.id, one.html)).collect());
        event
    }
}
