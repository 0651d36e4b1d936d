//! An invoice as a page: plain HTML in two languages, on screen and on paper. Whatever comes from the tables is escaped.

use crate::{clock, money};
use serde_json::Value as Json;
use std::fmt::Write as _;

/// What the page needs and the API does not show.
#[derive(Debug)]
pub struct Party {
    pub at: String,
    pub cancelled: Option<String>,
    /// Buyer and address, line by line.
    pub to: Vec<String>,
    pub payments: Vec<Payment>,
}

#[derive(Debug)]
pub struct Payment {
    pub how: String,
    /// In hundredths.
    pub amount: i64,
    pub at: Option<String>,
    pub paid: bool,
    pub failed: bool,
}

/// The words of one language.
pub struct Words {
    lang: &'static str,
    other: (&'static str, &'static str),
    invoice: &'static str,
    date: &'static str,
    order: &'static str,
    state: &'static str,
    buyer: &'static str,
    columns: [&'static str; 4],
    totals: [(&'static str, &'static str); 4],
    recorded: &'static str,
    payments: &'static str,
    paid: [&'static str; 3],
    given_back: &'static str,
    kinds: [(&'static str, &'static str); 2],
    states: [(&'static str, &'static str); 6],
    managed: &'static str,
    none: &'static str,
}

const ENGLISH: Words = Words {
    lang: "en",
    other: ("id", "Bahasa Indonesia"),
    invoice: "Invoice",
    date: "Date",
    order: "Order",
    state: "State",
    buyer: "Buyer",
    columns: ["Item", "Price", "Quantity", "Amount"],
    totals: [("subtotal", "Subtotal"), ("fulfillment", "Shipping"), ("tax", "Tax"), ("total", "Total")],
    recorded: "Recorded total",
    payments: "Payments",
    paid: ["paid", "not paid yet", "failed"],
    given_back: "Cancelled and refunded",
    kinds: [("cancellation", "Cancellation"), ("refund", "Refund")],
    states: [
        ("open", "open"),
        ("paid", "paid"),
        ("shipped", "shipped"),
        ("done", "done"),
        ("cancelled", "cancelled"),
        ("history", "from the archive"),
    ],
    managed: "Service provided and managed by kios",
    none: "There is no such invoice.",
};

const INDONESIAN: Words = Words {
    lang: "id",
    other: ("en", "English"),
    invoice: "Faktur",
    date: "Tanggal",
    order: "Pesanan",
    state: "Status",
    buyer: "Pembeli",
    columns: ["Barang", "Harga", "Jumlah", "Nilai"],
    totals: [("subtotal", "Subtotal"), ("fulfillment", "Ongkos kirim"), ("tax", "Pajak"), ("total", "Total")],
    recorded: "Total tercatat",
    payments: "Pembayaran",
    paid: ["lunas", "belum dibayar", "gagal"],
    given_back: "Pembatalan dan pengembalian",
    kinds: [("cancellation", "Pembatalan"), ("refund", "Pengembalian dana")],
    states: [
        ("open", "baru"),
        ("paid", "lunas"),
        ("shipped", "dikirim"),
        ("done", "selesai"),
        ("cancelled", "batal"),
        ("history", "dari arsip"),
    ],
    managed: "Layanan disediakan dan dikelola oleh kios",
    none: "Faktur ini tidak ada.",
};

impl Words {
    /// The language that the address asks for, else the first that the browser speaks and we too, else Indonesian.
    pub fn choose(asked: Option<&str>, accepted: &str) -> &'static Self {
        let of = |tag: &str| match tag {
            "en" => Some(&ENGLISH),
            "id" | "in" => Some(&INDONESIAN),
            _ => None,
        };
        let preferred = || accepted.split([',', ';']).find_map(|range| of(range.trim().split('-').next()?));
        asked.and_then(of).or_else(preferred).unwrap_or(&INDONESIAN)
    }

    pub const fn lang(&self) -> &'static str {
        self.lang
    }

    /// The tag and the name of the other language.
    pub const fn other(&self) -> (&'static str, &'static str) {
        self.other
    }
}

/// Text as it may stand in a page.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn word<'a>(of: &'a [(&'static str, &'static str)], name: &'a str) -> &'a str {
    of.iter().find(|(known, _)| *known == name).map_or(name, |(_, word)| word)
}

/// `<tag>text</tag>`.
pub fn tag(name: &str, text: &str) -> String {
    let end = name.split(' ').next().unwrap_or(name);
    format!("<{name}>{}</{end}>", escaped(text))
}

/// The style sheet, which is so far up from a page.
pub fn style(up: &str) -> String {
    format!("<link rel=\"stylesheet\" href=\"{up}assets/faktur.css\">")
}

/// A whole page: `head` beside what every page has, `marks` on its body.
pub fn frame(lang: &str, title: &str, head: &str, marks: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>\
         <link rel=\"icon\" href=\"data:,\">{head}</head><body{marks}><main>{main}</main></body></html>",
        escaped(title)
    )
}

/// What is answered where there is nothing to see, or nobody who may see it.
pub fn none(words: &Words) -> String {
    frame(words.lang, words.none, &style("../../"), "", &tag("p", words.none))
}

/// The page: `order` as the API shows it, with what it does not show.
pub fn invoice(words: &Words, seller: &str, party: &Party, order: &Json) -> String {
    let text = |at: &str| order.pointer(at).and_then(Json::as_str).unwrap_or_default();
    let currency = text("/currency");
    let title = format!("{} {}", words.invoice, text("/invoice/number"));
    let key = text("/invoice/url").rsplit('=').next().unwrap_or_default();
    let (lang, other) = words.other;
    let mut main = format!(
        "<nav><a lang=\"{lang}\" hreflang=\"{lang}\" href=\"invoice?key={}&amp;lang={lang}\">{other}</a></nav>",
        escaped(key)
    );
    main += &tag("h1", &title);
    main += &tag("p", seller);
    main += "<dl>";
    let state = match &party.cancelled {
        Some(at) => format!("{}, {at} WIB", word(&words.states, text("/status"))),
        None => word(&words.states, text("/status")).to_owned(),
    };
    for (name, value) in [(words.date, party.at.as_str()), (words.order, text("/id")), (words.state, &state)] {
        main += &(tag("dt", name) + &tag("dd", value));
    }
    if !party.to.is_empty() {
        main += &format!("{}<dd>{}</dd>", tag("dt", words.buyer), lines(&party.to));
    }
    main += "</dl>";
    main += &goods(words, currency, order);
    main += &payments(words, currency, &party.payments);
    main += &given_back(words, currency, order);
    main += &tag("p class=\"by\"", words.managed);
    frame(words.lang, &title, &style("../../"), "", &main)
}

fn lines(texts: &[String]) -> String {
    texts.iter().map(|text| escaped(text)).collect::<Vec<_>>().join("<br>")
}

fn elements<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

pub fn amount(currency: &str, hundredths: i64) -> String {
    format!("{currency} {}", money::print(hundredths))
}

fn total_of(of: &Json, kind: &str) -> Option<i64> {
    elements(of, "totals").iter().find(|total| total["type"] == kind)?["amount"].as_i64()
}

fn goods(words: &Words, currency: &str, order: &Json) -> String {
    let [item, price, quantity, value] = words.columns;
    let mut table = format!(
        "<table><thead><tr>{}{}{}{}</tr></thead><tbody>",
        tag("th scope=\"col\"", item),
        tag("th scope=\"col\" class=\"n\"", price),
        tag("th scope=\"col\" class=\"n\"", quantity),
        tag("th scope=\"col\" class=\"n\"", value)
    );
    for line in elements(order, "line_items") {
        let shown = |hundredths: Option<i64>| hundredths.map_or_else(String::new, |it| amount(currency, it));
        let cells = [
            shown(line["item"]["price"].as_i64()),
            line["quantity"]["original"].to_string(),
            shown(total_of(line, "total")),
        ];
        let numbers: String = cells.iter().map(|cell| tag("td class=\"n\"", cell)).collect();
        let title = line["item"]["title"].as_str().unwrap_or_default();
        let _ = write!(table, "<tr>{}{numbers}</tr>", tag("td", title));
    }
    table += "</tbody><tfoot>";
    let mut sums: Vec<(&str, String)> = words
        .totals
        .iter()
        .filter_map(|(kind, name)| Some((*name, amount(currency, total_of(order, kind)?))))
        .collect();
    sums.extend(order["recorded_total"].as_str().map(|total| (words.recorded, format!("{currency} {total}"))));
    for (name, sum) in sums {
        let name = tag("th scope=\"row\" colspan=\"3\"", name);
        let _ = write!(table, "<tr>{name}{}</tr>", tag("td class=\"n\"", &sum));
    }
    table + "</tfoot></table>"
}

fn payments(words: &Words, currency: &str, payments: &[Payment]) -> String {
    if payments.is_empty() {
        return String::new();
    }
    let mut part = tag("h2", words.payments);
    for payment in payments {
        let [paid, open, failed] = words.paid;
        let state = if payment.failed { failed } else { [open, paid][usize::from(payment.paid)] };
        let at = payment.at.as_ref().map_or_else(String::new, |at| format!(", {at} WIB"));
        part += &tag("p", &format!("{}: {}, {state}{at}", payment.how, amount(currency, payment.amount)));
    }
    part
}

fn given_back(words: &Words, currency: &str, order: &Json) -> String {
    let adjustments = elements(order, "adjustments");
    if adjustments.is_empty() {
        return String::new();
    }
    let mut part = tag("h2", words.given_back);
    for adjustment in adjustments {
        let kind = word(&words.kinds, adjustment["type"].as_str().unwrap_or_default());
        let at = adjustment["occurred_at"].as_str().and_then(|at| at.parse().ok());
        let at = at.map_or_else(String::new, |at| format!(", {} WIB", clock::wib(at)));
        let sum = amount(currency, total_of(adjustment, "total").unwrap_or(0));
        part += &tag("p", &format!("{kind}: {sum}{at}"));
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_decides_on_the_language_then_the_browser() {
        let chosen = |asked, accepted| Words::choose(asked, accepted).lang;
        assert_eq!(chosen(Some("en"), "id"), "en");
        assert_eq!(chosen(None, "fr-FR, en-GB;q=0.8, id;q=0.5"), "en");
        assert_eq!((chosen(Some("fr"), ""), chosen(None, "de")), ("id", "id"));
    }

    #[test]
    fn what_comes_from_a_table_is_text_and_never_a_tag() {
        assert_eq!(tag("td class=\"n\"", "<b>\"'&"), "<td class=\"n\">&lt;b&gt;&quot;&#39;&amp;</td>");
    }
}
