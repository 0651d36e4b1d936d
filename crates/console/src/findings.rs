//! Findings: the list, and one of them explained as far as the store knows it.

use crate::Console;
use crate::ask::Query;
use crate::classes;
use crate::lang::Lang;
use crate::page::{Page, Section, answer, plain};
use crate::route::{Trouble, Visit};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use store::{Finding, FindingCount, FindingKey, FoundFinding, Stored};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId, ShopId};

/// Findings on one page.
const PAGE_ROWS: usize = 50;
/// Fields of a document that are shown; a cart of the largest size has more.
const FIELDS_MAX: usize = 400;
/// How much of a text a list shows.
const SAID_MAX: usize = 160;

pub async fn list(State(console): State<Console>, visit: Visit) -> Result<Response, Trouble> {
    let lang = visit.lang;
    let asked = |name: &str| visit.query.get(name).filter(|text| !text.is_empty());
    let shop = asked("shop").and_then(|shop| ShopId::parse(shop).ok());
    let class = asked("class").map(String::as_str);
    let page = asked("page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).clamp(1, 1_000_000);
    let skip = (page - 1) * PAGE_ROWS;
    let store = console.store();
    // One more than is shown tells whether there is a next page.
    let mut found = store.findings_page(shop.as_ref(), class, skip, PAGE_ROWS + 1).await?;
    let more = found.len() > PAGE_ROWS;
    found.truncate(PAGE_ROWS);
    let classes = match &shop {
        Some(shop) => store.finding_counts(shop).await?,
        None => store.finding_classes().await?,
    };
    let of = Of { shop: shop.as_ref(), class, page };
    let title = shop
        .as_ref()
        .map_or_else(|| lang.findings().to_owned(), |shop| format!("{} · {}", lang.findings(), lang.whom(Some(shop))));
    let body = html! {
        h1 { (title) }
        (filter(lang, &of, &classes))
        @if found.is_empty() { p { (lang.no_findings()) } } @else { (table(lang, &found)) }
        (of.pages(lang, more))
    };
    let here = of.address();
    let page = Page { lang, title: &title, section: Section::Findings, here: &here, live: None, body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

/// Which findings are listed.
struct Of<'a> {
    shop: Option<&'a ShopId>,
    class: Option<&'a str>,
    page: usize,
}

impl Of<'_> {
    fn address(&self) -> String {
        let shop = self.shop.map(|shop| ("shop", shop.to_string()));
        let class = self.class.map(|class| ("class", class.to_owned()));
        let page = (self.page > 1).then(|| ("page", self.page.to_string()));
        format!("/findings{}", parameters(shop.into_iter().chain(class).chain(page)))
    }

    fn pages(&self, lang: Lang, more: bool) -> Markup {
        let at = |page: usize| Of { page, ..*self }.address();
        html! {
            @if more || self.page > 1 {
                nav .pages aria-label=(lang.pages()) {
                    @if self.page > 1 { a rel="prev" href=(at(self.page - 1)) { (lang.previous()) } }
                    span { (lang.number(self.page)) }
                    @if more { a rel="next" href=(at(self.page + 1)) { (lang.next()) } }
                }
            }
        }
    }
}

/// `?a=b&c=d`, escaped; nothing for nothing.
fn parameters(pairs: impl Iterator<Item = (&'static str, String)>) -> String {
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", escaped(&value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// A value as it may stand in an address.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn filter(lang: Lang, of: &Of<'_>, classes: &[FindingCount]) -> Markup {
    let chip = |class: Option<&str>, name: &str, count: u64| {
        let current = (of.class == class).then_some("true");
        let href = Of { shop: of.shop, class, page: 1 }.address();
        html! { a .chip href=(href) aria-current=[current] { (name) " " b { (lang.number(count)) } } }
    };
    let all = classes.iter().map(|count| count.open + count.accepted).sum();
    html! {
        nav .chips aria-label=(lang.class()) {
            (chip(None, lang.all(), all))
            @for count in classes { (chip(Some(&*count.class), &count.class, count.open + count.accepted)) }
        }
    }
}

fn table(lang: Lang, found: &[FoundFinding]) -> Markup {
    html! {
        table .cards {
            thead { tr {
                th scope="col" { (lang.class()) }
                th scope="col" { (lang.shop()) }
                th scope="col" { (lang.kind()) }
                th scope="col" { (lang.origin()) }
                th scope="col" { (lang.said()) }
                th scope="col" { (lang.state()) }
            } }
            tbody { @for one in found { (row(lang, one)) } }
        }
    }
}

fn row(lang: Lang, one: &FoundFinding) -> Markup {
    let finding = &one.finding;
    let said: String = finding.detail.text("what").unwrap_or("–").chars().take(SAID_MAX).collect();
    html! {
        tr {
            th scope="row" { a href=(address(finding)) { (finding.class) } }
            td data-head=(lang.shop()) { a href=(format!("/shops/{}", finding.shop)) { (finding.shop) } }
            td data-head=(lang.kind()) { (finding.kind.name()) }
            td data-head=(lang.origin()) { code { (finding.origin) } }
            td data-head=(lang.said()) { (said) }
            td data-head=(lang.state()) { (standing(lang, one)) }
        }
    }
}

fn standing(lang: Lang, one: &FoundFinding) -> Markup {
    html! {
        @match &one.accepted_by {
            Some(who) => { (lang.accepted_by()) " " (who) }
            None => { strong .wrong { (lang.open()) } }
        }
    }
}

fn address(finding: &Finding) -> String {
    let pairs = [
        ("shop", finding.shop.to_string()),
        ("class", finding.class.to_string()),
        ("kind", finding.kind.name().to_owned()),
        ("origin", finding.origin.to_string()),
    ];
    format!("/finding{}", parameters(pairs.into_iter()))
}

fn key(query: &Query) -> Option<FindingKey> {
    Some(FindingKey {
        shop: ShopId::parse(query.get("shop")?).ok()?,
        class: query.get("class")?.as_str().into(),
        kind: Kind::from_name(query.get("kind")?)?,
        origin: Origin::new(query.get("origin")?.as_str()),
    })
}

pub async fn one(State(console): State<Console>, visit: Visit) -> Result<Response, Trouble> {
    let lang = visit.lang;
    let Some(key) = key(&visit.query) else { return Ok(plain(StatusCode::NOT_FOUND, lang, lang.not_found())) };
    let Some(found) = console.store().finding(&key).await? else {
        return Ok(plain(StatusCode::NOT_FOUND, lang, lang.gone()));
    };
    let origin = (found.finding.kind, found.finding.origin.clone());
    let ours = console.store().load_by_origin(&key.shop, &[origin]).await?.into_iter().next().flatten();
    let title = format!("{} · {}", found.finding.class, lang.whom(Some(&key.shop)));
    let here = address(&found.finding);
    let body = explained(lang, &found, ours.as_ref());
    let page = Page { lang, title: &title, section: Section::Findings, here: &here, live: None, body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

fn explained(lang: Lang, found: &FoundFinding, ours: Option<&(PublicId, Stored)>) -> Markup {
    let finding = &found.finding;
    let class = classes::of(lang, &finding.class);
    html! {
        p .crumb { a href="/findings" { (lang.findings()) } }
        h1 { (finding.class) }
        section .panel {
            dl .facts {
                dt { (lang.shop()) } dd { a href=(format!("/shops/{}", finding.shop)) { (finding.shop) } }
                dt { (lang.kind()) } dd { (finding.kind.name()) }
                dt { (lang.origin()) } dd { code { (finding.origin) } }
                dt { (lang.state()) } dd { (standing(lang, found)) " · " (if class.stops { lang.stops() } else { lang.blocks() }) }
                dt { (lang.meaning()) } dd { (class.meaning) }
                dt { (lang.what_to_do()) } dd { (class.to_do) }
            }
        }
        section .panel aria-labelledby="detail" { h2 #detail { (lang.detail()) } (fields(lang, &finding.detail)) }
        section .panel aria-labelledby="ours" {
            h2 #ours { (lang.ours()) }
            @match ours {
                Some((id, stored)) => {
                    p .quiet { (lang.ours_says()) }
                    p { (finding.kind.name()) " " (id) " · " (stored.class.name()) @if let Some(why) = &stored.why { " (" (why) ")" } }
                    (fields(lang, &stored.document))
                }
                None => { p { (lang.no_document()) } }
            }
        }
    }
}

/// A record field by field, lists and records inside it by their paths.
fn fields(lang: Lang, record: &Record) -> Markup {
    let mut flat = Vec::new();
    flatten("", &Node::Record(record.clone()), &mut flat);
    html! {
        table .cards .fields {
            thead { tr { th scope="col" { (lang.field()) } th scope="col" { (lang.value()) } } }
            tbody { @for (path, value) in &flat { tr { th scope="row" { (path) } td data-head=(lang.value()) { (value) } } } }
        }
    }
}

fn flatten(at: &str, node: &Node, found: &mut Vec<(String, String)>) {
    if found.len() >= FIELDS_MAX {
        return;
    }
    let mut leaf = |text: String| found.push((at.to_owned(), text));
    match node {
        Node::Null => leaf("–".to_owned()),
        Node::Bool(value) => leaf(value.to_string()),
        Node::Int(value) => leaf(value.to_string()),
        Node::Text(text) => leaf(text.clone()),
        Node::List(nodes) => {
            for (place, node) in nodes.iter().enumerate() {
                flatten(&format!("{at}[{place}]"), node, found);
            }
        }
        Node::Record(record) => {
            for (name, node) in &record.0 {
                let path = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
                flatten(&path, node, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_by_the_paths_of_its_fields() {
        let line = Record::default().with("id", "1").with("quantity", 2_i64);
        let record = Record::default().with("lines", vec![Node::Record(line)]).with("title", Node::Null);
        let mut flat = Vec::new();
        flatten("", &Node::Record(record), &mut flat);
        let flat: Vec<String> = flat.into_iter().map(|(path, value)| format!("{path} {value}")).collect();
        assert_eq!(flat, ["lines[0].id 1", "lines[0].quantity 2", "title –"]);
    }

    #[test]
    fn an_origin_survives_an_address() {
        let of = Of { shop: None, class: Some("mapping.money"), page: 2 };
        assert_eq!(of.address(), "/findings?class=mapping.money&page=2");
        assert_eq!(escaped("pesanan:7/ä&"), "pesanan%3A7%2F%C3%A4%26");
    }
}
