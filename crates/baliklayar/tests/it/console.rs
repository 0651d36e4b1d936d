//! The console over the real mover: what is wished on a page comes true, and a page lives on when serving dies under it.

use crate::demo::{Demo, How, alone};
use crate::world::{Engine, World};
use baliklayar::serving::clock;
use mover::Verb;
use std::time::Duration;
use testkit::browser::{Browser, ENTER};
use tokio::net::TcpListener;

const DEMO_MAX: Duration = Duration::from_secs(120);
const READY: &str = "document.readyState === 'complete' && document.getElementById('live')?.dataset.state === 'live'";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_verb_that_is_wished_on_a_page_comes_true() {
    let world = World::start(Engine::Sqlite, 7, 1).await;
    let shop = &world.shops[0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let router = console::router(console::Console::new(world.store.clone(), clock()));
    tokio::spawn(console::serve(listener, router, std::future::pending()));
    let browser = Browser::start();
    let verbs = [
        ("start", "document.getElementById('state').innerText === 'ready'"),
        ("pause", "document.getElementById('state').innerText.includes('Paused')"),
        ("resume", "!document.getElementById('state').innerText.includes('Paused')"),
        ("flip", "document.getElementById('state').innerText.includes('soaking')"),
        ("rollback", "document.getElementById('owner').innerText.includes('legacy')"),
        ("flip", "document.getElementById('state').innerText.includes('soaking')"),
        ("seal", "document.getElementById('state').innerText === 'sealed'"),
    ];
    for (verb, came_true) in verbs {
        browser.open(&format!("{at}/shops/{shop}/{verb}?lang=en"));
        browser.until("document.activeElement.id === 'why'");
        browser.press(&format!("so{ENTER}"));
        browser.until(&format!("location.pathname === '/shops/{shop}' && {READY} && {came_true}"));
    }
    let wishes = world.store.newest_wishes(Some(shop), 20).await.unwrap();
    assert_eq!(wishes.len(), verbs.len());
    assert!(wishes.iter().all(|wish| wish.wish.who == "console" && wish.wish.why == "so"), "{wishes:?}");
    assert_eq!(browser.messages(), Vec::<String>::new(), "the browser's console");
}

/// Two orders that cannot be read: one is mended behind capture's back and read again, the other accepted as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn findings_are_read_again_and_accepted_by_the_buttons_of_their_page() {
    let world = World::start(Engine::Sqlite, 7, 1).await;
    let shop = &world.shops[0];
    let orders = world.column(&format!("select id from jual where toko_id = {shop} order by id limit 2")).await;
    world.legacy(&format!("update jual set status = 'ANEH' where id in ({})", orders.join(", "))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let look = baliklayar::sides::reader(world.store.clone());
    let router = console::router(console::Console::seeing(world.store.clone(), clock(), look));
    tokio::spawn(console::serve(listener, router, std::future::pending()));
    world.wish(Verb::Start, None).await;
    let browser = Browser::start();
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
    assert_eq!(browser.messages(), Vec::<String>::new(), "the browser's console");
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
