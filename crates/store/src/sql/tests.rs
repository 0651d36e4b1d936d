//! What is left to be said later to PostgreSQL, and a server that goes away: on a real one.

use super::{Begin, Connection, NOTHING, Plans, Postgres, all, cell, defer, first};
use crate::commit::{Commit, Entry, StockChange, Write};
use crate::writer::{Door, Writer};
use crate::{Error, HeadChange, Import, Imported, Result, Step, Store, What};
use testkit::postgres::{Database, fresh_database};
use vocab::document::Record;
use vocab::id::{Direction, Epoch, Kind, Origin, PublicId, ShopId, Side, Timestamp};

/// Who opens a connection that waits may be no task.
async fn connect(database: &Database) -> Connection {
    let url = database.url.clone();
    let opened = std::thread::spawn(move || Postgres::connect(&url, Plans::AsGiven).unwrap()).join().unwrap();
    Connection::Postgres(Box::new(opened))
}

async fn writer() -> (Database, Writer) {
    let database = fresh_database().await;
    database.connect().await.batch_execute("create table t (n bigint primary key)").await.unwrap();
    let writer = Writer::start(connect(&database).await).unwrap();
    (database, writer)
}

/// Inserts it, and does not wait for that.
fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<()> + Send + 'static {
    move |connection| defer(connection, "insert", "insert into t values (?1)", [n])
}

fn read(connection: &Connection) -> Result<Vec<i64>> {
    all(connection, "read", "select n from t order by n", NOTHING, |row| cell(row, 0))
}

fn pid(connection: &Connection) -> Result<i64> {
    let sql = "select pg_backend_pid()";
    Ok(first(connection, "read", sql, NOTHING, |row| cell(row, 0))?.unwrap())
}

/// Returns when it is gone.
async fn terminate(database: &Database, pid: i64) {
    let operator = database.connect().await;
    let sql = format!("select pg_terminate_backend({pid}, 10000)");
    operator.batch_execute(&sql).await.unwrap();
}

fn act_of(error: &Error) -> &'static str {
    let Error::Database { act, .. } = error else { panic!("{error:?}") };
    act
}

#[tokio::test]
async fn what_fails_later_undoes_its_own_command_only() {
    let (_database, writer) = writer().await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = move |_: &Connection| -> Result<()> {
        wait.recv().unwrap();
        Ok(())
    };
    // The others come while it is busy, and so are one group.
    let (_, one, again, refused, two, ()) = tokio::join!(
        writer.run(Door::Control, None, busy),
        writer.run(Door::Control, None, insert(1)),
        writer.run(Door::Control, None, insert(1)),
        writer.run(Door::Control, None, |connection: &Connection| {
            insert(3)(connection)?;
            Err::<(), _>(Error::Invalid("no".to_owned()))
        }),
        writer.run(Door::Control, None, insert(2)),
        async move { go.send(()).unwrap() },
    );
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!(act_of(&again.unwrap_err()), "insert");
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_statement_that_cannot_be_prepared_undoes_its_own_command_only() {
    let (_database, writer) = writer().await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = move |_: &Connection| -> Result<()> {
        wait.recv().unwrap();
        Ok(())
    };
    let wrong = |connection: &Connection| defer(connection, "wrong", "insert into nowhere values (?1)", [1]);
    let (_, one, wrong, two, ()) = tokio::join!(
        writer.run(Door::Control, None, busy),
        writer.run(Door::Control, None, insert(1)),
        writer.run(Door::Control, None, wrong),
        writer.run(Door::Control, None, insert(2)),
        async move { go.send(()).unwrap() },
    );
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!(act_of(&wrong.unwrap_err()), "wrong");
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn what_fails_with_its_commit_is_told_so() {
    let (_database, writer) = writer().await;
    writer.run(Door::Control, None, insert(1)).await.unwrap();
    assert_eq!(act_of(&writer.run(Door::Control, None, insert(1)).await.unwrap_err()), "insert");
    writer.run(Door::Control, None, insert(2)).await.unwrap();
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn what_is_said_later_is_said_in_its_order_and_the_first_failure_is_the_answer() {
    let (_database, writer) = writer().await;
    let steps = |connection: &Connection| {
        insert(1)(connection)?;
        for to in 2..600 {
            defer(connection, "update", "update t set n = ?1 where n = ?2", [to, to - 1])?;
        }
        read(connection)
    };
    assert_eq!(writer.run(Door::Control, None, steps).await.unwrap(), [599]);
    let failures = |connection: &Connection| {
        insert(1)(connection)?;
        defer(connection, "first", "insert into t values (?1)", [1])?;
        defer(connection, "second", "insert into t values (?1)", [1])?;
        read(connection)
    };
    assert_eq!(act_of(&writer.run(Door::Control, None, failures).await.unwrap_err()), "first");
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [599]);
}

#[tokio::test]
async fn a_failure_that_was_passed_over_is_not_committed() {
    let (_database, writer) = writer().await;
    writer.run(Door::Control, None, insert(1)).await.unwrap();
    let passes_over = |connection: &Connection| -> Result<()> {
        insert(2)(connection)?;
        insert(1)(connection)?;
        assert!(read(connection).is_err());
        Ok(())
    };
    assert!(writer.run(Door::Control, None, passes_over).await.is_err());
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [1]);
}

#[tokio::test]
async fn nobody_notices_a_connection_that_ended_between_two_transactions() {
    let (database, writer) = writer().await;
    for n in 1..=3 {
        let victim = writer.run(Door::Control, None, pid).await.unwrap();
        terminate(&database, victim).await;
        writer.run(Door::Control, None, insert(n)).await.unwrap();
    }
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [1, 2, 3]);

    for begin in [Begin::Read, Begin::ReadOnce] {
        let (reader, victim) = once(connect(&database).await, begin, pid).await;
        terminate(&database, victim).await;
        assert_eq!(once(reader, begin, read).await.1, [1, 2, 3]);
    }
}

/// Reads on a thread that may wait.
async fn once<T: Send + 'static>(
    connection: Connection,
    begin: Begin,
    read: fn(&Connection) -> Result<T>,
) -> (Connection, T) {
    let reading = move || {
        connection.begin(begin, "test").unwrap();
        let read = read(&connection).unwrap();
        connection.rollback("test").unwrap();
        (connection, read)
    };
    tokio::task::spawn_blocking(reading).await.unwrap()
}

#[tokio::test]
async fn the_fate_of_a_commit_whose_server_ends_is_not_known() {
    let (_database, writer) = writer().await;
    let dies = |connection: &Connection| {
        read(connection)?;
        insert(1)(connection)?;
        connection.run_later("select pg_terminate_backend(pg_backend_pid())", "test")
    };
    assert!(matches!(writer.run(Door::Control, None, dies).await, Err(Error::Closed)));
    writer.run(Door::Control, None, insert(2)).await.unwrap();
    assert_eq!(writer.run(Door::Control, None, read).await.unwrap(), [2]);
}

#[tokio::test]
async fn a_read_that_is_over_takes_no_second_question() {
    let (database, _writer) = writer().await;
    let connection = connect(&database).await;
    let reading = move || {
        connection.begin(Begin::ReadOnce, "test").unwrap();
        assert!(read(&connection).unwrap().is_empty());
        assert!(read(&connection).is_err());
    };
    tokio::task::spawn_blocking(reading).await.unwrap();
}

pub fn trips(connection: &Connection) -> Result<usize> {
    let Connection::Postgres(connection) = connection else { panic!("it is on PostgreSQL") };
    Ok(connection.trips.get())
}

/// How often the server was waited for by loads.
fn loads(store: &Store) -> usize {
    store.inner.loads.as_ref().unwrap().trips.load(std::sync::atomic::Ordering::SeqCst)
}

/// A shop with a product, which is Backend's.
pub async fn shop(store: &Store) -> ShopId {
    let shop = ShopId::parse("s1").unwrap();
    store.create_heads(std::slice::from_ref(&shop)).await.unwrap();
    let what = What::Live {
        id: PublicId::new("p"),
        document: Record::default().with("id", "p"),
        stock: vec![(PublicId::new("v"), 100)],
        entries: vec![],
        wake: None,
    };
    let item = Imported { kind: Kind::Product, origin: Origin::new("product:p"), tx: 1, what, made: None };
    store.import(Import { shop: shop.clone(), epoch: Epoch(1), items: vec![item] }).await.unwrap();
    let step = Step {
        shop: shop.clone(),
        epoch: Epoch(2),
        direction: Direction::ToBackend,
        step: "flip".into(),
        phase: "done".into(),
        at: Timestamp(7),
        detail: Record::default(),
    };
    let (owner, epoch) = (Side::Backend, Epoch(2));
    let change = HeadChange { shop: shop.clone(), expect_epoch: Epoch(1), owner, epoch, fenced: false };
    store.move_head(change, step).await.unwrap();
    shop
}

pub fn sale(shop: &ShopId, nth: i64) -> Commit {
    let write = |kind: Kind, document: Record| Write {
        kind,
        id: PublicId::new(format!("{}{nth}", kind.name())),
        expected: None,
        document,
        origin: None,
        numbered: kind == Kind::Order,
    };
    let order = PublicId::new(format!("order{nth}"));
    let entry = |amount| Entry { order: order.clone(), account: "sales".into(), currency: "IDR".into(), amount };
    Commit {
        shop: shop.clone(),
        epoch: Epoch(2),
        at: Timestamp(nth),
        writes: vec![
            write(Kind::Cart, Record::default().with("state", "open")),
            write(Kind::Order, Record::default().with("invoice", vocab::document::Node::Null)),
        ],
        stock: vec![StockChange { variant: PublicId::new("v"), delta: -1 }],
        entries: vec![entry(5), entry(-5)],
        wakes: vec![],
    }
}

#[tokio::test]
async fn a_commit_waits_twice_for_the_server_and_a_read_once() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().unwrap());
    let store = Store::open_at(folder.path(), &database.url).unwrap();
    let shop = shop(&store).await;
    // Its connections get to know the statements.
    store.commit(sale(&shop, 1)).await.unwrap();
    for nth in 2..=4 {
        let before = store.write_of(&shop, Door::Control, trips).await.unwrap();
        assert_eq!(store.commit(sale(&shop, nth)).await.unwrap().serial, Some(nth));
        let waited = store.write_of(&shop, Door::Control, trips).await.unwrap() - before;
        assert_eq!(waited, 2, "commit {nth}");
    }
    let ids = [(Kind::Cart, PublicId::new("cart1")), (Kind::Order, PublicId::new("order1"))];
    for _ in 0..3 {
        let before = loads(&store);
        assert!(store.load(&shop, &ids).await.unwrap().documents.iter().all(Option::is_some));
        assert_eq!(loads(&store) - before, 1);
    }
}

#[tokio::test]
async fn long_texts_are_compressed_the_quick_way() {
    let (database, folder) = (fresh_database().await, tempfile::tempdir().unwrap());
    let store = Store::open_at(folder.path(), &database.url).unwrap();
    let shop = shop(&store).await;
    let mut long = sale(&shop, 1);
    long.writes[0].document = Record::default().with("state", "open").with("note", "a long text ".repeat(1_000));
    store.commit(long).await.unwrap();
    let sql = "select distinct pg_column_compression(body) from fact
               union all select pg_column_compression(body) from document where id = 'cart1'";
    let rows = database.connect().await.query(sql, &[]).await.unwrap();
    let how: Vec<Option<&str>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(how, [Some("lz4"); 2]);
}
