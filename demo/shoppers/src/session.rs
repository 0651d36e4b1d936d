//! One run: learn the shelves, say ready, then one loop over what the supervisor tells and what the clock says.

use crate::check;
use crate::client::Client;
use crate::closing;
use crate::journal::Journal;
use crate::judge::shown;
use crate::line::{Said, Tell, say};
use crate::options::Options;
use crate::oracle::{Entry, Oracle};
use crate::payers::Payers;
use crate::plan::Plan;
use crate::traffic::{PULSE, Traffic};
use crate::truth::Truth;
use crate::world::World;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::Write;
use std::rc::Rc;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::sync::mpsc;
use tokio::time::{Duration, MissedTickBehavior, interval};

/// Pages of a shop's shelf that shoppers buy from.
const SHELF_PAGES_MAX: u32 = 4;
const SHELF_PAGE: u32 = 50;
/// Requests of the last traffic and checks that may still be out when it ends: one that fails takes 15 s.
const DRAIN_MAX: Duration = Duration::from_secs(40);
const CHECKS_MAX: usize = 256;

/// Runs on the current thread until `finish` or the end of the input. Must be polled inside a `LocalSet`.
pub async fn run(options: Options, input: impl AsyncBufRead + Unpin, output: &mut dyn Write) -> anyhow::Result<()> {
    let client = Client::new(options.addresses.clone())?;
    let (journal, entries) = Journal::open::<Entry>(&options.journal)?;
    let mut oracle = Oracle::new(options.without.clone());
    entries.into_iter().for_each(|entry| oracle.replay(entry));
    let world = Rc::new(World::new(client, journal, oracle, options.surge > 0));
    open(&world, &options).await?;
    say(output, &Said::Ready)?;
    serve(world, &options, input, output).await
}

/// Takes the opening stock of shops that are new to the journal, and every shop's shelf.
async fn open(world: &World, options: &Options) -> anyhow::Result<()> {
    world.journal.append(&Entry::Run { seed: options.seed }).await?;
    let truth = Truth::new(&world.client.addresses().databases);
    for shop in &options.shops {
        if !world.oracle.borrow().memories.contains_key(shop) {
            let opening = truth.opening(shop).await.with_context(|| format!("opening stock of shop {shop}"))?;
            world.journal.append(&Entry::Opening(opening.clone())).await?;
            world.oracle.borrow_mut().open(opening);
        }
        learn_shelf(world, shop).await?;
    }
    Ok(())
}

async fn learn_shelf(world: &World, shop: &str) -> anyhow::Result<()> {
    let mut cursor: Option<String> = None;
    for _ in 0..SHELF_PAGES_MAX {
        let exchange = world.client.send(&Plan::search(shop, "", cursor.as_deref(), SHELF_PAGE)).await;
        let Some(answer) = exchange.answer.filter(|answer| answer.status == 200) else {
            bail!("shop {shop} does not show its shelf");
        };
        if let Some(memory) = world.oracle.borrow_mut().memories.get_mut(shop) {
            shown(&answer.body).iter().for_each(|(product, price)| memory.stocked(product, *price));
        }
        cursor = answer.body.pointer("/pagination/cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

async fn serve(
    world: Rc<World>,
    options: &Options,
    input: impl AsyncBufRead + Unpin,
    output: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut traffic = Traffic::new(Rc::clone(&world), options);
    let payers = Payers::start(&world, options);
    let mut lines = input.lines();
    let (mut pulse, mut second) = (interval(PULSE), interval(Duration::from_secs(1)));
    pulse.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (checked, mut checks) = mpsc::channel(CHECKS_MAX);
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                None => return Ok(()),
                Some(line) => {
                    let tell = serde_json::from_str(&line).with_context(|| format!("line `{line}`"))?;
                    if told(&world, &mut traffic, &checked, tell) {
                        break;
                    }
                }
            },
            Some(said) = checks.recv() => say(output, &said)?,
            _ = pulse.tick() => traffic.pulse(),
            _ = second.tick() => {
                still_sound(&world)?;
                say(output, &tick(&world, &traffic))?;
            }
        }
    }
    world.finishing.set(true);
    drain(&world, &payers).await?;
    // The checks that were still under way have said what they found by now.
    while let Ok(said) = checks.try_recv() {
        say(output, &said)?;
    }
    say(output, &tick(&world, &traffic))?;
    closing::close(&world).await?.iter().try_for_each(|said| say(output, said))
}

/// Says whether to finish.
fn told(world: &Rc<World>, traffic: &mut Traffic, checked: &mpsc::Sender<Said>, tell: Tell) -> bool {
    match tell {
        Tell::Phase { phase } => world.phase.set(phase),
        Tell::Surge { shop, rate } => traffic.surge(&shop, rate),
        Tell::Hold { shop, on } => world.hold(&shop, on),
        Tell::Check { shop } => check_beside(world, checked.clone(), shop),
        Tell::Finish => return true,
    }
    false
}

/// Checks a shop while everybody goes on.
fn check_beside(world: &Rc<World>, checked: mpsc::Sender<Said>, shop: String) {
    world.in_flight.set(world.in_flight.get() + 1);
    let world = Rc::clone(world);
    tokio::task::spawn_local(async move {
        match check::shop(&world, &shop).await {
            // The loop may have ended: then nobody listens any more.
            Ok(found) => drop(checked.try_send(found.said(&shop))),
            Err(error) => {
                world.fatal.borrow_mut().get_or_insert(error);
            }
        }
        world.in_flight.set(world.in_flight.get() - 1);
    });
}

fn tick(world: &World, traffic: &Traffic) -> Said {
    let mut tally = world.tally.borrow_mut();
    let (p50_us, p99_us) = (tally.second.quantile(5_000), tally.second.quantile(9_900));
    tally.second.clear();
    Said::Tick {
        requests: tally.sum(|counts| counts.sent),
        ok: tally.sum(|counts| counts.ok),
        refused: tally.sum(|counts| counts.refused),
        retried: tally.sum(|counts| counts.retried),
        failed: tally.sum(|counts| counts.failed),
        wrong: tally.sum(|counts| counts.wrong),
        in_flight: world.in_flight.get(),
        skipped: traffic.skipped,
        p50_us,
        p99_us,
    }
}

fn still_sound(world: &World) -> anyhow::Result<()> {
    world.fatal.borrow_mut().take().map_or(Ok(()), Err)
}

/// Waits for whatever is still out.
async fn drain(world: &World, payers: &Payers) -> anyhow::Result<()> {
    payers.settled(world).await;
    let deadline = tokio::time::Instant::now() + DRAIN_MAX;
    while world.in_flight.get() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    still_sound(world)
}
