//! A verb confirmed: the page that says what it will do, and the wish that is written when somebody says why.

use crate::Console;
use crate::ask::Query;
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

/// One verb for one shop, or for all of the plan.
struct Asked {
    verb: Verb,
    shop: Option<ShopId>,
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
    Some(Asked { verb: Verb::from_name(verb)?, shop })
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
        args: Record::default(),
        who: WHO.to_owned(),
        why: why.to_owned(),
        at: console.now(),
    };
    console.store().wish(wish).await?;
    let next = asked.shop.map_or_else(|| "/".to_owned(), |shop| format!("/shops/{shop}#wishes"));
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
    let here = address(asked.verb, asked.shop.as_ref());
    let page = Page { lang, title: &title, section: Section::Board, here: &here, live: None, body };
    answer(status, &page, visit.chosen)
}

/// The question, what will happen, and the field for the reason; `tried` is a reason that was not taken.
async fn form(console: &Console, lang: Lang, asked: &Asked, tried: Option<&str>) -> Result<Markup, Trouble> {
    let whom = lang.whom(asked.shop.as_ref());
    let back = asked.shop.as_ref().map_or_else(|| "/".to_owned(), |shop| format!("/shops/{shop}"));
    let now = standing(console, lang, asked).await?;
    Ok(html! {
        section .panel .narrow aria-labelledby="question" {
            h1 #question { (lang.question(asked.verb, &whom)) }
            p .promise { (lang.promise(asked.verb, &whom)) }
            (now)
            form method="post" action=(address(asked.verb, asked.shop.as_ref())) {
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
