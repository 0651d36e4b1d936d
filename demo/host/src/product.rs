//! The product sheet: what a yellow basket holds.

use crate::App;
use crate::feed;
use crate::lang::rupiah;
use crate::page::{Place, Sheet, form, served_by};
use crate::people::{Note, Told};
use crate::scene::scene;
use crate::visit::Visit;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use maud::html;

/// Where the small scene stands among those of the feed: nowhere.
const SMALL: usize = 1_000;

pub async fn show(State(app): State<App>, Path((shop, id)): Path<(String, String)>, visit: Visit) -> Response {
    let (lang, words) = (visit.lang, visit.lang.words());
    let Some(shop) = app.shop(&shop) else { return crate::routes::nothing(State(app), visit).await };
    let mut note = visit.note();
    let product = match feed::product(&app, &shop.id, &id).await {
        Ok(Some(product)) => Some(product),
        Ok(None) => return crate::routes::nothing(State(app), visit).await,
        Err(trouble) => {
            note.get_or_insert_with(|| Told { note: Note::Trouble(trouble), shop: shop.id.clone() });
            None
        }
    };
    let in_basket = visit.seat.person().basket(&shop.id).units;
    let body = html! {
        @if let Some(product) = &product {
            div .offer {
                div .small { (scene(&product.title, &product.id, SMALL)) }
                div {
                    p .price { (rupiah(product.price())) }
                    p .quiet { (shop.name) }
                    @if !product.is_available() { p .note { (words.sold_out) } }
                }
            }
        }
        (visit.tell(note.as_ref()))
        div .do {
            @if in_basket > 0 { a #to-basket .button .main href="/basket" data-swap { (words.to_basket) " (" (in_basket) ")" } }
            @if product.as_ref().is_some_and(crate::wire::Product::is_available) {
                (form(&app, &format!("/shops/{}/basket", shop.id), &html! {
                    input type="hidden" name="product" value=(id);
                    button #put-in .main[in_basket == 0] { (if in_basket > 0 { words.put_in_more } else { words.put_in }) }
                }))
            }
        }
        (served_by(lang, shop))
    };
    let title = product.map_or_else(|| shop.name.clone(), |product| product.title);
    let sheet = Sheet { title, place: Place::Feed, shop: Some(shop.id.clone()), body: Some(body) };
    visit.show(&app, StatusCode::OK, sheet).await
}
