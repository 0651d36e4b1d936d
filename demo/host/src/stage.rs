//! What is behind the screen, shown beside it: who answers for the shop, the button that holds it, what a hold was like,
//! and how long each tap of this person took. It is the demo's, and every part of it is true without being asked again.

use crate::App;
use crate::lang::Lang;
use crate::people::{Person, Seat, TAPS_SHOWN};
use crate::steer::{Felt, Not, Stand};
use maud::{Markup, html};

/// The whole panel, for a page that is loaded.
pub async fn aside(app: &App, lang: Lang, seat: &Seat, shop: Option<&str>) -> Markup {
    let words = lang.words();
    let console = app.seam().addresses().console;
    let (now, felt) = (now(app, lang, shop).await, felt(lang, &seat.person(), shop));
    html! {
        aside #stage aria-labelledby="stage-title" data-shop=[shop] {
            h2 #stage-title { (words.backstage) }
            p .what .quiet { (words.backstage_is) }
            div #stage-now { (now) }
            p #stage-felt .quiet role="status" { (felt) }
            (taps(lang, &seat.person()))
            @if let Some(console) = console { p .what { a #console href=(console) { (words.console) } } }
        }
    }
}

/// The parts that change while somebody looks, by id.
pub async fn fragments(app: &App, lang: Lang, seat: &Seat, shop: &str) -> [(&'static str, String); 2] {
    let now = now(app, lang, Some(shop)).await;
    let felt = felt(lang, &seat.person(), Some(shop));
    [("stage-now", now.into_string()), ("stage-felt", felt.into_string())]
}

async fn now(app: &App, lang: Lang, shop: Option<&str>) -> Markup {
    let words = lang.words();
    let Some(shop) = shop.and_then(|shop| app.shop(shop)) else { return html! {} };
    let stand = app.steer().stand(&shop.id).await;
    let may = app.steer().may(&shop.id, stand.as_ref());
    let (owner, short) = match stand.as_ref().map(|stand| stand.owner.as_str()) {
        Some("legacy") => (words.legacy, words.legacy_short),
        Some("backend") => (words.backend, words.backend_short),
        Some(_) | None => (words.unknown_owner, "–"),
    };
    html! {
        p .owner data-owner=[stand.as_ref().map(|stand| stand.owner.as_str())] {
            span .of { (shop.name) }
            b .long { (owner) }
            b .short { (short) }
            @if let Some(Stand { epoch, state, .. }) = &stand {
                span .long { (words.answers_now) }
                span .state { (state) " · e" (epoch) }
            }
        }
        form #hold-form method="post" action=(format!("/shops/{}/hold", shop.id)) data-quiet {
            // Not `disabled`: it keeps the focus while the shop moves, and says why it does nothing.
            button #hold aria-disabled=[may.is_err().then_some("true")] aria-describedby="why-not" { (if may == Err(Not::UnderWay) { words.hold_under_way } else { words.hold_now }) }
        }
        p #why-not .quiet { (why_not(lang, may)) }
    }
}

fn why_not(lang: Lang, may: Result<bool, Not>) -> &'static str {
    let words = lang.words();
    match may {
        Ok(_) | Err(Not::UnderWay) => "",
        Err(Not::NoSteering) => words.hold_no_steering,
        Err(Not::Unplanned) => words.hold_unplanned,
        Err(Not::Busy) => words.hold_busy,
        Err(Not::Unready) => words.hold_not_ready,
        Err(Not::Sealed) => words.hold_sealed,
    }
}

/// What the last move was like that this person asked for; before it, what the button does.
fn felt(lang: Lang, person: &Person, shop: Option<&str>) -> Markup {
    let words = lang.words();
    let Some(felt) = shop.and_then(|shop| person.felt.get(shop)) else { return html! { (words.hold_does) } };
    let Felt { refused, to_backend, saves, slowest_us, held_us } = felt;
    let side = if *to_backend { words.backend_short } else { words.legacy_short };
    let (slowest, held) = (lang.span(*slowest_us), lang.span(*held_us));
    let text = match (lang, refused) {
        (Lang::En, Some(code)) => format!("It did not come true: {code}."),
        (Lang::Id, Some(code)) => format!("Tidak terjadi: {code}."),
        (Lang::En, None) if *saves == 0 => format!("{side} owns it now. {}", words.hold_empty),
        (Lang::Id, None) if *saves == 0 => format!("Sekarang milik {side}. {}", words.hold_empty),
        (Lang::En, None) => format!(
            "{side} owns it now. Meanwhile your basket was saved {saves} times: the slowest took {slowest}, and the seam held one for {held}."
        ),
        (Lang::Id, None) => format!(
            "Sekarang milik {side}. Sementara itu keranjang Anda disimpan {saves} kali: yang terlama {slowest}, dan seam menahan satu selama {held}."
        ),
    };
    html! { span .felt data-saves=(saves) data-held-us=(held_us) { (text) } }
}

/// This person's newest taps; always as many rows, so that nothing below moves.
pub fn taps(lang: Lang, person: &Person) -> Markup {
    let words = lang.words();
    html! {
        section #taps aria-labelledby="taps-title" {
            h3 #taps-title { (words.taps) }
            p .quiet { (words.taps_are) }
            table {
                thead { tr { th scope="col" { (words.tap_what) } th scope="col" { (words.tap_side) } th scope="col" { (words.tap_took) } th scope="col" { (words.tap_held) } } }
                tbody {
                    @for at in 0..TAPS_SHOWN {
                        @match person.taps.get(at) {
                            Some(tap) => tr data-held-us=(tap.held_us) {
                                td { (lang.tapped(tap.what)) }
                                td { (tap.side.as_deref().unwrap_or("–")) }
                                td { (lang.span(tap.took_us)) @if tap.repeats > 0 { " (×" (tap.repeats + 1) ")" } }
                                td .held { (if tap.held_us > 0 { lang.span(tap.held_us) } else { "–".to_owned() }) }
                            },
                            None => tr { td { "\u{a0}" } td {} td {} td {} },
                        }
                    }
                }
            }
        }
    }
}
