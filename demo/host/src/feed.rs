//! Which clips the feed shows: some of each shop's shelf, the newest shops first, and the same ones every time.

use crate::App;
use crate::options::Shop;
use crate::seam::Trouble;
use crate::wire::{Ask, Product, Products};
use futures_util::future::join_all;
use serde::Deserialize;

/// Clips in the feed; each shop is asked once for all of its own.
const CLIPS_MAX: usize = 12;
const CLIPS_OF_A_SHOP_MAX: usize = 4;
const SHELF: usize = 50;
/// Steps over a shelf, so that neighbours in the feed are not neighbours on it.
const STRIDE: usize = 7;

#[derive(Debug, Clone)]
pub struct Clip {
    pub shop: Shop,
    pub product: Product,
}

/// Clips of the shops that answer.
pub async fn clips(app: &App) -> Vec<Clip> {
    let shops: Vec<&Shop> = app.shops().iter().rev().take(CLIPS_MAX).collect();
    let of_each = (CLIPS_MAX / shops.len().max(1)).clamp(1, CLIPS_OF_A_SHOP_MAX);
    let shelves = join_all(shops.iter().map(|shop| shelf(app, &shop.id))).await;
    let mut clips = Vec::new();
    for round in 0..of_each {
        for (at, (shop, shelf)) in shops.iter().zip(&shelves).enumerate() {
            if let Some(product) = pick(shelf, round, at) {
                clips.push(Clip { shop: (*shop).clone(), product: product.clone() });
            }
        }
    }
    clips
}

fn pick(shelf: &[Product], round: usize, at: usize) -> Option<&Product> {
    let place = (at * 5 + round * STRIDE) % shelf.len().max(1);
    shelf.iter().cycle().skip(place).take(shelf.len()).find(|product| product.is_available())
}

async fn shelf(app: &App, shop: &str) -> Vec<Product> {
    let answer = app.seam().send(&Ask::search(shop, SHELF)).await;
    let products = answer.ok().and_then(|answer| Products::deserialize(&answer.body).ok());
    products.map(|found| found.products).unwrap_or_default()
}

/// One product as it is now.
///
/// # Errors
/// As [`crate::seam::Seam::send`]; none where the shop has no such product.
pub async fn product(app: &App, shop: &str, id: &str) -> Result<Option<Product>, Trouble> {
    let answer = app.seam().send(&Ask::look_up(shop, id)).await?;
    let found = Products::deserialize(&answer.body).map_err(|error| Trouble::Odd(error.to_string()))?;
    Ok(found.products.into_iter().next())
}
