//! The page itself: a sheet with who sold what to whom, what it came to, and what was paid and given back.
//!
//! Whatever varies is escaped by the macro. Nothing on it is computed anew but sums of what stands there.

use super::figures::{amount, instant};
use super::words::Lang;
use crate::sheet;
use commerce::decision::Aggregate;
use commerce::history::{self, History};
use commerce::invoice::InvoiceNo;
use commerce::money::{Currency, Money};
use commerce::order::{self, Adjustment, Command, Order, Payment};
use maud::{Markup, html};
use shop::{Filed, Invoice};
use vocab::id::{PublicId, Timestamp};

/// Who runs the shops behind this address.
pub const OPERATOR: &str = "Baliklayar";

fn frame(lang: Lang, title: &str, body: &Markup) -> Markup {
    sheet::frame(
        lang,
        title,
        &html! { link rel="stylesheet" href={ "../../assets/" (sheet::INVOICE_STYLE) }; },
        None,
        body,
    )
}

/// What is answered where there is nothing to see, or nobody who may see it.
pub fn none(lang: Lang) -> Markup {
    let words = lang.words();
    frame(lang, words.none, &html! { main .sheet { h1 { (words.none) } p { (words.none_hint) } } })
}

/// The invoice; `key` is that of its link, for the link to the other language.
pub fn invoice(lang: Lang, invoice: &Invoice, key: &str) -> Markup {
    let (words, other) = (lang.words(), lang.other());
    let (number, main) = match &invoice.filed {
        Filed::Live(order) => (number(order.invoice(), order.id()), of_order(lang, order)),
        Filed::History(history) => (number(history.invoice(), history.id()), of_history(lang, history)),
    };
    let title = format!("{} {number}", words.invoice);
    let body = html! {
        nav aria-label=(other.words().name) {
            a lang=(other.code()) hreflang=(other.code()) href={ "invoice?key=" (key) "&lang=" (other.code()) } {
                (other.words().name)
            }
        }
        main .sheet {
            header {
                h1 { (title) }
                p .seller { span .label { (words.seller) } " " strong { (invoice.seller) } }
            }
            (main)
            footer { p { (words.managed_by) " " strong { (OPERATOR) } } }
        }
    };
    frame(lang, &format!("{title} · {}", invoice.seller), &body)
}

/// Documents of an older program have a number of its kind: their id.
fn number(number: Option<InvoiceNo>, id: &PublicId) -> String {
    number.map_or_else(|| id.to_string(), |number| number.to_string())
}

/// Names and values; what has no value is left out.
fn facts(rows: &[(&str, Option<String>)]) -> Markup {
    html! {
        dl .facts {
            @for (name, value) in rows {
                @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}

fn of_order(lang: Lang, order: &Order) -> Markup {
    let (words, currency) = (lang.words(), order.currency());
    let at = |at: Timestamp| instant(lang, at, currency);
    let state = words.of_state(order.state());
    let state = match order.cancelled_at() {
        Some(cancelled) => format!("{state} ({})", at(cancelled)),
        None => state.to_owned(),
    };
    html! {
        (facts(&[
            (words.number, Some(number(order.invoice(), order.id()))),
            (words.date, Some(at(order.placed_at()))),
            (words.order, Some(order.id().to_string())),
            (words.state, Some(state)),
        ]))
        (buyer(lang, order))
        (goods(lang, order))
        (payments(lang, currency, order.payments()))
        (adjustments(lang, order))
    }
}

fn buyer(lang: Lang, order: &Order) -> Markup {
    let (address, buyer) = (order.address(), order.buyer());
    let town = [&address.postal_code, &address.city].map(|part| part.as_deref().unwrap_or_default()).join(" ");
    let lines = [
        buyer.map(order::Buyer::name),
        buyer.and_then(order::Buyer::phone),
        address.street.as_deref(),
        Some(town.trim()),
        address.region.as_deref(),
        address.country.as_deref(),
    ];
    let lines: Vec<&str> = lines.into_iter().flatten().filter(|line| !line.is_empty()).collect();
    html! {
        @if !lines.is_empty() {
            section .buyer {
                h2 { (lang.words().buyer) }
                @for line in lines { p { (line) } }
            }
        }
    }
}

/// The head of a table of items; on a phone the price stands below the item.
fn columns(lang: Lang) -> Markup {
    let words = lang.words();
    html! {
        thead {
            tr {
                th scope="col" { (words.item) }
                th .number .price scope="col" { (words.price) }
                th .number scope="col" { (words.quantity) }
                th .number .amount scope="col" { (words.amount) }
            }
        }
    }
}

fn item(lang: Lang, title: &str, price: &str, quantity: &str, amount: Option<&str>, back: &[String]) -> Markup {
    html! {
        tr {
            td {
                (title)
                span .each { (price) " " (lang.words().each) }
                @for back in back { span .back { (back) } }
            }
            td .number .price { (price) }
            td .number { (quantity) }
            td .number .amount { (amount.unwrap_or_default()) }
        }
    }
}

fn sum(name: &str, value: &str, strong: bool) -> Markup {
    html! {
        tr .strong[strong] { th scope="row" colspan="2" { (name) } td .number .amount colspan="2" { (value) } }
    }
}

fn goods(lang: Lang, order: &Order) -> Markup {
    let (words, totals) = (lang.words(), order.totals());
    let given = Money::sum(order.adjustments().iter().map(Adjustment::amount), order.currency());
    let given = given.ok().filter(|given| !given.is_zero());
    let rest = given.and_then(|given| totals.total().minus(given).ok());
    let rows = [
        (words.subtotal, Some(totals.subtotal()), false),
        (words.shipping, Some(totals.shipping()), false),
        (words.tax, Some(totals.tax()), false),
        (words.total, Some(totals.total()), true),
        (words.given_back, given.and_then(|given| Money::zero(given.currency()).minus(given).ok()), false),
        (words.remains, rest, true),
    ];
    html! {
        table .goods {
            (columns(lang))
            tbody { @for line in order.lines() { (sold(lang, line)) } }
            tfoot {
                @for (name, money, strong) in rows {
                    @if let Some(money) = money { (sum(name, &amount(lang, money), strong)) }
                }
            }
        }
    }
}

fn sold(lang: Lang, line: &order::Line) -> Markup {
    let (words, sold) = (lang.words(), line.sold());
    let back = [(line.cancelled(), words.cancelled), (line.refunded(), words.refunded)];
    let back = back.into_iter().filter(|(units, _)| *units > 0).map(|(units, word)| format!("{units} {word}"));
    let back: Vec<String> = back.collect();
    let (price, total) = (amount(lang, sold.unit_price()), amount(lang, sold.total()));
    item(lang, sold.title(), &price, &sold.quantity().to_string(), Some(&total), &back)
}

fn payments(lang: Lang, currency: Currency, payments: &[Payment]) -> Markup {
    let words = lang.words();
    html! {
        @if !payments.is_empty() {
            section {
                h2 { (words.payments) }
                ul .events {
                    @for payment in payments {
                        li {
                            span { (payment.method()) " · " (words.of_payment(payment.state())) }
                            span .when { @if let Some(at) = payment.paid_at() { (instant(lang, at, currency)) } }
                            span .number { (amount(lang, payment.amount())) }
                        }
                    }
                }
            }
        }
    }
}

fn adjustments(lang: Lang, order: &Order) -> Markup {
    let words = lang.words();
    let what = |adjustment: &Adjustment| match adjustment.command() {
        Command::Cancel => words.cancellation,
        Command::Refund => words.refund,
    };
    html! {
        @if !order.adjustments().is_empty() {
            section {
                h2 { (words.adjustments) }
                ul .events {
                    @for adjustment in order.adjustments() {
                        li {
                            span { (what(adjustment)) ": " (of_what(lang, order, adjustment)) }
                            span .when { (instant(lang, adjustment.at(), order.currency())) }
                            span .number { (amount(lang, adjustment.amount())) }
                        }
                    }
                }
            }
        }
    }
}

/// What came back: so many of an item, or all the rest.
fn of_what(lang: Lang, order: &Order, adjustment: &Adjustment) -> String {
    let line = adjustment.line().and_then(|id| order.lines().iter().find(|line| line.sold().id() == id));
    line.map_or_else(
        || lang.words().whole_rest.to_owned(),
        |line| format!("{} × {}", adjustment.quantity(), line.sold().title()),
    )
}

fn of_history(lang: Lang, history: &History) -> Markup {
    let (words, currency) = (lang.words(), history.currency());
    let price = |line: &history::Line| format!("{currency}\u{a0}{}", line.unit_price);
    html! {
        (facts(&[
            (words.number, Some(number(history.invoice(), history.id()))),
            (words.date, history.placed_at().map(|at| instant(lang, at, currency))),
            (words.order, Some(history.id().to_string())),
            (words.state, Some(words.history.to_owned())),
        ]))
        p .note { (words.as_found) }
        table .goods {
            (columns(lang))
            tbody {
                @for line in history.lines() {
                    (item(lang, &line.title, &price(line), &line.quantity.to_string(), None, &[]))
                }
            }
            tfoot { (sum(words.recorded_total, &format!("{currency}\u{a0}{}", history.recorded_total()), true)) }
        }
    }
}
