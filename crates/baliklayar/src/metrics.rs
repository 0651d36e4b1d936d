//! Figures for whoever watches a process that serves, in the words of Prometheus.
//!
//! Requests are counted as they are answered; what lies in the store is looked up when somebody asks. A label is a path as it is
//! declared, a status or a name of ours, never an id or anything of a buyer.

use crate::duty::Duty;
use crate::serving::clock;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::time::Instant;
use store::Store;
use vocab::id::Side;

/// Payments whose time has come that are counted; more are as bad.
const DUE_MAX: usize = 1_000;

/// Upper ends of the buckets, in seconds. Their format has nothing but fractions; no amount is ever among them.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Owner {
    owner: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// What is counted in this process. A clone counts in the same place.
#[derive(Clone)]
pub struct Metrics {
    answers: Family<Answered, Counter>,
    lengths: Family<Asked, Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { answers: Family::default(), lengths: Family::new_with_constructor(|| Histogram::new(BUCKETS)) }
    }
}

impl Metrics {
    /// The same router, whose answers are counted.
    pub fn counting(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.clone(), count))
    }

    /// Serves the figures at `/metrics`.
    pub fn router(self, store: Store, duty: Duty) -> Router {
        Router::new().route("/metrics", get(show)).with_state(Told { metrics: self, store, duty })
    }
}

async fn count(State(metrics): State<Metrics>, path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    // A path that is none of ours is one label, whatever it was; so is a method.
    let path = path.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let method = ["GET", "POST", "PUT"].into_iter().find(|known| request.method() == known).unwrap_or("OTHER");
    let begun = Instant::now();
    let response = next.run(request).await;
    let asked = Asked { method, path: path.clone() };
    metrics.lengths.get_or_create(&asked).observe(begun.elapsed().as_secs_f64());
    metrics.answers.get_or_create(&Answered { method, path, status: response.status().as_u16() }).inc();
    response
}

#[derive(Clone)]
struct Told {
    metrics: Metrics,
    store: Store,
    duty: Duty,
}

async fn show(State(told): State<Told>) -> Response {
    match told.text().await {
        Ok(text) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => {
            tracing::warn!(%error, "the figures cannot be told");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

impl Told {
    async fn text(&self) -> anyhow::Result<String> {
        let mut registry = Registry::with_prefix("balik");
        let version = Family::<Version, Gauge>::default();
        version.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build", "The program that runs; always 1", version);
        let Metrics { answers, lengths } = self.metrics.clone();
        registry.register("requests", "Requests that the backend answered", answers);
        registry.register("request_seconds", "How long the backend took to answer them", lengths);
        let duty = Gauge::<i64>::default();
        duty.set(self.duty.is_on().into());
        registry.register("duty", "1: this process does what falls due; one of all over a store", duty);
        self.tell_of_the_store(&mut registry).await?;
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    async fn tell_of_the_store(&self, registry: &mut Registry) -> anyhow::Result<()> {
        let shops = Family::<Owner, Gauge>::default();
        for owner in [Side::Legacy, Side::Backend] {
            shops.get_or_create(&Owner { owner: owner.name() }).set(0);
        }
        for head in self.store.heads().await? {
            shops.get_or_create(&Owner { owner: head.owner.name() }).inc();
        }
        registry.register("shops", "Shops by who owns them", shops);
        let now = clock()();
        let due = self.store.woken(now, DUE_MAX).await?;
        let oldest = due.iter().map(|woken| now.0.saturating_sub(woken.at.0)).max().unwrap_or(0);
        let (count, waited) = (Gauge::<i64>::default(), Gauge::<i64>::default());
        count.set(i64::try_from(due.len()).unwrap_or(i64::MAX));
        waited.set(oldest / 1_000_000);
        registry.register(
            "payments_due",
            "Payments whose time has come and which nobody looked at yet; at most 1000",
            count,
        );
        registry.register("payments_due_oldest_seconds", "How long the oldest of them has waited", waited);
        let notices = Family::<Outcome, Gauge>::default();
        let mut outcomes = BTreeMap::from([("waiting".to_owned(), 0)]);
        for (_, outcome, count) in self.store.notice_outcomes().await? {
            let outcome = outcome.map_or_else(|| "waiting".to_owned(), |outcome| outcome.to_string());
            *outcomes.entry(outcome).or_default() += count;
        }
        for (outcome, count) in outcomes {
            notices.get_or_create(&Outcome { outcome }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        registry.register("notices", "What providers told, by what became of it", notices);
        let findings = Family::<Class, Gauge>::default();
        for found in self.store.finding_classes().await? {
            let open = i64::try_from(found.open).unwrap_or(i64::MAX);
            findings.get_or_create(&Class { class: found.class.to_string() }).set(open);
        }
        registry.register("findings", "Findings of a move that are open", findings);
        Ok(())
    }
}
