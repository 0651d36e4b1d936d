//! A legacy changes its own tables while a move is under way: its program goes on writing to every shop that it owns, a
//! shop whose fence is closed stays closed, and whoever looks is told what is not as declared.

use crate::world::{Client, Engine, LONG, World, shop};
use vocab::id::Epoch;

/// A change of the legacy's tables; how its program then writes to a row of shop 1 and to one of shop 2.
struct Reshaped {
    ddl: &'static str,
    /// The table that is not as declared, and the columns: gone, then of another type. Names end with a comma.
    told: (&'static str, &'static str),
    writes: [[&'static str; 3]; 2],
    /// Whether a row can still be told to be of a shop: otherwise every fence counts.
    whose: bool,
}

const RESHAPED: [Reshaped; 8] = [
    Reshaped {
        ddl: "alter table produk rename column harga to harga_jual",
        told: ("produk", "harga,|"),
        writes: [
            [
                "update produk set harga_jual = '9.00' where id = 1",
                "insert into produk (toko_id, nama, harga_jual, kode, stok) values (1, 'x', '1', 'X', 1)",
                "delete from produk where id = 3",
            ],
            [
                "update produk set harga_jual = '9.00' where id = 4",
                "insert into produk (toko_id, nama, harga_jual, kode, stok) values (2, 'x', '1', 'X', 1)",
                "delete from produk where id = 5",
            ],
        ],
        whose: true,
    },
    Reshaped {
        ddl: "alter table produk drop column harga",
        told: ("produk", "harga,|"),
        writes: PRODUCTS,
        whose: true,
    },
    Reshaped {
        ddl: "alter table produk alter column stok type numeric(12, 2)",
        told: ("produk", "|stok,"),
        writes: PRODUCTS,
        whose: true,
    },
    Reshaped {
        ddl: "alter table produk alter column toko_id type varchar(12)",
        told: ("produk", "|toko_id,"),
        writes: PRODUCTS,
        whose: true,
    },
    Reshaped {
        ddl: "alter table produk rename column toko_id to cabang_id",
        told: ("produk", "toko_id,|"),
        writes: PRODUCTS,
        whose: false,
    },
    Reshaped {
        ddl: "alter table jual rename column toko_id to cabang_id",
        told: ("jual", "toko_id,|"),
        writes: LINES,
        whose: false,
    },
    Reshaped {
        ddl: "alter table jual_detil alter column jual_id type text using jual_id::text, \
              drop constraint jual_detil_jual_id_fkey",
        told: ("jual_detil", "|jual_id,"),
        writes: LINES,
        whose: false,
    },
    Reshaped {
        ddl: "alter table jual rename to penjualan",
        told: ("jual", "id,toko_id,pelanggan_id,total,|"),
        writes: LINES,
        whose: false,
    },
];

const PRODUCTS: [[&str; 3]; 2] = [
    [
        "update produk set nama = 'baru' where id = 1",
        "update produk set stok = 1 where id = 2",
        "delete from produk where id = 3",
    ],
    [
        "update produk set nama = 'baru' where id = 4",
        "update produk set stok = 1 where id = 4",
        "delete from produk where id = 5",
    ],
];
const LINES: [[&str; 3]; 2] = [
    [
        "update jual_detil set jml = 7 where id = 1",
        "update jual_detil set jml = 8 where id = 1",
        "delete from jual_detil where id = 2",
    ],
    [
        "update jual_detil set jml = 7 where id = 3",
        "update jual_detil set jml = 8 where id = 3",
        "delete from jual_detil where id = 3",
    ],
];

#[tokio::test]
async fn a_legacy_that_changes_its_tables_goes_on_writing_and_a_closed_fence_stays_closed() {
    for (number, reshaped) in RESHAPED.iter().enumerate() {
        let world = World::new(Engine::Postgres).await;
        // One session has run the trigger before, and keeps its plans.
        let (mut old, mut owner) = (world.client().await, world.client().await);
        old.exec(
            "update produk set stok = stok + 1; update jual_detil set jml = jml + 1; update jual set total = '1.00'",
        )
        .await;
        owner.exec(reshaped.ddl).await;
        let mut new = world.client().await;
        let says = reshaped.ddl;

        // Nobody has flipped: every shop is the legacy's, and the legacy feels nothing.
        for client in [&mut old, &mut new] {
            for write in reshaped.writes.iter().flatten() {
                undone(client, write).await.unwrap_or_else(|refused| panic!("{says}: {write}: {refused}"));
            }
        }

        world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap();
        for client in [&mut old, &mut new] {
            for write in &reshaped.writes[0] {
                let refused = undone(client, write).await.expect_err(&format!("{says}: {write}"));
                assert!(refused.starts_with("BALIK "), "{says}: {write}: {refused}");
            }
            for write in &reshaped.writes[1] {
                let ran = undone(client, write).await;
                assert_eq!(ran.is_ok(), reshaped.whose, "{says}: {write}: {ran:?}");
            }
        }

        let changed = world.source.guards().await.unwrap().changed;
        let told: Vec<(String, String)> = changed
            .iter()
            .map(|change| {
                let names = |names: &[vocab::id::Name]| names.iter().map(|name| format!("{name},")).collect::<String>();
                let table = crate::world::tables()[change.table].name.to_string();
                (table, format!("{}|{}", names(&change.missing), names(&change.retyped)))
            })
            .collect();
        assert_eq!(told, [(reshaped.told.0.to_owned(), reshaped.told.1.to_owned())], "{number}: {says}");
    }
}

/// Runs it, and takes it back.
async fn undone(client: &mut Client, write: &str) -> Result<(), String> {
    client.exec("begin").await;
    let ran = client.run(write).await;
    client.exec("rollback").await;
    ran.map_err(|refused| refused.0)
}

/// What nobody declared may come and go, and a change of it alone still passes a closed fence.
#[tokio::test]
async fn a_column_that_nobody_declared_changes_nothing() {
    let world = World::new(Engine::Postgres).await;
    let mut client = world.client().await;
    client.exec("alter table produk add column catatan text").await;
    assert!(world.source.guards().await.unwrap().stand());
    world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap();
    client.exec("update produk set catatan = 'x', dilihat = 9 where id = 1").await;
    let refused = client.run("update produk set catatan = 'y', stok = 9 where id = 1").await.unwrap_err();
    assert!(refused.0.contains("balik_fence"), "{}", refused.0);
    client.exec("alter table produk rename column catatan to memo").await;
    client.exec("update produk set memo = 'z' where id = 1").await;
    assert!(world.source.guards().await.unwrap().stand());
}
