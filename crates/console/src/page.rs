//! The frame of every page: head, navigation, language, the live mark; and the pages that only say no.

use crate::lang::Lang;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use maud::{DOCTYPE, Markup, html};

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Board,
    Findings,
}

/// One page, before its frame.
pub struct Page<'a> {
    pub lang: Lang,
    pub title: &'a str,
    pub section: Section,
    /// Path and query of this page, without the language.
    pub here: &'a str,
    /// Where changes of this page come from, with what it already shows.
    pub live: Option<String>,
    pub body: Markup,
}

impl Page<'_> {
    pub fn render(&self) -> Markup {
        let lang = self.lang;
        html! {
            (DOCTYPE)
            html lang=(lang.code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · Baliklayar" }
                    link rel="icon" type="image/svg+xml" href="/icon.svg";
                    link rel="stylesheet" href="/console.css";
                    script src="/console.js" defer {}
                }
                body data-live=[self.live.as_deref()] {
                    a .skip href="#main" { (lang.skip()) }
                    (self.header())
                    main #main tabindex="-1" { (self.body) }
                    noscript { p .quiet .frame { (lang.no_script()) } }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        let lang = self.lang;
        let entry = |section: Section, href: &str, name: &str| {
            html! { a href=(href) aria-current=[(section == self.section).then_some("true")] { (name) } }
        };
        let mark = if self.here.contains('?') { '&' } else { '?' };
        let other = format!("{}{mark}lang={}", self.here, lang.other().code());
        html! {
            header .top {
                a .brand href="/" { img src="/icon.svg" alt="" width="28" height="28"; span { "Baliklayar" } }
                nav aria-label=(lang.console()) {
                    (entry(Section::Board, "/", lang.board()))
                    (entry(Section::Findings, "/findings", lang.findings()))
                }
                @if self.live.is_some() {
                    p #live role="status" data-live=(lang.live()) data-lost=(lang.reconnecting()) {}
                }
                a #language .language href=(other) lang=(lang.other().code()) hreflang=(lang.other().code()) {
                    (lang.in_other_language())
                }
            }
        }
    }
}

/// A page with its status; the language is kept where the address chose it.
pub fn answer(status: StatusCode, page: &Page<'_>, chosen: bool) -> Response {
    let mut response = (status, Html(page.render().into_string())).into_response();
    if chosen && let Ok(cookie) = page.lang.cookie().parse() {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// A page that says only this.
pub fn plain(status: StatusCode, lang: Lang, text: &str) -> Response {
    let body = html! {
        section .panel .narrow {
            h1 { (text) }
            p { a href="/" { (lang.back_to_board()) } }
        }
    };
    let page = Page { lang, title: text, section: Section::Board, here: "/", live: None, body };
    answer(status, &page, false)
}
