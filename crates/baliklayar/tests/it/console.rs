//! The console over the real mover: what is wished on a page comes true, and a page lives on when serving dies under it.

use crate::demo::{Demo, How, alone};
use crate::host::{PICTURE, picture_of};
use crate::world::{Engine, World};
use baliklayar::serving::clock;
use cutover::record::{Phase, Record, StepName};
use mover::Verb;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::Wish;
use testkit::axe::nothing_serious;
use testkit::browser::{Browser, ENTER};
use testkit::visitor::{it_held_still, nothing_is_complained_of, picture, tab_to, watch_shifts};
use tokio::net::TcpListener;
use vocab::id::{ShopId, Side};

const DEMO_MAX: Duration = Duration::from_secs(120);
const READY: &str = "document.readyState === 'complete' && document.getElementById('live')?.dataset.state === 'live'";

/// A console over a world, and a browser before it.
struct Desk {
    world: World,
    at: String,
    browser: Browser,
    shop: ShopId,
}

impl Desk {
    async fn at(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let look = baliklayar::sides::reader(world.store.clone());
        let router = console::router(console::Console::seeing(world.store.clone(), clock(), look));
        tokio::spawn(console::serve(listener, router, std::future::pending()));
        let shop = world.shops[0].clone();
        Self { world, at, browser: Browser::start(), shop }
    }

    /// With the keyboard alone: the page that has the verb, the verb, what it will do, why, and what came of it.
    fn wish(&self, verb: Verb) {
        let Self { at, browser, shop, .. } = self;
        let is_about_findings = verb == Verb::Accept;
        let page = if is_about_findings {
            format!("/findings?shop={shop}&class=mapping.word")
        } else {
            format!("/shops/{shop}")
        };
        browser.open(&format!("{at}{page}"));
        let button = format!("#verb-{}", verb.name());
        browser.until(&format!("document.querySelector('{button}')"));
        tab_to(browser, &button);
        browser.press(&ENTER.to_string());
        self.confirm(verb);
    }

    /// What it will do is said, and is wished.
    fn confirm(&self, verb: Verb) {
        let Self { browser, shop, .. } = self;
        let name = verb.name();
        browser.until(&format!("location.pathname.endsWith('/{name}') && document.activeElement.id === 'why'"));
        let said = browser.run("return document.querySelector('.promise').innerText");
        let said = said.as_str().unwrap();
        assert!(said.contains(promises(verb)), "{name} says that it will do something else: {said}");
        nothing_serious(browser, name);
        browser.press(&format!("because of {name}{ENTER}"));
        browser.until(&format!("location.pathname === '/shops/{shop}' && {READY}"));
    }

    /// A hold lasts half a second at most, and no hand is that quick: the page is ready, and is sent while one lasts.
    /// Where a step of it waits for somebody else, the hold ends when that step has given up.
    async fn wish_abort(&self) {
        let Self { world, at, browser, shop } = self;
        browser.open(&format!("{at}/shops/{shop}/{}", Verb::Abort.name()));
        browser.until("document.activeElement.id === 'why'");
        browser.press("because of abort");
        let count =
            |records: &[Record], step| records.iter().filter(|it| it.step == step && it.phase == Phase::Done).count();
        let before = world.recorded(shop, "records", |_| true).await;
        let (holds, aborted) = (count(&before, StepName::Hold), count(&before, StepName::Abort));
        world.recorded(shop, "one more hold", |records| count(records, StepName::Hold) > holds).await;
        browser.press(&ENTER.to_string());
        world.recorded(shop, "the hold is aborted", |records| count(records, StepName::Abort) > aborted).await;
        browser.until(&format!("location.pathname === '/shops/{shop}' && {READY}"));
        assert_eq!(world.owner(shop).await, Side::Legacy);
    }

    /// What is wished while a shop is paused has to wait, and the mover's own records say whether it does.
    async fn nothing_is_held(&self) {
        let Self { world, shop, .. } = self;
        let until = Instant::now() + PAUSED_FOR;
        while Instant::now() < until {
            let records = world.recorded(shop, "records", |_| true).await;
            assert!(!records.iter().any(|it| it.step == StepName::Hold), "held though paused: {records:#?}");
        }
    }
}

/// How long is looked at a shop that has nothing to do while it is paused; a mover that did not obey takes a few milliseconds.
const PAUSED_FOR: Duration = Duration::from_secs(1);

/// What stands in what is said before a verb, and before no other one. A verb that is new has to say it, or this does not
/// compile.
const fn promises(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "from the legacy, follows its changes",
        Verb::Flip => "makes the backend its owner",
        Verb::Rollback => "makes the legacy its owner again",
        Verb::Seal => "This cannot be undone",
        Verb::Abort => "before its flip",
        Verb::Pause => "Begins nothing new",
        Verb::Resume => "what is wished goes on",
        Verb::Dial => "Lets the backend's copy answer",
        Verb::DialBack => "Lets the owner answer",
        Verb::Reread => "takes away those that are true no more",
        Verb::Accept => "nothing is repaired",
    }
}

/// What the page of the shop shows once it has come true. A verb that is new has to say it, or this does not compile.
const fn shows(verb: Verb) -> &'static str {
    match verb {
        // Two findings stand in the way of more.
        Verb::Start => {
            "document.getElementById('state').innerText === 'tracking' && document.getElementById('found').innerText.includes('2 open')"
        }
        Verb::Reread => {
            "document.getElementById('wishes').innerText.includes('because of reread') && !document.getElementById('wishes').innerText.match(/\\bopen\\b/)"
        }
        Verb::Accept => {
            "document.getElementById('found').innerText.includes('2 accepted') && document.getElementById('state').innerText === 'ready'"
        }
        Verb::Pause => "document.getElementById('state').innerText.includes('Paused')",
        Verb::Resume => "!document.getElementById('state').innerText.includes('Paused')",
        Verb::Dial => "document.getElementById('owner').innerText.includes('from the copy')",
        Verb::DialBack => "!document.getElementById('owner').innerText.includes('from the copy')",
        Verb::Flip => "document.getElementById('state').innerText.includes('soaking')",
        Verb::Abort => "document.querySelector('#wishes tbody tr').innerText.match(/Abort[^]*came true/)",
        Verb::Rollback => "document.getElementById('owner').innerText.includes('legacy')",
        Verb::Seal => "document.getElementById('state').innerText === 'sealed'",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_verb_comes_true_by_its_button_and_none_is_left_out() {
    let world = World::start(Engine::Sqlite, 7, 1).await;
    let orders = world.column("select id from jual order by id limit 2").await;
    world.legacy(&format!("update jual set status = 'ANEH' where id in ({})", orders.join(", "))).await;
    let desk = Desk::at(world).await;
    let Desk { world, browser, shop, at } = &desk;
    browser.open(&format!("{at}/?lang=en"));
    let mut pen = None;
    let mut wished = Vec::new();
    let way = [
        Verb::Start,
        Verb::Reread,
        Verb::Accept,
        Verb::Dial,
        Verb::DialBack,
        // This flip waits until the pause is over.
        Verb::Pause,
        Verb::Flip,
        Verb::Resume,
        Verb::Rollback,
        // Somebody who writes past the seam keeps it from coming true, until its hold is aborted.
        Verb::Flip,
        Verb::Abort,
        Verb::Rollback,
        Verb::Flip,
        Verb::Seal,
    ];
    for (nth, verb) in way.into_iter().enumerate() {
        let comes_in_the_way = way.get(nth + 1) == Some(&Verb::Abort);
        if verb == Verb::Abort {
            desk.wish_abort().await;
        } else {
            if comes_in_the_way {
                pen = Some(world.pen());
            }
            desk.wish(verb);
        }
        wished.push(verb.name());
        if comes_in_the_way {
            continue;
        }
        if verb == Verb::Flip && way.get(nth + 1) == Some(&Verb::Resume) {
            desk.nothing_is_held().await;
            continue;
        }
        browser.until(shows(verb));
        if verb == Verb::Resume {
            browser.until(shows(Verb::Flip));
        }
        if verb == Verb::Abort {
            drop(pen.take());
            browser.until(shows(Verb::Flip));
        }
    }
    let names = |verbs: Vec<&'static str>| verbs.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(names(wished.clone()), names(Verb::ALL.map(Verb::name).to_vec()), "every verb was wished");
    let wishes = world.store.newest_wishes(Some(shop), 100).await.unwrap();
    assert_eq!(wishes.iter().rev().map(|wish| &*wish.wish.verb).collect::<Vec<_>>(), wished);
    for wish in &wishes {
        let Wish { verb, who, why, .. } = &wish.wish;
        assert_eq!((who.as_str(), why.as_str()), ("console", &*format!("because of {verb}")));
    }
    nothing_is_complained_of(browser);
}

/// Two orders that cannot be read: one is mended behind capture's back and read again, the other accepted as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn findings_are_read_again_and_accepted_by_the_buttons_of_their_page() {
    let world = World::start(Engine::Sqlite, 7, 1).await;
    let shop = world.shops[0].clone();
    let orders = world.column(&format!("select id from jual where toko_id = {shop} order by id limit 2")).await;
    world.legacy(&format!("update jual set status = 'ANEH' where id in ({})", orders.join(", "))).await;
    world.wish(Verb::Start, None).await;
    let desk = Desk::at(world).await;
    let Desk { world, at, browser, shop } = &desk;
    let list = format!("{at}/findings?shop={shop}&class=mapping.word&lang=en");
    let open = |count: u32| {
        browser.until(&format!("location.pathname === '/findings' || (location.href = '{list}', false)"));
        let seen = format!("document.getElementById('verb-accept')?.innerText === 'Accept {count} …'");
        browser.until(&format!("{seen} || (document.readyState === 'complete' && location.reload(), false)"));
    };
    browser.open(&list);
    open(2);
    let wish = |verb: &str| {
        browser.run(&format!("document.getElementById('verb-{verb}').focus()"));
        browser.press(&ENTER.to_string());
        browser.until("document.activeElement.id === 'why'");
        browser.press(&format!("so{ENTER}"));
        browser.until(&format!(
            "location.pathname === '/shops/{shop}' && {READY} && document.getElementById('wishes').innerText.includes('came true')"
        ));
    };
    let mend = format!("begin immediate; update jual set status = 'LUNAS' where id = {};", orders[0]);
    world.legacy(&format!("{mend} delete from balik_changes where tbl = 'jual'; commit")).await;
    wish("reread");
    browser.open(&list);
    open(1);
    // Both sides of the one that is left: the legacy's cannot be read, and we have none.
    browser.run("document.querySelector('th a').click()");
    browser.until(
        "document.body.innerText.includes('Both sides now') && document.body.innerText.includes('cannot be told')",
    );
    wish("accept");
    browser.open(&list);
    browser.until("document.body.innerText.includes('accepted by console: so')");
    let wishes = world.store.newest_wishes(Some(shop), 20).await.unwrap();
    let said: Vec<_> =
        wishes.iter().map(|one| (&*one.wish.verb, one.wish.who.as_str(), one.wish.why.as_str())).collect();
    assert_eq!(said[..2], [("accept", "console", "so"), ("reread", "console", "so")]);
    nothing_is_complained_of(browser);
}

/// Seven of twelve have moved, one of those has gone back, two are sealed: the board that README.md shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_board_half_way_holds_still_and_has_nothing_serious_in_it() {
    let world = World::start(Engine::Sqlite, 7, 12).await;
    world.start_moving().await;
    let desk = Desk::at(world).await;
    let Desk { world, at, browser, .. } = &desk;
    browser.resize(PICTURE.0, PICTURE.1);
    browser.scheme("dark");
    browser.open(&format!("{at}/?lang=en"));
    browser.until(READY);
    watch_shifts(browser);
    for shop in &world.shops[..7] {
        world.wish(Verb::Flip, Some(shop)).await;
    }
    world.wish(Verb::Rollback, Some(&world.shops[6])).await;
    for shop in &world.shops[..2] {
        world.wish(Verb::Seal, Some(shop)).await;
    }
    browser.until("document.getElementById('figures').innerText.includes('50.0 %')");
    browser.until("document.getElementById('n-sealed').innerText === '2'");
    it_held_still(browser, "the board");
    nothing_serious(browser, "the board");
    picture(browser, &picture_of("console"));
    nothing_is_complained_of(browser);
}

#[test]
fn a_page_of_the_demo_lives_on_when_serving_dies_under_it() {
    let _alone = alone();
    let how = How { crash: Some("move.flip.during".to_owned()), ..How::on("sqlite") };
    let mut demo = Demo::start(&how);
    let at = demo.addresses().0["console"].as_str().unwrap().to_owned();
    let browser = Browser::start();
    browser.open(&format!("{at}/?lang=en"));
    browser.until(READY);
    browser.run("window.unchanged = true");
    for shop in ["o-1", "o-2"] {
        browser.until(&format!("document.getElementById('{shop}').innerText.includes('backend')"));
    }
    browser.until("document.getElementById('live').dataset.state === 'live'");
    assert_eq!(browser.run("return window.unchanged"), true, "the page was loaded again");
    drop(browser);
    let ended = demo.end(DEMO_MAX);
    assert_eq!((ended.status.code(), ended.restarts), (Some(0), 1), "{}", ended.said);
}
