//! One shop for deeds: what stands there to be taken, and which rows a deed is meant to change.

use super::cells::RowName;
use super::deeds::Deed;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use vocab::id::ShopId;

/// Rows that a deed should change, lose and add in the legacy.
#[derive(Debug, Default)]
pub struct Meant {
    /// Names in the file of intended edits.
    pub commands: Vec<&'static str>,
    /// More of them, done to what the backend had made itself: what they change was not there at the flip.
    pub also: Vec<&'static str>,
    pub rows: BTreeSet<RowName>,
    pub gone: BTreeSet<RowName>,
    pub born: BTreeMap<&'static str, usize>,
    /// Products by how much there is more of them; the rows of those that come to nothing may be as they were.
    pub stock: BTreeMap<String, i64>,
}

impl Meant {
    pub(super) fn of(command: &'static str) -> Self {
        Self::without_key(command).born("idem", 1)
    }

    /// Of what nobody asks for through the API.
    pub(super) fn without_key(command: &'static str) -> Self {
        Self { commands: vec![command], ..Self::default() }
    }

    pub(super) fn row(mut self, table: &str, key: &str) -> Self {
        self.rows.insert((table.to_owned(), key.to_owned()));
        self
    }

    pub(super) fn born(mut self, table: &'static str, count: usize) -> Self {
        *self.born.entry(table).or_default() += count;
        self
    }

    /// A product of which this many more are there.
    pub(super) fn moved(mut self, product: &str, by: i64) -> Self {
        *self.stock.entry(product.to_owned()).or_default() += by;
        self
    }

    pub fn add(&mut self, other: Self) {
        self.commands.extend(other.commands);
        self.also.extend(other.also);
        self.rows.extend(other.rows);
        self.gone.extend(other.gone);
        for (table, count) in other.born {
            *self.born.entry(table).or_default() += count;
        }
        for (product, by) in other.stock {
            *self.stock.entry(product).or_default() += by;
        }
    }
}

/// One shop, what is done there, and what was shown of it so far.
pub struct Stage {
    pub shop: ShopId,
    pub deeds: Vec<Deed>,
    /// Paths that anybody outside knows.
    pub shown: Vec<String>,
    /// All products, for sale or not.
    pub products: Vec<String>,
    /// Orders that came into being at the backend and of which something is left.
    pub sold: Vec<String>,
    /// Codes that are out and that nobody has paid.
    pub codes: Vec<Code>,
    /// Orders that were paid by a code.
    pub(super) paid_later: Vec<String>,
    /// Paths of what was in the legacy when the deeds began: what the backend makes comes there while they go on.
    pub(super) standing: BTreeSet<String>,
    pub(super) used: BTreeSet<String>,
    goods: usize,
}

/// What the buyer of a checkout was given to pay with.
#[derive(Debug, Clone)]
pub struct Code {
    pub checkout: String,
    /// At the provider.
    pub reference: String,
}

/// A line of an order or cart: its row, its product, how many.
pub(super) struct Line {
    pub(super) row: String,
    pub(super) product: String,
    pub(super) quantity: i64,
}

impl Stage {
    pub async fn new(world: &World, shop: &ShopId, deeds: Vec<Deed>) -> Self {
        let all = standing(world, shop).await;
        // Of a shop with one deed, a part; the deed adds what it is about.
        let part = if deeds.len() == 1 { 8 } else { 1 };
        let shown = all.into_iter().step_by(part).collect();
        let products = world.column(&format!("select id from produk where toko_id = {shop} order by id")).await;
        let (standing, used) = (BTreeSet::new(), BTreeSet::new());
        let (sold, codes, paid_later) = (Vec::new(), Vec::new(), Vec::new());
        Self { shop: shop.clone(), deeds, shown, products, sold, codes, paid_later, standing, used, goods: 0 }
    }

    /// To be called between the flip and the first deed.
    pub async fn begin(&mut self, world: &World) {
        self.standing = standing(world, &self.shop).await.into_iter().collect();
    }

    pub fn show(&mut self, path: &str) {
        if !self.shown.iter().any(|known| known == path) {
            self.shown.push(path.to_owned());
        }
    }

    /// The first id that this query answers and no deed has had yet, of what stood there.
    pub(super) async fn take(&mut self, world: &World, path: &str, sql: &str) -> String {
        let found = world.column(&sql.replace("{shop}", self.shop.as_str())).await;
        let is_free = |id: &String| {
            let path = format!("{path}/{id}");
            self.standing.contains(&path) && !self.used.contains(&path)
        };
        let free = found.into_iter().find(is_free);
        let free = free.unwrap_or_else(|| panic!("shop {}: nothing is left of {sql}", self.shop));
        self.used.insert(format!("{path}/{free}"));
        free
    }

    /// Products with plenty in stock, other ones each time while there are some; none of these lines.
    pub(super) async fn goods_but(&mut self, world: &World, count: usize, but: &[Line]) -> Vec<String> {
        let sql =
            "select id from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 and stok > 100 order by id";
        let all = world.column(&sql.replace("{shop}", self.shop.as_str())).await;
        let mut goods = Vec::new();
        while goods.len() < count {
            let product = &all[self.goods % all.len()];
            self.goods += 1;
            if !but.iter().any(|line| line.product == *product) {
                goods.push(product.clone());
            }
        }
        goods
    }

    pub async fn goods(&mut self, world: &World, count: usize) -> Vec<String> {
        self.goods_but(world, count, &[]).await
    }

    pub(super) async fn paid_order(&mut self, world: &World) -> String {
        let order = "select nomor from jual where toko_id = {shop} and status like 'LUNAS%' and id not in \
                     (select jual_id from kembali) order by id";
        self.take(world, "orders", order).await
    }

    pub(super) async fn order_lines(&self, world: &World, order: &str) -> (String, Vec<Line>) {
        let key = world.one(&format!("select id from jual where nomor = '{order}'")).await;
        let sql = format!("select id, produk_id, jml - batal_jml from jual_detil where jual_id = {key} order by urut");
        (key, lines(world.rows(&sql).await))
    }

    pub(super) async fn open_cart(&mut self, world: &World) -> (String, Vec<Line>) {
        let sql = "select id from keranjang where toko_id = {shop} and status like 'BUKA%' order by id";
        let cart = self.take(world, "carts", sql).await;
        let sql = format!("select id, produk_id, jml from keranjang_isi where keranjang_id = {cart} order by id");
        (cart, lines(world.rows(&sql).await))
    }

    /// A checkout that waits for nothing but payment, or for details if not.
    pub(super) async fn open_checkout(&mut self, world: &World) -> (String, Vec<Line>) {
        let sql = "select id from transaksi where toko_id = {shop} and status like 'BUKA%' and keranjang_id is null \
                   and kirim = 'flat' order by id";
        let checkout = self.take(world, "checkout-sessions", sql).await;
        let lines = self.checkout_lines(world, &checkout).await;
        (checkout, lines)
    }

    pub(super) async fn checkout_lines(&self, world: &World, checkout: &str) -> Vec<Line> {
        let sql = format!("select id, produk_id, jml from transaksi_isi where transaksi_id = {checkout} order by id");
        lines(world.rows(&sql).await)
    }
}

/// Paths of the carts, checkouts and orders that are in the legacy now.
async fn standing(world: &World, shop: &ShopId) -> Vec<String> {
    let mut paths = Vec::new();
    for (table, column, path) in
        [("keranjang", "id", "carts"), ("transaksi", "id", "checkout-sessions"), ("jual", "nomor", "orders")]
    {
        let ids = world.column(&format!("select {column} from {table} where toko_id = {shop} order by id")).await;
        paths.extend(ids.iter().map(|id| format!("{path}/{id}")));
    }
    paths
}

fn lines(rows: Vec<Vec<String>>) -> Vec<Line> {
    let line =
        |row: Vec<String>| Line { row: row[0].clone(), product: row[1].clone(), quantity: row[2].parse().unwrap() };
    rows.into_iter().map(line).collect()
}
