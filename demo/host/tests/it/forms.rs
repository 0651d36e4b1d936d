//! The pages as a browser without a script has them: links, forms, and where each leads.

use crate::Bench;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A browser of the plainest kind: it keeps cookies and follows where it is led.
pub struct Visitor<'a> {
    bench: &'a Bench,
    cookies: BTreeMap<String, String>,
}

pub struct Page {
    status: u16,
    head: String,
    path: String,
    pub html: String,
}

impl<'a> Visitor<'a> {
    pub fn of(bench: &'a Bench) -> Self {
        Self { bench, cookies: BTreeMap::new() }
    }

    pub fn get(&mut self, path: &str) -> Page {
        self.send("GET", path, "", "none")
    }

    pub fn post(&mut self, path: &str, form: &str) -> Page {
        let answer = self.send("POST", path, form, "same-origin");
        assert_eq!(answer.status, 303, "{path}: {}", answer.html);
        let location = header(&answer.head, "location").unwrap();
        self.get(&location)
    }

    fn send(&mut self, method: &str, path: &str, form: &str, site: &str) -> Page {
        let authority = self.bench.at.trim_start_matches("http://");
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let length = form.len();
        let asked = format!(
            "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\nsec-fetch-site: {site}\r\n\
             cookie: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}",
            cookies.join("; ")
        );
        let answer = request(&self.bench.at, &asked);
        let (head, html) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Page { status, head: head.to_owned(), path: path.to_owned(), html: html.to_owned() }
    }
}

/// What is answered at `http://host:port`, until the connection ends.
fn request(at: &str, asked: &str) -> String {
    let mut stream = TcpStream::connect(at.trim_start_matches("http://")).unwrap();
    stream.write_all(asked.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Page {
    /// What stands between these two, the first time.
    #[track_caller]
    fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self.html.split_once(before).unwrap_or_else(|| panic!("no `{before}` in {}", self.html));
        rest.split_once(after).unwrap().0.to_owned()
    }

    /// The name of the form that is sent to this address.
    #[track_caller]
    pub fn tap(&self, action: &str) -> String {
        let form = self.between(&format!("action=\"{action}\""), "</form>");
        let (_, rest) = form.split_once("name=\"tap\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}

impl Page {
    /// The form that pays what this page says.
    #[track_caller]
    pub fn pay(&self, choice: &str) -> String {
        let form = self.between("action=\"/shops/2/pay\"", "</form>");
        let value = |name: &str| {
            let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        };
        format!("tap={}&checkout={}&total={}&choice={choice}", value("tap"), value("checkout"), value("total"))
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

fn digits(amount: &str) -> String {
    amount.chars().filter(char::is_ascii_digit).collect()
}

const ADDRESS: &str = "name=Sari&phone=%2B62811&street=Jalan+Melati+7&city=Bandung&postal_code=40115&shipping=flat";

/// A product of shop 2, and its page.
pub fn open(visitor: &mut Visitor<'_>) -> (String, Page) {
    let href = visitor.get("/").between("class=\"yellow\" id=\"yellow-0\" data-swap href=\"", "\"");
    (href.rsplit_once('/').unwrap().1.to_owned(), visitor.get(&href))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_needs_no_script() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, page) = open(&mut visitor);
    let tap = page.tap("/shops/2/basket");
    let page = visitor.post("/shops/2/basket", &format!("tap={tap}&product={product}"));
    assert!(page.html.contains("It is in your basket."), "{}", page.html);
    let page = visitor.get("/basket");
    let tap = page.tap("/shops/2/units");
    let page = visitor.post("/shops/2/units", &format!("tap={tap}&product={product}&units=3"));
    assert!(page.html.contains("<span class=\"units\">3</span>"), "{}", page.html);
    let tap = page.tap("/shops/2/checkout");
    let page = visitor.post("/shops/2/checkout", &format!("tap={tap}"));
    let tap = page.tap("/shops/2/details");
    let page = visitor.post("/shops/2/details", &format!("tap={tap}&{ADDRESS}"));
    let declined = visitor.post("/shops/2/pay", &page.pay("decline"));
    assert!(declined.html.contains("The payment was declined"), "{}", declined.html);
    let total = declined.between("<dd id=\"total\">", "</dd>");
    let order = visitor.post("/shops/2/pay", &declined.pay("approve"));
    assert!(order.path.starts_with("/shops/2/orders/"), "{}", order.path);
    assert_eq!(order.between("<dd id=\"total\">", "</dd>"), total);
    assert!(order.html.contains("Service provided and managed by <b>Toko Dua</b>"), "{}", order.html);
    // Its invoice opens at the shops' address for whoever has the link, with the same total.
    let link = order.between("id=\"invoice\" href=\"", "\"");
    let (at, path) = link.split_at(bench.way.at.len());
    assert_eq!(at, bench.way.at);
    let invoice = request(at, &format!("GET {path} HTTP/1.1\r\nhost: shops\r\nconnection: close\r\n\r\n"));
    assert!(invoice.starts_with("HTTP/1.1 200 ") && invoice.contains(&digits(&total)), "{invoice}");
    assert!(visitor.get("/basket").html.contains("Your basket is empty."));
    assert!(visitor.get("/orders").html.contains(&order.path));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_sent_twice_is_done_once() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, page) = open(&mut visitor);
    let form = format!("tap={}&product={product}", page.tap("/shops/2/basket"));
    visitor.post("/shops/2/basket", &form);
    visitor.post("/shops/2/basket", &form);
    let page = visitor.get("/basket");
    assert!(page.html.contains("<span class=\"units\">1</span>"), "{}", page.html);
    let page = visitor.post("/shops/2/checkout", &format!("tap={}", page.tap("/shops/2/checkout")));
    let page = visitor.post("/shops/2/details", &format!("tap={}&{ADDRESS}", page.tap("/shops/2/details")));
    let form = page.pay("approve");
    let once = visitor.post("/shops/2/pay", &form);
    let twice = visitor.post("/shops/2/pay", &form);
    assert_eq!(once.path, twice.path);
    assert_eq!(visitor.get("/orders").html.matches("href=\"/shops/2/orders/").count(), 1);
}

/// The shop is away for longer than anybody waits; what was tapped meanwhile is done when it is back, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silent_shop_did_not_answer_is_kept_and_done_once() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, page) = open(&mut visitor);
    visitor.post("/shops/2/basket", &format!("tap={}&product={product}", page.tap("/shops/2/basket")));
    let basket = visitor.get("/basket");
    let form = format!("tap={}", basket.tap("/shops/2/checkout"));
    bench.way.lose_answers(true);
    let silent = visitor.post("/shops/2/checkout", &form);
    assert!(silent.html.contains("The shop did not answer"), "{}", silent.html);
    assert!(silent.html.contains("action=\"/shops/2/again\""), "{}", silent.html);
    bench.way.lose_answers(false);
    let again = visitor.post("/shops/2/again", "");
    assert_eq!(again.path, "/shops/2/checkout", "{}", again.html);
    assert!(again.html.contains("action=\"/shops/2/details\""), "{}", again.html);
    let keys = bench.way.lost();
    assert!(keys.len() > 1 && keys.iter().all(|key| *key == keys[0]), "other keys for the same tap: {keys:?}");
}

/// One of a product in the basket, and the page on which it is paid.
fn come_to_pay(visitor: &mut Visitor<'_>) -> (String, Page) {
    let (product, page) = open(visitor);
    visitor.post("/shops/2/basket", &format!("tap={}&product={product}", page.tap("/shops/2/basket")));
    let page = visitor.get("/basket");
    let page = visitor.post("/shops/2/checkout", &format!("tap={}", page.tap("/shops/2/checkout")));
    (product, visitor.post("/shops/2/details", &format!("tap={}&{ADDRESS}", page.tap("/shops/2/details"))))
}

const CHANGED: &str = "nothing was paid";

/// The same form of the same page, sent by another tap.
fn tapped_anew(form: &str) -> String {
    form.replacen("tap=", "tap=0", 1)
}

fn ordered(visitor: &mut Visitor<'_>) -> usize {
    visitor.get("/orders").html.matches("href=\"/shops/2/orders/").count()
}

/// Two screens of one person: what the first one shows is older than what the second one did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_button_pays_what_it_says_or_nothing() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, first) = come_to_pay(&mut visitor);
    let basket = visitor.get("/basket");
    visitor.post("/shops/2/units", &format!("tap={}&product={product}&units=2", basket.tap("/shops/2/units")));

    // More is in the basket: neither the old button pays, nor is there a new one before that is said.
    let page = visitor.post("/shops/2/pay", &first.pay("approve"));
    assert!(page.path == "/shops/2/checkout" && page.html.contains(CHANGED), "{}", page.html);
    let page = visitor.get("/shops/2/checkout");
    assert!(page.html.contains("id=\"behind\"") && !page.html.contains("id=\"pay\""), "{}", page.html);
    let second = visitor.post("/shops/2/checkout", &format!("tap={}", page.tap("/shops/2/checkout")));
    assert!(!second.html.contains("id=\"behind\""), "{}", second.html);
    let (one, two) = (first.between("<dd id=\"total\">", "</dd>"), second.between("<dd id=\"total\">", "</dd>"));
    assert_ne!(one, two);

    // The checkout is the same one by now, and comes to something else.
    let page = visitor.post("/shops/2/pay", &tapped_anew(&first.pay("approve")));
    assert!(page.path == "/shops/2/checkout" && page.html.contains(CHANGED), "{}", page.html);
    let other = tapped_anew(&second.pay("approve")).replace("checkout=", "checkout=0");
    assert!(visitor.post("/shops/2/pay", &other).html.contains(CHANGED));
    assert_eq!(ordered(&mut visitor), 0);

    let order = visitor.post("/shops/2/pay", &second.pay("approve"));
    assert_eq!(order.between("<dd id=\"total\">", "</dd>"), two);
    // An older page of what is paid by now leads to its order.
    assert_eq!(visitor.post("/shops/2/pay", &tapped_anew(&tapped_anew(&first.pay("approve")))).path, order.path);
    assert_eq!(ordered(&mut visitor), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paying_again_after_a_silence_leads_to_the_order() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (_, page) = come_to_pay(&mut visitor);
    // The shop is paid, and nobody hears of it.
    bench.way.lose_answers(true);
    let answer = visitor.send("POST", "/shops/2/pay", &page.pay("approve"), "same-origin");
    assert_eq!(header(&answer.head, "location").unwrap(), "/shops/2/checkout");
    bench.way.lose_answers(false);
    // The same page is sent once more, as another tap.
    let order = visitor.post("/shops/2/pay", &tapped_anew(&page.pay("approve")));
    assert!(order.path.starts_with("/shops/2/orders/"), "{}", order.path);
    assert_eq!(ordered(&mut visitor), 1);
}

/// The shop does not even say what is in the basket, so nothing was sent; it is done all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silent_shop_was_not_even_told_is_kept_and_done_once() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, page) = open(&mut visitor);
    visitor.post("/shops/2/basket", &format!("tap={}&product={product}", page.tap("/shops/2/basket")));
    let basket = visitor.get("/basket");
    bench.way.lose_reads(true);
    let form = format!("tap={}&product={product}&units=3", basket.tap("/shops/2/units"));
    let answer = visitor.send("POST", "/shops/2/units", &form, "same-origin");
    assert_eq!(header(&answer.head, "location").unwrap(), "/basket");
    bench.way.lose_reads(false);
    let silent = visitor.get("/basket");
    assert!(silent.html.contains("The shop did not answer"), "{}", silent.html);
    assert!(silent.html.contains("<span class=\"units\">1</span>"), "{}", silent.html);
    let again = visitor.post("/shops/2/again", "");
    assert!(again.html.contains("<span class=\"units\">3</span>"), "{}", again.html);
    let again = visitor.post("/shops/2/again", "");
    assert!(again.html.contains("<span class=\"units\">3</span>"), "{}", again.html);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_what_somebody_else_bought_or_has_in_the_basket() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    let (product, page) = open(&mut visitor);
    visitor.post("/shops/2/basket", &format!("tap={}&product={product}", page.tap("/shops/2/basket")));
    let page = visitor.get("/basket");
    let page = visitor.post("/shops/2/checkout", &format!("tap={}", page.tap("/shops/2/checkout")));
    let page = visitor.post("/shops/2/details", &format!("tap={}&{ADDRESS}", page.tap("/shops/2/details")));
    let order = visitor.post("/shops/2/pay", &page.pay("approve"));
    let mut other = Visitor::of(&bench);
    assert_eq!((visitor.get(&order.path).status, other.get(&order.path).status), (200, 404));
    assert!(!other.get("/orders").html.contains(&order.path));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_is_not_taken_and_every_page_says_what_it_may_run() {
    let bench = Bench::start().await;
    let mut visitor = Visitor::of(&bench);
    visitor.get("/");
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(visitor.send("POST", "/shops/2/basket", "tap=1&product=1", site).status, 403, "{site}");
    }
    for path in ["/", "/basket", "/orders", "/shops/2/checkout", "/no/such", "/host.css", "/host.js", "/icon.svg"] {
        let policy = header(&visitor.get(path).head, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(!visitor.get(path).html.contains("style=\""), "{path} has a style of its own");
    }
}
