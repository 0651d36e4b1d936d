//! What an owner gets, and what a client gets back, when nothing is in the way.

use http::HeaderValue;
use vocab::id::Side;

use crate::client::{Client, request};
use crate::world::World;

#[tokio::test]
async fn a_request_reaches_its_owner_as_it_came_with_the_epoch() {
    let world = World::start().await;
    world.handle.publish(&world.route(Side::Backend, 7)).unwrap();
    let mut sent = request("PUT", "/shops/a/carts/x%20y?a=1&b=%2F", "{\"body\": 1}");
    for (name, value) in [
        ("idempotency-key", "k"),
        ("authorization", "Bearer t"),
        ("balik-epoch", "99"),
        ("balik-side", "legacy"),
        ("te", "trailers"),
        ("connection", "x-private"),
        ("x-private", "1"),
    ] {
        sent.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let reply = Client::connect(world.address()).await.send(sent).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-owner")), (200, Some("backend")));
    let seen = &world.backend.seen()[0];
    assert_eq!(seen.line(), "PUT /shops/a/carts/x%20y?a=1&b=%2F {\"body\": 1}");
    let mut names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "balik-epoch", "balik-via", "content-length", "host", "idempotency-key"]);
    assert_eq!(
        (&seen.headers["balik-epoch"], &seen.headers["host"]),
        (&"7".parse().unwrap(), &"shop.example".parse().unwrap())
    );
}

#[tokio::test]
async fn the_seams_own_headers_are_shown_only_where_asked_for() {
    let quiet = World::start().await.call("POST", "/shops/a/carts", "").await;
    assert_eq!((quiet.header("balik-side"), quiet.header("balik-held-us")), (None, None));
    assert_eq!(quiet.header("balik-epoch"), None, "an owner cannot speak as the seam");
    let world = World::with(|config| config.debug_headers = true).await;
    let passed = world.call("POST", "/shops/a/carts", "").await;
    assert_eq!((passed.header("balik-side"), passed.header("balik-held-us")), (Some("legacy"), Some("0")));
    world.hold(2);
    let held = world.park("POST", "/shops/a/carts", "").await;
    world.handle.release(&world.route(Side::Backend, 2)).unwrap();
    let held = held.await.unwrap();
    assert_eq!(held.header("balik-side"), Some("backend"));
    assert_ne!(held.header("balik-held-us"), Some("0"));
}

#[tokio::test]
async fn a_shop_without_a_route_is_the_default_owners_or_nobodys() {
    let world = World::start().await;
    assert_eq!(world.call("POST", "/shops/b/carts", "").await.by_seam(), "404 not_found");
    assert_eq!(world.call("GET", "/shops/b/carts/1", "").await.by_seam(), "404 not_found");
    let world = World::with(|config| config.default_owner = Some(Side::Legacy)).await;
    assert_eq!(world.call("POST", "/shops/b/carts", "w").await.body, "legacy w");
    assert_eq!(world.call("GET", "/shops/b/carts/1", "").await.body, "legacy ");
    assert_eq!(world.legacy.seen()[0].headers["balik-epoch"], "1");
}

#[tokio::test]
async fn a_read_of_the_plan_is_a_read_here() {
    let row = seam::Operation::new(http::Method::GET, "reports/{id}", seam::Class::Read);
    let world = World::with(|config| config.operations = vec![row]).await;
    world.hold(2);
    assert_eq!(world.call("GET", "/shops/a/reports/1", "").await.body, "legacy ");
    world.park("GET", "/shops/a/reports", "").await.abort();
}

#[tokio::test]
async fn health_is_always_ready_only_with_routes() {
    let world = World::with(|config| config.limits.stale_after = std::time::Duration::ZERO).await;
    assert_eq!(world.call("GET", "/health", "").await.body, r#"{"status":"ok"}"#);
    assert_eq!(world.call("GET", "/ready", "").await.by_seam(), "503 routes_stale, again after 1 s");
    assert_eq!(World::start().await.call("GET", "/ready", "").await.status.as_u16(), 200);
    assert_eq!(world.call("GET", "/metrics", "").await.by_seam(), "404 not_found");
}

/// What a provider tells is kept by our side, whatever is being done to whatever shop.
#[tokio::test]
async fn a_notice_goes_to_the_backend_at_any_time() {
    let world = World::with(|config| config.limits.stale_after = std::time::Duration::ZERO).await;
    world.hold(2);
    assert_eq!(world.call("POST", "/shops/a/carts", "w").await.by_seam(), "503 routes_stale, again after 1 s");
    let plain = world.call("POST", "/notices/loket", "{\"data\": 1}").await;
    assert_eq!((plain.status.as_u16(), plain.header("x-owner")), (200, Some("backend")));
    // The general way, too: headers that the fast one does not take.
    let mut sent = request("POST", "/notices/loket?a=1", "{}");
    sent.headers_mut().append("loket-signature", HeaderValue::from_static("t=1,v1=00"));
    sent.headers_mut().append("te", HeaderValue::from_static("trailers"));
    let reply = Client::connect(world.address()).await.send(sent).await;
    assert_eq!((reply.status.as_u16(), reply.header("x-owner")), (200, Some("backend")));
    assert_eq!(world.backend.seen().last().unwrap().headers["loket-signature"], "t=1,v1=00");
    assert!(world.legacy.seen().is_empty());
    for (method, path) in [("GET", "/notices/loket"), ("POST", "/notices/"), ("POST", "/notices/a/b")] {
        assert_eq!(world.call(method, path, "").await.by_seam(), "404 not_found", "{method} {path}");
    }
}
