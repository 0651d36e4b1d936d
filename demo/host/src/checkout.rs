//! The checkout: who buys and where it goes, then what it comes to and how it is paid.

use crate::App;
use crate::deed::{bill, differs};
use crate::lang::{Lang, rupiah};
use crate::options::Shop;
use crate::page::{Place, Sheet, form, served_by};
use crate::people::{Note, Told};
use crate::seam::Trouble;
use crate::visit::Visit;
use crate::wire::{Ask, Bill, Details};
use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};

/// The one way of shipping that shops here have.
const FLAT: &str = "flat";

pub async fn show(State(app): State<App>, Path(shop): Path<String>, visit: Visit) -> Response {
    let (lang, words) = (visit.lang, visit.lang.words());
    let Some(shop) = app.shop(&shop) else { return crate::routes::nothing(State(app), visit).await };
    let Some(id) = visit.seat.person().basket(&shop.id).checkout else { return visit.lead("/basket") };
    let mut note = visit.note();
    let told = |trouble| Told { note: Note::Trouble(trouble), shop: shop.id.clone() };
    let checkout = match app.seam().send(&Ask::checkout(&shop.id, &id)).await.and_then(|answer| bill(&answer)) {
        Ok(checkout) => Some(checkout),
        Err(trouble) => {
            note.get_or_insert_with(|| told(trouble));
            None
        }
    };
    // It may have been paid for by a tap whose answer never came.
    if let Some(order) = checkout.as_ref().and_then(|checkout| checkout.order.as_ref()) {
        visit.seat.person().bought(&shop.id, &id, &order.id);
        return visit.lead(&format!("/shops/{}/orders/{}", shop.id, order.id));
    }
    let open = checkout.as_ref().filter(|checkout| checkout.status != "canceled");
    let is_behind = match open {
        Some(checkout) => differs(app.seam(), &visit.seat, &shop.id, checkout).await.unwrap_or_else(|trouble| {
            note.get_or_insert_with(|| told(trouble));
            false
        }),
        None => false,
    };
    let link = open.and_then(|checkout| offered(&app, &visit, shop, checkout).transpose());
    let link = link.and_then(|link| link.map_err(|trouble| note.get_or_insert_with(|| told(trouble))).ok());
    let silent = note.as_ref().is_some_and(|told| told.note == Note::Trouble(Trouble::Silent));
    let body = html! {
        (visit.tell(note.as_ref()))
        @if let Some(checkout) = open {
            (who(&app, &visit, shop, checkout))
            (sums(lang, checkout))
            @if checkout.is_being_paid() || checkout.has_details() && !is_behind {
                (elsewhere(&app, lang, link.as_deref()))
            }
            div #pay-here {
                @if checkout.is_being_paid() {
                    (being_paid(lang))
                } @else if is_behind {
                    (catch_up(&app, lang, shop))
                } @else if checkout.has_details() {
                    (pay(&app, lang, shop, checkout))
                }
            }
        } @else if !silent {
            p { a .button href="/basket" data-swap { (words.basket) } }
        }
        (served_by(lang, shop))
    };
    let title = format!("{} · {}", words.checkout, shop.name);
    let sheet = Sheet { title, place: Place::Basket, shop: Some(shop.id.clone()), body: Some(body) };
    visit.show(&app, StatusCode::OK, sheet).await
}

/// A form of these details, folded away once the shop has them.
fn who(app: &App, visit: &Visit, shop: &Shop, checkout: &Bill) -> Markup {
    let words = visit.lang.words();
    let known = checkout.details();
    let details =
        if checkout.has_details() { known } else { visit.seat.person().details.clone().unwrap_or_else(guest) };
    let field = |id: &str, name: &str, value: &str, fill: &str, letters: u32| {
        html! {
            div .field {
                label for=(id) { (name) }
                input id=(id) name=(id) value=(value) autocomplete=(fill) maxlength=(letters) required;
            }
        }
    };
    let shipping = match checkout.shipping_fee() {
        Some(fee) => rupiah(fee),
        None => words.flat_later.to_owned(),
    };
    let asked = form(
        app,
        &format!("/shops/{}/details", shop.id),
        &html! {
            (field("name", words.name, &details.name, "name", 60))
            (field("phone", words.phone, &details.phone, "tel", 20))
            (field("street", words.street, &details.street, "street-address", 100))
            div .pair {
                (field("city", words.city, &details.city, "address-level2", 40))
                (field("postal_code", words.postal_code, &details.postal_code, "postal-code", 10))
            }
            fieldset {
                legend { (words.shipping) }
                label .choice { input type="radio" name="shipping" value=(FLAT) checked required; span { (words.flat) } span .quiet { (shipping) } }
            }
            button #go-on .main { (words.go_on) }
        },
    );
    html! {
        @if checkout.has_details() {
            details .who {
                summary {
                    span { b { (details.name) } br; (details.street) ", " (details.city) " " (details.postal_code) }
                    span .change { (words.change) }
                }
                (asked)
            }
        } @else {
            section .who { h3 { (words.who_where) } (asked) }
        }
    }
}

/// Somebody to begin with: who only looks at the demo need not type.
fn guest() -> Details {
    Details {
        name: "Sari Dewi".into(),
        phone: "+62 811 0000 123".into(),
        street: "Jalan Melati 7".into(),
        city: "Bandung".into(),
        postal_code: "40115".into(),
        shipping: None,
    }
}

/// What it comes to, line by line.
pub fn sums(lang: Lang, bill: &Bill) -> Markup {
    let words = lang.words();
    let sum = |name: &str, amount: i64| html! { div .sum { dt { (name) } dd { (rupiah(amount)) } } };
    html! {
        ul .lines .plain {
            @for line in &bill.line_items {
                li { p .of { (line.item.title) } p .quiet { (line.quantity()) " ×" } p .price { (rupiah(line.total())) } }
            }
        }
        dl .sums {
            (sum(words.subtotal, bill.total("subtotal")))
            (sum(words.fee, bill.total("fulfillment")))
            (sum(words.tax, bill.total("tax")))
            div .sum .total { dt { (words.total) } dd #total { (rupiah(bill.total("total"))) } }
        }
    }
}

/// Instead of a form that would pay it once more.
pub fn being_paid(lang: Lang) -> Markup {
    html! { p .note role="status" { (lang.words().being_paid) } }
}

/// Where more or less is in the basket by now: paying this would lose that.
fn catch_up(app: &App, lang: Lang, shop: &Shop) -> Markup {
    let words = lang.words();
    html! {
        p #behind .note role="status" { (words.basket_changed) }
        (form(app, &format!("/shops/{}/checkout", shop.id), &html! { button #catch-up .main { (words.catch_up) } }))
    }
}

/// It says what it pays: another checkout, or another amount, is not paid by this button.
fn pay(app: &App, lang: Lang, shop: &Shop, checkout: &Bill) -> Markup {
    let words = lang.words();
    form(
        app,
        &format!("/shops/{}/pay", shop.id),
        &html! {
            input type="hidden" name="checkout" value=(checkout.id);
            input type="hidden" name="total" value=(checkout.total("total"));
            fieldset {
                legend { (words.pay) }
                p .quiet { (words.pay_how) }
                label .choice { input #approve type="radio" name="choice" value="approve" checked; span { (words.approve) } }
                label .choice { input #decline type="radio" name="choice" value="decline"; span { (words.decline) } }
            }
            button #pay .main { (words.pay_now) " " (rupiah(checkout.total("total"))) }
        },
    )
}

/// The link to the page on which it can be paid in other ways; the checkout is written down before it is shown, once.
fn offered(app: &App, visit: &Visit, shop: &Shop, checkout: &Bill) -> Result<Option<String>, Trouble> {
    let Some(link) = checkout.pay_link() else { return Ok(None) };
    let mut person = visit.seat.person();
    let basket = person.basket_mut(&shop.id);
    if basket.offered.as_ref() != Some(&checkout.id) {
        app.seam().write_down_offered(&shop.id, &checkout.id)?;
        basket.offered = Some(checkout.id.clone());
    }
    Ok(Some(link.to_owned()))
}

/// What a page of the shop may do in the frame: be itself, at its own origin, send its forms, and open a window for a wallet
/// or an invoice, which is as free as any other. Absent on purpose: to lead this app away.
const SANDBOX: &str = "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox";

/// The page of the shop on which it can be paid in other ways, in a frame. What is paid with there, this app never sees: it is
/// of another origin, and a browser shows it to the buyer and to nobody else.
fn elsewhere(app: &App, lang: Lang, link: Option<&str>) -> Markup {
    let words = lang.words();
    html! {
        @if let Some(link) = link {
            @let page = format!("{}{link}&lang={}", app.seam().addresses().origin(), lang.code());
            section .elsewhere aria-labelledby="elsewhere-title" {
                h3 #elsewhere-title { (words.pay_elsewhere) }
                p .quiet { (words.pay_page_is) }
                iframe #pay-page title=(words.pay_page) src=(page) sandbox=(SANDBOX) referrerpolicy="no-referrer" {}
                p { a #elsewhere .button href=(page) target="_blank" rel="noopener" { (words.own_window) " ↗" } }
            }
        }
    }
}
