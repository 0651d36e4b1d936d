//! The cashier: asks the provider, puts down what it says, and does what follows.
//!
//! Invariant: nothing that has an effect at the provider is asked for before it is on record. A charge or a refund goes out
//! any time after that, under the same reference or key. That a try is to end, and that something goes out once more, is
//! committed each time first: where the rows of a shop are not ours to write any more, that fails, and the provider is not
//! told. What was put on record before may still go out then, and is the same as what the new owner sends.
//! No code, key, name or account is in a line of the log.

use crate::database::{Database, Transaction};
use crate::invoice::Links;
use crate::loket::{Answer, Loket, RefundAnswer, notice};
use crate::pesanan::begin::{self, Chosen};
use crate::pesanan::hear::{self, News, Put};
use crate::pesanan::{self, Act, Fate, Method, Pesanan, RefundState, back};
use crate::rounds::Rounds;
use crate::shop::Ctx;
use crate::wire::Stop;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long a buyer waits for the provider before the page says that it is being asked.
const SOON: Duration = Duration::from_millis(300);
/// Ends of codes before it is enough.
const CHOICES_MAX: usize = 3;
/// A database that does not let something through is complained about once in so many seconds.
const COMPLAIN_S: i64 = 60;

/// A clone is the same one.
#[derive(Clone)]
pub struct Cashier(Arc<Inner>);

struct Inner {
    database: Database,
    loket: Loket,
    links: Links,
    rounds: Rounds,
    complained: AtomicI64,
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noticed {
    /// The provider was asked, and what it said is committed.
    Heard,
    Unsigned,
    Unreadable,
    /// Nobody here knows what it is about.
    Unknown,
    /// It has to be told again.
    Later,
}

impl Cashier {
    pub fn new(database: Database, loket: Loket, links: Links) -> Self {
        let (rounds, complained) = (Rounds::default(), AtomicI64::new(i64::MIN / 2));
        Self(Arc::new(Inner { database, loket, links, rounds, complained }))
    }

    pub fn database(&self) -> &Database {
        &self.0.database
    }

    pub fn rounds(&self) -> &Rounds {
        &self.0.rounds
    }

    pub fn grace_s(&self) -> i64 {
        self.0.loket.grace_s
    }

    /// The buyer pays in this way. Why not, where that is known soon; the work goes on if it is not.
    ///
    /// # Errors
    /// What the database says to the first write; then nothing was begun.
    pub async fn choose(&self, shop: i64, id: &str, method: Method) -> Result<Option<&'static str>, Stop> {
        let chosen = match self.begin(shop, id, method).await {
            Ok(chosen) => chosen,
            Err(Stop::Refused(refusal)) => return Ok(Some(refusal.code)),
            Err(stop) => return Err(stop),
        };
        let (cashier, id) = (self.clone(), id.to_owned());
        let going_on = tokio::spawn(async move { cashier.go_on(shop, &id, method, chosen).await });
        match tokio::time::timeout(SOON, going_on).await {
            Ok(Ok(Ok(refused))) => Ok(refused),
            // It is on record, and is gone on with by whoever looks next.
            Ok(Ok(Err(stop))) => {
                self.complain(&stop);
                Ok(None)
            }
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    async fn begin(&self, shop: i64, id: &str, method: Method) -> Result<Chosen, Stop> {
        let (links, id) = (self.0.links.clone(), id.to_owned());
        let work = move |tx: &mut Transaction<'_>| {
            let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
            begin::choose(tx, &ctx, &id, method)
        };
        self.write(shop, work, |chosen| *chosen != Chosen::Stands).await
    }

    /// Writes something of a shop. Where a guard says that its rows are not ours, rounds leave the shop alone for a while.
    async fn write<T, F>(&self, shop: i64, work: F, has_changed: impl Fn(&T) -> bool) -> Result<T, Stop>
    where
        T: Send + 'static,
        F: Fn(&mut Transaction<'_>) -> Result<T, Stop> + Send + 'static,
    {
        let done = self.0.database.write(work).await;
        match &done {
            Ok(done) if has_changed(done) => self.rounds().ours(shop),
            Err(stop) if stop.is_guard() => self.rounds().not_ours(shop),
            Ok(_) | Err(_) => {}
        }
        done
    }

    async fn go_on(
        &self,
        shop: i64,
        id: &str,
        method: Method,
        mut chosen: Chosen,
    ) -> Result<Option<&'static str>, Stop> {
        for _ in 0..CHOICES_MAX {
            match chosen {
                Chosen::Stands => return Ok(None),
                Chosen::Recorded(pending, number) => {
                    if let Some(it) = self.look(pending).await? {
                        self.charge(&it, number).await?;
                    }
                    return Ok(None);
                }
                Chosen::Replaces(pending, number) => {
                    let Some(it) = self.look(pending).await? else { return Ok(None) };
                    if self.end(&it, number).await?.is_none_or(|after| after.live().is_some()) {
                        return Ok(Some("payment_in_progress"));
                    }
                }
            }
            chosen = match self.begin(shop, id, method).await {
                Ok(chosen) => chosen,
                Err(Stop::Refused(refusal)) => return Ok(Some(refusal.code)),
                Err(stop) => return Err(stop),
            };
        }
        Ok(Some("payment_in_progress"))
    }

    /// The buyer has said where money goes back to.
    ///
    /// # Errors
    /// What the database says.
    pub async fn pay_out(&self, shop: i64, id: &str, account: String) -> Result<Option<&'static str>, Stop> {
        let (links, id) = (self.0.links.clone(), id.to_owned());
        let work = move |tx: &mut Transaction<'_>| {
            let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
            back::pay_out(tx, &ctx, &id, &account)
        };
        match self.write(shop, work, |sends| !sends.is_empty()).await {
            Ok(sends) => {
                for (pending, number) in sends {
                    self.send_later(pending, vec![number]);
                }
                Ok(None)
            }
            Err(Stop::Refused(refusal)) => Ok(Some(refusal.code)),
            Err(stop) => Err(stop),
        }
    }

    /// A notice came in: what it is about, the provider is asked.
    pub async fn notice(&self, signature: &str, body: &[u8]) -> Noticed {
        if !self.0.loket.signed(signature, body) {
            return Noticed::Unsigned;
        }
        let Some(reference) = notice::reference(body) else { return Noticed::Unreadable };
        match self.hear_of(reference).await {
            Ok(noticed) => noticed,
            Err(stop) => {
                self.complain(&stop);
                Noticed::Later
            }
        }
    }

    async fn hear_of(&self, reference: String) -> Result<Noticed, Stop> {
        let found = self.0.database.read(move |tx| Ok(hear::referred(tx, &reference)?)).await?;
        let Some((pending, number)) = found else { return Ok(Noticed::Unknown) };
        let Some(it) = self.look(pending).await? else { return Ok(Noticed::Unknown) };
        let Some(of) = it.try_of(number) else { return Ok(Noticed::Unknown) };
        let asked_at = Timestamp::now();
        let said = self.0.loket.query(of).await;
        if matches!(said.answer, Answer::Nothing | Answer::NotFound) {
            return Ok(Noticed::Later);
        }
        self.put(&it, vec![News { number, asked_at, said }]).await?;
        Ok(Noticed::Heard)
    }

    /// Something was committed about one: its refunds are sent, and it is looked at soon.
    pub fn go_on_with(&self, pending: i64, sends: Vec<i64>) {
        self.0.rounds.soon(pending);
        self.send_later(pending, sends);
    }

    /// One as it stands.
    ///
    /// # Errors
    /// What the database says.
    pub async fn look(&self, id: i64) -> Result<Option<Pesanan>, Stop> {
        self.0.database.read(move |tx| Ok(pesanan::find(tx, id)?)).await
    }

    /// Does one thing that is planned.
    ///
    /// # Errors
    /// What the database says: nothing was asked for that would have an effect.
    pub async fn perform(&self, it: &Pesanan, act: Act) -> Result<(), Stop> {
        let id = it.id;
        match act {
            Act::Ask(number) => self.ask(it, number).await,
            Act::Expire(number) => {
                let work = move |tx: &mut Transaction<'_>| Ok(begin::telling_end(tx, Timestamp::now(), id, number)?);
                match self.write(it.shop, work, Option::is_some).await? {
                    Some(it) => self.end(&it, number).await.map(drop),
                    None => Ok(()),
                }
            }
            Act::LastLook => self.last_look(it).await,
            Act::Follow => self.put(it, Vec::new()).await.map(drop),
            Act::AskRefund(number) => self.ask_refund(it, number).await,
            Act::SendRefund(number) => self.send_again(it, number).await,
        }
    }

    /// Asks for the money of a try that is on record.
    async fn charge(&self, it: &Pesanan, number: i64) -> Result<(), Stop> {
        let Some(of) = it.try_of(number) else { return Ok(()) };
        let asked_at = Timestamp::now();
        let said = self.0.loket.charge(it, of).await;
        self.put(it, vec![News { number, asked_at, said }]).await.map(drop)
    }

    /// What became of a try; one that the provider does not know goes out again.
    async fn ask(&self, it: &Pesanan, number: i64) -> Result<(), Stop> {
        let Some(of) = it.try_of(number) else { return Ok(()) };
        let asked_at = Timestamp::now();
        let said = self.0.loket.query(of).await;
        let unknown = said.answer == Answer::NotFound && of.fate.is_unknown();
        self.put(it, vec![News { number, asked_at, said }]).await?;
        if !unknown {
            return Ok(());
        }
        let id = it.id;
        let work = move |tx: &mut Transaction<'_>| Ok(begin::sending_again(tx, Timestamp::now(), id, number)?);
        match self.write(it.shop, work, Option::is_some).await? {
            Some(it) => self.charge(&it, number).await,
            None => Ok(()),
        }
    }

    /// Tells the provider that nobody is to pay a try any more. What stands afterwards.
    async fn end(&self, it: &Pesanan, number: i64) -> Result<Option<Pesanan>, Stop> {
        let Some(of) = it.try_of(number) else { return Ok(None) };
        let asked_at = Timestamp::now();
        let said = self.0.loket.expire(of).await;
        self.put(it, vec![News { number, asked_at, said }]).await.map(Some)
    }

    async fn last_look(&self, it: &Pesanan) -> Result<(), Stop> {
        let mut news = Vec::new();
        for of in it.tries.iter().filter(|of| matches!(of.fate, Fate::Over | Fate::Paid)) {
            let asked_at = Timestamp::now();
            let said = self.0.loket.query(of).await;
            news.push(News { number: of.number, asked_at, said });
        }
        self.put(it, news).await.map(drop)
    }

    /// Puts down what was said, and sends what goes back.
    async fn put(&self, it: &Pesanan, news: Vec<News>) -> Result<Pesanan, Stop> {
        let (links, grace_s, id) = (self.0.links.clone(), self.grace_s(), it.id);
        for it in &news {
            self.0.rounds.asked(id, it.number, it.asked_at);
        }
        let work = move |tx: &mut Transaction<'_>| hear::put_down(tx, &links, id, &news, grace_s);
        let put = self.write(it.shop, work, |put| put.has_changed).await?;
        Ok(self.put_down(put))
    }

    fn put_down(&self, put: Put) -> Pesanan {
        self.send_later(put.it.id, put.sends);
        put.it
    }

    fn send_later(&self, id: i64, sends: Vec<i64>) {
        for number in sends {
            let cashier = self.clone();
            tokio::spawn(async move {
                if let Err(stop) = cashier.send(id, number).await {
                    cashier.complain(&stop);
                }
                cashier.rounds().soon(id);
            });
        }
    }

    /// Sends a refund that is on record to be sent.
    async fn send(&self, id: i64, number: i64) -> Result<(), Stop> {
        let Some(it) = self.look(id).await? else { return Ok(()) };
        let Some(refund) = it.refund_of(number).filter(|it| it.state == RefundState::Recorded) else { return Ok(()) };
        let asked_at = Timestamp::now();
        let answer = self.0.loket.refund(&it, refund).await;
        self.hear_of_refund(&it, number, (answer, asked_at)).await.map(drop)
    }

    async fn ask_refund(&self, it: &Pesanan, number: i64) -> Result<(), Stop> {
        let Some(refund) = it.refund_of(number) else { return Ok(()) };
        let asked_at = Timestamp::now();
        let answer = self.0.loket.query_refund(refund).await;
        let after = self.hear_of_refund(it, number, (answer, asked_at)).await?;
        if after.refund_of(number).is_some_and(|refund| refund.state == RefundState::Absent) {
            return self.send_again(it, number).await;
        }
        Ok(())
    }

    async fn send_again(&self, it: &Pesanan, number: i64) -> Result<(), Stop> {
        let id = it.id;
        let work = move |tx: &mut Transaction<'_>| Ok(back::sending_again(tx, Timestamp::now(), id, number)?);
        match self.write(it.shop, work, Option::is_some).await? {
            Some(_) => self.send(id, number).await,
            None => Ok(()),
        }
    }

    async fn hear_of_refund(
        &self,
        it: &Pesanan,
        number: i64,
        heard: (RefundAnswer, Timestamp),
    ) -> Result<Pesanan, Stop> {
        let (links, grace_s, id) = (self.0.links.clone(), self.grace_s(), it.id);
        let work = move |tx: &mut Transaction<'_>| back::put_down(tx, &links, (id, number), heard, grace_s);
        let put = self.write(it.shop, work, |put| put.has_changed).await?;
        Ok(self.put_down(put))
    }

    /// Says on stderr what could not be done, and not more than once a minute.
    pub fn complain(&self, stop: &Stop) {
        let now = Timestamp::now().as_second();
        let late = |last: i64| (now - last >= COMPLAIN_S).then_some(now);
        if self.0.complained.fetch_update(Ordering::Relaxed, Ordering::Relaxed, late).is_err() {
            return;
        }
        match stop {
            // What a database adds in further lines may be content.
            Stop::Database(error) => {
                let what = error.what.lines().next().unwrap_or_default();
                eprintln!("kios: a payment could not be gone on with: {what}");
            }
            Stop::Refused(refusal) => eprintln!("kios: a payment could not be gone on with: {}", refusal.code),
            Stop::Bad { code, .. } => eprintln!("kios: a payment could not be gone on with: {code}"),
        }
    }
}
