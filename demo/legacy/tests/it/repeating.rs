//! The same key again: later, at once, with other bytes; and writes that the database does not let through.

use crate::kios::{id, line_items, on_both, payment};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_acts_once_and_answers_the_same() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let body = json!({"line_items": line_items(&[(&product, 1)])});
        let first = kios.write_as("once", "POST", "1/carts", body.clone()).await;
        let second = kios.write_as("once", "POST", "1/carts", body.clone()).await;
        assert_eq!((first.status, &first.body), (second.status, &second.body));
        let other = json!({"line_items": line_items(&[(&product, 2)])});
        let (status, code) = kios.write_as("once", "POST", "1/carts", other).await.failed();
        assert_eq!((status, code.as_str()), (409, "idempotency_conflict"));
        // Another operation or another shop is another key.
        let elsewhere = kios.on_sale(2).await.remove(0);
        let body = json!({"line_items": line_items(&[(&elsewhere, 1)])});
        kios.write_as("once", "POST", "2/carts", body).await.ok(201);
        let cart = id(&first.body);
        let canceled = kios.write_as("once", "POST", &format!("1/carts/{cart}/cancel"), json!({})).await.ok(200);
        let again = kios.write_as("once", "POST", &format!("1/carts/{cart}/cancel"), json!({})).await.ok(200);
        assert_eq!(canceled, again);
        assert_eq!(kios.one("select count(*) from idem where kunci = 'once'").await, "3");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_used_for_one_thing_does_nothing_to_another() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let lines = json!({"line_items": line_items(&[(&product, 2)])});
        let cart = async || id(&kios.post("1/carts", lines.clone()).await.ok(201));
        let checkout = async || id(&kios.ready_checkout(1, &[(&product, 1)]).await);
        let order = async || id(&kios.paid_order(1, &[(&product, 1)]).await);
        for (method, place, verb, body) in [
            ("PUT", "carts", "", lines.clone()),
            ("POST", "carts", "/cancel", json!({})),
            ("PUT", "checkout-sessions", "", lines.clone()),
            ("POST", "checkout-sessions", "/cancel", json!({})),
            ("POST", "checkout-sessions", "/complete", payment("approve")),
            ("POST", "orders", "/cancel", json!({})),
            ("POST", "orders", "/refund", json!({})),
        ] {
            let [one, other] = match place {
                "carts" => [cart().await, cart().await],
                "orders" => [order().await, order().await],
                _ => [checkout().await, checkout().await],
            };
            let key = kios.fresh_key();
            let write =
                async |id: &str| kios.write_as(&key, method, &format!("1/{place}/{id}{verb}"), body.clone()).await;
            let first = write(&one).await.ok(200);
            let before = kios.get(&format!("1/{place}/{other}")).await.ok(200);
            assert_eq!(write(&other).await.failed(), (409, "idempotency_conflict".to_owned()), "{place}{verb}");
            assert_eq!(write(&one).await.ok(200), first);
            assert_eq!(kios.get(&format!("1/{place}/{other}")).await.ok(200), before);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_not_remembered() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let checkout = kios.ready_checkout(1, &[(&product, 1)]).await;
        let path = format!("1/checkout-sessions/{}/complete", id(&checkout));
        kios.script(&format!("update produk set stok = 0 where id = {product}")).await;
        kios.write_as("later", "POST", &path, payment("approve")).await.refused("out_of_stock");
        kios.script(&format!("update produk set stok = 1 where id = {product}")).await;
        kios.write_as("later", "POST", &path, payment("approve")).await.ok(200);
        assert_eq!(kios.stock(&product).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_with_one_key_are_one() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let body = json!({"line_items": line_items(&[(&product, 1)])});
        let carts = kios.one("select count(*) from keranjang").await;
        let together = (0..20).map(|_| kios.write_as("crowd", "POST", "1/carts", body.clone()));
        let answers = futures_util::future::join_all(together).await;
        let ids: Vec<String> = answers.into_iter().map(|answer| id(&answer.ok(201))).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let now = kios.one("select count(*) from keranjang").await;
        assert_eq!(now.parse::<i64>().unwrap(), carts.parse::<i64>().unwrap() + 1);

        // A repeated cancel finds what the first one did, not an order that cannot be cancelled any more.
        let order = kios.paid_order(1, &[(&product, 2)]).await;
        let path = format!("1/orders/{}/cancel", id(&order));
        let together = (0..20).map(|_| kios.write_as("crowd", "POST", &path, json!({})));
        let answers = futures_util::future::join_all(together).await;
        let bodies: Vec<Value> = answers.into_iter().map(|answer| answer.ok(200)).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0] && body["status"] == "cancelled"));
        assert_eq!(bodies[0]["adjustments"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

/// A guard that somebody else put on a table, as a mover would.
fn fence(is_sqlite: bool) -> &'static str {
    if is_sqlite {
        "create table balik_note (n integer);
         create trigger balik_fence_jual before insert on jual begin select raise(abort, 'balik_fence'); end;"
    } else {
        "create function balik_fence() returns trigger language plpgsql as \
           $$ begin raise exception 'balik_fence'; end $$;
         create trigger balik_fence_jual before insert on jual for each row execute function balik_fence();"
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_database_does_not_let_through_is_503_and_leaves_nothing() {
    on_both(async |kios| {
        let product = kios.on_sale(1).await.remove(0);
        let checkout = kios.ready_checkout(1, &[(&product, 1)]).await;
        let (stock, path) = (kios.stock(&product).await, format!("1/checkout-sessions/{}", id(&checkout)));
        let customers = kios.one("select count(*) from pelanggan").await;
        kios.script(fence(kios.is_sqlite())).await;
        let answer = kios.write_as("fenced", "POST", &format!("{path}/complete"), payment("approve")).await;
        assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
        assert_eq!(answer.failed(), (503, "unavailable".to_owned()));
        assert_eq!(kios.get(&path).await.ok(200), checkout);
        assert_eq!(kios.stock(&product).await, stock);
        assert_eq!(kios.one("select count(*) from pelanggan").await, customers);
        assert_eq!(kios.one("select count(*) from idem where kunci = 'fenced'").await, "0");
        // Other writes go on.
        kios.post("1/carts", json!({"line_items": line_items(&[(&product, 1)])})).await.ok(201);
        let unfence = if kios.is_sqlite() { "" } else { " on jual" };
        kios.script(&format!("drop trigger balik_fence_jual{unfence}")).await;
        kios.write_as("fenced", "POST", &format!("{path}/complete"), payment("approve")).await.ok(200);
    })
    .await;
}
