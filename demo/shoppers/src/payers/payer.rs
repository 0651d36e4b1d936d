//! One buyer: asks for a way to pay, waits as people do, pays once, and looks until there is one order.
//!
//! Each step that may change something stands in the journal before it is taken, so a later run goes on from there.

use super::page::{self, Code};
use crate::later::{Stage, Step};
use crate::memory::Memory;
use crate::plan::{Plan, Wanted};
use crate::prng::Prng;
use crate::seen::Kind;
use crate::tally::End;
use crate::world::{Done, World};
use tokio::time::{Duration, Instant, sleep};

/// A code whose provider did not answer is asked about after 5 s and 30 s, and one that it does not know is believed to
/// be absent a minute later: then there is another.
const CODE_MAX: Duration = Duration::from_secs(150);
/// Between two looks at a page that shows nothing to pay with yet.
const PAGE_AGAIN: Duration = Duration::from_millis(500);
/// How soon somebody who waits sees that the run is over.
const WAIT_LOOK: Duration = Duration::from_millis(100);
/// One in so many never pays.
const NEVER: u64 = 8;
/// At the provider, which is not killed.
const PAYS_MAX: Duration = Duration::from_secs(30);
const PAYS_AGAIN: Duration = Duration::from_millis(500);
/// From the payment to the order, where somebody answered all the time.
const ORDER_MAX: Duration = Duration::from_secs(20);
/// The same from when the seam was last away: a provider that was not heard tells again after 1, 5 and 30 s.
const ORDER_AFTER_LOSS_MAX: Duration = Duration::from_secs(45);
/// The same of what an earlier run may have paid: what it was just being told is told again after 20 s.
const ORDER_LEFT_MAX: Duration = Duration::from_secs(60);
const LOOK_FIRST: Duration = Duration::from_millis(100);
const LOOK_LAST: Duration = Duration::from_secs(1);
/// Of people: as the shoppers have.
const BUYERS: u64 = 500;

pub struct Payer {
    prng: Prng,
    buyer: u64,
    /// How long they take to pay, at most.
    waits_ms: u64,
}

/// What is to be paid.
#[derive(Debug, Clone)]
pub struct Bill {
    pub shop: String,
    pub checkout: String,
    pub link: String,
    /// An earlier run began it.
    pub left: bool,
}

/// How one is going to pay, if at all.
#[derive(Debug, Clone, Copy)]
struct Way {
    wallet: bool,
    never: bool,
}

impl Payer {
    pub fn new(seed: u64, number: u64, waits_ms: u64) -> Self {
        Self { prng: Prng::new(seed, (1 << 48) + number), buyer: number % BUYERS, waits_ms }
    }

    pub const fn waits_ms(&self) -> u64 {
        self.waits_ms
    }

    pub fn chance(&mut self, below: u64) -> u64 {
        self.prng.below(below)
    }

    /// The whole way, at this shop.
    pub async fn buy(&mut self, world: &World, shop: &str) -> anyhow::Result<()> {
        let Some(bill) = self.choose_page(world, shop).await? else { return Ok(()) };
        // Who never pays gets a number: its time is not over within a run.
        let never = self.prng.below(NEVER) == 0;
        let way = Way { never, wallet: !never && self.prng.percent(50) };
        world.step(shop, &bill.checkout, Step::Chooses { link: bill.link.clone() }).await?;
        self.go_on(world, &bill, way).await
    }

    /// Goes on with what an earlier run left, from wherever it stands.
    pub async fn take_up(&mut self, world: &World, bill: &Bill) -> anyhow::Result<()> {
        let way = Way { never: false, wallet: self.prng.percent(50) };
        match stage(world, bill) {
            Some(Stage::Choosing) => self.go_on(world, bill, way).await,
            Some(Stage::Waiting | Stage::Paying | Stage::Paid) => match look(world, bill).await? {
                Some(Stage::Choosing | Stage::Waiting) => self.go_on(world, bill, way).await,
                Some(Stage::Paying) => self.pay(world, bill, way).await,
                Some(Stage::Paid) => until_ordered(world, bill).await,
                Some(Stage::Completed | Stage::LetGo) | None => Ok(()),
            },
            Some(Stage::Completed | Stage::LetGo) | None => Ok(()),
        }
    }

    /// A checkout, filled in, and the host's choice: where the buyer goes on. None where the shop said no.
    async fn choose_page(&mut self, world: &World, shop: &str) -> anyhow::Result<Option<Bill>> {
        let wanted = match world.oracle.borrow().memories.get(shop) {
            Some(memory) => basket(&mut self.prng, memory),
            None => Wanted::new(),
        };
        if wanted.is_empty() {
            return Ok(None);
        }
        let create = Plan::checkout_create(world.key(&mut self.prng), shop, None, wanted.clone());
        let Some(checkout) = went_well(world, &create).await?.and_then(|done| done.judged.id) else { return Ok(None) };
        let update = Plan::checkout_update(world.key(&mut self.prng), shop, &checkout, wanted, self.buyer);
        if went_well(world, &update).await?.is_none() {
            return Ok(None);
        }
        let page = Plan::pay_later(world.key(&mut self.prng), shop, &checkout);
        let link = went_well(world, &page).await?.and_then(|done| done.judged.link);
        Ok(link.map(|link| Bill { shop: shop.to_owned(), checkout, link, left: false }))
    }

    async fn go_on(&mut self, world: &World, bill: &Bill, way: Way) -> anyhow::Result<()> {
        let Some(code) = self.code(world, bill, way).await? else { return Ok(()) };
        let paying_at = Instant::now() + Duration::from_millis(self.prng.below(self.waits_ms));
        while !way.never && Instant::now() < paying_at && !world.finishing.get() {
            sleep(WAIT_LOOK).await;
        }
        if way.never || world.finishing.get() {
            return Ok(());
        }
        world.step(&bill.shop, &bill.checkout, Step::Pays).await?;
        self.settle(world, bill, &code).await
    }

    /// It was about to be paid, and perhaps it was.
    async fn pay(&mut self, world: &World, bill: &Bill, way: Way) -> anyhow::Result<()> {
        match self.open(world, bill, way).await? {
            Some(Opened::Shows(code, _)) => self.settle(world, bill, &code).await,
            Some(Opened::Paid) => until_ordered(world, bill).await,
            Some(Opened::Refused) | None => Ok(()),
        }
    }

    /// What to pay with; from then on the units are kept for this buyer. None where there is nothing to pay.
    async fn code(&mut self, world: &World, bill: &Bill, way: Way) -> anyhow::Result<Option<Code>> {
        let (shop, checkout) = (&bill.shop, &bill.checkout);
        match self.open(world, bill, way).await? {
            None => Ok(None),
            Some(Opened::Paid) => {
                wrong(world, bill, "is paid, and nobody paid it");
                Ok(None)
            }
            Some(Opened::Refused) => {
                world.step(shop, checkout, Step::LetGo).await?;
                Ok(None)
            }
            Some(Opened::Shows(code, order)) => {
                world.step(shop, checkout, Step::Code { order }).await?;
                let kept = look(world, bill).await?;
                if kept == Some(Stage::Choosing) {
                    wrong(world, bill, "shows what to pay with, and its units are not kept");
                    world.step(shop, checkout, Step::LetGo).await?;
                }
                Ok((kept == Some(Stage::Waiting)).then_some(code))
            }
        }
    }

    /// Opens the page and asks for this way to pay, until it shows what to pay with. A number that is out already is
    /// taken as it is: another way would end it.
    async fn open(&mut self, world: &World, bill: &Bill, way: Way) -> anyhow::Result<Option<Opened>> {
        let choice = if way.wallet { "method=wallet" } else { "method=virtual_account" };
        let (began, mut last) = (Instant::now(), None);
        // A first look changes nothing, and shows what an earlier run has asked for. What may be paid is not asked for anew.
        let asks = stage(world, bill) != Some(Stage::Paying);
        let mut forms = [None, asks.then_some(choice)].into_iter().cycle().skip(usize::from(!bill.left));
        while began.elapsed() < CODE_MAX {
            let page = world.client.page(&bill.link, forms.next().flatten()).await;
            let shown = page.as_ref().map(|page| page::read(&page.text)).unwrap_or_default();
            last = page.map(|page| page.status).or(last);
            if let Some(code) = shown.code {
                return Ok(Some(Opened::Shows(code, shown.order)));
            }
            if shown.is_paid {
                return Ok(Some(Opened::Paid));
            }
            if shown.is_refused || !asks {
                match look(world, bill).await? {
                    // A no to a second try says nothing of the first one.
                    Some(Stage::Choosing) if is_ready(world, bill) => return Ok(Some(Opened::Refused)),
                    Some(Stage::Completed) => return Ok(Some(Opened::Paid)),
                    Some(Stage::LetGo) | None => return Ok(None),
                    Some(Stage::Choosing | Stage::Waiting | Stage::Paying | Stage::Paid) => {}
                }
            }
            sleep(PAGE_AGAIN).await;
        }
        wrong(world, bill, &format!("shows nothing to pay with for {CODE_MAX:?}; its page last answered {last:?}"));
        Ok(None)
    }

    /// Pays, once: whatever was not answered is said again, and the provider takes it once.
    async fn settle(&mut self, world: &World, bill: &Bill, code: &Code) -> anyhow::Result<()> {
        let Some(provider) = world.client.addresses().provider_page else { return Ok(()) };
        // The provider may have moved since the address was given out; what it is for stays.
        let (path, form) = match code {
            Code::Number(number) => ("/transfer".to_owned(), format!("number={number}")),
            Code::Address(address) => (path_of(address), String::new()),
        };
        let (began, mut said_before) = (Instant::now(), bill.left);
        while began.elapsed() < PAYS_MAX {
            match world.client.page_elsewhere(&provider, &path, Some(&form)).await {
                Some(page) if page.status == 200 => return paid(world, bill).await,
                Some(page) if page.status == 409 && said_before && page.text.contains("the charge is paid") => {
                    return paid(world, bill).await;
                }
                Some(page) if page.status < 500 => {
                    wrong(world, bill, &format!("cannot be paid: {} {}", page.status, page::error_word(&page.text)));
                    return Ok(());
                }
                Some(_) | None => said_before = true,
            }
            sleep(PAYS_AGAIN).await;
        }
        wrong(world, bill, "cannot be paid: the provider does not answer");
        Ok(())
    }
}

enum Opened {
    /// And the order that is promised.
    Shows(Code, Option<String>),
    Paid,
    Refused,
}

fn path_of(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split_once('/').map_or_else(|| "/".to_owned(), |(_, path)| format!("/{path}"))
}

/// One or two products, one or two of each.
fn basket(prng: &mut Prng, memory: &Memory) -> Wanted {
    let mut basket = Wanted::new();
    for _ in 0..prng.between(1, 2) {
        let units = prng.between(1, 2);
        if let Some(product) = prng.pick(&memory.shelf)
            && !basket.iter().any(|(taken, _)| taken == product)
        {
            basket.push((product.clone(), units));
        }
    }
    basket
}

/// None where it did not, or where the run is over.
async fn went_well(world: &World, plan: &Plan) -> anyhow::Result<Option<Done>> {
    if world.finishing.get() {
        return Ok(None);
    }
    let done = world.perform(plan).await?;
    Ok((done.end == End::Ok).then_some(done))
}

async fn paid(world: &World, bill: &Bill) -> anyhow::Result<()> {
    world.step(&bill.shop, &bill.checkout, Step::Paid).await?;
    until_ordered(world, bill).await
}

/// Looks until the order is there.
async fn until_ordered(world: &World, bill: &Bill) -> anyhow::Result<()> {
    let (began, mut pause) = (Instant::now(), LOOK_FIRST);
    loop {
        match look(world, bill).await? {
            Some(Stage::Paid | Stage::Paying) => {}
            Some(_) | None => return Ok(()),
        }
        let lost = world.client.lost().filter(|lost| *lost >= began);
        let (since, most) = match lost {
            _ if bill.left => (lost.unwrap_or(began), ORDER_LEFT_MAX),
            Some(lost) => (lost, ORDER_AFTER_LOSS_MAX),
            None => (began, ORDER_MAX),
        };
        if since.elapsed() > most {
            wrong(world, bill, &format!("is paid for {:?}, and has no order", began.elapsed()));
            return Ok(());
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_LAST);
    }
}

/// How far the checkout is, as it is shown now. None where what is shown is wrong.
async fn look(world: &World, bill: &Bill) -> anyhow::Result<Option<Stage>> {
    let plan = Plan::look(&bill.shop, &bill.checkout, bill.left);
    let began = Instant::now();
    while began.elapsed() < CODE_MAX {
        match world.perform(&plan).await?.end {
            End::Ok => return Ok(stage(world, bill)),
            End::Refused | End::Wrong => return Ok(None),
            // It counts as failed already; what the checkout is like has to be known all the same.
            End::Failed => sleep(PAGE_AGAIN).await,
        }
    }
    Ok(None)
}

fn stage(world: &World, bill: &Bill) -> Option<Stage> {
    let oracle = world.oracle.borrow();
    Some(oracle.memories.get(&bill.shop)?.later.get(&bill.checkout)?.stage)
}

/// Whether nobody can say how the checkout stands.
pub fn is_unsure(world: &World, bill: &Bill) -> bool {
    matches!(stage(world, bill), Some(Stage::Choosing | Stage::Paying | Stage::Paid))
}

/// Whether nothing has begun.
fn is_ready(world: &World, bill: &Bill) -> bool {
    let oracle = world.oracle.borrow();
    let seen = oracle.memories.get(&bill.shop).and_then(|memory| memory.seen(Kind::Checkout, &bill.checkout));
    seen.is_some_and(|seen| seen.status == "ready_for_complete")
}

fn wrong(world: &World, bill: &Bill, what: &str) {
    let what = format!("shop {} checkout {} {what}", bill.shop, bill.checkout);
    world.oracle.borrow_mut().findings.wrong(&what);
}
