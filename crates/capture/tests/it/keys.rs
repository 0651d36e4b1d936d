//! Rows read by their keys.

use crate::on_both;
use crate::world::{Client, Engine, LONG, World};
use capture::Source;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use vocab::row::{Cell, Column, ColumnType, RowKey, ShopPath, Table, Use};

// A table of many rows whose key has three columns, of which no single one leads to a row.
on_both!(rows_of_a_key_of_several_columns_are_found_without_reading_the_table, long_key);
async fn long_key(engine: Engine) {
    const MANY: i64 = 60_000;
    let world = World::bare(engine).await;
    let mut client = world.client().await;
    let rows = match engine {
        Engine::Postgres => format!("select 1, 'op' || (n % 2), 'k' || n from generate_series(1, {MANY}) n"),
        Engine::Sqlite => format!(
            "with recursive many(n) as (select 1 union all select n + 1 from many where n < {MANY})
             select 1, 'op' || (n % 2), 'k' || n from many"
        ),
    };
    client
        .exec(&format!(
            "create table idem (toko_id int not null, op varchar(20) not null, kunci varchar(128) not null,
               primary key (toko_id, op, kunci));
             insert into idem {rows}; analyze"
        ))
        .await;
    let column = |name: &str, ty| Column { name: name.into(), ty, nullable: false, usage: Use::Moved };
    let idem = Table {
        name: "idem".into(),
        columns: vec![
            column("toko_id", ColumnType::Int),
            column("op", ColumnType::Text(Some(20))),
            column("kunci", ColumnType::Text(Some(128))),
        ],
        key: vec![0, 1, 2],
        shop: ShopPath::Column(0),
        read_only: false,
    };
    let source = Source::connect(&world.url, Arc::new(vec![idem]), "long").await.unwrap();
    let key = |op: &str, n: i64| RowKey(vec![Cell::Int(1), Cell::Text(op.into()), Cell::Text(format!("k{n}"))]);
    // There are op1 k1 and op0 k2, and neither op0 k1 nor op1 k2.
    let mut asked = vec![key("op0", 1), key("op1", 2)];
    asked.extend((1..=500).map(|n| key(if n % 2 == 0 { "op0" } else { "op1" }, n)));
    let before = blocks(&mut client, engine).await;
    let mut reader = source.snapshot().await.unwrap();
    let found = reader.rows_by_key(0, &asked).await.unwrap();
    assert_eq!(
        found.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>(),
        asked.split_off(2).into_iter().collect()
    );
    assert!(reader.rows_by_key(0, &[]).await.unwrap().is_empty());
    drop((reader, source));
    // What a session did is counted when it has ended.
    let counted = async {
        loop {
            let read = blocks(&mut client, engine).await - before;
            if engine == Engine::Sqlite || read > 0 {
                return read;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let read = tokio::time::timeout(LONG, counted).await.expect("no block was read");
    // From the root to a leaf and its row for each key in either operation; the table is larger, and so is its index.
    assert!(read < 5_000, "{read} blocks");
}

/// Blocks of the table and its index that were looked at; on SQLite nobody counts.
async fn blocks(client: &mut Client, engine: Engine) -> i64 {
    const BLOCKS: &str = "select coalesce(sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit), 0)
        from pg_statio_user_tables where relname = 'idem'";
    if engine == Engine::Sqlite {
        return 0;
    }
    client.exec("select pg_stat_force_next_flush()").await;
    client.ask(BLOCKS).await.parse().unwrap()
}

// Told together, both columns of these keys make many more rows than are asked for.
on_both!(keys_of_which_every_column_differs_are_found_and_no_others, crossed);
async fn crossed(engine: Engine) {
    const MANY: i64 = 40;
    let world = World::bare(engine).await;
    let rows: Vec<String> = (0..MANY).flat_map(|a| (0..MANY).map(move |b| format!("({a}, {b})"))).collect();
    let rows = rows.join(", ");
    let sql = format!(
        "create table pair (a int not null, b int not null, primary key (b, a)); insert into pair values {rows}"
    );
    world.client().await.exec(&sql).await;
    let column = |name: &str| Column { name: name.into(), ty: ColumnType::Int, nullable: false, usage: Use::Moved };
    let pair = Table {
        name: "pair".into(),
        columns: vec![column("a"), column("b")],
        key: vec![1, 0],
        shop: ShopPath::Column(0),
        read_only: false,
    };
    let source = Source::connect(&world.url, Arc::new(vec![pair]), "pair").await.unwrap();
    let key = |b: i64, a: i64| RowKey(vec![Cell::Int(b), Cell::Int(a)]);
    let asked: Vec<RowKey> = (0..MANY).map(|n| key(n, (n + 7) % MANY)).chain([key(3, MANY), key(MANY, 3)]).collect();
    let found = source.snapshot().await.unwrap().rows_by_key(0, &asked).await.unwrap();
    let there = usize::try_from(MANY).unwrap();
    assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), asked[..there]);
}

// SQLite takes NULL in a key of several columns.
#[tokio::test]
async fn a_key_with_nothing_in_one_of_its_columns_is_found() {
    let world = World::bare(Engine::Sqlite).await;
    let sql =
        "create table half (a int, b int, primary key (a, b)); insert into half values (null, 5), (1, 5), (null, 6)";
    world.client().await.exec(sql).await;
    let column = |name: &str| Column { name: name.into(), ty: ColumnType::Int, nullable: true, usage: Use::Moved };
    let half = Table {
        name: "half".into(),
        columns: vec![column("a"), column("b")],
        key: vec![0, 1],
        shop: ShopPath::Column(1),
        read_only: false,
    };
    let source = Source::connect(&world.url, Arc::new(vec![half]), "half").await.unwrap();
    let asked = [RowKey(vec![Cell::Null, Cell::Int(5)]), RowKey(vec![Cell::Int(1), Cell::Int(5)])];
    let found = source.snapshot().await.unwrap().rows_by_key(0, &asked).await.unwrap();
    assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), asked);
}
