//! One look at all planned shops, shared by everybody who looks at about the same time.
//!
//! A look costs a handful of statements, however many shops there are and however many people watch; nobody watching
//! costs nothing. Invariant: a picture is never older than the pause that its own cost asks for.

use crate::group::Group;
use cutover::formula::{self, Reading, Stand, Weights};
use cutover::state::State;
use cutover::throttle::{Shown, Why};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Flip, Head, Plan, ShopCount, Store};
use tokio::sync::Mutex;
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Part, ShopId, Side, Timestamp};

/// The least time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// A look may take this share of the time at most: one part in so many.
const PAUSE_PER_COST: u32 = 10;
/// But no page is older than this, whatever a look costs.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One planned shop, as the store and the mover's board had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub shop: ShopId,
    /// Which parts the plan moves, in the order of [`Part::ALL`].
    pub planned: [bool; Part::ALL.len()],
    pub owner: Side,
    pub epoch: Epoch,
    /// None where the mover has not looked since the owner changed.
    pub state: Option<State>,
    pub stopped: Option<String>,
    pub waits_for: Option<String>,
    pub lag_us: Option<i64>,
    /// How fast a copy of the shop may be, while a long step of it is under way.
    pub throttle: Option<Shown>,
    /// The catalogue's dial is on, and who answers its reads as far as the mover has said.
    pub dialled: bool,
    pub catalog_reads: Side,
    pub dirty: i64,
    pub facts_left: Option<i64>,
    pub back_waits_for: Option<String>,
    pub findings_open: u64,
    pub debts: u64,
}

/// All planned shops, in the order of the plan.
#[derive(Debug, Clone)]
pub struct Picture {
    pub created_at: Timestamp,
    pub deadline: Option<Timestamp>,
    pub rows: Vec<Row>,
    /// None where the plan cannot be weighed.
    pub reading: Option<Reading>,
    /// Changes of owners of planned shops, oldest first.
    pub flips: Vec<Flip>,
    places: HashMap<ShopId, usize>,
    /// Shops of each group, in the order of [`Group::ALL`].
    counts: [usize; Group::ALL.len()],
}

/// What remains between two looks.
#[derive(Default)]
struct Kept {
    plan: Option<(i64, Arc<Plan>)>,
    flips: Vec<Flip>,
    last: Option<(Instant, Duration, Option<Arc<Picture>>)>,
}

/// Takes pictures, one at a time.
#[derive(Default)]
pub struct Camera {
    kept: Mutex<Kept>,
}

impl Row {
    pub fn needs_attention(&self) -> bool {
        self.stopped.is_some() || self.findings_open > 0
    }

    /// Whether reads have moved ahead of ownership: the copy answers the catalogue's.
    pub fn reads_copy(&self) -> bool {
        self.owner == Side::Legacy && self.catalog_reads == Side::Backend
    }

    pub fn is_in(&self, group: Group) -> bool {
        match group {
            Group::Attention => self.needs_attention(),
            Group::Planned
            | Group::Copying
            | Group::Tracking
            | Group::Ready
            | Group::Moving
            | Group::Soaking
            | Group::Sealed => self.state.map(Group::of) == Some(group),
        }
    }

    /// Whether nothing keeps the shop from going back, as far as the mover has looked.
    pub fn may_go_back(&self) -> bool {
        let soaks = matches!(self.state, Some(State::Soaking | State::Ready(Direction::ToLegacy)));
        soaks && self.stopped.is_none() && self.back_waits_for.is_none()
    }
}

impl Picture {
    pub fn row(&self, shop: &ShopId) -> Option<&Row> {
        self.places.get(shop).and_then(|place| self.rows.get(*place))
    }

    /// Shops whose catalogue the backend answers, as their owner or for it. No part of formula 1.
    pub fn reads_moved(&self) -> usize {
        self.rows.iter().filter(|row| row.catalog_reads == Side::Backend).count()
    }

    pub fn count(&self, group: Group) -> usize {
        let at = Group::ALL.iter().position(|one| *one == group);
        at.and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }
}

impl Camera {
    /// A picture that is young enough; none while there is no plan.
    pub async fn picture(&self, store: &Store) -> store::Result<Option<Arc<Picture>>> {
        let mut kept = self.kept.lock().await;
        if let Some((at, cost, picture)) = &kept.last
            && at.elapsed() < (*cost * PAUSE_PER_COST).clamp(PAUSE, PAUSE_MAX)
        {
            return Ok(picture.clone());
        }
        let begun = Instant::now();
        let picture = kept.look(store).await?.map(Arc::new);
        kept.last = Some((Instant::now(), begun.elapsed(), picture.clone()));
        Ok(picture)
    }
}

impl Kept {
    async fn look(&mut self, store: &Store) -> store::Result<Option<Picture>> {
        let Some(plan) = self.plan(store).await? else { return Ok(None) };
        // The board first: what is younger than it says more, and is told from it by the epoch.
        let board = store.noted("board").await?.unwrap_or_default();
        let heads: HashMap<ShopId, Head> =
            store.heads().await?.into_iter().map(|head| (head.shop.clone(), head)).collect();
        let counts: HashMap<ShopId, ShopCount> =
            store.shop_counts().await?.into_iter().map(|count| (count.shop.clone(), count)).collect();
        self.follow_flips(store).await?;
        let rows: Vec<Row> = plan
            .shops
            .iter()
            .map(|planned| {
                let shop = &planned.shop;
                let parts = Part::ALL.map(|part| planned.parts.contains(&part));
                row(shop, parts, heads.get(shop), board.record(shop.as_str()), counts.get(shop))
            })
            .collect();
        let places: HashMap<ShopId, usize> =
            rows.iter().enumerate().map(|(place, row)| (row.shop.clone(), place)).collect();
        Ok(Some(Picture {
            created_at: plan.created_at,
            deadline: plan.deadline,
            reading: read_formula(&plan, &rows),
            flips: self.flips.iter().filter(|flip| places.contains_key(&flip.shop)).cloned().collect(),
            counts: Group::ALL.map(|group| rows.iter().filter(|row| row.is_in(group)).count()),
            rows,
            places,
        }))
    }

    /// The newest plan, read again only when there is a newer one: its list of shops is long.
    async fn plan(&mut self, store: &Store) -> store::Result<Option<Arc<Plan>>> {
        let Some(version) = store.plan_version().await? else { return Ok(None) };
        if self.plan.as_ref().is_none_or(|(known, _)| *known != version) {
            self.plan = store.plan().await?.map(|plan| (version, Arc::new(plan)));
        }
        Ok(self.plan.as_ref().map(|(_, plan)| Arc::clone(plan)))
    }

    /// Reads on from the newest flip that is known; several may have the same instant.
    async fn follow_flips(&mut self, store: &Store) -> store::Result<()> {
        let since = self.flips.last().map_or(Timestamp(i64::MIN), |flip| flip.at);
        let newer = store.flips(since).await?;
        self.flips.retain(|flip| flip.at < since);
        self.flips.extend(newer);
        Ok(())
    }
}

fn row(
    shop: &ShopId,
    planned: [bool; Part::ALL.len()],
    head: Option<&Head>,
    seen: Option<&Record>,
    count: Option<&ShopCount>,
) -> Row {
    let (owner, epoch) = head.map_or((Side::Legacy, Epoch::FIRST), |head| (head.owner, head.epoch));
    // What the mover saw of an earlier epoch is no longer so.
    let is_of_now = |seen: &&Record| seen.int("epoch").and_then(|seen| u64::try_from(seen).ok()) == Some(epoch.0);
    let current = seen.filter(is_of_now);
    let text = |name: &str| current.and_then(|seen| seen.text(name)).map(str::to_owned);
    let int = |name: &str| current.and_then(|seen| seen.int(name));
    let never_begun = seen.is_none() && epoch == Epoch::FIRST;
    Row {
        shop: shop.clone(),
        planned,
        owner,
        epoch,
        state: match current.and_then(|seen| seen.text("state")) {
            Some(name) => State::from_name(name),
            None => never_begun.then_some(State::Planned),
        },
        stopped: text("stopped"),
        waits_for: text("waits_for"),
        lag_us: int("lag_us"),
        throttle: current.and_then(|seen| seen.record("throttle")).and_then(shown),
        dialled: current.and_then(|seen| seen.bool("catalog_dial")) == Some(true),
        catalog_reads: match text("catalog_reads").as_deref() {
            Some(name) if name == Side::Backend.name() => Side::Backend,
            Some(_) | None => owner,
        },
        dirty: int("dirty").unwrap_or(0),
        facts_left: int("facts_left"),
        back_waits_for: text("back_waits_for"),
        findings_open: count.map_or(0, |count| count.findings_open),
        debts: count.map_or(0, |count| count.debts),
    }
}

/// What the mover wrote down of its throttle; none where this version does not know the word.
fn shown(seen: &Record) -> Option<Shown> {
    let us = |name: &str| seen.int(name).and_then(|us| u64::try_from(us).ok());
    Some(Shown {
        rows_per_s: u64::try_from(seen.int("rows_per_s")?).ok()?,
        why: Why::from_name(seen.text("why")?)?,
        p99_us: us("p99_us"),
        quiet_p99_us: us("quiet_p99_us"),
    })
}

/// Progress formula 1, counted from the same rows that the page shows.
fn read_formula(plan: &Plan, rows: &[Row]) -> Option<Reading> {
    let weights: BTreeMap<Part, u32> = plan.weights.iter().copied().collect();
    let weights = Weights::new(Part::ALL.map(|part| weights.get(&part).copied().unwrap_or(0)));
    let stand = |row: &Row, planned: bool| match (planned, row.owner) {
        (false, _) => Stand::Absent,
        (true, Side::Backend) => Stand::Done,
        (true, Side::Legacy) => Stand::Left,
    };
    let shops: Vec<formula::Shop> = rows.iter().map(|row| row.planned.map(|planned| stand(row, planned))).collect();
    let reading = weights.and_then(|weights| formula::read(weights, &shops));
    reading.inspect_err(|error| tracing::warn!(%error, "the plan cannot be weighed")).ok()
}
