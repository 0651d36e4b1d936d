//! A verb confirmed: the page that says what it will do, and the wish that is written when somebody says why.

use crate::Console;
use crate::ask::Query;
use crate::findings::{about, listed};
use crate::lang::Lang;
use crate::page::{Page, Section, answer, plain};
use crate::route::{Trouble, Visit};
use crate::verbs::{address, fit};
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use cutover::verb::Verb;
use http::StatusCode;
use maud::{Markup, html};
use store::Wish;
use vocab::document::Record;
use vocab::id::{ShopId, Side};

/// Letters of a reason.
const WHY_MAX: usize = 200;
/// Who wishes, as long as there is one local operator.
const WHO: &str = "console";

/// One verb for one shop, or for all of the plan; and of what was found there, where it is about that.
struct Asked {
    verb: Verb,
    shop: Option<ShopId>,
    of: Option<Of>,
}

/// Findings of a class; all that are open, or as many as somebody has looked at.
struct Of {
    class: String,
    count: Option<u64>,
}

impl Asked {
    fn args(&self) -> Record {
        let Some(of) = &self.of else { return Record::default() };
        let count = of.count.and_then(|count| i64::try_from(count).ok());
        Record::default().with("class", of.class.as_str()).with("count", count)
    }

    /// Where it is confirmed, and wished.
    fn address(&self) -> String {
        match &self.of {
            Some(of) => about(self.verb, self.shop.as_ref(), &of.class, of.count),
            None => address(self.verb, self.shop.as_ref()),
        }
    }

    /// Where one goes from there.
    fn back(&self) -> String {
        match (&self.of, &self.shop) {
            (Some(of), shop) => listed(shop.as_ref(), Some(&of.class), 1),
            (None, Some(shop)) => format!("/shops/{shop}"),
            (None, None) => "/".to_owned(),
        }
    }
}

pub async fn page_of_findings(
    State(console): State<Console>,
    Path(verb): Path<String>,
    visit: Visit,
) -> Result<Response, Trouble> {
    page(&console, &visit, read_of(&verb, &visit.query)).await
}

pub async fn wish_of_findings(
    State(console): State<Console>,
    Path(verb): Path<String>,
    visit: Visit,
    Form(said): Form<Query>,
) -> Result<Response, Trouble> {
    wish(&console, &visit, read_of(&verb, &visit.query), &said).await
}

/// A verb about findings, as its address says it; accepting needs the number that was looked at.
fn read_of(verb: &str, query: &Query) -> Option<Asked> {
    let verb = Verb::from_name(verb).filter(|verb| matches!(verb, Verb::Accept | Verb::Reread))?;
    let shop = query.get("shop").map(|shop| ShopId::parse(shop)).transpose().ok()?;
    let count = query.get("count").map(|count| count.parse()).transpose().ok()?;
    let class = query.get("class").filter(|class| !class.is_empty())?.clone();
    let is_whole = (verb == Verb::Accept) == count.is_some();
    is_whole.then_some(Asked { verb, shop, of: Some(Of { class, count }) })
}

pub async fn page_of_shop(
    State(console): State<Console>,
    Path((shop, verb)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, Trouble> {
    page(&console, &visit, read(Some(&shop), &verb)).await
}

pub async fn page_of_all(
    State(console): State<Console>,
    Path(verb): Path<String>,
    visit: Visit,
) -> Result<Response, Trouble> {
    page(&console, &visit, read(None, &verb)).await
}

pub async fn wish_of_shop(
    State(console): State<Console>,
    Path((shop, verb)): Path<(String, String)>,
    visit: Visit,
    Form(said): Form<Query>,
) -> Result<Response, Trouble> {
    wish(&console, &visit, read(Some(&shop), &verb), &said).await
}

pub async fn wish_of_all(
    State(console): State<Console>,
    Path(verb): Path<String>,
    visit: Visit,
    Form(said): Form<Query>,
) -> Result<Response, Trouble> {
    wish(&console, &visit, read(None, &verb), &said).await
}

fn read(shop: Option<&str>, verb: &str) -> Option<Asked> {
    let shop = shop.map(ShopId::parse).transpose().ok()?;
    let verb = Verb::from_name(verb).filter(|verb| Verb::OF_SHOP.contains(verb))?;
    Some(Asked { verb, shop, of: None })
}

async fn page(console: &Console, visit: &Visit, asked: Option<Asked>) -> Result<Response, Trouble> {
    let lang = visit.lang;
    let Some(asked) = asked else { return Ok(plain(StatusCode::NOT_FOUND, lang, lang.not_found())) };
    if let Some(refused) = unknown(console, lang, &asked).await? {
        return Ok(refused);
    }
    let body = form(console, lang, &asked, None).await?;
    Ok(framed(visit, &asked, StatusCode::OK, body))
}

async fn wish(console: &Console, visit: &Visit, asked: Option<Asked>, said: &Query) -> Result<Response, Trouble> {
    let lang = visit.lang;
    let Some(asked) = asked else { return Ok(plain(StatusCode::NOT_FOUND, lang, lang.not_found())) };
    if let Some(refused) = unknown(console, lang, &asked).await? {
        return Ok(refused);
    }
    let why = said.get("why").map_or("", |why| why.trim());
    if why.is_empty() || why.chars().count() > WHY_MAX || why.chars().any(char::is_control) {
        let body = form(console, lang, &asked, Some(why)).await?;
        return Ok(framed(visit, &asked, StatusCode::UNPROCESSABLE_ENTITY, body));
    }
    let wish = Wish {
        shop: asked.shop.clone(),
        verb: asked.verb.name().into(),
        args: asked.args(),
        who: WHO.to_owned(),
        why: why.to_owned(),
        at: console.now(),
    };
    console.store().wish(wish).await?;
    // What comes of it is told where the shop's wishes are.
    let next = asked.shop.as_ref().map_or_else(|| asked.back(), |shop| format!("/shops/{shop}#wishes"));
    Ok(Redirect::to(&next).into_response())
}

/// What is answered for a shop that no plan has.
async fn unknown(console: &Console, lang: Lang, asked: &Asked) -> Result<Option<Response>, Trouble> {
    let picture = console.picture().await?;
    let is_planned = match (&asked.shop, &picture) {
        (Some(shop), Some(picture)) => picture.row(shop).is_some(),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    Ok((!is_planned).then(|| plain(StatusCode::NOT_FOUND, lang, lang.not_planned())))
}

fn framed(visit: &Visit, asked: &Asked, status: StatusCode, body: Markup) -> Response {
    let lang = visit.lang;
    let title = lang.question(asked.verb, &lang.whom(asked.shop.as_ref()));
    let here = asked.address();
    let section = if asked.of.is_some() { Section::Findings } else { Section::Board };
    let page = Page { lang, title: &title, section, here: &here, live: None, body };
    answer(status, &page, visit.chosen)
}

/// The question, what will happen, and the field for the reason; `tried` is a reason that was not taken.
async fn form(console: &Console, lang: Lang, asked: &Asked, tried: Option<&str>) -> Result<Markup, Trouble> {
    let whom = lang.whom(asked.shop.as_ref());
    let back = asked.back();
    let now = standing(console, lang, asked).await?;
    Ok(html! {
        section .panel .narrow aria-labelledby="question" {
            h1 #question { (lang.question(asked.verb, &whom)) }
            p .promise { (lang.promise(asked.verb, &whom)) }
            @if let Some(of) = &asked.of {
                dl .facts {
                    dt { (lang.class()) } dd { (of.class) }
                    @if let Some(count) = of.count { dt { (lang.how_many()) } dd #count { (lang.number(count)) } }
                }
            }
            (now)
            form method="post" action=(asked.address()) {
                label for="why" { (lang.why_label()) }
                input #why name="why" type="text" required maxlength=(WHY_MAX) autocomplete="off" autofocus
                    value=(tried.unwrap_or_default()) aria-invalid=[tried.map(|_| "true")] aria-describedby="as";
                @if tried.is_some() { p .wrong role="alert" { (lang.why_missing()) } }
                p #as .quiet { (lang.as_console()) }
                p .choices {
                    button #wish .button type="submit" data-verb=(asked.verb.name()) { (lang.verb(asked.verb)) ": " (whom) }
                    a .button .plain href=(back) { (lang.cancel()) }
                }
            }
        }
    })
}

/// What is worth knowing of the shop before the wish: why it would wait, and what going back would lose.
async fn standing(console: &Console, lang: Lang, asked: &Asked) -> Result<Markup, Trouble> {
    let (Some(shop), Some(picture)) = (&asked.shop, console.picture().await?) else { return Ok(html! {}) };
    let Some(row) = picture.row(shop) else { return Ok(html! {}) };
    let paused = crate::shop::is_paused(&console.store().newest_wishes(Some(shop), crate::shop::WISHES_READ).await?);
    let unfit = fit(asked.verb, row, paused).err();
    Ok(html! {
        dl .facts {
            dt { (lang.owner()) } dd { (crate::board::owner(lang, row)) }
            dt { (lang.state()) } dd { (crate::board::state(lang, row)) }
            dt { (lang.waits_for()) } dd { (crate::board::waits(lang, row)) }
            @if asked.verb == Verb::Rollback && row.owner == Side::Backend {
                dt { (lang.way_back()) } dd { (lang.would_lose(row.debts)) }
            }
        }
        @if let Some(unfit) = unfit { p .wrong { (lang.not_now()) " " (lang.unfit(unfit)) "." } }
    })
}
