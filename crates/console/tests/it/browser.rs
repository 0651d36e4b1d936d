//! The console in a real browser, as a person with a keyboard meets it.

use crate::Bench;
use http::Method;
use testkit::browser::{Browser, ENTER, TAB};

/// Tabs that lead from the top of a page to anything that is asked for here.
const TABS_MAX: usize = 80;

const FINDING: &str = "/finding?shop=2&class=control_total&kind=order&origin=total%3Asales";
const ACCEPT: &str = "/findings/accept?shop=2&class=control_total&count=1";

fn at(bench: &Bench, path: &str) -> String {
    format!("http://{}{path}", bench.address)
}

/// Goes on with the tabulator until this element has the focus, and looks that the focus can be seen.
#[track_caller]
fn tab_to(browser: &Browser, selector: &str) {
    let is_there = format!("document.activeElement.matches({selector:?})");
    for _ in 0..TABS_MAX {
        browser.press(&TAB.to_string());
        if browser.run(&format!("return {is_there}")) == true {
            let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
            assert_eq!(outline, "solid", "the focus on {selector} cannot be seen");
            return;
        }
    }
    panic!("{selector} is not reached by the tabulator:\n{}", browser.text());
}

#[track_caller]
fn nothing_is_complained_of(browser: &Browser) {
    assert_eq!(browser.messages(), Vec::<String>::new(), "the browser's console");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_flips_under_the_eyes_of_who_looks_at_the_board() {
    let bench = Bench::start(3).await;
    let browser = Browser::start();
    browser.open(&at(&bench, "/"));
    browser.until("document.getElementById('live').dataset.state === 'live'");
    browser.run("window.unchanged = true");
    browser.until("document.getElementById('o-2').innerText.includes('legacy')");
    bench.flip(&bench.shop(2)).await;
    bench.look("tracking", 2_000).await;
    browser.until("document.getElementById('o-2').innerText.includes('backend')");
    browser.until("document.getElementById('s-2').innerText.includes('soaking')");
    browser.until("document.getElementById('figures').innerText.includes('33.3 %')");
    assert_eq!(browser.run("return window.unchanged"), true, "the page was loaded again");
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_is_wished_with_the_keyboard_alone_while_the_page_changes() {
    let bench = Bench::start(3).await;
    let browser = Browser::start();
    browser.open(&at(&bench, "/"));
    tab_to(&browser, "a[href='/shops/2']");
    browser.press(&ENTER.to_string());
    browser.until("location.pathname === '/shops/2' && document.getElementById('live')?.dataset.state === 'live'");
    tab_to(&browser, "#verb-flip");
    // The verbs change under the focus; whoever stood on one still stands there.
    let headers = ["content-type: application/x-www-form-urlencoded", "sec-fetch-site: same-origin"];
    assert_eq!(bench.send(Method::POST, "/shops/2/pause", &headers, "why=lunch").await.status, 303);
    browser.until("document.getElementById('verb-resume')");
    assert_eq!(browser.run("return document.activeElement.id"), "verb-flip");
    browser.press(&ENTER.to_string());
    browser.until("location.pathname === '/shops/2/flip' && document.activeElement.id === 'why'");
    browser.press(&format!("quiet hour{ENTER}"));
    browser.until("location.pathname === '/shops/2' && document.body.innerText.includes('quiet hour')");
    let wishes = bench.store.standing_wishes().await.unwrap();
    let wish = &wishes[1].wish;
    assert_eq!((wishes.len(), &*wish.verb, wish.who.as_str(), wish.why.as_str()), (2, "flip", "console", "quiet hour"));
    assert_eq!(wish.shop, Some(bench.shop(2)));
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_is_switched_on_the_page_and_stays() {
    let bench = Bench::start(2).await;
    let browser = Browser::start();
    browser.open(&at(&bench, "/shops/1?lang=en"));
    tab_to(&browser, "#language");
    browser.press(&ENTER.to_string());
    browser.until("document.documentElement.lang === 'id' && document.body.innerText.includes('Yang dapat dilakukan')");
    browser.open(&at(&bench, "/"));
    browser.until("document.documentElement.lang === 'id' && document.body.innerText.includes('Kemajuan')");
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_a_narrow_phone_and_a_wall() {
    let bench = Bench::start(60).await;
    bench.flip(&bench.shop(1)).await;
    bench.look("tracking", 2_000).await;
    bench.debt(&bench.shop(1), "order.refund_without_line_and_a_name_that_goes_on_and_on_and_on").await;
    bench.finding(&bench.shop(2), "control_total", "total:sales", &"long".repeat(60)).await;
    let browser = Browser::start();
    for width in [320, 768, 1280, 3840] {
        browser.resize(width, 800);
        for path in
            ["/", "/?lang=id", "/shops/1", "/shops/1/rollback", "/findings", "/all/seal?lang=en", FINDING, ACCEPT]
        {
            browser.open(&at(&bench, path));
            let page = "document.documentElement";
            let fits = browser.run(&format!("return [{page}.scrollWidth, {page}.clientWidth, innerWidth]"));
            assert_eq!(fits[0], fits[1], "{path} at {width} is wider than the screen");
            assert_eq!(fits[2], width, "{path}");
        }
    }
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_prefers_the_dark_gets_light_letters_on_dark_paper() {
    let bench = Bench::start(2).await;
    let browser = Browser::start();
    browser.open(&at(&bench, "/"));
    // The red, green and blue of a colour, added up.
    let sum = |property: &str| {
        let colour = format!("getComputedStyle(document.body).{property}.match(/[0-9]+/g).slice(0, 3)");
        browser.run(&format!("return {colour}.reduce((sum, part) => sum + Number(part), 0)")).as_i64().unwrap()
    };
    for (scheme, is_dark) in [("light", false), ("dark", true)] {
        browser.scheme(scheme);
        assert_eq!(sum("backgroundColor") < sum("color"), is_dark, "{scheme}");
    }
    nothing_is_complained_of(&browser);
}
