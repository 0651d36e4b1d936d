//! Groups, and what becomes of a command whose neighbour fails.

use super::*;
use crate::sql;

fn writer() -> Writer {
    let connection = Connection::Sqlite(rusqlite::Connection::open_in_memory().unwrap());
    connection.batch("test", "create table t (n integer primary key)").unwrap();
    Writer::start(connection).unwrap()
}

fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<usize, Error> + Send + 'static {
    move |connection| sql::execute(connection, "insert", "insert into t values (?1)", [n])
}

async fn all(writer: &Writer) -> Vec<i64> {
    let read = |connection: &Connection| -> Result<Vec<i64>, Error> {
        crate::sql::all(connection, "read", "select n from t order by n", sql::NOTHING, |row| crate::sql::cell(row, 0))
    };
    writer.run(Door::Control, None, read).await.unwrap()
}

#[tokio::test]
async fn a_failed_command_undoes_itself_only() {
    let writer = writer();
    let (first, again, second) = tokio::join!(
        writer.run(Door::Control, None, insert(1)),
        writer.run(Door::Control, None, insert(1)),
        writer.run(Door::Control, None, insert(2)),
    );
    assert!(first.is_ok() && again.is_err() && second.is_ok());
    assert_eq!(all(&writer).await, [1, 2]);
}

#[tokio::test]
async fn when_the_whole_transaction_ends_nobody_of_the_group_is_told_yes() {
    let writer = writer();
    // As SQLite itself does when the disk is full.
    let end = |connection: &Connection| connection.batch("test", "rollback");
    let (sent, ended) = (Vec::from([1, 2]), writer.run(Door::Control, None, end));
    let (ended, first, second) = tokio::join!(
        ended,
        writer.run(Door::Control, None, insert(sent[0])),
        writer.run(Door::Control, None, insert(sent[1])),
    );
    assert!(ended.is_err());
    let kept: Vec<i64> =
        sent.into_iter().zip([first, second]).filter_map(|(n, answer)| answer.ok().map(|_| n)).collect();
    assert_eq!(all(&writer).await, kept);
    assert!(writer.run(Door::Control, None, insert(3)).await.is_ok());
}

#[tokio::test]
async fn only_groups_of_nothing_but_light_imports_are_not_synced() {
    let writer = writer();
    let level = |connection: &Connection| -> Result<i64, Error> {
        let level = sql::first(connection, "test", "pragma synchronous", sql::NOTHING, |row| sql::cell(row, 0))?;
        Ok(level.unwrap())
    };
    let (normal, full) = (1, 2);
    for (door, expected) in [
        (Door::Commit, full),
        (Door::Lightly(1), normal),
        (Door::Lightly(1), normal),
        (Door::Control, full),
        (Door::Lightly(1), normal),
        (Door::Import(1), full),
    ] {
        assert_eq!(writer.run(door, None, level).await.unwrap(), expected, "{door:?}");
    }
}

#[test]
fn long_commands_fill_a_group_and_the_first_always_fits() {
    let command = |door| {
        let run = |_: Result<&Connection, Error>, _| Done { keep: true, answer: Box::new(drop) };
        Command { door, shop: None, work: Work::Alone(Box::new(run)) }
    };
    let doors = [Door::Import(40), Door::Commit, Door::Import(40), Door::Import(100), Door::Commit];
    let mut waiting: VecDeque<Command> = doors.into_iter().map(command).collect();
    let groups: Vec<usize> =
        std::iter::from_fn(|| (!waiting.is_empty()).then(|| next_group(&mut waiting).len())).collect();
    assert_eq!(groups, [2, 1, 1, 1]);
}

#[test]
fn a_group_of_one_shop_is_overtaken_by_none_of_it_and_keeps_no_other() {
    let command = |(shop, n): (&str, usize)| {
        let run = |_: Result<&Connection, Error>, _| Done { keep: true, answer: Box::new(drop) };
        Command { door: Door::Import(n), shop: ShopId::parse(shop).ok(), work: Work::Alone(Box::new(run)) }
    };
    let all = [("a", 1), ("b", 2), ("a", 3), ("a", 62), ("b", 4), ("a", 1), ("c", 5)];
    let mut waiting: VecDeque<Command> = all.into_iter().map(command).collect();
    let said = |command: Command| (command.shop.unwrap().to_string(), command.door.weight());
    let groups: Vec<Vec<(String, usize)>> =
        std::iter::from_fn(|| (!waiting.is_empty()).then(|| next_of_one(&mut waiting).into_iter().map(said).collect()))
            .collect();
    let own = |group: &[(&str, usize)]| group.iter().map(|(shop, n)| ((*shop).to_owned(), *n)).collect::<Vec<_>>();
    let expected =
        [own(&[("a", 1), ("a", 3)]), own(&[("b", 2), ("b", 4)]), own(&[("a", 62), ("a", 1)]), own(&[("c", 5)])];
    assert_eq!(groups, expected);
}

#[test]
fn what_took_as_long_as_a_lock_that_is_not_to_be_had_is_not_tried_again() {
    let (soon, late) = (std::time::Duration::from_millis(20), std::time::Duration::from_secs(8));
    assert!(is_ones_own_fault(2, soon) && !is_ones_own_fault(2, late) && !is_ones_own_fault(1, soon));
}
