//! The frame of every page: the phone with the feed in it, the sheet over the feed, the places below, and beside the phone
//! what is behind the screen. A page that is there already gets only the parts with an id that change.

use crate::feed::{self, Clip};
use crate::lang::{Lang, rupiah};
use crate::options::Shop;
use crate::people::{Note, Person};
use crate::scene::scene;
use crate::seam::Trouble;
use crate::visit::Visit;
use crate::{App, stage};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Which entry of the bar below a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Feed,
    Basket,
    Orders,
}

/// What lies over the feed; nothing where `body` is none.
pub struct Sheet {
    pub title: String,
    pub place: Place,
    /// The shop that it is about.
    pub shop: Option<String>,
    pub body: Option<Markup>,
}

impl Sheet {
    pub const fn none() -> Self {
        Self { title: String::new(), place: Place::Feed, shop: None, body: None }
    }
}

pub async fn render(app: &App, visit: &Visit, sheet: &Sheet) -> Markup {
    if visit.swaps {
        let person = visit.seat.person();
        return html! {
            title { (title(sheet)) }
            (other_language(visit))
            (laid(visit.lang, sheet))
            (places(visit.lang, sheet.place, &person))
            (stage::taps(visit.lang, &person))
        };
    }
    let clips = feed::clips(app).await;
    let shop = sheet.shop.clone().or_else(|| clips.first().map(|clip| clip.shop.id.clone()));
    let beside = stage::aside(app, visit.lang, &visit.seat, shop.as_deref()).await;
    frame(visit, sheet, &clips, &beside)
}

fn title(sheet: &Sheet) -> String {
    if sheet.title.is_empty() { "Kelir".to_owned() } else { format!("{} · Kelir", sheet.title) }
}

fn frame(visit: &Visit, sheet: &Sheet, clips: &[Clip], beside: &Markup) -> Markup {
    let (lang, words) = (visit.lang, visit.lang.words());
    html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                title { (title(sheet)) }
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/host.css";
                script src="/host.js" defer {}
            }
            body data-wait=(words.wait) data-offline=(words.offline) {
                a .skip href="#sheet" { (words.skip) }
                div .room {
                    main .phone {
                        header .top {
                            h1 { a href="/" data-swap { (mark()) "Kelir" } }
                            (other_language(visit))
                        }
                        section #feed aria-label=(words.feed) inert[sheet.body.is_some()] {
                            @for (place, clip) in clips.iter().enumerate() { (clipped(lang, place, clip)) }
                            @if clips.is_empty() { p .nothing { (words.silent) } }
                        }
                        (laid(lang, sheet))
                        p #wait role="status" {}
                        (places(lang, sheet.place, &visit.seat.person()))
                    }
                    (beside)
                }
            }
        }
    }
}

/// This very page in the other language.
fn other_language(visit: &Visit) -> Markup {
    let other = visit.lang.other().code();
    // Two slashes would lead to another host.
    let here = if visit.here.starts_with("//") { "/" } else { &visit.here };
    html! {
        a #language href=(format!("{here}?lang={other}")) lang=(other) hreflang=(other) {
            (visit.lang.words().in_other_language)
        }
    }
}

fn clipped(lang: Lang, place: usize, clip: &Clip) -> Markup {
    let Clip { shop, product } = clip;
    html! {
        article .clip id=(format!("clip-{place}")) data-shop=(shop.id) aria-label=(product.title) {
            (scene(&product.title, &product.id, place))
            div .caption {
                p .by { "@" (handle(&shop.name)) }
                p .says { (caption(lang, place)) }
                a .yellow id=(format!("yellow-{place}")) data-swap href=(format!("/shops/{}/products/{}", shop.id, product.id)) {
                    (yellow_basket())
                    span .of { (product.title) span .quiet { (lang.words().see_product) } }
                    span .price { (rupiah(product.price())) }
                }
            }
        }
    }
}

/// A shop's name as a name in a feed.
fn handle(name: &str) -> String {
    name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(".")
}

fn caption(lang: Lang, place: usize) -> &'static str {
    const EN: [&str; 6] = [
        "Made this morning, gone by noon",
        "You asked where it comes from. Here.",
        "Third time this week I had to restock",
        "My grandmother's way, still",
        "Watch until the end",
        "Small batch. Really small.",
    ];
    const ID: [&str; 6] = [
        "Dibuat pagi ini, siang sudah habis",
        "Banyak yang tanya asalnya. Dari sini.",
        "Minggu ini sudah tiga kali isi stok",
        "Masih dengan cara nenek saya",
        "Tonton sampai habis",
        "Dibuat sedikit-sedikit saja.",
    ];
    match lang {
        Lang::En => EN[place % EN.len()],
        Lang::Id => ID[place % ID.len()],
    }
}

/// The sheet; an empty place for one where there is none.
fn laid(lang: Lang, sheet: &Sheet) -> Markup {
    let words = lang.words();
    html! {
        @match &sheet.body {
            Some(body) => section #sheet tabindex="-1" aria-labelledby="sheet-title" data-shop=[sheet.shop.as_deref()] {
                header .head {
                    h2 #sheet-title { (sheet.title) }
                    a #close .close href="/" data-swap aria-label=(words.close) { (cross()) }
                }
                div .body { (body) }
            },
            None => section #sheet tabindex="-1" hidden {},
        }
    }
}

fn places(lang: Lang, here: Place, person: &Person) -> Markup {
    let (words, units) = (lang.words(), person.units());
    let entry = |place: Place, id: &str, href: &str, name: &str, drawn: Markup, count: i64| {
        html! {
            a id=(id) href=(href) data-swap aria-current=[(place == here).then_some("page")] {
                (drawn)
                span { (name) }
                @if count > 0 { span .count { (count) } }
            }
        }
    };
    html! {
        nav #places aria-label=(words.places) {
            (entry(Place::Feed, "place-feed", "/", words.feed, home(), 0))
            (entry(Place::Basket, "place-basket", "/basket", words.basket, outline_basket(), units))
            (entry(Place::Orders, "place-orders", "/orders", words.orders, receipt(), 0))
        }
    }
}

/// Who it is that one buys from, on everything that is a shop's.
pub fn served_by(lang: Lang, shop: &Shop) -> Markup {
    html! { p .served { (lang.words().served_by) " " b { (shop.name) } "." } }
}

/// What is told once.
pub fn told(lang: Lang, note: Option<&Note>, shop: Option<&str>) -> Markup {
    let words = lang.words();
    html! {
        @match note {
            None => {},
            Some(Note::Added) => p .note .good role="status" { (words.added) },
            Some(Note::PriceChanged) => p .note role="status" { (words.price_changed) },
            Some(Note::Trouble(trouble)) => div .note .bad role="alert" {
                p { (lang.trouble(trouble)) }
                @if let (Trouble::Silent, Some(shop)) = (trouble, shop) {
                    form method="post" action=(format!("/shops/{shop}/again")) data-swap { button .plain { (words.again) } }
                }
            },
        }
    }
}

/// A form of ours: sent twice it is done once.
pub fn form(app: &App, action: &str, body: &Markup) -> Markup {
    html! {
        form method="post" action=(action) data-swap {
            input type="hidden" name="tap" value=(app.people().word());
            (body)
        }
    }
}

fn drawn(inside: &str) -> Markup {
    PreEscaped(format!(
        "<svg viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\" focusable=\"false\">{inside}</svg>"
    ))
}

fn home() -> Markup {
    drawn("<path d=\"M4 11.5 12 4l8 7.5V20h-5.5v-5.5h-5V20H4z\"/>")
}

fn outline_basket() -> Markup {
    drawn("<path d=\"M3.5 10h17l-1.8 9.2H5.3zM8 10c0-4 1.6-6 4-6s4 2 4 6M9.5 13.5v2.5M12 13.5v2.5M14.5 13.5v2.5\"/>")
}

fn receipt() -> Markup {
    drawn(
        "<path d=\"M6 3.5v17l2-1.4 2 1.4 2-1.4 2 1.4 2-1.4 2 1.4v-17l-2 1.4-2-1.4-2 1.4-2-1.4-2 1.4zM9 9.5h6M9 13.5h6\"/>",
    )
}

fn cross() -> Markup {
    drawn("<path d=\"M6 6l12 12M18 6 6 18\"/>")
}

fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true" focusable="false" {
            path d="M3 4h18v13.5c-6 2.6 -12 2.6 -18 0Z" fill="currentColor" {}
            path d="M7.2 14.2 12 5.8l4.8 8.4q-4.8 2.2 -9.6 0Z" fill="#ffc62b" {}
        }
    }
}

fn yellow_basket() -> Markup {
    html! {
        svg .basket viewBox="0 0 32 32" width="34" height="34" aria-hidden="true" focusable="false" {
            path d="M5 13h22l-2.6 12.2a2.2 2.2 0 0 1 -2.2 1.8H9.8a2.2 2.2 0 0 1 -2.2 -1.8Z" fill="#ffc62b" {}
            path d="M10.5 13c0-5.4 2.2-8 5.5-8s5.5 2.6 5.5 8" fill="none" stroke="#ffc62b" stroke-width="2.6" stroke-linecap="round" {}
            path d="M12 17.5v5M16 17.5v5M20 17.5v5" stroke="#7a4d00" stroke-width="2" stroke-linecap="round" {}
        }
    }
}
