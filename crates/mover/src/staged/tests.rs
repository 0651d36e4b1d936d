//! The guards of staged rows, on two small tables: baskets of shops, and what lies in them.

mod gap;

use super::{Chunk, Dirty, Ledger, Lost, Staged};
use capture::{Cut, Position, Transaction, Tx};
use mapping::{Anchor, Loser, Rows};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use vocab::id::{Kind, PublicId, Seq, ShopId};
use vocab::row::{Applied, Cell, Change, Row, RowKey, TableNo};

const SMALL: &str = r#"
mapping = 1
source = "small"
currency = "IDR"
zone = "+07:00"
[codec]
wib = { is = "instant", text = "%Y-%m-%d %H:%M:%S", same = "1s", none = "0000-00-00 00:00:00" }
state = { is = "words", read = { A = "open", B = "converted", C = "canceled", D = "expired" }, print = { open = "A", converted = "B", canceled = "C", expired = "D" } }
[table.basket]
key = "id"
shop = "shop_id"
columns = '''id int, shop_id int, state char(1), made text(19), changed text(19), note text(20) keep born '-', seen int unmoved born 0'''
[table.inside]
key = "id"
shop = "basket_id -> basket.shop_id"
columns = 'id int, basket_id int, product int, n int'
[entity.cart]
from = "basket"
remove = "debt"
fields = { id = "id", state = "state as state", created_at = "made as wib once", changed_at = "changed as wib" }
[entity.cart.list.lines]
from = "inside"
on = "basket_id = id"
order = "id"
remove = "delete"
fields = { id = "id", product = "product", quantity = "n" }
"#;

const BASKET: TableNo = 0;
const INSIDE: TableNo = 1;

struct World {
    folder: tempfile::TempDir,
    staged: Staged,
}

fn mapping() -> Arc<mapping::Mapping> {
    let file = mapping::File { name: "small.toml", text: SMALL };
    let compiled = mapping::compile(&[file], commerce::shape::SHAPES);
    Arc::new(compiled.unwrap_or_else(|wrong| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        panic!("{}", wrong.join("\n"))
    }))
}

fn open(folder: &tempfile::TempDir) -> Staged {
    Staged::open(&folder.path().join("staged.sqlite"), mapping()).unwrap()
}

fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

fn key(id: i64) -> RowKey {
    RowKey(vec![Cell::Int(id)])
}

/// Basket `id` of shop 7; a note of none is a cell that the stream did not tell.
fn basket(id: i64, state: &str, note: Option<&str>, seen: i64) -> Change {
    let text = |text: &str| Cell::Text(text.to_owned());
    let made = text("2020-01-02 03:04:05");
    let cells = [Cell::Int(id), Cell::Int(7), text(state), made.clone(), made];
    let mut cells: Vec<Option<Cell>> = cells.into_iter().map(Some).collect();
    cells.extend([note.map(text), Some(Cell::Int(seen))]);
    Change { table: BASKET, key: key(id), row: Some(cells), moved: None }
}

fn inside(id: i64, basket: i64, n: i64) -> Change {
    let cells = [id, basket, 5, n].map(|cell| Some(Cell::Int(cell)));
    Change { table: INSIDE, key: key(id), row: Some(cells.to_vec()), moved: None }
}

fn gone(table: TableNo, id: i64) -> Change {
    Change { table, key: key(id), row: None, moved: None }
}

fn transaction(order: u64, changes: Vec<Change>) -> Transaction {
    Transaction {
        tx: Tx { order, xid: order },
        position: Position(order),
        emptied: Vec::new(),
        changes,
        more: false,
        markers: Vec::new(),
        ours: false,
        applied: None,
        committed_at: None,
        schema: Vec::new(),
    }
}

/// The backend owns shop 7 since this mark.
fn owned(mark: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("7".to_owned(), mark)])
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let staged = open(&folder);
        Self { folder, staged }
    }

    /// What the source did, in one transaction.
    fn told(&self, order: u64, changes: Vec<Change>) -> &Self {
        self.staged.stage_stream(&[transaction(order, changes)], BTreeMap::new).unwrap();
        self
    }

    /// What our write-back did, as the stream tells it back.
    fn ours(&self, order: u64, changes: Vec<Change>) -> &Self {
        let applied = Some(Applied { shop: shop("7"), seq: Seq(order) });
        let ours = Transaction { ours: true, applied, ..transaction(order, changes) };
        assert!(!self.staged.stage_stream(&[ours], || owned(0)).unwrap());
        self
    }

    /// A chunk of the copy that contains everything up to `cut`.
    fn copied(&self, cut: u64, changes: Vec<Change>) -> &Self {
        let table = changes[0].table;
        let rows = changes.into_iter().map(|change| {
            let row = change.row.unwrap().into_iter().map(Option::unwrap).collect();
            (change.key, Row(row))
        });
        let rows = rows.collect();
        self.staged.stage_chunk(&Chunk { shop: shop("7"), table, cut: Cut::Sqlite(cut), rows, last: true }).unwrap();
        self
    }

    /// Basket 1 and what is in it, now and at the flip.
    fn check(&self, expected: &str) -> &Self {
        let mapping = mapping();
        let gather = &mapping.rules()[0].gather;
        let anchor = Anchor::Row(key(1));
        let mut said = String::new();
        let now = self.staged.rows(gather, &anchor).unwrap();
        writeln!(said, "now {}", words(&now)).unwrap();
        let base = self.staged.base(gather, &anchor).unwrap();
        if base != now {
            writeln!(said, "flip {}", words(&base)).unwrap();
        }
        assert_eq!(said.trim_end(), expected);
        self
    }

    fn dirty(&self) -> Vec<Dirty> {
        self.staged.listed(Ledger::Derive, &shop("7"), 10).unwrap()
    }

    fn clean(&self) -> &Self {
        for list in [Ledger::Derive, Ledger::Prove] {
            let all = self.staged.listed(list, &shop("7"), 10).unwrap();
            self.staged.settle(list, &shop("7"), &all).unwrap();
        }
        self
    }
}

/// State and note of the basket, then the quantities in it.
fn words(rows: &Rows) -> String {
    let mut words = Vec::new();
    for (_, Row(cells)) in rows.of(BASKET) {
        words.extend([format!("{:?}", cells[2]), format!("{:?}", cells[5])]);
    }
    words.extend(rows.of(INSIDE).map(|(_, Row(cells))| format!("{:?}", cells[3])));
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ").replace("Text(\"", "").replace("\")", "") }
}

#[test]
fn what_the_stream_tells_of_an_earlier_transaction_is_ignored() {
    World::new()
        .told(5, vec![basket(1, "B", Some("later"), 0)])
        .told(4, vec![basket(1, "A", Some("earlier"), 0)])
        .check("now B later")
        .told(6, vec![gone(BASKET, 1)])
        .told(5, vec![basket(1, "B", Some("again"), 0)])
        .check("now nothing");
}

#[test]
fn a_copied_row_is_taken_only_if_its_cut_covers_who_wrote_it_last() {
    let world = World::new();
    world.told(5, vec![basket(1, "B", Some("streamed"), 0)]);
    world.copied(4, vec![basket(1, "A", Some("before"), 0)]).check("now B streamed");
    world.copied(5, vec![basket(1, "B", Some("read"), 0)]).check("now B read");
    world.told(6, vec![gone(BASKET, 1)]).copied(5, vec![basket(1, "B", Some("read"), 0)]).check("now nothing");
    world.copied(6, vec![basket(1, "C", Some("born again"), 0)]).check("now C born again");
}

#[test]
fn a_cell_that_was_not_told_is_the_one_that_was_there_or_the_one_that_is_read_later() {
    World::new()
        .told(5, vec![basket(1, "A", Some("long"), 0)])
        .told(6, vec![basket(1, "B", None, 0)])
        .check("now B long");
    World::new()
        .told(6, vec![basket(1, "B", None, 0)])
        .check("now nothing")
        .copied(4, vec![basket(1, "A", Some("long"), 0)])
        .check("now B long");
}

#[test]
fn write_back_keeps_the_row_of_the_flip_until_the_next_flip() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0), inside(10, 1, 2)]);
    world.staged.set_base(&shop("7")).unwrap();
    world.ours(6, vec![basket(1, "B", Some("x"), 0), inside(11, 1, 3)]).check("now B x Int(2) Int(3)\nflip A x Int(2)");
    world.ours(7, vec![basket(1, "C", Some("x"), 0)]).check("now C x Int(2) Int(3)\nflip A x Int(2)");
    world.staged.set_base(&shop("8")).unwrap();
    world.check("now C x Int(2) Int(3)\nflip A x Int(2)");
    world.staged.set_base(&shop("7")).unwrap();
    world.check("now C x Int(2) Int(3)");
}

#[test]
fn the_base_of_the_last_way_back_may_go_before_the_next_flip_in_parts_and_twice() {
    let world = World::new();
    world.told(5, (1..=300).map(|id| basket(id, "A", Some("x"), 0)).collect());
    world.staged.set_base(&shop("7")).unwrap();
    world.ours(6, (1..=300).map(|id| basket(id, "B", Some("x"), 0)).collect()).check("now B x\nflip A x");
    let let_go = |of: &str, until| world.staged.let_base_go(&shop(of), Position(until)).unwrap();
    assert!(!let_go("8", 6), "another shop's stays");
    assert!(!let_go("7", 5), "what was written back after a flip that this mover slept through stays");
    world.check("now B x\nflip A x");
    assert!(let_go("7", 6), "256 of 300");
    assert!(!let_go("7", 6));
    assert!(!let_go("7", 6), "nothing is left");
    world.check("now B x");
    world.ours(7, vec![basket(1, "C", Some("x"), 0)]).check("now C x\nflip B x");
    world.staged.set_base(&shop("7")).unwrap();
    world.check("now C x");
}

#[test]
fn what_write_back_deleted_is_still_there_at_the_flip() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0), inside(10, 1, 2)]);
    world.ours(6, vec![gone(INSIDE, 10)]).check("now A x\nflip A x Int(2)");
    world.ours(7, vec![gone(BASKET, 1)]).check("now nothing\nflip A x Int(2)");
}

#[test]
fn a_truncated_table_is_empty_and_its_aggregates_are_derived_again() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0), inside(10, 1, 2), inside(11, 1, 3)]).clean();
    let emptied = vec![INSIDE];
    let transaction = Transaction { emptied, ..transaction(6, vec![inside(12, 1, 9)]) };
    assert!(world.staged.stage_stream(&[transaction], || owned(5)).unwrap());
    assert_eq!(world.staged.rogues().unwrap()[0].changes, 3);
    world.check("now A x Int(9)");
    assert_eq!(world.dirty().len(), 1);
}

#[test]
fn what_takes_no_part_in_the_move_changes_neither_the_base_nor_what_is_accused() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0)]);
    world.ours(6, vec![basket(1, "B", Some("x"), 0)]);
    let view = |order, state, seen| {
        let change = Change { moved: Some(false), ..basket(1, state, Some("x"), seen) };
        world.staged.stage_stream(&[transaction(order, vec![change])], || owned(0)).unwrap()
    };
    assert!(!view(7, "B", 1));
    world.check("now B x\nflip A x");
    // A file tells the row as it stands: here with what our next write-back did to it.
    assert!(!view(8, "C", 2));
    world.check("now B x\nflip A x");
    world.ours(9, vec![basket(1, "C", Some("x"), 2)]).check("now C x\nflip A x");
}

#[test]
fn a_rogue_is_remembered_until_somebody_has_told_of_it() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0)]);
    let stage = |order, state| {
        let transaction = transaction(order, vec![basket(1, state, Some("x"), 0)]);
        world.staged.stage_stream(&[transaction], || owned(6)).unwrap()
    };
    assert!(!stage(6, "B"), "at the mark it is no rogue's");
    assert!(stage(7, "C") && stage(8, "A"));
    let rogues = open(&world.folder).rogues().unwrap();
    assert_eq!(rogues.iter().map(|rogue| (rogue.order, rogue.changes)).collect::<Vec<_>>(), [(7, 1), (8, 1)]);
    world.staged.rogue_is_told(&rogues[0]).unwrap();
    assert_eq!(world.staged.rogues().unwrap(), rogues[1..]);
}

#[test]
fn what_a_rule_did_not_take_is_on_file_until_it_is_derived_again() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0)]);
    let csv = |lost: Option<Lost>| {
        let done: Vec<_> = world.staged.listed(Ledger::Derive, &shop("7"), 9).unwrap();
        let done: Vec<_> = done.into_iter().map(|dirty| (dirty, lost.clone())).collect();
        world.staged.settle_derived(&shop("7"), &done).unwrap();
        open(&world.folder).losers_csv().unwrap().lines().skip(1).collect::<Vec<_>>().join(";")
    };
    let loser = Loser { field: "title".into(), value: "a \"cup\", blue".to_owned(), votes: 3 };
    let lost = Lost { kind: Kind::Product, id: PublicId::new("1"), losers: vec![loser] };
    assert_eq!(csv(Some(lost)), r#"7,product,1,title,"a ""cup"", blue",3"#);
    assert_eq!(world.staged.losers_changed(), 1);
    world.told(6, vec![basket(1, "B", Some("x"), 0)]);
    assert_eq!((csv(None), world.staged.losers_changed()), (String::new(), 2));
}

#[test]
fn only_what_somebody_else_changed_and_the_move_takes_is_derived_again() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0), inside(10, 1, 2)]).clean();
    world.told(6, vec![basket(1, "A", Some("x"), 99)]);
    assert_eq!(world.dirty().len(), 0, "a column that is not moved");
    world.ours(7, vec![inside(10, 1, 3)]);
    assert_eq!(world.dirty().len(), 0, "our own write-back");
    world.told(8, vec![inside(10, 1, 4)]);
    assert_eq!(world.dirty().len(), 1, "a line dirties its basket");
}

#[test]
fn an_aggregate_that_changed_again_meanwhile_stays_on_the_list() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0)]);
    let read = world.dirty();
    world.told(6, vec![basket(1, "B", Some("x"), 0)]);
    world.staged.settle(Ledger::Derive, &shop("7"), &read).unwrap();
    assert_eq!(world.dirty().len(), 1);
    world.clean();
    assert_eq!((world.dirty().len(), world.staged.count(Ledger::Prove, &shop("7")).unwrap()), (0, 0));
}

#[test]
fn rows_lists_and_position_are_there_again_after_a_restart_until_the_shop_is_forgotten() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("x"), 0)]).copied(5, vec![inside(10, 1, 2)]);
    let World { folder, staged } = world;
    drop(staged);
    let world = World { staged: open(&folder), folder };
    world.check("now A x Int(2)");
    assert_eq!(world.staged.position().unwrap(), Some(Position(5)));
    assert!(world.staged.copied(&shop("7")).unwrap().0[&INSIDE].done);
    assert_eq!(world.dirty().len(), 1);
    world.staged.forget(&shop("7")).unwrap();
    world.check("now nothing");
    assert_eq!(world.dirty().len(), 0);
    assert!(world.staged.copied(&shop("7")).unwrap().0.is_empty());
}

#[test]
fn half_a_transaction_is_known_as_such_to_the_next_process_and_the_whole_is_not() {
    let world = World::new();
    let piece = Transaction { more: true, ..transaction(5, vec![basket(1, "A", Some("x"), 0)]) };
    world.staged.stage_stream(&[piece], BTreeMap::new).unwrap();
    assert!(world.staged.is_half() && open(&world.folder).is_half());
    // The position counts with the last piece only: the next process is told all of it once more.
    assert_eq!(world.staged.position().unwrap(), None);
    world.told(5, vec![basket(1, "A", Some("x"), 0), inside(10, 1, 2)]);
    assert!(!world.staged.is_half() && !open(&world.folder).is_half());
    assert_eq!(world.staged.position().unwrap(), Some(Position(5)));
    world.check("now A x Int(2)");
}
