//! Clients that leave, at any moment and in any way, and owners that close a kept connection: what is counted is
//! uncounted, and what may have been executed is not sent again.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use vocab::id::{Epoch, Side};

use crate::client::{Client, PATIENCE, Raw};
use crate::world::{World, authority, eventually};

const PLAIN: &str = "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nwhole";
const CHUNKED: &str =
    "POST /shops/a/carts HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n";

#[tokio::test]
async fn a_client_that_has_said_all_and_closes_its_half_gets_its_answer() {
    let world = World::start().await;
    world.legacy.answer_first(0);
    let mut raw = Raw::connect(world.address()).await;
    raw.write(PLAIN).await;
    eventually("with its owner", || world.legacy.active() == 1).await;
    raw.close_half().await;
    world.legacy.answer_first(usize::MAX);
    assert!(raw.read_to_end().await.ends_with("legacy whole"));
    assert_eq!(world.handle.in_flight(&world.shop), 0);
}

#[tokio::test]
async fn a_parked_client_that_closes_its_half_is_told_that_nothing_was_executed() {
    let world = World::start().await;
    world.hold(2);
    let mut raw = Raw::connect(world.address()).await;
    raw.write(PLAIN).await;
    eventually("parked", || world.stats().parked == 1).await;
    raw.close_half().await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("client_left"), "{answer}");
    assert_eq!(world.handle.release(&world.route(Side::Backend, 2)).unwrap().held, 0);
    assert_eq!((world.legacy.count(), world.backend.count(), world.stats().left_total), (0, 0, 1));
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    /// Below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Sends some of a request, or all of it, and leaves: closing, cutting off, or closing its half first. Returns whether
/// the seam was sent a whole request.
async fn stranger(world: &World, dice: &mut Dice) -> bool {
    let text = [PLAIN, CHUNKED][dice.roll(2)];
    let length = if dice.roll(2) == 0 { text.len() } else { dice.roll(text.len()) };
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    stream.write_all(&text.as_bytes()[..length]).await.unwrap();
    for _ in 0..dice.roll(4) {
        tokio::task::yield_now().await;
    }
    match dice.roll(3) {
        0 => {}
        1 => stream.set_zero_linger().unwrap(),
        _ => stream.shutdown().await.unwrap(),
    }
    length == text.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_vanish_at_any_moment_leave_nothing_counted() {
    let world = Arc::new(World::start().await);
    let leaving = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let (mut dice, mut whole) = (Dice(7), 0);
            for _ in 0..600 {
                whole += usize::from(stranger(&world, &mut dice).await);
            }
            whole
        })
    };
    let mut epoch = 1;
    while !leaving.is_finished() {
        epoch += 1;
        world.handle.heartbeat();
        world.hold(epoch);
        timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("a drain that ends");
        let side = if epoch.is_multiple_of(2) { Side::Backend } else { Side::Legacy };
        world.handle.release(&world.route(side, epoch)).unwrap();
        tokio::task::yield_now().await;
    }
    let whole = leaving.await.unwrap();
    eventually("nothing parked or in flight", || world.stats().parked + world.stats().in_flight == 0).await;
    assert_eq!(world.stats().parked_bytes, 0);
    // And the gate still counts: a write in flight is waited for.
    world.legacy.answer_first(0);
    world.backend.answer_first(0);
    let write = world.send("POST", "/shops/a/carts", "w");
    let is_there = || world.owners_seen().iter().any(|seen| seen.body == "w");
    eventually("with its owner", is_there).await;
    world.handle.hold(&world.shop, Epoch(epoch + 1), std::time::Instant::now() + PATIENCE).unwrap();
    let drained = timeout(Duration::from_millis(50), world.handle.drained(&world.shop)).await;
    assert!(drained.is_err(), "drained with a write in flight");
    world.legacy.answer_first(usize::MAX);
    world.backend.answer_first(usize::MAX);
    timeout(PATIENCE, world.handle.drained(&world.shop)).await.expect("drained");
    assert_eq!(write.await.unwrap().status.as_u16(), 200);
    let seen = world.owners_seen();
    assert!(seen.iter().all(|seen| seen.body == "whole" || seen.body == "w"), "half a request reached an owner");
    assert!(seen.len() > 1 && seen.len() <= whole + 1, "{} of {whole} whole ones", seen.len());
}

/// An owner that answers one request per connection, says that it keeps it, and closes it; tells of each request after
/// its connection is closed. Of a request with `cut` in it, it reads what came first, and closes without an answer.
async fn forgetful_owner() -> (http::uri::Authority, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = authority(listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4_096];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            if !text.contains("cut") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
            drop(stream);
            let _ = tell.send(text);
        }
    });
    (address, told)
}

#[tokio::test]
async fn a_write_meets_no_connection_that_its_owner_has_closed() {
    let (owner, mut told) = forgetful_owner().await;
    let world = World::with(|config| (config.legacy, config.threads) = (owner, 1)).await;
    let mut client = Client::connect(world.address()).await;
    for number in 0..50 {
        let reply = client.call("POST", "/shops/a/carts", &format!("number {number}")).await;
        assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, "ok"), "{number}");
        // Closed, and its client has heard so before it asks again.
        assert!(told.recv().await.unwrap().ends_with(&format!("number {number}")));
    }
    assert!(told.try_recv().is_err(), "sent twice");
}

#[tokio::test]
async fn a_write_cut_off_in_its_body_is_not_sent_again() {
    let (owner, mut told) = forgetful_owner().await;
    let world = World::with(|config| config.legacy = owner).await;
    let body = format!("cut{}", "x".repeat(200_000));
    assert_eq!(world.call("POST", "/shops/a/carts", &body).await.by_seam(), "502 owner_closed");
    assert!(told.recv().await.unwrap().contains("cut"));
    assert_eq!(world.call("POST", "/shops/a/carts", "next").await.body, "ok");
    assert!(told.recv().await.unwrap().ends_with("next"), "the first came again");
    assert_eq!(world.handle.in_flight(&world.shop), 0);
}
