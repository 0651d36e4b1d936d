//! The app in a real browser, as somebody with a phone, with a keyboard, or with a screen reader meets it.

use crate::Bench;
use testkit::axe::nothing_serious;
use testkit::browser::{Browser, ENTER};
use testkit::visitor::{it_fits, it_held_still, nothing_is_complained_of, tab_to, watch_shifts};

/// Longer than the 500 ms in which a browser blames a person's finger for what moves.
const WRITE_MS: u64 = 600;

fn open(bench: &Bench, browser: &Browser, path: &str) {
    browser.open(&format!("{}{path}", bench.at));
    browser.until("document.readyState === 'complete' && document.getElementById('stage')");
}

/// Steps of a purchase: what is clicked, and what is there then. `check` looks at every stage of it.
fn buy(browser: &Browser, check: impl Fn(&str)) {
    let sheet = "!document.getElementById('sheet').hidden";
    let steps = [
        ("#yellow-0", format!("{sheet} && document.getElementById('put-in')"), "product"),
        ("#put-in", "document.getElementById('to-basket')".to_owned(), "added"),
        ("#to-basket", "document.querySelector('.shop .steps')".to_owned(), "basket"),
        ("[id^=more-]", "document.querySelector('.units')?.innerText === '2'".to_owned(), "two"),
        ("[id^=check-out-]", "document.getElementById('name')".to_owned(), "details"),
        ("input[name=shipping]", "document.querySelector('input[name=shipping]').checked".to_owned(), "shipping"),
        ("#go-on", "document.getElementById('pay')".to_owned(), "pay"),
        ("#decline", "document.getElementById('decline').checked".to_owned(), "no"),
        ("#pay", "document.querySelector('.note.bad')".to_owned(), "declined"),
        ("details.who summary", "document.querySelector('details.who').open".to_owned(), "change"),
        ("details.who summary", "!document.querySelector('details.who').open".to_owned(), "unchanged"),
        ("#pay", "document.getElementById('status')".to_owned(), "order"),
        ("#place-orders", "document.querySelector('.orders a')".to_owned(), "orders"),
        ("#close", "document.getElementById('sheet').hidden".to_owned(), "feed"),
    ];
    check("first");
    for (click, there, stage) in steps {
        browser.until("!document.getElementById('sheet').getAnimations().length");
        browser.click(click);
        browser.until(&there);
        check(stage);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_purchase_has_nothing_serious_in_it_light_and_dark() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    let both = |stage: &str| {
        for scheme in ["light", "dark"] {
            browser.scheme(scheme);
            nothing_serious(&browser, &format!("{stage}, {scheme}"));
        }
    };
    open(&bench, &browser, "/?lang=id");
    // What is between these stages looks like one of them.
    let looked_at = ["first", "added", "two", "details", "declined", "change", "order", "orders"];
    buy(&browser, |stage| {
        if looked_at.contains(&stage) {
            both(stage);
        }
    });
    open(&bench, &browser, "/no/such/page?lang=en");
    both("nothing");
    // The page that nobody has is a 404, and the browser says so.
    assert!(browser.messages().iter().all(|said| said.contains("404")));
}

/// Half a second after a touch a browser counts whatever moves as unasked for: a hold may take that long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_a_purchase_fits_and_holds_still_though_each_write_is_slow() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    bench.way.slow_writes_ms(WRITE_MS);
    for (width, height) in [(320, 568), (1280, 800)] {
        browser.resize(width, height);
        open(&bench, &browser, "/?lang=id");
        watch_shifts(&browser);
        browser.run("window.unchanged = true");
        buy(&browser, |stage| it_fits(&browser, width, stage));
        assert_eq!(browser.run("return window.unchanged"), true, "a page was loaded again");
        it_held_still(&browser, &format!("{width} wide"));
    }
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_and_what_is_in_a_basket_fit_from_a_phone_to_a_wall() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    for (width, height) in [(390, 844), (844, 390), (820, 1180), (3840, 2160)] {
        browser.resize(width, height);
        open(&bench, &browser, "/?lang=id");
        watch_shifts(&browser);
        it_fits(&browser, width, "feed");
        browser.click("#yellow-0");
        browser.until("document.getElementById('put-in') && !document.getElementById('sheet').getAnimations().length");
        it_fits(&browser, width, "product");
        it_held_still(&browser, &format!("{width} wide"));
    }
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_needs_no_mouse_and_the_focus_is_always_seen() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    open(&bench, &browser, "/?lang=en");
    browser.run("window.unchanged = true");
    let enter = ENTER.to_string();
    tab_to(&browser, "#yellow-0");
    browser.press(&enter);
    browser.until("document.activeElement.id === 'sheet' && document.getElementById('put-in')");
    tab_to(&browser, "#put-in");
    browser.press(&enter);
    browser.until("document.getElementById('to-basket')");
    assert_eq!(browser.run("return document.activeElement.id"), "put-in", "the focus is lost");
    tab_to(&browser, "#place-basket");
    browser.press(&enter);
    browser.until("document.querySelector('.steps')");
    tab_to(&browser, "[id^=more-]");
    for units in ["2", "3"] {
        browser.press(&enter);
        browser.until(&format!("document.querySelector('.units')?.innerText === '{units}'"));
        assert_eq!(browser.run("return document.activeElement.id.startsWith('more-')"), true, "the focus is lost");
    }
    tab_to(&browser, "[id^=check-out-]");
    browser.press(&enter);
    browser.until("document.getElementById('name')");
    tab_to(&browser, "#name");
    browser.run("document.activeElement.select()");
    browser.press("Ayu");
    tab_to(&browser, "input[name=shipping]");
    browser.press(" ");
    tab_to(&browser, "#go-on");
    browser.press(&enter);
    browser.until("document.querySelector('summary')?.innerText.includes('Ayu')");
    tab_to(&browser, "#pay");
    browser.press(&enter);
    browser.until("document.getElementById('status')");
    let escape = '\u{e00c}';
    browser.press(&escape.to_string());
    browser.until("location.pathname === '/' && document.activeElement.id === 'yellow-0'");
    assert_eq!(browser.run("return window.unchanged"), true, "a page was loaded again");
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_changes_in_the_middle_of_a_purchase_and_the_basket_stays() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    open(&bench, &browser, "/?lang=en");
    for (click, there) in [
        ("#yellow-1", "document.getElementById('put-in')"),
        ("#put-in", "document.getElementById('to-basket')"),
        ("#to-basket", "document.body.innerText.includes('Service provided and managed by')"),
        ("#language", "document.body.innerText.includes('Layanan disediakan dan dikelola oleh')"),
        ("[id^=check-out-]", "document.body.innerText.includes('Pembeli dan alamat')"),
        ("#language", "document.body.innerText.includes('Who buys, and where it goes')"),
    ] {
        browser.click(click);
        browser.until(there);
    }
    assert_eq!(browser.run("return document.querySelector('#place-basket .count').innerText"), "1");
    browser.open(&format!("{}/basket", bench.at));
    browser.until("document.documentElement.lang === 'en' && document.querySelector('.units')?.innerText === '1'");
    nothing_is_complained_of(&browser);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_back_of_the_browser_leads_back_and_keeps_the_page() {
    let bench = Bench::start().await;
    let browser = Browser::start();
    open(&bench, &browser, "/");
    browser.run("window.unchanged = true");
    browser.click("#yellow-0");
    browser.until("document.getElementById('put-in')");
    browser.click("#place-basket");
    browser.until("location.pathname === '/basket' && document.querySelector('.empty')");
    browser.run("history.back()");
    browser.until("location.pathname.includes('/products/') && document.getElementById('put-in')");
    browser.run("history.back()");
    browser.until("location.pathname === '/' && document.getElementById('sheet').hidden");
    // Twice on and twice back without a pause: the last place is what is shown, and not the one before.
    browser.run("history.forward(); addEventListener('popstate', () => history.forward(), {once: true})");
    browser.until("location.pathname === '/basket' && document.querySelector('.empty')");
    browser.run("history.back(); addEventListener('popstate', () => history.back(), {once: true})");
    browser.until("location.pathname === '/' && document.getElementById('sheet').hidden");
    assert_eq!(browser.run("return window.unchanged"), true, "a page was loaded again");
    nothing_is_complained_of(&browser);
}
