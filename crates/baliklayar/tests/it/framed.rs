//! The page where a buyer pays, in a frame of the host page, in a real browser: it is used there while the shop moves, and the
//! page around it learns that it is paid, and nothing that it is paid with.

use crate::host::{AT_REST, LANGUAGE, PICTURE, PURCHASE, Tap, host_app, picture_of};
use crate::world::{Engine, How, Provider, World};
use mover::Verb;
use serde_json::{Value, json};
use testkit::axe::nothing_serious;
use testkit::browser::{Browser, ENTER};
use testkit::visitor::{it_fits, nothing_is_complained_of, picture, tab_to};
use tokio::net::TcpListener;
use vocab::id::{ShopId, Side};

const FRAME: &str = "#pay-page";
const PHONE: (u32, u32) = (320, 568);

/// A shop with its provider, the host app over it, and somebody who looks at that.
struct Counter {
    world: World,
    shop: ShopId,
    /// `http://host:port` of the host app.
    at: String,
    browser: Browser,
}

impl Counter {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host_origins = vec![format!("http://{}", listener.local_addr().unwrap())];
        let world = World::start_as(How { provider: true, host_origins, ..How::new(Engine::Sqlite, 7, 1) }).await;
        world.start_moving().await;
        let at = host_app(&world, listener).await;
        let shop = world.shops[0].clone();
        Self { world, shop, at, browser: Browser::start() }
    }

    /// Somebody new, from the feed to the checkout, with its details said.
    fn check_out(&self, lang: &str) {
        let Self { browser, at, .. } = self;
        browser.open(at);
        browser.forget();
        browser.open(&format!("{at}/?lang={lang}"));
        browser.until("document.readyState === 'complete' && document.getElementById('stage')?.dataset.live");
        for Tap { on, there, .. } in PURCHASE.iter().filter(|tap| tap.on != LANGUAGE && tap.on != "#pay") {
            browser.until(AT_REST);
            browser.click(on);
            browser.until(there);
        }
        browser.run("window.unchanged = true");
    }

    fn in_the_frame(&self, work: impl FnOnce(&Browser)) {
        self.browser.until(&format!("document.querySelector('{FRAME}')"));
        self.browser.enter_frame(FRAME);
        work(&self.browser);
        self.browser.leave_frame();
    }

    fn provider(&self) -> &Provider {
        self.world.provider.as_ref().unwrap()
    }

    /// What was asked for last.
    async fn charge(&self) -> Value {
        let book = self.provider().book().await;
        book["charge"].as_array().unwrap().last().unwrap_or_else(|| panic!("nothing was asked for: {book}")).clone()
    }

    /// The page has gone on to the order by itself, without having been loaded again.
    fn is_ordered(&self) {
        let Self { browser, .. } = self;
        browser.until("location.pathname.includes('/orders/') && document.getElementById('status')");
        assert_eq!(browser.run("return window.unchanged"), true, "the page was loaded again");
        assert_eq!(browser.run("return document.activeElement.id"), "sheet", "who only hears it is not told");
        nothing_is_complained_of(browser);
    }
}

/// Waits until the page that is shown was made by this side.
fn made_by(browser: &Browser, side: Side) {
    let script = if side == Side::Legacy { "bayar.js" } else { "pay.js" };
    browser
        .until(&format!("document.readyState === 'complete' && document.querySelector('script[src$=\"/{script}\"]')"));
}

fn looks_right(browser: &Browser, page: &str) {
    for scheme in ["dark", "light"] {
        browser.scheme(scheme);
        nothing_serious(browser, page);
    }
    // Where a scroll bar takes room beside it, a frame has a little less than the phone.
    let width = browser.run("return innerWidth").as_u64().and_then(|width| u32::try_from(width).ok()).unwrap();
    assert!((300..=PHONE.0).contains(&width), "{page} is {width} wide");
    it_fits(browser, width, page);
    nothing_is_complained_of(browser);
}

/// On a phone, without a mouse: the frame is there, is the shop's whoever owns it, and goes on by itself through each move; so
/// does the page around it, in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_buyer_pays_in_the_frame_by_keyboard_while_the_shop_goes_there_and_back() {
    let counter = Counter::open().await;
    let Counter { world, shop, browser, .. } = &counter;
    browser.resize(PHONE.0, PHONE.1);
    counter.check_out("en");
    looks_right(browser, "the checkout");
    counter.in_the_frame(|browser| {
        made_by(browser, Side::Legacy);
        looks_right(browser, "the legacy's page in the frame");
    });
    world.wish(Verb::Flip, Some(shop)).await;
    counter.in_the_frame(|browser| {
        made_by(browser, Side::Backend);
        looks_right(browser, "the choice in the frame");
        tab_to(browser, "button[value=qr]");
        browser.press(&ENTER.to_string());
        browser.until("document.querySelector('svg.qr')");
        looks_right(browser, "the code in the frame");
    });
    // The page around it has learnt that something is out, and offers no second way to pay beside it.
    browser.until("document.querySelector('#pay-here .note') && !document.getElementById('pay')");
    looks_right(browser, "the checkout that is being paid");
    browser.resize(PICTURE.0, PICTURE.1);
    browser.run(&format!("document.querySelector('{FRAME}').scrollIntoView({{block: 'center'}})"));
    picture(browser, &picture_of("frame"));
    browser.resize(PHONE.0, PHONE.1);
    counter.in_the_frame(|browser| {
        tab_to(browser, "button[value=virtual_account]");
        browser.press(&ENTER.to_string());
        browser.until("document.querySelector('.number')");
    });
    let number = counter.charge().await["code"].clone();
    world.wish(Verb::Rollback, Some(shop)).await;
    counter.in_the_frame(|browser| {
        made_by(browser, Side::Legacy);
        browser.until("document.querySelector('.number')");
        looks_right(browser, "the number in the frame, at the legacy again");
    });
    assert_eq!(browser.run("return window.unchanged"), true, "the page was loaded again");
    counter.provider().control("pay", &json!({ "code": number })).await;
    counter.is_ordered();
    assert_eq!(world.owner(shop).await, Side::Legacy);
}

/// A wallet is a page of the provider's, which nobody shows in a frame: it opens in a window of its own, both pages stay, and
/// go on when it is paid there. On each side, in each language.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wallet_opens_in_a_window_of_its_own_and_the_host_page_goes_on_when_it_is_paid_there() {
    let counter = Counter::open().await;
    let Counter { world, shop, browser, .. } = &counter;
    for (side, lang, said) in [(Side::Legacy, "en", "Thank you"), (Side::Backend, "id", "Terima kasih")] {
        if side != world.owner(shop).await {
            world.wish(Verb::Flip, Some(shop)).await;
        }
        counter.check_out(lang);
        counter.in_the_frame(|browser| {
            made_by(browser, side);
            assert_eq!(browser.run("return document.documentElement.lang"), lang);
            browser.click("button[value=wallet]");
            browser.until("document.querySelector('a.button')");
            browser.click("a.button");
        });
        browser.in_the_other_window(|browser| {
            browser.until("document.querySelector('form button')");
            assert_eq!(browser.run("return [window.opener, document.referrer]"), json!([null, ""]));
            browser.click("form button");
            browser.until("document.querySelector('[role=status]')");
        });
        counter.is_ordered();
        assert!(browser.text().contains(said), "{}", browser.text());
    }
}

/// What a host page can try, each as an expression that ends in what it got; `it` is the frame, `page` its address, `api` the
/// provider's API.
const READS: [&str; 12] = [
    "it.contentDocument.body.innerText",
    "it.contentWindow.document.body.innerText",
    "it.contentWindow.location.href",
    "it.contentWindow.fetch(page)",
    "it.contentWindow.performance.getEntries()",
    "it.contentWindow.localStorage.length",
    "frames[0].document.forms[0].elements.length",
    "frames[0].eval('document.body.innerText')",
    "(await fetch(page)).status",
    "(await fetch(page, {credentials: 'include', mode: 'no-cors'})).type",
    "(await fetch(page.replace('?', '/state?'))).status",
    "(await fetch(`${api}/v1/charges?reference=x`, {mode: 'no-cors'})).type",
];

/// And what it can try to send, each with the directive of its own policy that keeps it from going out.
const SENDS: [(&str, &str); 8] = [
    ("fetch(`${api}/v1/charges`, {method: 'POST', mode: 'no-cors', body: '{}'}).catch(() => {})", "connect-src"),
    ("fetch(page, {method: 'POST', mode: 'no-cors', body: 'method=qr'}).catch(() => {})", "connect-src"),
    ("navigator.sendBeacon(`${api}/v1/charges`, '{}')", "connect-src"),
    ("new EventSource(`${api}/v1/charges`)", "connect-src"),
    ("new Image().src = `${api}/v1/balance`", "img-src"),
    (
        "document.body.append(Object.assign(document.createElement('script'), {src: `${api}/v1/balance`}))",
        "script-src-elem",
    ),
    ("document.body.append(Object.assign(document.createElement('iframe'), {src: `${api}/v1/balance`}))", "frame-src"),
    (
        "{ const form = document.body.appendChild(document.createElement('form')); form.action = page; form.method = 'post'; form.submit(); }",
        "form-action",
    ),
];

/// In a real browser, from the host's own page with the frame in it and a number shown there: no field, key or request of the
/// payment is reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn from_the_host_page_no_payment_field_key_or_request_is_reached() {
    let counter = Counter::open().await;
    let Counter { world, shop, browser, at, .. } = &counter;
    for side in [Side::Legacy, Side::Backend] {
        if side != world.owner(shop).await {
            world.wish(Verb::Flip, Some(shop)).await;
        }
        counter.check_out("en");
        browser.run("window.told = []; addEventListener('message', (event) => window.told.push(event.data));");
        counter.in_the_frame(|browser| {
            made_by(browser, side);
            browser.click("button[value=virtual_account]");
            browser.until("document.querySelector('.number')");
            // The script of the frame has what the host's has not.
            assert!(browser.run("return performance.getEntriesByType('resource').length").as_u64() > Some(0));
        });
        let charge = counter.charge().await;
        let api = counter.provider().api.clone();
        browser.run(&format!("window.api = {api:?}; window.page = document.querySelector('{FRAME}').src;"));
        reads_nothing(browser);
        holds_nothing(browser, at, &charge);
        sends_nothing(browser);
        assert_eq!(counter.charge().await, charge, "something was asked for");
        // What was refused was said of, and nothing else was.
        let complaints = browser.messages();
        let is_refusal = |said: &String| {
            ["Content Security Policy", "cross-origin frame", "ERR_BLOCKED_BY_CSP"].iter().any(|no| said.contains(no))
        };
        assert!(!complaints.is_empty() && complaints.iter().all(is_refusal), "{complaints:#?}");
    }
}

#[track_caller]
fn reads_nothing(browser: &Browser) {
    for read in READS {
        let script = format!(
            "const done = arguments[arguments.length - 1]; const it = document.querySelector('{FRAME}');
             (async () => {read})().then((got) => done(`got ${{got}}`), (no) => done(`no: ${{no.name}}`));"
        );
        let said = browser.run_later(&script);
        assert!(said.as_str().is_some_and(|said| said.starts_with("no: ")), "{read}: {said}");
    }
    assert_eq!(browser.run(&format!("return document.querySelector('{FRAME}').contentDocument")), Value::Null);
}

/// Nothing of it is in the page, its cookies, its stores, or what it has loaded; no page told it anything.
#[track_caller]
fn holds_nothing(browser: &Browser, at: &str, charge: &Value) {
    let held = browser.run(
        "return document.documentElement.outerHTML + document.cookie + JSON.stringify({...localStorage, ...sessionStorage, told: window.told})",
    );
    let held = held.as_str().unwrap();
    let code = charge["code"].as_str().unwrap();
    let in_fours: Vec<&str> = code.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap()).collect();
    let secrets = [
        charge["id"].as_str().unwrap(),
        charge["reference"].as_str().unwrap(),
        code,
        &in_fours.join(" "),
        Provider::API_KEY,
        Provider::NOTICE_KEY,
    ];
    for secret in secrets {
        assert!(!held.contains(secret), "the host page has `{secret}`");
    }
    assert_eq!(browser.run("return window.told"), json!([]));
    let fields = browser.run("return [...document.querySelectorAll('input, select, textarea')].map((it) => it.name)");
    let known = ["tap", "name", "phone", "street", "city", "postal_code", "shipping", "checkout", "total", "choice"];
    assert!(fields.as_array().unwrap().iter().all(|name| known.iter().any(|known| name == known)), "{fields}");
    let loaded = browser.run(&format!(
        "return performance.getEntriesByType('resource').map((it) => it.name).filter((it) => !it.startsWith({at:?}) && it !== window.page)"
    ));
    assert_eq!(loaded, json!([]), "the host page loaded something of others");
}

#[track_caller]
fn sends_nothing(browser: &Browser) {
    for (send, directive) in SENDS {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), {{once: true}});
             {send};"
        );
        assert_eq!(browser.run_later(&script), directive, "{send}");
    }
}

/// Who was not named shows no page of the shop, whatever else their own page may do; and where a page has no policy of its own,
/// as another host app's may not have, the shop itself takes no form from it, though it has the buyer's link.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_page_than_the_shops_frames_it_nowhere_and_sends_it_nothing() {
    let counter = Counter::open().await;
    let Counter { world, shop, browser, .. } = &counter;
    for side in [Side::Legacy, Side::Backend] {
        if side != world.owner(shop).await {
            world.wish(Verb::Flip, Some(shop)).await;
        }
        counter.check_out("en");
        let page = browser.run(&format!("return document.querySelector('{FRAME}').src"));
        // To a browser another name is another origin.
        browser.open(&format!("http://localhost:{}/health", world.seam().port()));
        let framed = format!(
            "const done = arguments[arguments.length - 1]; const frame = document.createElement('iframe');
             frame.onload = () => setTimeout(done, 100); frame.src = {page}; document.body.append(frame);"
        );
        browser.run_later(&framed);
        let refused = browser.messages().join("\n");
        assert!(refused.contains("frame-ancestors"), "it was shown in a frame: {refused}");
        for sent in ["method=virtual_account", "account=BCA+1234567890+Mallory"] {
            let script = format!(
                "const done = arguments[arguments.length - 1];
                 const headers = {{'content-type': 'application/x-www-form-urlencoded'}};
                 fetch({page}, {{method: 'POST', mode: 'no-cors', headers, body: '{sent}'}}).then((it) => done(it.type));"
            );
            assert_eq!(browser.run_later(&script), "opaque", "it did not get there");
        }
        let form = format!(
            "const form = document.body.appendChild(document.createElement('form')); form.method = 'post'; form.action = {page};
             form.innerHTML = '<input name=method value=qr>'; form.submit();"
        );
        browser.run(&form);
        browser.until("document.body.innerText.includes('forbidden')");
        assert_eq!(counter.provider().book().await["charge"], json!([]), "another page chose how to pay");
    }
}
