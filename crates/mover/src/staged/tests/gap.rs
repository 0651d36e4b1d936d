//! What was not followed: a gap of the stream, a log that begins anew, a table that was emptied behind a read's cut.

use super::{BASKET, World, basket, inside, key, mapping, open, owned, shop, transaction, words};
use capture::{Position, Transaction};
use mapping::Anchor;
use std::collections::BTreeMap;

#[test]
fn what_a_read_has_of_a_table_that_was_emptied_behind_its_cut_does_not_come_back() {
    let world = World::new();
    let emptied = |order| Transaction { emptied: vec![BASKET], ..transaction(order, Vec::new()) };
    world.staged.stage_stream(&[emptied(5)], BTreeMap::new).unwrap();
    world.told(6, vec![basket(1, "B", Some("later"), 0)]);
    // The read saw baskets 1 and 2 before they were gone; 1 is there again.
    world.copied(4, vec![basket(1, "A", Some("before"), 0), basket(2, "A", Some("before"), 0)]).check("now B later");
    let mapping = mapping();
    let second = || words(&world.staged.rows(&mapping.rules()[0].gather, &Anchor::Row(key(2))).unwrap());
    assert_eq!(second(), "nothing");
    world.copied(6, vec![basket(2, "A", Some("after"), 0)]);
    assert_eq!(second(), "A after");
}

#[test]
fn what_our_own_writes_left_in_a_gap_of_the_stream_is_no_base_and_accuses_nobody() {
    let world = World::new();
    world.told(5, vec![basket(1, "A", Some("flip"), 0)]).clean();
    world.staged.begin_gap(&[shop("7")]).unwrap();
    // Carried back while nobody listened: state B. Then somebody counts a view, and the whole row comes along.
    let view = || vec![basket(1, "B", Some("flip"), 1), inside(10, 1, 2)];
    assert!(!world.staged.stage_stream(&[transaction(7, view())], || owned(5)).unwrap());
    world.check("now B flip Int(2)\nflip A flip");
    assert_eq!(world.dirty().len(), 0);
    // Another process knows of the gap too, and once it is over a stranger is one.
    let next = open(&world.folder);
    assert!(!next.stage_stream(&[transaction(8, view())], || owned(5)).unwrap());
    next.gap_is_over(&shop("7")).unwrap();
    let stranger = vec![basket(1, "C", Some("flip"), 1)];
    assert!(next.stage_stream(&[transaction(9, stranger)], || owned(5)).unwrap());
}

#[test]
fn where_the_log_begins_anew_no_row_is_of_a_transaction_that_a_read_may_not_see() {
    let world = World::new();
    world.told(5, vec![basket(1, "B", Some("of a log that is gone"), 0)]);
    world.staged.lose_position().unwrap();
    world.staged.begin_at(Position(9)).unwrap();
    // By its number the read is older than the row; by the clock it is newer.
    world.copied(2, vec![basket(1, "A", Some("now"), 0)]).check("now A now");
    assert!(!world.staged.is_renumbered(&shop("7")).unwrap());
    world.staged.renumber(&[shop("7")]).unwrap();
    assert!(world.staged.is_renumbered(&shop("7")).unwrap() && open(&world.folder).is_renumbered(&shop("7")).unwrap());
    world.staged.numbers_are_forgotten(&shop("7")).unwrap();
    assert!(!world.staged.is_renumbered(&shop("7")).unwrap());
}
