//! Links that a person opens without a sign-in, an order's invoice and the page where a checkout is paid, each under a key
//! that nobody finds by counting ids.
//!
//! Invariant: the key is a function of a secret, the shop and what it opens: of one that a legacy may share for invoices, and of
//! our own for pages where buyers pay. So whoever owns the shop makes the same link to an invoice, and a link lasts as long as its
//! secret. Absent on purpose: anything that writes one down.

use ring::hmac;
use vocab::id::{PublicId, ShopId};

/// Bytes of a key, twice as many characters: nobody guesses one of 2^128.
const KEY_BYTES: usize = 16;

#[derive(Clone)]
pub struct Links {
    invoices: hmac::Key,
    pages: hmac::Key,
}

impl Links {
    /// Who changes one of these takes back all links that were made with it.
    pub fn of(invoices: &str, pages: &str) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self { invoices: key(invoices), pages: key(pages) }
    }

    /// Where a person opens an order's invoice, relative to the origin.
    pub fn invoice(&self, shop: &ShopId, order: &PublicId) -> String {
        format!("/shops/{shop}/orders/{}/invoice?key={}", in_path(order), self.key(shop, order))
    }

    /// Where a buyer pays a checkout, relative to the origin.
    pub fn checkout(&self, shop: &ShopId, checkout: &PublicId) -> String {
        format!("/shops/{shop}/checkout/{}?key={}", in_path(checkout), self.checkout_key(shop, checkout))
    }

    /// Is this the key of that order's link?
    pub fn opens(&self, shop: &ShopId, order: &PublicId, key: &str) -> bool {
        same(&self.key(shop, order), key)
    }

    /// Is this the key of that checkout's link?
    pub fn opens_checkout(&self, shop: &ShopId, checkout: &PublicId, key: &str) -> bool {
        same(&self.checkout_key(shop, checkout), key)
    }

    pub fn key(&self, shop: &ShopId, order: &PublicId) -> String {
        key_of(&self.invoices, "invoice", shop, order)
    }

    pub fn checkout_key(&self, shop: &ShopId, checkout: &PublicId) -> String {
        key_of(&self.pages, "checkout", shop, checkout)
    }
}

fn key_of(secret: &hmac::Key, what: &str, shop: &ShopId, id: &PublicId) -> String {
    // A shop's id has no line break, so that no two are one text.
    let tag = hmac::sign(secret, format!("{what}\n{shop}\n{id}").as_bytes());
    tag.as_ref().iter().take(KEY_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

/// Compared whole, so that the time it takes tells nothing.
fn same(right: &str, key: &str) -> bool {
    key.len() == right.len() && key.bytes().zip(right.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

/// An id as it stands in a path.
pub fn in_path(id: &PublicId) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let escaped = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    id.as_str().bytes().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_one_invoice_of_one_shop_and_no_other() {
        let links = Links::of("host-key", "page-key");
        let (seven, eight) = (ShopId::parse("7").unwrap(), ShopId::parse("8").unwrap());
        let order = PublicId::new("TRX-0000001");
        let link = links.invoice(&seven, &order);
        let (path, key) = link.split_once("?key=").unwrap();
        assert_eq!((path, key.len()), ("/shops/7/orders/TRX-0000001/invoice", 32));
        assert!(links.opens(&seven, &order, key));
        for wrong in ["", &key[1..], &format!("{key}0"), &key.to_uppercase()] {
            assert!(!links.opens(&seven, &order, wrong), "{wrong}");
        }
        assert!(!links.opens(&eight, &order, key) && !links.opens(&seven, &PublicId::new("TRX-0000002"), key));
        assert!(links.invoice(&seven, &PublicId::new("a b?ö")).starts_with("/shops/7/orders/a%20b%3F%C3%B6/invoice?"));
        assert!(!Links::of("another", "page-key").opens(&seven, &order, key));
        // What opens one of the two opens nothing of the other.
        let paid = links.checkout_key(&seven, &order);
        assert!(links.opens_checkout(&seven, &order, &paid) && !links.opens(&seven, &order, &paid));
        assert!(!links.opens_checkout(&seven, &order, key));
    }

    /// The legacy of the demo makes its links by the same rule in code of its own; this is what both come to.
    #[test]
    fn the_rule_is_hmac_sha256_of_three_lines() {
        let link = Links::of("host-key", "page-key").invoice(&ShopId::parse("7").unwrap(), &PublicId::new("101"));
        assert_eq!(link, "/shops/7/orders/101/invoice?key=51cfc6f9e48722a15d74113e009eaf9a");
    }
}
