//! The page itself. Whatever varies is escaped by the macro; nothing on it is computed but how it is written.

use super::words::{Words, words};
use super::{Sheet, qr, qris};
use crate::invoice::{Lang, OPERATOR, amount, instant};
use crate::link::in_path;
use crate::sheet::{self, PAY_SCRIPT, PAY_STYLE};
use commerce::checkout::{Line, State};
use commerce::decision::Aggregate;
use commerce::intent::{Attempt, Fate, Intent, Method};
use commerce::money::Money;
use maud::{Markup, html};
use shop::ToPay;

/// What of the page's content can change by itself, in one word.
pub fn mark(found: &ToPay) -> String {
    let state = found.checkout.state().name();
    let tries = found.intent.as_ref().map(Intent::attempts).unwrap_or_default();
    let last = tries.last().map_or("", |attempt| attempt.fate().name());
    let shown = tries.last().and_then(Attempt::shown).map_or("", |_| "shown");
    let came = found.intent.as_ref().map_or(0, Intent::received);
    let canceling = found.intent.as_ref().is_some_and(Intent::is_being_canceled);
    let door = found.at_the_door;
    format!("{state}.{}.{last}.{shown}.{came}.{canceling}.{door}.{}", tries.len(), found.owed)
}

fn frame(lang: Lang, title: &str, mark: Option<&str>, body: &Markup) -> Markup {
    let head = html! {
        link rel="stylesheet" href={ "../assets/" (PAY_STYLE) };
        @if mark.is_some() { script type="module" src={ "../assets/" (PAY_SCRIPT) } {} }
    };
    sheet::frame(lang, title, &head, mark, body)
}

/// What is answered where there is nothing to pay, or nobody who may see it.
pub fn none(lang: Lang) -> Markup {
    let words = words(lang);
    frame(lang, words.none, None, &html! { main { h1 { (words.none) } p { (words.none_hint) } } })
}

pub fn show(sheet: &Sheet<'_>) -> Markup {
    let (lang, other, words) = (sheet.lang, sheet.lang.other(), words(sheet.lang));
    let checkout = &sheet.found.checkout;
    let here = |lang: Lang| format!("{}?key={}&lang={}", in_path(checkout.id()), sheet.key, lang.code());
    let body = html! {
        nav aria-label=(other.words().name) {
            a lang=(other.code()) hreflang=(other.code()) href=(here(other)) { (other.words().name) }
        }
        main {
            h1 { (words.title) }
            p .due { span { (words.due) } " " strong { (amount(lang, checkout.totals().total())) } }
            @if let Some(code) = sheet.refused {
                p .refused role="alert" { (words.of_refusal(code)) }
            }
            (now(sheet, words, &here(lang)))
            (owed(sheet, words, &here(lang)))
            (goods(lang, checkout.lines()))
            footer { p { (words.managed_by) " " strong { (OPERATOR) } } }
        }
    };
    frame(lang, words.title, Some(&mark(sheet.found)), &body)
}

/// What the buyer can do now.
fn now(sheet: &Sheet<'_>, words: &Words, here: &str) -> Markup {
    let choices = |but: Option<Method>, heading: &str| choices(sheet, words, here, but, heading);
    match (sheet.found.checkout.state(), &sheet.found.intent) {
        (State::Completed { order }, _) => html! {
            section .paid role="status" {
                @if sheet.found.at_the_door {
                    h2 { (words.ordered) }
                    p { (words.at_the_door) }
                } @else {
                    h2 { (words.paid) }
                }
                p { (words.order) " " strong { (order) } }
                @if let Some(invoice) = &sheet.invoice { p { (elsewhere(invoice, None, words.invoice)) } }
            }
        },
        (State::Canceled, _) => html! { p role="status" { (words.canceled) } },
        (State::Open, _) if sheet.found.checkout.missing().is_some() => {
            html! { p role="status" { (words.incomplete) } }
        }
        (State::Open, _) => choices(None, words.choose),
        (State::Awaiting { .. }, Some(intent)) if intent.is_being_canceled() => {
            html! { p role="status" { (words.canceling) } }
        }
        (State::Awaiting { .. }, Some(intent)) => match intent.live() {
            Some(attempt) if attempt.fate() == Fate::Accepted && intent.came_by(attempt.number()) > 0 => html! {
                p role="status" { (words.part) " " strong { (came(sheet.lang, intent)) } }
                (choices(None, words.rest_how))
            },
            // What the shop does about it is under way: the money is taken, or the order placed.
            Some(attempt) if is_done_by_the_shop(attempt.method()) => checking(words),
            Some(attempt) if attempt.fate() == Fate::Accepted => html! {
                (to_pay_with(sheet, words, intent, attempt))
                (choices(Some(attempt.method()), words.another))
            },
            Some(_) => checking(words),
            None => html! { p role="status" { (words.again) } (choices(None, words.choose)) },
        },
        (State::Awaiting { .. } | State::Paying(_), _) => checking(words),
    }
}

const fn is_done_by_the_shop(method: Method) -> bool {
    matches!(method, Method::CardToken | Method::CashOnDelivery)
}

fn came(lang: Lang, intent: &Intent) -> String {
    Money::new(intent.received(), intent.due().currency()).map_or_else(|_| String::new(), |came| amount(lang, came))
}

/// Money that came by a way that has none back: the buyer says where it goes.
fn owed(sheet: &Sheet<'_>, words: &Words, here: &str) -> Markup {
    let currency = sheet.found.checkout.currency();
    let owed = Money::new(sheet.found.owed, currency).ok().filter(|owed| !owed.is_zero());
    html! {
        @if let Some(owed) = owed {
            section .owed {
                h2 { (words.owed) " " (amount(sheet.lang, owed)) }
                p { (words.owed_hint) }
                form method="post" action=(here) {
                    label for="account" { (words.account) }
                    input id="account" name="account" autocomplete="off" minlength="5" maxlength="80" required;
                    button type="submit" { (words.send_back) }
                }
            }
        }
    }
}

fn checking(words: &Words) -> Markup {
    html! { section .checking role="status" { h2 { (words.checking) } p { (words.checking_hint) } } }
}

/// The number, the code or the address.
fn to_pay_with(sheet: &Sheet<'_>, words: &Words, intent: &Intent, attempt: &Attempt) -> Markup {
    let shown = attempt.shown().unwrap_or_default();
    let until = attempt.expires_at().map_or(intent.expires_at(), |at| at.min(intent.expires_at()));
    let what = match attempt.method() {
        _ if shown.is_empty() => html! { p role="alert" { (words.unreadable) } },
        Method::VirtualAccount => html! {
            h2 { (words.number) }
            p .number { (in_fours(shown)) }
            p { (words.number_hint) }
        },
        Method::Qr => scannable(words, intent, attempt),
        Method::Wallet => html! {
            h2 { (words.of_method(attempt.method())) }
            @if is_address(shown) {
                p { (elsewhere(shown, Some("button"), words.wallet)) }
                p { (words.wallet_hint) }
            } @else {
                p role="alert" { (words.unreadable) }
            }
        },
        Method::CardToken | Method::CashOnDelivery => html! { h2 { (words.of_method(attempt.method())) } },
    };
    html! {
        section .pay {
            (what)
            // A part is here already: this is about the rest.
            @if attempt.amount() != intent.due() { p { (words.rest) " " strong { (amount(sheet.lang, attempt.amount())) } } }
            p .until {
                span {
                    (words.until) " "
                    time data-until=(until.0.div_euclid(1_000)) {
                        (instant(sheet.lang, until, intent.due().currency()))
                    }
                }
                span .left aria-hidden="true" {}
            }
            p .soft { (words.late) }
        }
    }
}

fn scannable(words: &Words, intent: &Intent, attempt: &Attempt) -> Markup {
    let shown = attempt.shown().unwrap_or_default();
    let drawn = match qris::check(shown, attempt.amount()) {
        Ok(()) => qr::drawn(shown, words.scan),
        Err(wrong) => {
            tracing::error!(intent = %intent.id(), %wrong, "a QRIS of the provider is not shown");
            None
        }
    };
    html! {
        h2 { (words.scan) }
        @match drawn {
            Some(code) => { (code) p { (words.scan_hint) } },
            None => p role="alert" { (words.unreadable) },
        }
    }
}

/// In a window of its own. Providers are shown in no frame, rightly: a buyer has to see at whose address they pay; and a page
/// that stood in the place of this one, or of the host app's, would leave nobody to go on when it is paid.
fn elsewhere(address: &str, class: Option<&str>, name: &str) -> Markup {
    html! { a class=[class] href=(address) target="_blank" rel="noopener noreferrer" { (name) " ↗" } }
}

/// Nothing but a web address is made a link.
fn is_address(shown: &str) -> bool {
    shown.starts_with("https://") || shown.starts_with("http://")
}

/// `8808 0000 0000 0001`: so that people can read it out.
fn in_fours(number: &str) -> String {
    let mut text = String::new();
    for (at, character) in number.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(character);
    }
    text
}

fn choices(sheet: &Sheet<'_>, words: &Words, here: &str, but: Option<Method>, heading: &str) -> Markup {
    if let Some(card) = &sheet.card {
        return card_entry(words, here, card);
    }
    html! {
        section .choices {
            h2 { (heading) }
            form method="post" action=(here) {
                @for method in sheet.ways.iter().filter(|method| but != Some(**method)) {
                    @if *method == Method::CardToken {
                        a .choice href={ (here) "&way=" (method.name()) } { (words.of_method(*method)) }
                    } @else {
                        button .choice type="submit" name="method" value=(method.name()) { (words.of_method(*method)) }
                    }
                }
            }
            @if but.is_some() { p .soft { (words.another_hint) } }
        }
    }
}

/// The provider's page for a card, and what the script fills in when that has made something of it.
fn card_entry(words: &Words, here: &str, at: &str) -> Markup {
    html! {
        section .card data-card=(at) data-title=(words.card_frame) {
            h2 { (words.of_method(Method::CardToken)) }
            noscript { p role="alert" { (words.card_script) } }
            form method="post" action=(here) {
                input type="hidden" name="method" value=(Method::CardToken.name());
                input type="hidden" name="card";
            }
            p .soft { (words.card_hint) }
            p { a href=(here) { (words.another) } }
        }
    }
}

fn goods(lang: Lang, lines: &[Line]) -> Markup {
    html! {
        ul .goods {
            @for line in lines {
                li {
                    span { (line.quantity()) " × " (line.title()) }
                    span { (amount(lang, line.total())) }
                }
            }
        }
    }
}
