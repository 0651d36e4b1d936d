//! The loop of the mover: one lease, one stream, one driver for each shop that was started.
//!
//! Whoever holds the lease acts; a mover that loses it stops where it stands, and the next one reads the records.

use crate::board::{stands, write_board};
use crate::context::{Clock, Context, FindingMemory, Owned, StreamState, Without};
use crate::dial::{self, Dials};
use crate::drive::{Board, Driver, Seen};
use crate::error::{Error, Result};
use crate::faults::{Armed, Fault};
use crate::fingerprint::{self, Fingerprints};
use crate::lease::{self, LEASE, renew, take};
use crate::links::Links;
use crate::policy::Policy;
use crate::staged::Staged;
use crate::throttle::{self, Throttle};
use crate::totals::Totals;
use crate::wishes;
use crate::{accept, blocks, observe, records, reread, stream, trouble};
use capture::Source;
use cutover::next::Wishes;
use cutover::state::State;
use cutover::verb::Verb;
use mapping::Mapping;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use store::{Plan, Store};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use vocab::document::Record;
use vocab::id::{Direction, ShopId, Side};

/// How often wishes are read.
const WISHES_EVERY: Duration = Duration::from_millis(20);
/// Before something that failed is tried again.
pub(crate) const AGAIN: Duration = Duration::from_millis(300);
/// How often the blocks of ids are looked at, and what others may see is written down.
pub(crate) const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// What a mover needs to begin.
#[derive(Clone)]
pub struct Setup {
    pub store: Store,
    /// Where the staged rows and the table of losers are kept.
    pub work: PathBuf,
    pub links: Links,
    pub clock: Clock,
    /// The accounts at payment providers that this backend can ask: a payment with another one keeps its shop where it is.
    /// None: nobody here knows, and nothing is said of any.
    pub accounts: Option<BTreeSet<String>>,
    pub without: Without,
    /// A seeded fault, in tests and the demo.
    pub fault: Option<Fault>,
    /// Tells two movers apart, in the lease.
    pub holder: String,
    /// Tells two folders with staged rows apart.
    pub folder: String,
}

/// Compiles the mapping files of a plan.
///
/// # Errors
/// Every diagnostic of the files, rendered.
pub fn compile(plan: &Plan) -> Result<Mapping> {
    let files: Vec<mapping::File<'_>> =
        plan.mappings.iter().map(|file| mapping::File { name: &file.name, text: &file.text }).collect();
    mapping::compile(&files, commerce::shape::SHAPES).map_err(|diagnostics| {
        let all: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        Error::Plan(all.join("\n"))
    })
}

/// Moves what is planned, for ever: waits for a plan and for the lease, and begins anew when the lease is lost.
pub async fn run(setup: Setup) -> Result<()> {
    let plan = loop {
        match wanted_plan(&setup.store).await {
            Ok(Some(plan)) => break plan,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "whether there is something to move cannot be read"),
        }
        tokio::time::sleep(WISHES_EVERY).await;
    };
    // A whole program is read, so not while somebody waits for the lease to be renewed.
    tokio::task::spawn_blocking(fingerprint::this_program).await.map_err(|_| Error::Task("reading this program"))?;
    let mut complained = false;
    loop {
        match take(&setup).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::time::sleep(lease::LOOK).await;
                continue;
            }
            Err(error @ Error::Elsewhere(_)) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "nothing is moved from here");
                }
                tokio::time::sleep(lease::LOOK_ELSEWHERE).await;
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "whose turn it is to move cannot be read");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        }
        match move_all(&setup, plan.clone()).await {
            Err(Error::LeaseLost) => tracing::info!("another mover has the lease"),
            Err(error) => {
                tracing::warn!(%error, "the mover begins again");
                tokio::time::sleep(AGAIN).await;
            }
            Ok(()) => return Ok(()),
        }
    }
}

async fn wanted_plan(store: &Store) -> Result<Option<Plan>> {
    let Some(plan) = store.plan().await? else { return Ok(None) };
    Ok(wanted(store, &plan).await?.then_some(plan))
}

/// Whether somebody has wished anything, or a move is under way.
async fn wanted(store: &Store, plan: &Plan) -> Result<bool> {
    if !store.standing_wishes().await?.is_empty() {
        return Ok(true);
    }
    for planned in &plan.shops {
        if !store.steps(&planned.shop, 0).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) async fn context(setup: &Setup, plan: Plan) -> Result<Context> {
    let mapping = Arc::new(compile(&plan)?);
    let tables = Arc::new(mapping.tables().to_vec());
    let source = Source::connect(&plan.source, tables, "balik").await?;
    let staged = Staged::open(&setup.work.join("staged.sqlite"), mapping.clone())?;
    let position = staged.position()?.map_or(0, |position| position.0);
    let totals: Vec<(&str, &str)> = plan.totals.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
    let policy = Policy::parse(&plan.policy)?;
    Ok(Context {
        store: setup.store.under_lease(LEASE, &setup.holder),
        source,
        staged,
        throttle: Arc::new(Throttle::new(policy.unthrottled)),
        policy: Arc::new(policy),
        totals: Arc::new(Totals::parse(&totals)?),
        fingerprints: Fingerprints::new(&plan, &mapping),
        mapping,
        plan: Arc::new(plan),
        links: setup.links.clone(),
        clock: setup.clock.clone(),
        accounts: Arc::new(setup.accounts.clone()),
        holder: setup.holder.as_str().into(),
        without: Arc::new(setup.without.clone()),
        stream: Arc::new(StreamState::new(position)),
        classes: crate::derive::Classes::default(),
        orphans: Arc::default(),
        findings: Arc::new(FindingMemory::default()),
        owned: Arc::new(Owned::default()),
        dials: Arc::new(Dials::load(&setup.store).await?),
        waits: Arc::default(),
        fault: Arc::new(Armed::new(setup.fault)),
        trouble: Arc::default(),
        rereads: Arc::default(),
        taking_ids: Arc::default(),
    })
}

async fn move_all(setup: &Setup, plan: Plan) -> Result<()> {
    let cx = context(setup, plan).await?;
    let planned: Vec<ShopId> = cx.plan.shops.iter().map(|planned| planned.shop.clone()).collect();
    let begun = begun(&cx, &planned).await?;
    let mut fleet =
        Fleet { cx: cx.clone(), planned, board: Board::default(), drivers: BTreeMap::new(), tasks: JoinSet::new() };
    own(&cx, &fleet.planned).await?;
    let whole = guards_stand(&cx, &begun).await?;
    let mut workers: JoinSet<Result<()>> = JoinSet::new();
    workers.spawn(renew(setup.clone()));
    workers.spawn(write_board(setup.clone(), cx.clone(), fleet.board.clone()));
    // Holds end first: an install waits for whoever writes there.
    begun.keys().for_each(|shop| fleet.start(shop));
    if begun.len() < fleet.planned.len() || !whole {
        tokio::select! {
            installed = install(&cx, &fleet) => installed?,
            ended = workers.join_next() => return ended_with(ended),
        }
    }
    workers.spawn(again("the change stream", cx.clone(), |cx| async move {
        stream::stage(&cx).await.inspect_err(|error| cx.trouble.note(error))
    }));
    workers.spawn(again("the heartbeat", cx.clone(), |cx| async move { stream::heartbeat(&cx).await }));
    workers.spawn(again("the blocks of ids", cx.clone(), |cx| async move { keep_blocks(&cx).await }));
    let board = fleet.board.clone();
    workers.spawn(again("the throttle", cx.clone(), move |cx| {
        let board = board.clone();
        async move { throttle::watch(&cx, &board).await }
    }));
    tokio::select! {
        ended = workers.join_next() => ended_with(ended),
        wished = fleet.follow_wishes() => wished,
    }
}

fn ended_with(ended: Option<std::result::Result<Result<()>, JoinError>>) -> Result<()> {
    match ended {
        Some(Ok(ended)) => ended,
        Some(Err(_)) | None => Err(Error::Task("a worker of the mover")),
    }
}

/// An install that takes longer says what it waits for.
const INSTALL_QUIET: Duration = Duration::from_secs(1);

/// Installs for every shop; the change stream cannot begin before whoever writes now has ended, and says so.
async fn install(cx: &Context, fleet: &Fleet) -> Result<()> {
    let telling = async {
        loop {
            tokio::time::sleep(INSTALL_QUIET).await;
            let open = cx.source.keeps_from_installing().await?;
            for shop in fleet.planned.iter().filter(|shop| !fleet.drivers.contains_key(*shop)) {
                let waits_for = format!("open transactions of the source's server: {open}");
                fleet
                    .board
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(shop.clone(), Seen::planned(waits_for));
            }
        }
    };
    tokio::select! {
        installed = cx.source.install(&fleet.planned) => installed?,
        told = telling => return told,
    }
    let mut board = fleet.board.lock().unwrap_or_else(PoisonError::into_inner);
    board.retain(|shop, _| fleet.drivers.contains_key(shop));
    Ok(())
}

/// The shops of which a mover before this one has recorded a step, and where they stand.
async fn begun(cx: &Context, planned: &[ShopId]) -> Result<BTreeMap<ShopId, State>> {
    let mut begun = BTreeMap::new();
    for shop in planned {
        if !records::load(&cx.store, shop).await?.is_empty() {
            begun.insert(shop.clone(), stands(&cx.store, shop).await?.1);
        }
    }
    Ok(begun)
}

/// Whether capture and fence still stand as the mover before this one left them. What was written to a table that has
/// lost them meanwhile is not in the stream, so the shops that were begun stop; an install alone would hide it.
async fn guards_stand(cx: &Context, begun: &BTreeMap<ShopId, State>) -> Result<bool> {
    let moving: Vec<&ShopId> =
        begun.iter().filter(|(_, state)| **state != State::Sealed).map(|(shop, _)| shop).collect();
    if moving.is_empty() {
        return Ok(true);
    }
    let missing = cx.source.missing_guards().await?;
    if !missing.is_empty() {
        for shop in moving {
            observe::tell_missing(cx, shop, &missing).await?;
        }
    }
    Ok(missing.is_empty())
}

/// Says, before the first row is staged, whose writes are a rogue's.
async fn own(cx: &Context, planned: &[ShopId]) -> Result<()> {
    for head in cx.store.heads().await? {
        if head.owner == Side::Backend && planned.contains(&head.shop) {
            let records = records::load(&cx.store, &head.shop).await?;
            let there = records.iter().rev().filter(|record| record.direction == Direction::ToBackend);
            let mark = there.filter_map(|record| record.mark).next();
            let mark = mark.unwrap_or(0);
            cx.owned.set(&head.shop, mark);
        }
    }
    Ok(())
}

/// Repeats work that runs until the world fails.
async fn again<F>(what: &'static str, cx: Context, work: impl Fn(Context) -> F + Send) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    loop {
        if let Err(error) = work(cx.clone()).await {
            tracing::warn!(%error, "{what} failed and is tried again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn keep_blocks(cx: &Context) -> Result<()> {
    loop {
        // Before the first shop is tracked nobody needs an id; the first block is taken then.
        let mut begun = false;
        for block in cx.mapping.blocks() {
            begun |= !cx.store.blocks(&cx.mapping.tables()[block.table].name).await?.is_empty();
        }
        if begun {
            blocks::refill(cx).await?;
        }
        tokio::time::sleep(HOUSEKEEPING).await;
    }
}

/// The drivers.
struct Fleet {
    cx: Context,
    planned: Vec<ShopId>,
    board: Board,
    drivers: BTreeMap<ShopId, watch::Sender<Wishes>>,
    tasks: JoinSet<()>,
}

impl Fleet {
    fn start(&mut self, shop: &ShopId) {
        if self.drivers.contains_key(shop) {
            return;
        }
        let (wishes, wished) = watch::channel(Wishes::default());
        self.drivers.insert(shop.clone(), wishes);
        let (cx, shop, board) = (self.cx.clone(), shop.clone(), self.board.clone());
        self.tasks.spawn(drive(cx, shop, wished, board));
    }

    async fn follow_wishes(&mut self) -> Result<()> {
        loop {
            let standing = self.cx.store.standing_wishes().await?;
            for shop in self.planned.clone() {
                let started = standing
                    .iter()
                    .filter(|wish| wishes::is_open(wish))
                    .any(|wish| Verb::from_name(&wish.wish.verb) == Some(Verb::Start) && wishes::concerns(wish, &shop));
                if started {
                    self.start(&shop);
                }
                if let Some(driver) = self.drivers.get(&shop) {
                    let wanted = wishes::of_shop(&standing, &shop);
                    driver.send_if_modified(|now| {
                        let changed = *now != wanted;
                        *now = wanted;
                        changed
                    });
                }
            }
            dial::turn(&self.cx, &standing, &self.planned).await?;
            accept::turn(&self.cx, &standing).await?;
            let board = self.board.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let begun = |shop: &ShopId| self.drivers.contains_key(shop);
            reread::turn(&self.cx, &standing, &self.planned, begun, &board).await?;
            for (id, came_true) in wishes::fulfilled(&standing, &self.planned, &board) {
                self.cx.store.close_wish(id, Record::default().with("fulfilled", came_true)).await?;
            }
            tokio::time::sleep(WISHES_EVERY).await;
        }
    }
}

/// Drives one shop; after an error in the world it begins again from the records.
async fn drive(cx: Context, shop: ShopId, wishes: watch::Receiver<Wishes>, board: Board) {
    loop {
        let driven = async { Driver::new(cx.clone(), shop.clone(), wishes.clone(), board.clone()).await?.run().await };
        match driven.await {
            // Another mover acts now; this one is ended by its own lease.
            Ok(()) | Err(Error::LeaseLost) => return,
            Err(error) => {
                tracing::warn!(%shop, %error, "the driver of a shop begins again");
                if let Some(seen) = board.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&shop) {
                    seen.fails(trouble::code(&error));
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
