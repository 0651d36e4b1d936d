//! Findings: the list, and one of them explained as far as the store knows it.

use crate::Console;
use crate::ask::Query;
use crate::classes;
use crate::figures::second;
use crate::lang::Lang;
use crate::page::{Page, Section, answer, plain};
use crate::route::{Trouble, Visit};
use crate::sides::{self, Field, Legacy};
use axum::extract::State;
use axum::response::Response;
use cutover::stopping::stops;
use cutover::verb::Verb;
use http::StatusCode;
use maud::{Markup, html};
use store::{Finding, FindingCount, FindingKey, FoundFinding, Stored};
use vocab::id::{Kind, Origin, PublicId, ShopId};

/// Findings on one page.
const PAGE_ROWS: usize = 50;
/// Aggregates of one finding whose both sides are shown.
const SIDES_MAX: usize = 3;
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
        @if let Some(class) = class { (verbs(lang, shop.as_ref(), class, open_of(&classes, class))) }
        @if found.is_empty() { p { (lang.no_findings()) } } @else { (table(lang, &found)) }
        (of.pages(lang, more))
    };
    let here = of.address();
    let page = Page { lang, title: &title, section: Section::Findings, here: &here, live: None, body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

fn open_of(classes: &[FindingCount], class: &str) -> u64 {
    classes.iter().find(|count| &*count.class == class).map_or(0, |count| count.open)
}

/// Which findings are listed.
struct Of<'a> {
    shop: Option<&'a ShopId>,
    class: Option<&'a str>,
    page: usize,
}

/// Where findings are listed.
pub fn listed(shop: Option<&ShopId>, class: Option<&str>, page: usize) -> String {
    Of { shop, class, page }.address()
}

/// Where a verb about findings of a class is confirmed; with their number, where that is part of it.
pub fn about(verb: Verb, shop: Option<&ShopId>, class: &str, count: Option<u64>) -> String {
    let shop = shop.map(|shop| ("shop", shop.to_string()));
    let count = count.map(|count| ("count", count.to_string()));
    let class = ("class", class.to_owned());
    format!("/findings/{}{}", verb.name(), parameters(shop.into_iter().chain([class]).chain(count)))
}

/// What can be done about the open findings of a class: read again, and, where they stop nothing, accepted as they are.
fn verbs(lang: Lang, shop: Option<&ShopId>, class: &str, open: u64) -> Markup {
    let button = |verb: Verb, count: Option<u64>| {
        let id = format!("verb-{}", verb.name());
        html! {
            a .button data-verb=(verb.name()) id=(id) href=(about(verb, shop, class, count)) {
                (lang.verb(verb)) @if let Some(count) = count { " " (lang.number(count)) } " …"
            }
        }
    };
    html! {
        @if open > 0 {
            p .choices {
                (button(Verb::Reread, None))
                @if !stops(class) { (button(Verb::Accept, Some(open))) }
            }
        }
    }
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
            Some(who) => {
                (lang.accepted_by()) " " (who) @if let Some(why) = &one.accepted_why { ": " (why) }
            }
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
    let mut sides = Vec::new();
    for (kind, origin) in found.finding.about().into_iter().take(SIDES_MAX) {
        let ours = sides::ours(console.store(), &key.shop, kind, &origin).await?;
        let legacy = console.legacy(&key.shop, kind, &origin).await;
        sides.push(Sides { kind, origin, legacy, ours });
    }
    let counts = console.store().finding_counts(&key.shop).await?;
    let title = format!("{} · {}", found.finding.class, lang.whom(Some(&key.shop)));
    let here = address(&found.finding);
    let open = open_of(&counts, &key.class);
    let body = explained(lang, &found, &sides, open);
    let page = Page { lang, title: &title, section: Section::Findings, here: &here, live: None, body };
    Ok(answer(StatusCode::OK, &page, visit.chosen))
}

/// An aggregate that a finding is about, as both sides have it; none where nobody reads the legacy's side here.
struct Sides {
    kind: Kind,
    origin: Origin,
    legacy: Option<Legacy>,
    ours: Option<(PublicId, Stored)>,
}

fn explained(lang: Lang, found: &FoundFinding, sides: &[Sides], open: u64) -> Markup {
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
                dt { (lang.since()) } dd { @if let Some(since) = found.since { (second(since)) } @else { "–" } }
                dt { (lang.state()) } dd { (standing(lang, found)) " · " (if class.stops { lang.stops() } else { lang.blocks() }) }
                dt { (lang.meaning()) } dd { (class.meaning) }
                dt { (lang.what_to_do()) } dd { (class.to_do) " " (lang.more_in()) " " code { (class.page) } "." }
            }
            (verbs(lang, Some(&finding.shop), &finding.class, open))
        }
        section .panel aria-labelledby="detail" {
            h2 #detail { (lang.detail()) }
            p { (finding.detail.text("what").unwrap_or("–")) }
        }
        @for (number, both) in sides.iter().enumerate() { (both_sides(lang, number, both)) }
        @if sides.is_empty() { p .quiet { (lang.no_aggregate()) } }
    }
}

/// One aggregate field by field; what differs stands out, also for those who see no colours.
fn both_sides(lang: Lang, number: usize, both: &Sides) -> Markup {
    let heading = format!("sides-{number}");
    let legacy = match &both.legacy {
        Some(Legacy::Document(document)) => Some(document),
        Some(Legacy::Nothing | Legacy::Unknown(_)) | None => None,
    };
    let ours = both.ours.as_ref().map(|(_, stored)| &stored.document);
    html! {
        section .panel aria-labelledby=(heading) {
            h2 id=(heading) { (lang.both_sides()) ": " (both.kind.name()) " " code { (both.origin) } }
            @match &both.legacy {
                Some(Legacy::Document(_)) => {}
                Some(Legacy::Nothing) => { p { (lang.no_rows()) } }
                Some(Legacy::Unknown(why)) => { p { (lang.legacy_unknown()) " " (why) } }
                None => { p .quiet { (lang.legacy_not_here()) } }
            }
            @match &both.ours {
                Some((id, stored)) => {
                    p .quiet { (lang.ours()) ": " (id) " · " (stored.class.name()) @if let Some(why) = &stored.why { " (" (why) ")" } }
                }
                None => { p { (lang.no_document()) } }
            }
            table .cards .fields {
                thead { tr {
                    th scope="col" { (lang.field()) }
                    th scope="col" { (lang.legacy_side()) }
                    th scope="col" { (lang.our_side()) }
                } }
                tbody { @for field in sides::fields(legacy, ours) { (field_row(lang, &field, legacy.is_some())) } }
            }
        }
    }
}

fn field_row(lang: Lang, field: &Field, both: bool) -> Markup {
    let differs = both && !field.same;
    html! {
        tr {
            th scope="row" { (field.path) @if differs { " " strong .wrong { (lang.differs()) } } }
            td data-head=(lang.legacy_side()) { (field.legacy.as_deref().unwrap_or("–")) }
            td data-head=(lang.our_side()) { (field.ours.as_deref().unwrap_or("–")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_an_address() {
        let of = Of { shop: None, class: Some("mapping.money"), page: 2 };
        assert_eq!(of.address(), "/findings?class=mapping.money&page=2");
        let shop = ShopId::parse("7").unwrap();
        let accept = about(Verb::Accept, Some(&shop), "mapping.money", Some(3));
        assert_eq!(accept, "/findings/accept?shop=7&class=mapping.money&count=3");
        assert_eq!(escaped("pesanan:7/ä&"), "pesanan%3A7%2F%C3%A4%26");
    }
}
