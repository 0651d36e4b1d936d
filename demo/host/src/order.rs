//! Orders: one, with its invoice, and those of this person. Nobody sees anybody else's: the host's key opens all of them,
//! so the page shows only what its own person bought.

use crate::App;
use crate::checkout::sums;
use crate::deed::bill;
use crate::options::Shop;
use crate::page::{Place, Sheet, served_by, told};
use crate::people::Note;
use crate::seam::Trouble;
use crate::visit::Visit;
use crate::wire::{Ask, Bill};
use crate::words::Words;
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};

pub async fn show(State(app): State<App>, Path((shop, id)): Path<(String, String)>, visit: Visit) -> Response {
    let (lang, words) = (visit.lang, visit.lang.words());
    let bought = visit.seat.person().orders.contains(&(shop.clone(), id.clone()));
    let Some(shop) = app.shop(&shop).filter(|_| bought) else {
        return crate::routes::nothing(State(app), visit).await;
    };
    let (order, trouble) = match look(&app, &shop.id, &id).await {
        Ok(order) => (Some(order), None),
        Err(trouble) => (None, Some(Note::Trouble(trouble))),
    };
    let body = html! {
        @if trouble.is_some() { (told(lang, trouble.as_ref(), None)) } @else { (visit.tell(visit.note().as_ref())) }
        @if let Some(order) = &order {
            p .thanks { (words.thanks) }
            p #status .quiet { (words.status) ": " b { (lang.status(&order.status)) } }
            (sums(lang, order))
            (invoice(&app, words, order))
        }
        (served_by(lang, shop))
        p { a #on .button href="/" data-swap { (words.back_to_feed) } }
    };
    let title = format!("{} {id}", words.order);
    let sheet = Sheet { title, place: Place::Orders, shop: Some(shop.id.clone()), body: Some(body) };
    visit.show(&app, StatusCode::OK, sheet).await
}

/// At the shops' own address, which is the same whoever owns the shop.
fn invoice(app: &App, words: &Words, order: &Bill) -> Markup {
    html! {
        @match order.invoice_link() {
            Some(link) => p {
                a #invoice .button href=(format!("{}{link}", app.seam().addresses().origin())) target="_blank" rel="noopener" {
                    (words.invoice) @if let Some(number) = order.invoice_number() { " " (number) } " ↗"
                }
            },
            None => p .quiet { (words.on_its_way) },
        }
    }
}

async fn look(app: &App, shop: &str, id: &str) -> Result<Bill, Trouble> {
    bill(&app.seam().send(&Ask::order(shop, id)).await?)
}

pub async fn list(State(app): State<App>, visit: Visit) -> Response {
    let words = visit.lang.words();
    let orders: Vec<(String, String)> = visit.seat.person().orders.iter().cloned().collect();
    let named = |shop: &str| app.shop(shop).map_or_else(|| shop.to_owned(), |Shop { name, .. }| name.clone());
    let body = html! {
        @if orders.is_empty() { div .empty { p { (words.no_orders) } } }
        ul .orders {
            @for (shop, order) in &orders {
                li { a href=(format!("/shops/{shop}/orders/{order}")) data-swap { b { (words.order) " " (order) } span .quiet { (named(shop)) } } }
            }
        }
    };
    let sheet = Sheet { title: words.orders.to_owned(), place: Place::Orders, shop: None, body: Some(body) };
    visit.show(&app, StatusCode::OK, sheet).await
}
