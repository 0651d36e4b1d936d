//! A client of the legacy's database, not of the seam, has written before a hold and does not commit until its deadline is
//! over: the hold aborts, the legacy keeps shop and row, and the next hold takes both along.

use crate::world::{Engine, World};
use cutover::record::{Phase, Reason, Record, StepName};
use mover::Verb;
use vocab::id::{Epoch, PublicId, ShopId, Side};

const WRITES: &str = "insert into produk (toko_id, kode, nama, harga, stok, aktif, f1, diubah)
    values (SHOP, 'SESAT', 'Barang Sesat', '12500.00', 7, 'Y', 'STD', '2026-01-02 03:04:05')";
const WRITES_MORE: &str = "update produk set stok = stok - 2 where kode = 'SESAT'";

/// Without a role in its policy, drain watches every session of the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_straggler_that_drain_sees_outlives_the_hold_and_is_taken_along_by_the_next() {
    check("", &Reason::Deadline).await;
}

/// The straggler works under another role than the one that drain watches: the fence alone decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_straggler_that_only_the_fence_meets_outlives_the_hold_and_is_taken_along_by_the_next() {
    check("role = 'nobody'", &Reason::Failed("source.lock_timeout".into())).await;
}

async fn check(policy: &str, reason: &Reason) {
    let world = World::start_under(policy, Engine::Postgres, 5, 1).await;
    let shop = world.shops[0].clone();
    world.start_moving().await;
    let straggler = world.postgres().await;
    straggler.batch_execute(&format!("begin; {}", WRITES.replace("SHOP", shop.as_str()))).await.unwrap();

    let wish = world.put_down(Verb::Flip, None).await;
    let given_up = world.recorded(&shop, "a hold is given up and released", |records| ended(records).is_some()).await;
    let (epoch, why) = ended(&given_up).unwrap();
    assert_eq!((&why, is_there(&given_up, StepName::Flip, epoch)), (reason, false), "{given_up:#?}");
    assert_eq!(world.owner(&shop).await, Side::Legacy);
    assert_eq!(world.store.wish_outcome(wish).await.unwrap(), None, "the wish stays");

    // It goes on as if nothing had been, whatever hold is tried meanwhile.
    straggler.batch_execute(&format!("{WRITES_MORE}; commit")).await.unwrap();
    assert_eq!(world.column("select stok from produk where kode = 'SESAT'").await, ["5"]);

    world.come_true(Verb::Flip, wish).await;
    assert_eq!(world.owner(&shop).await, Side::Backend);
    shown_by_the_backend(&world, &shop).await;
}

/// Epoch and reason of the first hold that was given up and has ended.
fn ended(records: &[Record]) -> Option<(Epoch, Reason)> {
    let aborted = records.iter().find(|it| it.step == StepName::Abort && it.phase == Phase::Done)?;
    let released = is_there(records, StepName::Release, aborted.epoch);
    released.then(|| (aborted.epoch, aborted.reason.clone().unwrap()))
}

fn is_there(records: &[Record], step: StepName, epoch: Epoch) -> bool {
    records.iter().any(|it| it.step == step && it.epoch == epoch && it.phase == Phase::Done)
}

/// The row as it was committed: name, price, and what is left of its stock.
async fn shown_by_the_backend(world: &World, shop: &ShopId) {
    let id = world.one("select id from produk where kode = 'SESAT'").await;
    let shown = world.look_up(shop, std::slice::from_ref(&id)).await.ok();
    let product = &shown["products"][0];
    let said = (product["title"].as_str(), product["variants"][0]["price"]["amount"].as_i64());
    assert_eq!(said, (Some("Barang Sesat"), Some(1_250_000)), "{shown}");
    let stock = world.store.stock(shop, &[PublicId::new(id)]).await.unwrap();
    assert_eq!(stock, [Some(5)]);
}
