//! A person in front of the host page, in a real browser, while their shop moves there and back under the purchase: every
//! tap that writes comes when a hold has begun, and afterwards the order is there once, with the side that owns the shop.

use crate::client::HOST;
use crate::demo::{Demo, How, alone, executable};
use crate::world::{Engine, World};
use cutover::record::{Phase, StepName};
use mover::Verb;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::axe::nothing_serious;
use testkit::browser::{Browser, ENTER};
use testkit::visitor::{it_fits, it_held_still, nothing_is_complained_of, picture, tab_to, watch_shifts};
use tokio::net::TcpListener;
use vocab::id::{Kind, ShopId, Side};

/// Orders of a shop that are looked through.
const ORDERS_MAX: usize = 1_000;
/// Moves that are asked for until a save of the basket falls into the hold of one.
const MOVES_MAX: usize = 20;
/// A wished move holds by then.
const HOLD_BEGINS_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(2);
/// What README.md shows: pixels that a page of it has room for.
pub const PICTURE: (u32, u32) = (1120, 820);
const STORY_MAX: Duration = Duration::from_secs(240);

/// What of the page somebody touches, and what is there then.
pub struct Tap {
    pub on: &'static str,
    /// It is told to the shop, so it waits where the shop is held.
    writes: bool,
    pub there: &'static str,
}

const fn tap(on: &'static str, writes: bool, there: &'static str) -> Tap {
    Tap { on, writes, there }
}

/// The one link of a purchase that loads a page: the same one in the other language.
pub const LANGUAGE: &str = "#language";

/// A whole purchase, with the language changed in the middle of it.
pub const PURCHASE: [Tap; 9] = [
    tap("#yellow-0", false, "!document.getElementById('sheet').hidden && document.getElementById('put-in')"),
    tap("#put-in", true, "document.getElementById('to-basket')"),
    tap("#place-basket", false, "document.querySelector('.units')?.innerText === '1'"),
    tap("[id^=more-]", true, "document.querySelector('.units')?.innerText === '2'"),
    tap(LANGUAGE, false, "document.querySelector('.served').innerText.startsWith('Layanan disediakan dan dikelola')"),
    tap("[id^=check-out-]", true, "document.getElementById('name')"),
    tap("#go-on", true, "document.querySelector('summary') && document.getElementById('pay')"),
    tap(LANGUAGE, false, "document.querySelector('.served').innerText.startsWith('Service provided and managed')"),
    tap("#pay", true, "document.getElementById('status') && location.pathname.includes('/orders/')"),
];

/// Sheets rise for a moment.
pub const AT_REST: &str =
    "document.readyState === 'complete' && !document.getElementById('sheet').getAnimations().length";

/// A picture of the documents.
pub fn picture_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name).with_extension("png")
}

#[derive(Debug, Clone, Copy)]
enum Hand {
    Mouse,
    Keys,
}

impl Hand {
    /// The way to it takes longer than a hold.
    fn aim(self, browser: &Browser, on: &str) {
        match self {
            Self::Mouse => {}
            Self::Keys => tab_to(browser, on),
        }
    }

    fn touch(self, browser: &Browser, on: &str) {
        match self {
            Self::Mouse => browser.click(on),
            Self::Keys => browser.press(&ENTER.to_string()),
        }
    }
}

/// The host app over a whole product, and somebody who looks at it.
struct Screen {
    world: World,
    at: String,
    browser: Browser,
    /// Whose clip comes first.
    shop: ShopId,
}

impl Screen {
    async fn start() -> Self {
        let world = World::start(Engine::Sqlite, 7, 2).await;
        world.start_moving().await;
        let at = host_app(&world, TcpListener::bind("127.0.0.1:0").await.unwrap()).await;
        let shop = world.shops.last().unwrap().clone();
        Self { world, at, browser: Browser::start(), shop }
    }

    fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.at));
        self.browser.until("document.readyState === 'complete' && document.getElementById('stage')?.dataset.live");
    }

    /// The same purchase again and again is one of another amount each time.
    fn text(&self, selector: &str) -> String {
        let said = self.browser.run(&format!("return document.querySelector({selector:?}).innerText"));
        said.as_str().unwrap().to_owned()
    }

    /// Every order of the shop that its owner has in its own books, however often.
    async fn orders(&self) -> Vec<String> {
        let Self { world, shop, .. } = self;
        match world.owner(shop).await {
            Side::Legacy => world.column(&format!("select nomor from jual where toko_id = {shop}")).await,
            Side::Backend => {
                let orders = world.store.documents(shop, Kind::Order, None, ORDERS_MAX).await.unwrap();
                orders.into_iter().map(|(id, _)| id.as_str().to_owned()).collect()
            }
        }
    }

    async fn holds(&self) -> usize {
        let steps = self.world.store.steps(&self.shop, 0).await.unwrap();
        let records = steps.iter().filter_map(mover::from_stored);
        records.filter(|it| it.step == StepName::Hold && it.phase == Phase::Intent).count()
    }

    /// Asks for a move to the other side, and answers as soon as its hold begins.
    async fn begin_move(&self) -> (Verb, i64) {
        let verb = if self.world.owner(&self.shop).await == Side::Legacy { Verb::Flip } else { Verb::Rollback };
        let before = self.holds().await;
        let wish = self.world.put_down(verb, Some(&self.shop)).await;
        self.hold_after(before).await;
        (verb, wish)
    }

    /// Waits until there is one more hold than these.
    async fn hold_after(&self, before: usize) {
        let deadline = Instant::now() + HOLD_BEGINS_MAX;
        while self.holds().await == before {
            assert!(Instant::now() < deadline, "no hold begins: {:?}", mover::status(&self.world.store).await);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// From now on this page is to stay, and to hold still.
    fn begin_to_notice(&self) {
        self.browser.until("document.getElementById('stage')?.dataset.live");
        watch_shifts(&self.browser);
        self.browser.run("window.unchanged = true");
    }

    /// Fails if somebody in front of the page had seen more than a purchase.
    fn nothing_was_noticed(&self, when: &str) {
        let Self { browser, .. } = self;
        assert_eq!(browser.run("return window.unchanged"), true, "{when}: the page was loaded again");
        assert_eq!(browser.run("return document.querySelector('.note.bad')"), Value::Null, "{when}");
        it_held_still(browser, when);
        nothing_is_complained_of(browser);
    }

    /// Buys: at every write a hold of the shop has begun, on the way to its other side, when it is tapped.
    async fn buy(&self, hand: Hand, width: u32) {
        let Self { world, browser, .. } = self;
        for Tap { on, writes, there } in PURCHASE {
            browser.until(AT_REST);
            hand.aim(browser, on);
            let moving = if writes { Some(self.begin_move().await) } else { None };
            if on == LANGUAGE {
                self.nothing_was_noticed(on);
            }
            hand.touch(browser, on);
            browser.until(there);
            it_fits(browser, width, on);
            if on == LANGUAGE {
                self.begin_to_notice();
            }
            if let Some((verb, wish)) = moving {
                world.come_true(verb, wish).await;
            }
        }
    }

    /// Puts one more into the basket and takes it out again without a pause, while the shop moves there and back, until a
    /// tap in either direction has fallen into a hold.
    async fn fidget(&self) {
        let Self { world, browser, shop, .. } = self;
        browser.run(
            "window.heldToward = {legacy: 0, backend: 0};
             const look = () => {
               const row = document.querySelector('#taps [data-held-us]');
               const side = row?.children[1].innerText;
               if (side in window.heldToward) window.heldToward[side] = Math.max(window.heldToward[side], Number(row.dataset.heldUs));
               const isOne = document.querySelector('.units')?.innerText === '1';
               document.querySelector(isOne ? '[id^=more-]' : '[id^=less-]')?.click();
             };
             window.fidgets = setInterval(look, 2);",
        );
        let mut moves = 0;
        while browser.run("return Math.min(...Object.values(window.heldToward))") == 0 {
            moves += 1;
            assert!(moves <= MOVES_MAX, "no tap fell into a hold: {}", browser.run("return window.heldToward"));
            let (verb, wish) = self.begin_move().await;
            world.come_true(verb, wish).await;
        }
        browser.run("clearInterval(window.fidgets)");
        browser.until("!document.body.ariaBusy");
        if browser.run("return document.querySelector('.units').innerText") == "2" {
            browser.click("[id^=less-]");
        }
        browser.until("document.querySelector('.units').innerText === '1'");
        if world.owner(shop).await == Side::Backend {
            world.wish(Verb::Rollback, Some(shop)).await;
        }
    }
}

/// Serves the host app for all shops, steered by the operator's own program; ends with the test.
pub async fn host_app(world: &World, listener: TcpListener) -> String {
    let file = world.work().join("addresses.json").display().to_string();
    let addresses = json!({"seam": world.seam_url(), "console": "http://127.0.0.1:1", "keys": {"host": HOST}});
    std::fs::write(&file, addresses.to_string()).unwrap();
    let mut args = vec!["--addresses".to_owned(), file];
    for (flag, path) in [("--program", executable()), ("--work", world.work().to_owned())] {
        args.extend([flag.to_owned(), path.display().to_string()]);
    }
    for row in world.rows("select id, nama from toko order by id").await {
        args.extend(["--shop".to_owned(), row.join("=")]);
    }
    let at = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { demo_host::serve(listener, &args).await });
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_buys_while_a_hold_begins_at_every_tap_and_notices_nothing() {
    let screen = Screen::start().await;
    let Screen { world, browser, shop, .. } = &screen;
    // With five moves in each, what happened in a flip the first time happens in a rollback the second time.
    for (hand, (width, height)) in [(Hand::Mouse, (1280, 800)), (Hand::Keys, (320, 568))] {
        browser.resize(width, height);
        screen.open("/?lang=en");
        screen.begin_to_notice();
        let before: BTreeSet<String> = screen.orders().await.into_iter().collect();
        screen.buy(hand, width).await;

        screen.nothing_was_noticed("an order");
        nothing_serious(browser, "an order");

        let path = browser.run("return location.pathname");
        let order = path.as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
        let orders = screen.orders().await;
        let new: Vec<&String> = orders.iter().filter(|id| !before.contains(*id)).collect();
        assert_eq!(new, [&order], "with {:?}", world.owner(shop).await);
        let shown = world.get(shop, &format!("orders/{order}")).await.ok();
        assert_eq!(shown["line_items"][0]["quantity"]["total"], 2, "{shown}");
        opens_its_invoice(&screen, width);
        // Its basket is empty because it was bought, and the order is still this person's.
        screen.open("/orders?lang=en");
        assert!(screen.text(".orders").contains(&order));
        screen.open("/basket");
        assert!(screen.text("#sheet").contains("Your basket is empty."));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn taps_that_fall_into_a_hold_wait_and_the_basket_is_as_it_was() {
    let screen = Screen::start().await;
    let Screen { browser, .. } = &screen;
    screen.open("/?lang=en");
    screen.begin_to_notice();
    for Tap { on, there, .. } in PURCHASE.iter().take(3) {
        browser.until(AT_REST);
        browser.click(on);
        browser.until(there);
    }
    screen.fidget().await;
    assert_eq!(browser.run("return window.unchanged"), true, "the page was loaded again");
    assert_eq!(browser.run("return document.querySelector('.note.bad')"), Value::Null);
    nothing_is_complained_of(browser);
}

/// The link on the order's page leads to a page with the same total, which fits and can be printed.
fn opens_its_invoice(screen: &Screen, width: u32) {
    let Screen { browser, .. } = screen;
    let digits = |amount: &str| amount.chars().filter(char::is_ascii_digit).collect::<String>();
    let total = digits(&screen.text("#total"));
    let link = browser.run("return document.getElementById('invoice').href");
    browser.open(link.as_str().unwrap());
    browser.until("document.readyState === 'complete'");
    assert!(digits(&browser.text()).contains(&total), "{total} is not on\n{}", browser.text());
    it_fits(browser, width, "the invoice");
    nothing_serious(browser, "the invoice");
    browser.on_paper();
    assert!(digits(&browser.text()).contains(&total), "on paper: {}", browser.text());
    browser.scheme("light");
    nothing_is_complained_of(browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_button_holds_the_shop_there_and_back_and_tells_how_long_a_save_waited() {
    let screen = Screen::start().await;
    let Screen { world, browser, shop, .. } = &screen;
    screen.open("/?lang=en");
    browser.run("window.unchanged = true");
    assert!(screen.text("#stage-felt").contains("at most 500 ms"), "the button explains itself");
    for Tap { on, there, .. } in PURCHASE.iter().take(2) {
        browser.until(AT_REST);
        browser.click(on);
        browser.until(there);
    }
    let mut waited_us = 0;
    for nth in 1..=MOVES_MAX {
        let owner = world.owner(shop).await;
        let began = screen.holds().await;
        browser.until("!document.getElementById('hold').ariaDisabled");
        tab_to(browser, "#hold");
        browser.press(&ENTER.to_string());
        screen.hold_after(began).await;
        let side = if owner == Side::Legacy { "backend" } else { "legacy" };
        browser.until(&format!(
            "document.querySelector('.owner').dataset.owner === '{side}' && !document.getElementById('hold').ariaDisabled
             && document.querySelector('.felt')?.innerText.toLowerCase().startsWith('{side} owns it now. meanwhile')"
        ));
        assert_eq!(browser.run("return document.activeElement.id"), "hold", "the focus is lost");
        let felt =
            browser.run("const {saves, heldUs} = document.querySelector('.felt').dataset; return [saves, heldUs]");
        let figure = |at: usize| felt[at].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap();
        assert!(figure(0) > 0, "{felt}");
        waited_us = waited_us.max(figure(1));
        if nth >= 2 && waited_us > 0 {
            break;
        }
    }
    assert!(waited_us > 0 && waited_us < 500_000, "the longest wait was {waited_us} µs");
    for Tap { on, there, .. } in &PURCHASE[2..7] {
        if *on != LANGUAGE {
            browser.until(AT_REST);
            browser.click(on);
            browser.until(there);
        }
    }
    browser.until(AT_REST);
    browser.resize(PICTURE.0, PICTURE.1);
    picture(browser, &picture_of("host"));
    // The basket is as it was, and a shop without a way back is not held.
    screen.open("/basket?lang=en");
    assert_eq!(screen.text(".units"), "2");
    if world.owner(shop).await == Side::Legacy {
        world.wish(Verb::Flip, Some(shop)).await;
    }
    world.wish(Verb::Seal, Some(shop)).await;
    browser.until("document.getElementById('hold').ariaDisabled && document.getElementById('why-not').innerText.includes('sealed')");
    nothing_serious(browser, "a sealed shop");
    nothing_is_complained_of(browser);
}

/// The demo as somebody starts it who wants to look around in it.
#[test]
fn what_is_kept_running_can_be_bought_in_held_and_ended_cleanly() {
    let _alone = alone();
    let mut demo = Demo::start(&How { shops: 3, rate: 10, surge: 20, keep: true, ..How::on("sqlite") });
    let at = demo.addresses().0["host"].as_str().unwrap().to_owned();
    demo.until("everything is kept running", STORY_MAX, |demo| demo.said().contains("everything keeps running"));
    let browser = Browser::start();
    browser.open(&format!("{at}/?lang=en"));
    browser.until("document.getElementById('stage')?.dataset.live");
    for Tap { on, there, .. } in PURCHASE.iter().filter(|tap| tap.on != LANGUAGE).take(4) {
        browser.until(AT_REST);
        browser.click(on);
        browser.until(there);
    }
    browser.until("!document.getElementById('hold').ariaDisabled");
    browser.click("#hold");
    browser.until("document.querySelector('.felt')?.innerText.startsWith('Legacy owns it now. Meanwhile')");
    browser.until("!document.getElementById('hold').ariaDisabled");
    for (on, there) in [
        ("[id^=check-out-]", "document.getElementById('go-on')"),
        ("#go-on", "document.querySelector('summary') && document.getElementById('pay')"),
        ("#pay", "document.getElementById('invoice')"),
    ] {
        browser.until(AT_REST);
        browser.click(on);
        browser.until(there);
    }
    nothing_is_complained_of(&browser);
    drop(browser);
    demo.interrupt();
    let ended = demo.end(STORY_MAX);
    assert_eq!((ended.status.code(), ended.report["clean"].as_bool()), (Some(0), Some(true)), "{}", ended.said);
}
