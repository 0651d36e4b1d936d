//! Facts go back once, wholly or not at all, through a closed fence, and are known in the stream.

use crate::on_both;
use crate::world::{DETIL, Engine, JUAL, LONG, PRODUK, STOK, World, drain, key, shop};
use capture::{Expect, WriteBack, WriteBackError};
use vocab::id::{Epoch, Seq};
use vocab::row::{Applied, Cell, Edit};

fn fact(seq: u64, edits: Vec<Edit>) -> WriteBack {
    WriteBack { after: Seq(seq - 1), seq: Seq(seq), edits, expect: Vec::new() }
}

fn stock(id: i64, delta: i64) -> Edit {
    Edit::Update { table: PRODUK, key: key(id), set: Vec::new(), add: vec![(STOK, delta)] }
}

fn expect_stock(id: i64, stok: i64) -> Vec<Expect> {
    vec![Expect { table: PRODUK, key: key(id), cells: vec![(STOK, Cell::Int(stok))] }]
}

const STOCK: &str = "select stok from produk where id = 1";

on_both!(a_fact_goes_back_once, once);
async fn once(engine: Engine) {
    let world = World::new(engine).await;
    let mut stream = world.source.stream(None).await.unwrap();
    world.source.fence(&shop("1"), Epoch(2), LONG).await.unwrap();
    let sale = vec![
        Edit::Insert {
            table: JUAL,
            key: key(900),
            cells: vec![(1, Cell::Int(1)), (2, Cell::Int(1)), (3, Cell::Text("it's \\ 10".into()))],
        },
        Edit::Insert {
            table: DETIL,
            key: key(901),
            cells: vec![(1, Cell::Int(900)), (2, Cell::Int(1)), (3, Cell::Int(2))],
        },
        stock(1, -2),
        Edit::Delete { table: DETIL, key: key(1) },
    ];
    let facts = [
        WriteBack { expect: expect_stock(1, 3), ..fact(1, sale) },
        WriteBack { expect: expect_stock(1, 4), ..fact(2, vec![stock(1, 1)]) },
    ];
    assert_eq!(world.source.write_back(&shop("1"), &facts).await.unwrap(), Seq(2));
    // The answer was lost, so they come again, with a new one.
    let again = [facts[0].clone(), facts[1].clone(), fact(3, vec![stock(1, 10)])];
    assert_eq!(world.source.write_back(&shop("1"), &again).await.unwrap(), Seq(3));
    // Made from facts of which some are there already, it would count those twice.
    let summed = WriteBack { after: Seq(2), ..fact(5, vec![stock(1, 100)]) };
    assert_eq!(world.source.write_back(&shop("1"), &[summed]).await.unwrap(), Seq(3));
    assert_eq!(world.source.write_back(&shop("1"), &again).await.unwrap(), Seq(3));
    assert_eq!(world.source.applied(&shop("1")).await.unwrap(), Seq(3));
    assert_eq!(world.source.applied(&shop("2")).await.unwrap(), Seq(0));
    let mut client = world.client().await;
    assert_eq!(client.ask(STOCK).await, "14");
    assert_eq!(client.ask("select total from jual where id = 900").await, "it's \\ 10");
    assert!(client.run("update produk set stok = 0 where id = 1").await.is_err(), "the fence is closed for others");

    let seen = drain(&world, &mut stream).await;
    let ours: Vec<_> = seen.iter().filter(|transaction| transaction.applied.is_some()).collect();
    let applied: Vec<_> = ours.iter().filter_map(|transaction| transaction.applied.clone()).collect();
    assert_eq!(applied, [2, 3].map(|seq| Applied { shop: shop("1"), seq: Seq(seq) }));
    assert!(ours.iter().all(|transaction| !transaction.changes.is_empty()));
    let theirs = seen.iter().filter(|transaction| transaction.applied.is_none());
    assert!(theirs.flat_map(|transaction| &transaction.changes).next().is_none(), "nothing of ours is anyone else's");
}

on_both!(what_a_trigger_of_the_legacy_adds_rolls_the_fact_back, mismatch);
async fn mismatch(engine: Engine) {
    let world = World::new(engine).await;
    let mut client = world.client().await;
    let trigger = match engine {
        Engine::Postgres => {
            "create function kurangi() returns trigger language plpgsql as $$ begin \
             update produk set stok = stok - new.jml where id = new.produk_id; return null; end $$;
             create trigger kurangi after insert on jual_detil for each row execute function kurangi()"
        }
        Engine::Sqlite => {
            "create trigger kurangi after insert on jual_detil begin \
             update produk set stok = stok - new.jml where id = new.produk_id; end"
        }
    };
    client.exec(trigger).await;
    let line = Edit::Insert {
        table: DETIL,
        key: key(901),
        cells: vec![(1, Cell::Int(1)), (2, Cell::Int(1)), (3, Cell::Int(2))],
    };
    let wrong = WriteBack { expect: expect_stock(1, 3), ..fact(1, vec![line.clone(), stock(1, -2)]) };
    let error = world.source.write_back(&shop("1"), &[wrong]).await.unwrap_err();
    let WriteBackError::Mismatch { seq, expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((seq, expected, found), (Seq(1), Cell::Int(3), Some(Cell::Int(1))));
    assert_eq!(client.ask(STOCK).await, "5");
    assert_eq!(client.ask("select count(*) from jual_detil where id = 901").await, "0");
    assert_eq!(world.source.applied(&shop("1")).await.unwrap(), Seq(0));
    // Written net of the trigger, it goes.
    let right = WriteBack { expect: expect_stock(1, 3), ..fact(1, vec![line]) };
    assert_eq!(world.source.write_back(&shop("1"), &[right]).await.unwrap(), Seq(1));
    assert_eq!(client.ask(STOCK).await, "3");
}

on_both!(a_conflict_rolls_the_whole_batch_back, conflict);
async fn conflict(engine: Engine) {
    let world = World::new(engine).await;
    let duplicate = Edit::Insert {
        table: JUAL,
        key: key(1),
        cells: vec![(1, Cell::Int(1)), (2, Cell::Int(1)), (3, Cell::Text("1".into()))],
    };
    let nobody = Edit::Delete { table: DETIL, key: key(555) };
    let orphan = Edit::Insert {
        table: DETIL,
        key: key(902),
        cells: vec![(1, Cell::Int(777)), (2, Cell::Int(1)), (3, Cell::Int(1))],
    };
    for (edit, at) in [(duplicate, None), (nobody, Some(0)), (stock(999, 1), Some(0)), (orphan, None)] {
        let facts = [fact(1, vec![stock(1, -1)]), fact(2, vec![edit])];
        let error = world.source.write_back(&shop("1"), &facts).await.unwrap_err();
        let WriteBackError::Conflict { seq, edit, .. } = error else { panic!("{error}") };
        assert_eq!(seq, Some(Seq(2)));
        assert!(at.is_none() || edit == at);
        assert_eq!(world.source.applied(&shop("1")).await.unwrap(), Seq(0));
    }
    assert_eq!(world.client().await.ask(STOCK).await, "5");
    // A shop of which nothing is installed.
    assert!(matches!(
        world.source.write_back(&shop("9"), &[fact(1, vec![])]).await,
        Err(WriteBackError::Source(capture::Error::NotInstalled(_)))
    ));
}

on_both!(two_movers_write_a_fact_once, race);
async fn race(engine: Engine) {
    let world = World::new(engine).await;
    let mut writing = Vec::new();
    for _ in 0..4 {
        let source = world.source.clone();
        writing.push(tokio::spawn(async move {
            for seq in 1..=20 {
                source.write_back(&shop("1"), &[fact(seq, vec![stock(1, 1)])]).await.unwrap();
            }
        }));
    }
    for writer in writing {
        writer.await.unwrap();
    }
    assert_eq!(world.client().await.ask(STOCK).await, "25");
}
