//! What a seller or a buyer typed is text on every page of a purchase, and nothing else.

use crate::Bench;
use crate::forms::{Visitor, open};
use testkit::html::skeleton;

/// As a form sends it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The pages of a purchase of something that is called so, by somebody who is, in its order.
fn purchase(bench: &Bench, said: &str) -> Vec<String> {
    bench.call_products(said);
    let mut visitor = Visitor::of(bench);
    let mut pages = Vec::new();
    let feed = visitor.get("/");
    let (product, sheet) = open(&mut visitor);
    let basket = visitor.post("/shops/2/basket", &format!("tap={}&product={product}", sheet.tap("/shops/2/basket")));
    let own = visitor.get("/basket");
    let checkout = visitor.post("/shops/2/checkout", &format!("tap={}", own.tap("/shops/2/checkout")));
    let details = ["name", "street", "city"].map(|field| format!("&{field}={}", encoded(said)));
    let form = format!(
        "tap={}{}&phone=%2B62811&postal_code=40115&shipping=flat",
        checkout.tap("/shops/2/details"),
        details.concat()
    );
    let ready = visitor.post("/shops/2/details", &form);
    let declined = visitor.post("/shops/2/pay", &ready.pay("decline"));
    let order = visitor.post("/shops/2/pay", &declined.pay("approve"));
    pages.extend([feed, sheet, basket, own, checkout, ready, declined, order, visitor.get("/orders")]);
    pages.into_iter().map(|page| page.html).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_typed_adds_no_element_and_no_attribute_to_a_page_of_the_host() {
    let mut harmless = Vec::new();
    for said in [
        "Sari",
        "<script>hit=1</script>",
        "\"><img src=x onerror=hit=1>",
        "' onload='hit=1",
        "javascript:hit=1",
        "&lt;b&gt;&#60;",
        "</b><svg>",
    ] {
        let bench = Bench::start().await;
        let pages = purchase(&bench, said);
        let trees: Vec<String> = pages.iter().map(|page| skeleton(page)).collect();
        assert!(
            pages[7].contains("/orders/")
                && pages.iter().all(|page| !page.contains("<script>hit") && !page.contains("<img src=x"))
        );
        if harmless.is_empty() {
            harmless = trees;
        } else {
            for (page, (tree, right)) in trees.iter().zip(&harmless).enumerate() {
                assert_eq!(tree, right, "page {page}: {said}");
            }
        }
    }
}
