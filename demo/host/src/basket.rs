//! The basket: over several shops it is several baskets, shown together, and each is paid on its own.

use crate::App;
use crate::deed::{UNITS_MAX, look_into};
use crate::lang::{Lang, rupiah};
use crate::options::Shop;
use crate::page::{Place, Sheet, form, served_by};
use crate::people::{Note, Told};
use crate::visit::Visit;
use crate::wire::{Bill, Line};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};

pub async fn show(State(app): State<App>, visit: Visit) -> Response {
    let (lang, words) = (visit.lang, visit.lang.words());
    let mut note = visit.note();
    let shops: Vec<String> = visit.seat.person().baskets.keys().cloned().collect();
    let mut baskets = Vec::new();
    for shop in shops.iter().filter_map(|id| app.shop(id)) {
        match look_into(app.seam(), &visit.seat, &shop.id).await {
            Ok(Some(cart)) => baskets.push((shop, cart)),
            Ok(None) => {}
            Err(trouble) => {
                note.get_or_insert_with(|| Told { note: Note::Trouble(trouble), shop: shop.id.clone() });
            }
        }
    }
    let newest = baskets.last().map(|(shop, _)| shop.id.clone());
    let shop = newest.or_else(|| shops.last().cloned());
    let body = html! {
        (visit.tell(note.as_ref()))
        @if shops.is_empty() {
            div .empty { p { b { (words.basket_empty) } } p .quiet { (words.basket_empty_do) } }
        }
        @for (shop, cart) in &baskets { (of_shop(&app, lang, shop, cart)) }
        @if baskets.len() > 1 { p .quiet { (words.each_shop) } }
    };
    let sheet = Sheet { title: words.basket.to_owned(), place: Place::Basket, shop, body: Some(body) };
    visit.show(&app, StatusCode::OK, sheet).await
}

fn of_shop(app: &App, lang: Lang, shop: &Shop, cart: &Bill) -> Markup {
    let words = lang.words();
    html! {
        section .shop aria-label=(shop.name) {
            h3 { (shop.name) }
            ul .lines { @for line in &cart.line_items { (stepper(app, lang, shop, line)) } }
            dl .sums { div .sum { dt { (words.subtotal) } dd #(format!("sum-{}", shop.id)) { (rupiah(cart.total("total"))) } } }
            (form(app, &format!("/shops/{}/checkout", shop.id), &html! {
                button .main id=(format!("check-out-{}", shop.id)) { (words.check_out) }
            }))
            (served_by(lang, shop))
        }
    }
}

fn stepper(app: &App, lang: Lang, shop: &Shop, line: &Line) -> Markup {
    let (words, units, title) = (lang.words(), line.quantity(), &line.item.title);
    let button = |id: &str, sign: &str, name: &str, to: i64| {
        html! {
            button .step id=(format!("{id}-{}", line.item.id)) name="units" value=(to) aria-label=(format!("{name}: {title}")) {
                (sign)
            }
        }
    };
    html! {
        li data-product=(line.item.id) {
            p .of { (title) }
            (form(app, &format!("/shops/{}/units", shop.id), &html! {
                input type="hidden" name="product" value=(line.item.id);
                div .steps {
                    (button("less", "−", if units == 1 { words.take_out } else { words.one_less }, units - 1))
                    span .units { (units) }
                    (button("more", "+", words.one_more, (units + 1).min(UNITS_MAX)))
                }
            }))
            p .price { (rupiah(line.total())) }
        }
    }
}
