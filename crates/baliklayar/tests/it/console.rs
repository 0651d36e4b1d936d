//! The console over the real mover: what is wished on a page comes true, and a page lives on when serving dies under it.

use crate::demo::{Demo, How, alone};
use crate::world::{Engine, World};
use baliklayar::serving::clock;
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
