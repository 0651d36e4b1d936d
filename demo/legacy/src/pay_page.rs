//! The page where a buyer pays: what is due, the choice of how, then what to pay with until it is paid; and where to say
//! to which account money goes back that has no way of its own.
//!
//! Invariant: what a buyer pays with is on this page and nowhere else, and without the key of its link the page looks like
//! one that does not exist. It works without its script, which only looks whether something has changed.

mod qr;
mod words;

use crate::browser::{self, Asked};
use crate::cashier::Cashier;
use crate::checkout;
use crate::database::Transaction;
use crate::invoice::Links;
use crate::page::{self, escaped, tag};
use crate::pesanan::{self, Fate, Method, Pesanan, Try};
use crate::shop::Ctx;
use crate::wire::Stop;
use crate::{clock, loket, order};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use words::{Words, words};

/// The name of the page's script.
pub const SCRIPT_NAME: &str = "bayar.js";
pub const SCRIPT: &str = include_str!("../assets/bayar.js");

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'self'";

/// What the page may do, and the host apps that may show it in a frame.
pub fn policy(host_origins: &[String]) -> String {
    let by = if host_origins.is_empty() { "'none'".to_owned() } else { host_origins.join(" ") };
    format!("{POLICY}; frame-ancestors {by}")
}

/// Who answers: with the cashier, by these links, under a policy.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub cashier: &'a Cashier,
    pub links: &'a Links,
    pub policy: &'a str,
}

/// What is done with the page of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    Show,
    State,
    /// A form was sent: how to pay, or where to send money back to.
    Choose,
}

/// What the page is made of.
struct Sheet {
    id: String,
    status: &'static str,
    due: i64,
    lines: Vec<(String, i64, i64)>,
    /// The number of its order, and where its invoice is.
    order: Option<(String, String)>,
    /// What it waits for.
    pending: Option<Pesanan>,
    /// What goes back as soon as the buyer says where to.
    owed: i64,
}

/// # Errors
/// A form that says nothing, or what the database says.
pub async fn answer(
    Desk { cashier, links, policy }: Desk<'_>,
    (shop, id): (i64, &str),
    visit: Visit,
    asked: &Asked<'_>,
    body: &[u8],
) -> Result<Response<Body>, Stop> {
    if visit == Visit::Choose && is_from_elsewhere(asked) {
        return Err(Stop::bad(StatusCode::FORBIDDEN, "forbidden", "this page answers to its own forms"));
    }
    let key = asked.parameter("key").filter(|key| links.opens_checkout(shop, id, key));
    let (Some(key), Some(before)) = (key, look(cashier, links, shop, id).await?) else {
        return match visit {
            Visit::State => Err(Stop::no_such_path()),
            Visit::Show | Visit::Choose => Ok(none(policy, asked)),
        };
    };
    let here = format!("{id}?key={key}&lang={}", asked.words().lang());
    let mut refused = None;
    match visit {
        Visit::Show => {}
        Visit::State => return Ok(browser::guarded(StatusCode::OK, "text/plain", policy, before.mark())),
        Visit::Choose => match Form::read(body)? {
            Form::Method(method) => refused = cashier.choose(shop, id, method).await?,
            Form::Account(account) => {
                refused = cashier.pay_out(shop, id, account).await?;
                if refused.is_none() {
                    // Loaded again, the page sends no account a second time.
                    return Ok(see_other(policy, &here));
                }
            }
        },
    }
    let found = if visit == Visit::Choose { look(cashier, links, shop, id).await? } else { Some(before) };
    let Some(sheet) = found else { return Ok(none(policy, asked)) };
    Ok(browser::html(StatusCode::OK, policy, sheet.page(asked, key, &here, refused)))
}

/// The page of a host app, say, which knows the link: a browser tells whose page sent a form.
fn is_from_elsewhere(asked: &Asked<'_>) -> bool {
    let site = asked.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| ![&b"same-origin"[..], b"none"].contains(&site))
}

fn none(policy: &str, asked: &Asked<'_>) -> Response<Body> {
    let (lang, words) = (asked.words().lang(), words(asked.words().lang()));
    let main = tag("h1", words.none) + &tag("p", words.none_hint);
    browser::html(StatusCode::NOT_FOUND, policy, page::frame(lang, words.none, &page::style("../"), "", &main))
}

fn see_other(policy: &str, here: &str) -> Response<Body> {
    let mut response = browser::guarded(StatusCode::SEE_OTHER, "text/plain", policy, String::new());
    if let Ok(place) = HeaderValue::from_str(here) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// What a form says.
enum Form {
    Method(Method),
    Account(String),
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, Stop> {
        let fields: Vec<(String, String)> =
            serde_urlencoded::from_bytes(body).map_err(|_| Stop::invalid("the form cannot be read"))?;
        let of = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        if let Some(account) = of("account") {
            return Ok(Self::Account(account.to_owned()));
        }
        let method = of("method").and_then(Method::named);
        method.map(Self::Method).ok_or_else(|| Stop::invalid("method is not a way to pay"))
    }
}

async fn look(cashier: &Cashier, links: &Links, shop: i64, id: &str) -> Result<Option<Sheet>, Stop> {
    let (links, id) = (links.clone(), id.to_owned());
    let found = cashier.database().read(move |tx| {
        let ctx = Ctx::load(tx, shop, Timestamp::now(), &links)?;
        Sheet::read(tx, &ctx, &id)
    });
    match found.await {
        // No such shop.
        Err(Stop::Bad { .. }) => Ok(None),
        found => found,
    }
}

impl Sheet {
    fn read(tx: &mut Transaction<'_>, ctx: &Ctx, id: &str) -> Result<Option<Self>, Stop> {
        let Some(draft) = checkout::find(tx, ctx, id)? else { return Ok(None) };
        let begun = pesanan::of_draft(tx, draft.id)?;
        let owed = begun.iter().map(Pesanan::needs_account).sum();
        let pending = begun.into_iter().find(|it| draft.waits() && draft.pending == Some(it.id));
        let lines = draft.lines(tx)?.into_iter().map(|line| (line.title, line.quantity, line.total)).collect();
        Ok(Some(Self {
            id: id.to_owned(),
            status: draft.status(),
            due: draft.sums.total,
            lines,
            order: draft.order().map(|nomor| (nomor.to_owned(), order::permalink(ctx, nomor))),
            pending,
            owed,
        }))
    }

    /// What of the page can change by itself, in one word.
    fn mark(&self) -> String {
        let Some(it) = &self.pending else { return format!("{}..{}", self.status, self.owed) };
        let last = it.tries.last();
        let (fate, code) = (last.map_or("", |of| of.fate.word()), last.is_some_and(|of| of.code.is_some()));
        let (tries, came, canceling) = (it.tries.len(), it.received(), it.cancel_asked.is_some());
        format!("{}.{tries}.{fate}.{code}.{came}.{canceling}.{}", self.status, self.owed)
    }

    fn page(&self, asked: &Asked<'_>, key: &str, here: &str, refused: Option<&'static str>) -> String {
        let lang = asked.words().lang();
        let (words, (other, name)) = (words(lang), asked.words().other());
        let there = format!("{}?key={key}&lang={other}", self.id);
        let mut main = format!(
            "<nav aria-label=\"{name}\"><a lang=\"{other}\" hreflang=\"{other}\" href=\"{}\">{name}</a></nav>",
            escaped(&there)
        );
        main += &tag("h1", words.title);
        main += &format!("<p class=\"due\">{} {}</p>", escaped(words.due), tag("strong", &amount(self.due)));
        if let Some(code) = refused {
            main += &tag("p class=\"refused\" role=\"alert\"", words.of_refusal(code));
        }
        main += &self.now(words, here);
        main += &self.owed_back(words, here);
        main += "<ul class=\"goods\">";
        for (title, quantity, total) in &self.lines {
            main += &tag("li", &format!("{quantity} × {title}, {}", amount(*total)));
        }
        main += "</ul>";
        main += &tag("p class=\"by\"", words.managed);
        let head = page::style("../") + &format!("<script type=\"module\" src=\"../assets/{SCRIPT_NAME}\"></script>");
        page::frame(lang, words.title, &head, &format!(" data-mark=\"{}\"", self.mark()), &main)
    }

    /// What the buyer can do now.
    fn now(&self, words: &Words, here: &str) -> String {
        if let Some((nomor, invoice)) = &self.order {
            let paid = format!("<p>{} {}</p>", escaped(words.order), tag("strong class=\"order\"", nomor));
            let link = format!("<p>{}</p>", elsewhere("", invoice, words.invoice));
            return format!("<section class=\"paid\" role=\"status\">{}{paid}{link}</section>", tag("h2", words.paid));
        }
        let said = |text: &str| tag("p role=\"status\"", text);
        match (self.status, &self.pending) {
            ("canceled", _) => said(words.canceled),
            ("incomplete", _) => said(words.incomplete),
            ("ready_for_complete", _) => self.choices(words, here, None, words.choose),
            (_, Some(it)) if it.cancel_asked.is_some() => said(words.canceling),
            (_, Some(it)) => match it.live() {
                // What is out is not about what is left.
                Some(live) if live.fate == Fate::Waits && it.came_by(live.number) > 0 => {
                    let came = format!("<p role=\"status\">{} {}</p>", escaped(words.part), amount(it.received()));
                    came + &self.choices(words, here, None, words.rest_how)
                }
                Some(live) if live.fate == Fate::Waits => {
                    to_pay_with(words, it, live) + &self.choices(words, here, Some(live.method), words.another)
                }
                Some(_) => checking(words),
                None => said(words.again) + &self.choices(words, here, None, words.choose),
            },
            (_, None) => checking(words),
        }
    }

    fn choices(&self, words: &Words, here: &str, but: Option<Method>, heading: &str) -> String {
        let ways = loket::ways(self.due);
        let button = |method: &Method| {
            let name = escaped(words.of_method(*method));
            format!("<button type=\"submit\" name=\"method\" value=\"{}\">{name}</button> ", method.name())
        };
        let buttons: String = ways.iter().filter(|method| but != Some(**method)).map(button).collect();
        let hint = if but.is_some() { tag("p", words.another_hint) } else { String::new() };
        format!(
            "<section class=\"choices\">{}<form method=\"post\" action=\"{}\">{buttons}</form>{hint}</section>",
            tag("h2", heading),
            escaped(here)
        )
    }

    fn owed_back(&self, words: &Words, here: &str) -> String {
        if self.owed == 0 {
            return String::new();
        }
        format!(
            "<section class=\"owed\">{}{}<form method=\"post\" action=\"{}\"><label for=\"account\">{}</label> \
             <input id=\"account\" name=\"account\" autocomplete=\"off\" minlength=\"5\" maxlength=\"80\" required> \
             <button type=\"submit\">{}</button></form></section>",
            tag("h2", &format!("{} {}", words.owed, amount(self.owed))),
            tag("p", words.owed_hint),
            escaped(here),
            escaped(words.account),
            escaped(words.send_back)
        )
    }
}

fn amount(hundredths: i64) -> String {
    page::amount("IDR", hundredths)
}

fn checking(words: &Words) -> String {
    let text = tag("h2", words.checking) + &tag("p", words.checking_hint);
    format!("<section class=\"checking\" role=\"status\">{text}</section>")
}

/// The number, the code or the address. The number and the address stand where other pages of this kind have them.
fn to_pay_with(words: &Words, it: &Pesanan, live: &Try) -> String {
    let shown = live.code.as_deref().unwrap_or_default();
    let is_address = shown.starts_with("https://") || shown.starts_with("http://");
    let unreadable = || tag("p role=\"alert\"", words.unreadable);
    let what = match live.method {
        _ if shown.is_empty() => unreadable(),
        Method::VirtualAccount => tag("p class=\"number\"", &in_fours(shown)) + &tag("p", words.number_hint),
        Method::Qr => {
            let drawn = qr::drawn(shown, words.of_method(live.method));
            drawn.map_or_else(unreadable, |code| code + &tag("p", words.scan_hint))
        }
        Method::Wallet if is_address => {
            format!("<p>{}</p>", elsewhere("class=\"button\" ", shown, words.wallet)) + &tag("p", words.wallet_hint)
        }
        Method::Wallet => unreadable(),
    };
    let until = live.until.map_or(it.until, |until| until.min(it.until));
    let rest = if live.amount == it.due { String::new() } else { format!("{} {}", words.rest, amount(live.amount)) };
    format!(
        "<section class=\"pay\">{}<div class=\"code\" data-code=\"{}\">{what}</div>{}<p>{} {}</p><p class=\"until\">{} {} WIB</p>{}</section>",
        tag("h2", words.of_method(live.method)),
        escaped(shown),
        if rest.is_empty() { rest } else { tag("p", &rest) },
        escaped(words.order),
        tag("strong class=\"order\"", &it.nomor),
        escaped(words.until),
        clock::wib(until),
        tag("p", words.late)
    )
}

/// What leads away from the page opens beside it: wallets are shown in no frame, and the page goes on when it is paid.
fn elsewhere(class: &str, address: &str, name: &str) -> String {
    let (address, name) = (escaped(address), escaped(name));
    format!("<a {class}href=\"{address}\" target=\"_blank\" rel=\"noopener noreferrer\">{name} ↗</a>")
}

/// `8808 0000 0000 0001`, so that people can read it out.
fn in_fours(number: &str) -> String {
    let letters: Vec<char> = number.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}
