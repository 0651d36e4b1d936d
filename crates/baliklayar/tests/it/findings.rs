//! `move findings` over the real mover: what is found is listed and explained with both sides, accepted by its number, and
//! read again when its cause is mended.

use crate::contracts::{document, run, same_fields};
use crate::world::{Engine, World};
use mover::Verb;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vocab::id::{ShopId, Side, Timestamp};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(30);
/// A word that no codec lists.
const WORD: &str = "ANEH";

/// What the command printed, and its exit status.
fn findings(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let work = world.work().display().to_string();
    let output = run(&[&["move", "findings", "--work", &work], args].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    if output.status.code() == Some(3) {
        panic!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    (output.status.code(), said.trim().to_owned())
}

fn clean(world: &World, args: &[&str]) -> String {
    let (status, said) = findings(world, args);
    assert_eq!(status, Some(0), "{args:?}: {said}");
    said
}

fn json_of(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&clean(world, &[args, &["--json"]].concat())).unwrap()
}

/// Waits until so many findings of a class are open.
async fn until_open(world: &World, shop: &ShopId, class: &str, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = world.store.finding_counts(shop).await.unwrap();
        let open = counts.iter().find(|one| &*one.class == class).map_or(0, |one| one.open);
        if open == count {
            return;
        }
        assert!(Instant::now() < deadline, "not {count} of {class}: {counts:?}");
        tokio::time::sleep(LOOK).await;
    }
}

async fn accepted_by_its_number(engine: Engine) {
    let world = World::start(engine, 5, 2).await;
    let [shop, other] = [&world.shops[0], &world.shops[1]];
    let orders = format!("select id from jual where toko_id = {shop} and pelanggan_id > 0 order by id limit 2");
    let orders = world.column(&orders).await;
    let name = world
        .one(&format!("select p.nama from jual j join pelanggan p on p.id = j.pelanggan_id where j.id = {}", orders[0]))
        .await;
    world.legacy(&format!("update jual set status = '{WORD}' where id in ({})", orders.join(", "))).await;
    world.wish(Verb::Start, None).await;
    until_open(&world, shop, "mapping.word", 2).await;

    let of = ["--shop", shop.as_str(), "--class", "mapping.word"];
    let list = json_of(&world, &of);
    same_fields(&document(), "json findings", &list);
    assert_eq!((list["findings"].as_array().unwrap().len(), &list["left_out"]), (2, &json!(0)));
    assert_eq!(list["findings"][0]["origin"], format!("jual:{}", orders[0]));
    let text = clean(&world, &["list", "--shop", other.as_str()]);
    assert_eq!(text, "no findings");
    // Where it is, and not what stands there.
    let text = clean(&world, &of);
    assert!(text.contains("mapping.word  shop") && text.contains("jual.status"), "{text}");
    let explained = clean(&world, &[&["explain"], &of[..]].concat());
    for said in ["A cell that cannot be read", "More in docs/runbook.md", "both sides now", "we have no document of it"]
    {
        assert!(explained.contains(said), "`{said}` is not in:\n{explained}");
    }
    for told in [&text, &explained, &list.to_string()] {
        assert!(!told.contains(WORD) && !told.contains(&name), "{told}");
    }

    let accept = |class: &str, count: &str| {
        findings(
            &world,
            &["accept", "--shop", shop.as_str(), "--class", class, "--count", count, "--why", "a test of theirs"],
        )
    };
    assert_eq!(accept("mapping.word", "1"), (Some(4), "count_differs".to_owned()));
    assert_eq!(accept("stream.lost", "0"), (Some(4), "not_acceptable".to_owned()));
    assert_eq!(accept("mapping.word", "2"), (Some(0), "accepted: 2 of mapping.word".to_owned()));
    let list = json_of(&world, &of);
    let kept = &list["findings"][1];
    assert_eq!((&kept["accepted_by"], &kept["accepted_why"]), (&json!("operator"), &json!("a test of theirs")));
    // Accepted, they block no more; a third one does.
    world.wish(Verb::Flip, Some(shop)).await;
    assert_eq!(world.owner(shop).await, Side::Backend);
    let third = world.rows(&format!("select id, status from jual where toko_id = {other} order by id limit 1")).await;
    let [third, status] = &third[0][..] else { panic!("{third:?}") };
    world.legacy(&format!("update jual set status = '{WORD}' where id = {third}")).await;
    until_open(&world, other, "mapping.word", 1).await;
    let again = findings(&world, &["accept", "--class", "mapping.word", "--count", "3"]);
    assert_eq!(again, (Some(4), "count_differs".to_owned()), "what is accepted is not counted again");
    world.legacy(&format!("update jual set status = '{status}' where id = {third}")).await;
    until_open(&world, other, "mapping.word", 0).await;
    assert_eq!(
        clean(&world, &["reread", "--shop", other.as_str()]),
        "read again: 0 aggregates; 0 findings are still open"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn findings_are_listed_explained_and_accepted_by_their_number_on_sqlite() {
    accepted_by_its_number(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn findings_are_listed_explained_and_accepted_by_their_number_on_postgres() {
    accepted_by_its_number(Engine::Postgres).await;
}

/// Somebody with the legacy's database open writes past the fence.
async fn rogue(engine: Engine, world: &World, shop: &ShopId, sql: &str) {
    let past = match engine {
        Engine::Sqlite => format!(
            "begin immediate; update balik_fence set closed = 0 where shop = '{shop}'; {sql};
             update balik_fence set closed = 1 where shop = '{shop}'; commit"
        ),
        Engine::Postgres => format!("begin; set local balik.writer = 'on'; {sql}; commit"),
    };
    world.legacy(&past).await;
}

async fn shown_on_both_sides(engine: Engine) {
    let world = World::start(engine, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;
    world.wish(Verb::Flip, None).await;
    let product =
        format!("select id, harga from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 order by id");
    let product = world.rows(&product).await.swap_remove(0);
    let price = |harga: &str| format!("update produk set harga = '{harga}' where id = {}", product[0]);
    rogue(engine, &world, &shop, &price("77.00")).await;
    until_open(&world, &shop, "rogue_watch", 1).await;
    let told = world.store.findings(&shop).await.unwrap().swap_remove(0).finding;
    let said = clean(&world, &["reread", "--class", "rogue_watch"]);
    assert_eq!(said, "read again: 1 aggregates; 1 findings are still open");
    let explained = json_of(&world, &["explain", "--class", "rogue_watch"]);
    same_fields(&document(), "json explained", &explained);
    let sides = &explained["explained"][0]["findings"][0]["sides"][0];
    let price_of =
        sides["fields"].as_array().unwrap().iter().find(|field| field["field"] == "variants[0].price").unwrap();
    assert_eq!((&price_of["legacy"], &price_of["same"]), (&json!("7700"), &json!(false)), "{sides}");
    assert!(sides["fields"].as_array().unwrap().iter().any(|field| field["same"] == true), "{sides}");
    let text = clean(&world, &["explain", "--class", "rogue_watch"]);
    assert!(text.contains("≠ variants[0].price"), "{text}");

    // It is undone, past the fence again; both are read again, and what a verification found meanwhile.
    rogue(engine, &world, &shop, &price(&product[1])).await;
    until_open(&world, &shop, "rogue_watch", 2).await;
    let said = clean(&world, &["reread"]);
    assert!(said.ends_with("; 0 findings are still open"), "{said}\n{}", clean(&world, &["list"]));
    world.wish(Verb::Rollback, None).await;
    assert_eq!(world.owner(&shop).await, Side::Legacy);

    // A rogue that was there at the last moment is told of when the shop has gone back. The rows are the legacy's own then,
    // and what it overwrote is not to be seen any more: only a person who has looked lets the shop go on.
    world.store.open_finding(told, Timestamp(1)).await.unwrap();
    assert!(clean(&world, &["reread"]).ends_with("; 1 findings are still open"));
    let accepted = clean(&world, &["accept", "--class", "rogue_watch", "--count", "1", "--why", "looked at it"]);
    assert_eq!(accepted, "accepted: 1 of rogue_watch");
    world.wish(Verb::Flip, None).await;
    assert_eq!(world.owner(&shop).await, Side::Backend);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_rogue_wrote_is_shown_on_both_sides_and_gone_when_it_is_undone_on_sqlite() {
    shown_on_both_sides(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_rogue_wrote_is_shown_on_both_sides_and_gone_when_it_is_undone_on_postgres() {
    shown_on_both_sides(Engine::Postgres).await;
}

/// The slot of our capture is dropped by somebody, and at once something is written that is in no stream.
async fn lose_the_slot(world: &World, writes: &str) {
    let client = world.postgres().await;
    let slots = "slot_name from pg_replication_slots where database = current_database()";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let end = "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active_pid is not null";
        client.batch_execute(end).await.unwrap();
        if client.batch_execute(&format!("select pg_drop_replication_slot(slot_name), {slots}")).await.is_ok() {
            break;
        }
        assert!(Instant::now() < deadline, "the slot stays in use");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.batch_execute(writes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_slot_is_mended_a_shop_of_the_legacy_is_copied_again_and_one_that_soaks_is_compared() {
    let world = World::start(Engine::Postgres, 5, 2).await;
    let [shop, soaking] = [world.shops[0].clone(), world.shops[1].clone()];
    world.start_moving().await;
    world.wish(Verb::Flip, Some(&soaking)).await;
    let product = async |shop: &ShopId| {
        world
            .one(&format!("select id from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 order by id"))
            .await
    };
    let (mine, theirs) = (product(&shop).await, product(&soaking).await);
    let before = world.one(&format!("select stok from produk where id = {theirs}")).await;
    // The legacy goes on selling its own shop meanwhile, and a rogue writes to the one that it does not own.
    let gap = format!(
        "update produk set harga = '4321.00' where id = {mine};
         insert into produk (toko_id, kode, nama, harga, stok, aktif, f1, diubah)
             values ({shop}, 'CELAH', 'Dari Celah', '1000.00', 3, 'Y', 'STD', '2026-01-02 03:04:05');
         begin; set local balik.writer = 'on'; update produk set stok = stok + 5 where id = {theirs}; commit"
    );
    lose_the_slot(&world, &gap).await;
    for one in [&shop, &soaking] {
        until_open(&world, one, "stream.lost", 1).await;
    }
    // The backend goes on selling.
    world.put(&soaking, &format!("seller/products/{theirs}"), json!({"price": 990_000})).await;

    let (status, said) = findings(&world, &["reread", "--shop", soaking.as_str()]);
    assert_eq!((status, said.as_str()), (Some(4), "differs"));
    assert_eq!(clean(&world, &["list", "--shop", soaking.as_str()]).matches("stream.lost  shop").count(), 1);
    assert!(clean(&world, &["reread", "--shop", shop.as_str()]).ends_with("0 findings are still open"));
    assert_eq!(world.store.findings(&shop).await.unwrap(), vec![]);
    let added = world.one("select id from produk where kode = 'CELAH'").await;
    world.wish(Verb::Flip, Some(&shop)).await;
    let shown = world.look_up(&shop, &[mine, added]).await.ok();
    let prices: Vec<_> = shown["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["variants"][0]["price"]["amount"].as_i64())
        .collect();
    assert_eq!(prices, [Some(432_100), Some(100_000)], "{shown}");

    // What the rogue did is undone: the legacy is as our facts say, and the way back is open again.
    let undo = format!("update produk set stok = stok - 5 where id = {theirs}");
    rogue(Engine::Postgres, &world, &soaking, &undo).await;
    let said = clean(&world, &["reread", "--shop", soaking.as_str()]);
    assert!(said.starts_with("read again: "), "{said}");
    until_open(&world, &soaking, "stream.lost", 0).await;
    clean(&world, &["reread", "--shop", soaking.as_str()]);
    world.wish(Verb::Rollback, Some(&soaking)).await;
    let row = world.rows(&format!("select harga, stok from produk where id = {theirs}")).await;
    assert_eq!(row, [["9900.00".to_owned(), before]], "what was sold meanwhile went back, and nothing else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_way_back_that_the_legacy_refused_is_tried_once_more_when_its_cause_is_mended() {
    let world = World::start(Engine::Sqlite, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;
    world.wish(Verb::Flip, None).await;
    let id = world
        .one(&format!("select id from produk where toko_id = {shop} and aktif = 'Y' and hapus = 0 order by id"))
        .await;
    world
        .legacy(
            "create trigger harga_tetap after update of harga on produk when new.harga <> '1.00'
             begin update produk set harga = '1.00' where id = new.id; end",
        )
        .await;
    world.put(&shop, &format!("seller/products/{id}"), json!({"price": 990_000})).await;
    until_open(&world, &shop, "reverse.mismatch", 1).await;
    assert_eq!(findings(&world, &["reread"]), (Some(4), "not_mended".to_owned()));
    until_open(&world, &shop, "reverse.mismatch", 1).await;
    world.legacy("drop trigger harga_tetap").await;
    assert_eq!(clean(&world, &["reread"]), "read again: 0 aggregates; 0 findings are still open");
    world.wish(Verb::Rollback, None).await;
    assert_eq!(world.one(&format!("select harga from produk where id = {id}")).await, "9900.00");
}
