//! What a new database holds: shops with products, shared customers, and years of orders with the dirt of real ones.
//!
//! A pure function of the seed and the time (open carts have to be young): the same seed gives the same ids and words.
//! The past stands in `seed/past.rs`.

mod fate;
mod past;

use crate::clock;
use crate::money::RUPIAH;
use crate::shop::ARCHIVE_SHOP;
use crate::value::Value;
use jiff::{SignedDuration, Timestamp};
use past::Past;

const PRODUCTS: usize = 25;
/// The last two products of a shop: withdrawn, and deleted.
const WITHDRAWN: usize = 23;
const DELETED: usize = 24;
const CUSTOMERS_PER_SHOP: i64 = 12;

const GOODS: [&str; 13] = [
    "Kopi Gayo",
    "Teh Melati",
    "Batik Tulis",
    "Sambal Roa",
    "Tas Rotan",
    "Keripik Tempe",
    "Madu Hutan",
    "Sarung Tenun",
    "Gula Aren",
    "Kain Songket",
    "Minyak Kayu Putih",
    "Abon Sapi",
    "Topeng Kayu",
];
const KINDS: [&str; 5] = ["Kecil", "Besar", "Istimewa", "Hemat", "Oleh-oleh"];
const NAMES: [&str; 10] = ["Siti", "Budi", "Dewi", "Agus", "Rina", "Joko", "Ayu", "Hendra", "Lestari", "Putu"];
const FAMILIES: [&str; 8] = ["Wijaya", "Santoso", "Lubis", "Siregar", "Nasution", "Halim", "Gunawan", "Manurung"];

/// A table's first rows.
pub struct Table {
    pub name: &'static str,
    /// Names, with commas between them.
    pub columns: &'static str,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    fn new(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns, rows: Vec::new() }
    }

    /// The id of the row that is pushed next.
    fn next_id(&self) -> i64 {
        i64::try_from(self.rows.len()).unwrap_or(i64::MAX - 1) + 1
    }
}

/// Numbers that only look random: splitmix64.
pub struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least `low`, below `high`.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap_or(1).max(1);
        low + i64::try_from(self.roll() % width).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let last = i64::try_from(from.len()).unwrap_or(1);
        from[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }
}

/// A product as orders copy it.
#[derive(Clone)]
struct Good {
    id: i64,
    title: String,
    price: i64,
}

/// A shop while its past is written.
struct Store {
    id: i64,
    shipping: i64,
    tax_bp: i64,
    /// On sale.
    goods: Vec<Good>,
}

/// All tables of a new database, in the order in which they are filled.
pub fn tables(seed: u64, shops: u32, with_archive_shop: bool, now: Timestamp) -> Vec<Table> {
    let mut dice = Dice(seed);
    let mut toko = Table::new("toko", "id, kode, nama, ongkir, pajak_bp, zona, diubah");
    let mut produk = Table::new("produk", "id, toko_id, kode, nama, harga, stok, aktif, hapus, f1, dilihat, diubah");
    let others = (1..=i64::from(shops)).filter(|id| !with_archive_shop || *id != ARCHIVE_SHOP);
    // The shop of the archive comes first: its products' numbers stay below every stock code of the archive.
    let ids: Vec<i64> = with_archive_shop.then_some(ARCHIVE_SHOP).into_iter().chain(others).collect();
    let customers = customers(&mut dice, CUSTOMERS_PER_SHOP * i64::try_from(ids.len()).unwrap_or(1));
    let mut past = Past::new(customers.next_id() - 1, now);
    for id in ids {
        let store = shop(&mut dice, id, &mut toko, &mut produk, now);
        past.write(&mut dice, &store);
    }
    let mut tables = vec![toko, produk, customers];
    tables.extend(past.into_tables());
    tables
}

fn shop(dice: &mut Dice, id: i64, toko: &mut Table, produk: &mut Table, now: Timestamp) -> Store {
    let (fee, shipping) = dice.pick(&[("9000.00", 9_000), ("12000", 12_000), ("15000.00", 15_000)]);
    let tax_bp = dice.pick(&[1_100, 1_100, 1_200]);
    let opened = ago(now, 24 * 900 - id.min(500));
    let name = format!("Toko {} {}", dice.pick(&FAMILIES), id);
    toko.rows.push(vec![
        id.into(),
        format!("KIOS-{id:03}").into(),
        name.into(),
        fee.into(),
        tax_bp.into(),
        "WIB".into(),
        opened.as_str().into(),
    ]);
    let mut goods = Vec::new();
    for place in 0..PRODUCTS {
        let product = produk.next_id();
        let good = Good {
            id: product,
            title: format!("{} {} {}", GOODS[place % GOODS.len()], dice.pick(&KINDS), 1 + place / GOODS.len()),
            // Multiples of fifty, so that some taxes end in half a rupiah.
            price: 50 * dice.between(20, 3_000) * RUPIAH,
        };
        // Some sell out within a minute of trade, most never do.
        let stock = if place % 8 == 3 { dice.between(5, 40) } else { dice.between(5_000, 20_000) };
        produk.rows.push(vec![
            product.into(),
            id.into(),
            format!("P{id:03}-{place:02}").into(),
            good.title.as_str().into(),
            styled(good.price, place % 4 == 1).into(),
            stock.into(),
            if place == WITHDRAWN { "T" } else { "Y" }.into(),
            i64::from(place == DELETED).into(),
            dice.pick(&["STD", "STD", "X9", ""]).into(),
            dice.between(0, 5_000).into(),
            opened.as_str().into(),
        ]);
        if place < WITHDRAWN {
            goods.push(good);
        }
    }
    Store { id, shipping: shipping * RUPIAH, tax_bp, goods }
}

/// People who buy here and there: one row for all shops.
fn customers(dice: &mut Dice, count: i64) -> Table {
    let mut pelanggan = Table::new("pelanggan", "id, nama, telp, surel, sandi, poin");
    for id in 1..=count {
        let name = format!("{} {}", dice.pick(&NAMES), dice.pick(&FAMILIES));
        let mail = (id % 3 != 0).then(|| format!("pelanggan{id}@contoh.example"));
        pelanggan.rows.push(vec![
            id.into(),
            name.into(),
            (id % 7 != 0).then(|| format!("+62811{id:07}")).into(),
            mail.into(),
            format!("{:016x}{:016x}", dice.roll(), dice.roll()).into(),
            dice.between(0, 400).into(),
        ]);
    }
    pelanggan
}

/// Decimal text, with or without its two places.
fn styled(amount: i64, short: bool) -> String {
    let text = crate::money::print(amount);
    if short { text.trim_end_matches(".00").to_owned() } else { text }
}

fn ago(now: Timestamp, hours: i64) -> String {
    clock::wib(now - SignedDuration::from_hours(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn of<'a>(tables: &'a [Table], name: &str) -> &'a Table {
        tables.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_and_another_gives_others() {
        let rows = |seed| tables(seed, 2, false, at()).into_iter().map(|table| table.rows).collect::<Vec<_>>();
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    #[test]
    fn the_shop_of_the_archive_has_the_first_products() {
        let tables = tables(1, 3, true, at());
        assert_eq!(of(&tables, "toko").rows.len(), 4);
        assert_eq!(of(&tables, "produk").rows[0][1], Value::Int(ARCHIVE_SHOP));
        assert_eq!(of(&tables, "produk").rows.len(), 4 * PRODUCTS);
    }

    #[test]
    fn both_styles_of_a_price_occur() {
        let tables = tables(1, 1, false, at());
        let prices = of(&tables, "produk").rows.iter().map(|row| match &row[4] {
            Value::Text(text) => text.contains('.'),
            Value::Null | Value::Int(_) => panic!("a price is text"),
        });
        let (long, short): (Vec<bool>, Vec<bool>) = prices.partition(|long| *long);
        assert!(!long.is_empty() && !short.is_empty());
    }
}
