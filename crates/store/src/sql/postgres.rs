//! A connection to PostgreSQL for a thread that may wait: statements are prepared once, what nobody waits for is sent with the
//! next that somebody does, and a server that went away is looked for again when the next transaction begins.
//!
//! A transaction begins with its first statement and in one breath with it. Until then nothing of it has happened, so a server
//! that is found gone there is looked for and told the same again.

use super::exchange::{Answer, Asked, Cells, Form, Later, Said, in_order};
use super::failure::{Failed, Failure};
use super::open::{Open, Plans};
use super::value::{Owned, Value};
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Config, Row, Statement};

/// A server that says nothing for so long is taken for one that went away.
///
/// With the two others it is less than the fifteen seconds that clients wait: they are told to come back.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// For what looks at a whole shop, and for new tables.
const LONG_MAX: Duration = Duration::from_secs(3_600);
/// To the first word of a transaction an answer is simple.
const BEGIN_MAX: Duration = Duration::from_secs(3);
const FAILS_FOR: Duration = Duration::from_secs(1);
/// Statements that are kept to be sent with the next.
const LATER_MAX: usize = 256;

pub const SNAPSHOT: &str = "begin isolation level repeatable read, read only";

/// Where a connection stands. What is said outside of a transaction is refused here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Outside,
    /// So it begins, with the first that is waited for.
    Begins(&'static str, &'static str),
    /// It takes one question, or several together, and is over.
    Once,
    Inside,
    /// Something failed. What stands now only a rollback makes known.
    Spoiled,
}

pub struct Postgres {
    config: Config,
    plans: Plans,
    /// Of this connection alone; taken when it is dropped.
    runtime: Option<Runtime>,
    open: RefCell<Open>,
    /// Nobody answered then: whoever comes in the second after it is told so, and does not wait for as long again.
    failed_at: Cell<Option<Instant>>,
    /// In this transaction.
    answer_max: Cell<Duration>,
    stage: Cell<Stage>,
    later: RefCell<Vec<Later>>,
    /// How often an answer was waited for.
    #[cfg(test)]
    pub trips: Cell<usize>,
}

/// Where what was said broke off.
struct Broken {
    nth: usize,
    /// Nothing has been answered.
    unheard: bool,
    failure: Failure,
}

impl Postgres {
    /// # Errors
    /// The address is none, or nobody answers there.
    pub fn connect(url: &str, plans: Plans) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
        // What a parser says of an address may have its password in it.
        let config = is_url.then(|| url.parse::<Config>().ok()).flatten();
        let config = config.ok_or("it is no address of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let open = RefCell::new(Open::new(&config, plans, &runtime)?);
        Ok(Self {
            config,
            plans,
            runtime: Some(runtime),
            open,
            failed_at: Cell::default(),
            answer_max: Cell::new(ANSWER_MAX),
            stage: Cell::new(Stage::Outside),
            later: RefCell::default(),
            #[cfg(test)]
            trips: Cell::default(),
        })
    }

    pub fn is_gone(&self) -> bool {
        let open = self.open.borrow();
        open.given_up.get() || open.client.is_closed()
    }

    pub fn is_in_transaction(&self) -> bool {
        self.stage.get() != Stage::Outside && !self.is_gone()
    }

    /// A transaction begins so, with the first statement of it that is waited for. A server that went away since the last one is found
    /// out there, and looked for again.
    pub fn begin(&self, what: &'static str, sql: &'static str) -> Result<(), Failed> {
        self.start(what, Stage::Begins(what, sql))
    }

    /// The same for one question, or several that are asked together: they are of one snapshot, and it is over with them.
    pub fn begin_once(&self, what: &'static str) -> Result<(), Failed> {
        self.start(what, Stage::Once)
    }

    fn start(&self, what: &'static str, stage: Stage) -> Result<(), Failed> {
        self.answer_max.set(ANSWER_MAX);
        self.later.borrow_mut().clear();
        self.stage.set(Stage::Outside);
        self.renew().map_err(|failure| Failed { what, failure })?;
        self.stage.set(stage);
        Ok(())
    }

    /// Connects again where the server went away.
    fn renew(&self) -> Result<(), Failure> {
        if !self.is_gone() {
            return Ok(());
        }
        let Some(runtime) = &self.runtime else { return Ok(()) };
        if self.failed_at.get().is_some_and(|at| at.elapsed() < FAILS_FOR) {
            return Err(Failure::Silent);
        }
        match Open::new(&self.config, self.plans, runtime) {
            Ok(open) => {
                *self.open.borrow_mut() = open;
                Ok(())
            }
            Err(failure) => {
                self.failed_at.set(Some(Instant::now()));
                Err(failure)
            }
        }
    }

    pub fn query(&self, asked: Vec<Asked<'_>>) -> Result<Vec<Vec<Row>>, Failed> {
        Ok(self.ask(asked, self.answer_max.get())?.into_iter().map(Answer::rows).collect())
    }

    pub fn execute(&self, what: &'static str, sql: &str, values: &[Value<'_>]) -> Result<usize, Failed> {
        let asked = Asked { what, said: Said::Execute(sql, Cells::One(values.to_vec())) };
        Ok(self.ask(vec![asked], self.answer_max.get())?.pop().map_or(0, Answer::changed))
    }

    /// Says it with the next that is waited for: nobody minds how many rows it changes. Its failure is the answer to that. Of
    /// several rows it is said at once.
    pub fn defer(&self, what: &'static str, sql: &'static str, rows: Option<Vec<Vec<Owned>>>) -> Result<(), Failed> {
        let said = Later { what, sql, rows };
        if let Some(form) = said.statement() {
            self.know(what, form)?;
        }
        let full = {
            let mut later = self.later.borrow_mut();
            later.push(said);
            later.len() >= LATER_MAX
        };
        if full { self.settle() } else { Ok(()) }
    }

    /// Waits for all that was deferred.
    pub fn settle(&self) -> Result<(), Failed> {
        if self.later.borrow().is_empty() {
            return Ok(());
        }
        self.ask(Vec::new(), self.answer_max.get()).map(drop)
    }

    /// Prepares a statement of a transaction that has begun, behind all that was to be said before it: where that fails, and the
    /// transaction with it, nothing is lost that an undo would have to know of.
    fn know(&self, what: &'static str, form: Form<'_>) -> Result<(), Failed> {
        let begun = matches!(self.stage.get(), Stage::Inside | Stage::Spoiled);
        if !begun || self.open.borrow().knows(form) {
            return Ok(());
        }
        self.settle()?;
        let prepared = self.prepared(&self.open.borrow(), form, self.answer_max.get());
        prepared.map(drop).map_err(|failure| {
            self.stage.set(Stage::Spoiled);
            Failed { what, failure }
        })
    }

    /// Statements without cells and rows, one behind the other.
    pub fn batch(&self, what: &'static str, sql: &str) -> Result<(), Failed> {
        self.ask(vec![Asked::command(what, sql)], LONG_MAX).map(drop)
    }

    /// A statement without cells and rows.
    fn command(&self, what: &'static str, sql: &str) -> Result<(), Failed> {
        self.ask(vec![Asked::command(what, sql)], self.answer_max.get()).map(drop)
    }

    /// Undoes what was done since this savepoint, which stays for nobody.
    pub fn undo(&self, what: &'static str, savepoint: &'static str, undo: &'static str) -> Result<(), Failed> {
        let mut later = self.later.borrow_mut();
        if let Some(at) = later.iter().position(|later| later.sql == savepoint) {
            // Nothing of it has been said yet.
            later.truncate(at);
            return Ok(());
        }
        later.clear();
        drop(later);
        self.command(what, undo)
    }

    /// Says what was deferred where the transaction would begin with it. In one breath with a commit nobody would know, if it was not
    /// answered, whether it had begun.
    pub fn settle_begin(&self) -> Result<(), Failed> {
        if matches!(self.stage.get(), Stage::Begins(..)) { self.settle() } else { Ok(()) }
    }

    /// Commits, and with it in one breath what was deferred.
    pub fn commit(&self, what: &'static str) -> Result<(), Failed> {
        self.settle_begin()?;
        match self.stage.get() {
            Stage::Begins(..) => self.stage.set(Stage::Outside),
            Stage::Inside => {
                self.command(what, "commit")?;
                self.stage.set(Stage::Outside);
            }
            Stage::Outside | Stage::Once => return Err(Failed { what, failure: Failure::Outside }),
            Stage::Spoiled => return Err(Failed { what, failure: Failure::Spoiled }),
        }
        Ok(())
    }

    pub fn rollback(&self, what: &'static str) -> Result<(), Failed> {
        self.later.borrow_mut().clear();
        let stage = self.stage.get();
        let ended = match stage {
            Stage::Outside | Stage::Begins(..) | Stage::Once => Ok(()),
            Stage::Inside | Stage::Spoiled => self.command(what, "rollback"),
        };
        self.stage.set(Stage::Outside);
        ended
    }

    /// What follows in this transaction looks at much.
    pub fn takes_long(&self) {
        self.answer_max.set(LONG_MAX);
    }

    /// Says what was deferred and then this; answers to this.
    fn ask(&self, asked: Vec<Asked<'_>>, max: Duration) -> Result<Vec<Answer>, Failed> {
        for asked in &asked {
            if let Some(form) = asked.statement() {
                self.know(asked.what, form)?;
            }
        }
        let (stage, count) = (self.stage.get(), asked.len());
        let kept = self.later.take();
        let mut all = Vec::with_capacity(count + kept.len() + 2);
        match stage {
            Stage::Begins(what, sql) => all.push(Asked::command(what, sql)),
            Stage::Once if count > 1 => all.push(Asked::command("begin of a read", SNAPSHOT)),
            Stage::Once | Stage::Inside | Stage::Spoiled => {}
            Stage::Outside => {
                let what = asked.first().map_or("statement", |asked| asked.what);
                return Err(Failed { what, failure: Failure::Outside });
            }
        }
        all.extend(kept.iter().map(Later::asked));
        all.extend(asked);
        let behind = usize::from(stage == Stage::Once && count > 1);
        if behind > 0 {
            all.push(Asked::command("end of a read", "rollback"));
        }
        let begins = matches!(stage, Stage::Begins(..) | Stage::Once);
        let answered = self.tell(&all, begins, max);
        self.stage.set(match (&answered, stage) {
            (Ok(_), Stage::Once) => Stage::Outside,
            (Ok(_), _) => Stage::Inside,
            (Err(_), _) => Stage::Spoiled,
        });
        let mut answers = answered?;
        answers.truncate(answers.len() - behind);
        Ok(answers.split_off(answers.len() - count))
    }

    /// Where the first of a transaction cannot be said because the server is gone, all of it is said once more to who is there then.
    fn tell(&self, all: &[Asked<'_>], begins: bool, max: Duration) -> Result<Vec<Answer>, Failed> {
        let named = |broken: Broken| Failed { what: all[broken.nth].what, failure: broken.failure };
        let told = self.exchange(all, if begins { BEGIN_MAX } else { max }, max);
        match told {
            Err(Broken { unheard: true, .. }) if begins && self.is_gone() => {}
            told => return told.map_err(named),
        }
        self.renew().map_err(|failure| named(Broken { nth: 0, unheard: true, failure }))?;
        let first_max = if all[0].statement().is_none() { BEGIN_MAX } else { max };
        self.exchange(all, first_max, max).map_err(named)
    }

    fn exchange(&self, all: &[Asked<'_>], first_max: Duration, max: Duration) -> Result<Vec<Answer>, Broken> {
        let Some(runtime) = &self.runtime else { unreachable!("the runtime is taken by the drop only") };
        let open = self.open.borrow();
        let mut ready = Vec::with_capacity(all.len());
        for (nth, asked) in all.iter().enumerate() {
            let prepared = asked.statement().map(|form| self.prepared(&open, form, first_max)).transpose();
            ready.push((asked, prepared.map_err(|failure| Broken { nth, unheard: true, failure })?));
        }
        #[cfg(test)]
        self.trips.set(self.trips.get() + 1);
        let answered = runtime.block_on(in_order(&open.client, &ready, (first_max, max), || open.give_up()));
        answered.map_err(|(nth, failure)| {
            if failure.is_a_farewell() {
                open.give_up();
            }
            Broken { nth, unheard: nth == 0, failure }
        })
    }

    fn prepared(&self, open: &Open, form: Form<'_>, max: Duration) -> Result<Statement, Failure> {
        let Some(runtime) = &self.runtime else { unreachable!("the runtime is taken by the drop only") };
        open.prepared(runtime, form, max.min(ANSWER_MAX))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Whoever drops it may be a task of another runtime, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
