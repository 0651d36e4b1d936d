//! What the page of a shop shows of those who wait there.

use crate::{Bench, serve};
use cutover::latency::{Counts, note_of};
use cutover::state::When;
use vocab::document::Record;

fn counted(each_us: u64, many: u32) -> String {
    let mut counts = Counts::default();
    (0..many).for_each(|_| counts.note(each_us));
    counts.to_text()
}

/// What the mover writes: some have waited at each of these times.
async fn waited(bench: &Bench, whens: &[(When, u64, u32)]) {
    let mut note = Record::default();
    for (when, each_us, many) in whens {
        note.set(when.name(), counted(*each_us, *many));
    }
    bench.store.note(&note_of(&bench.shop(1)), note).await.unwrap();
}

/// And that its copy is under way.
async fn copies(bench: &mut Bench, why: &str) {
    let throttle =
        Record::default().with("rows_per_s", 12_500).with("why", why).with("p99_us", 2_300).with("quiet_p99_us", 2_000);
    let row = Record::default().with("state", "copying").with("epoch", 1).with("dirty", 0).with("throttle", throttle);
    bench.store.note("board", Record::default().with("1", row)).await.unwrap();
    // A console that has not looked at the board yet: what one has seen it shows for a moment.
    bench.address = serve(&bench.store).await;
}

/// The cells of the row of one time of the move, without the markup.
fn row(body: &str, when: When) -> String {
    let begin = format!("<tr data-when=\"{}\">", when.name());
    let (_, row) = body.split_once(&begin).unwrap_or_else(|| panic!("no {begin} in:\n{body}"));
    let (row, _) = row.split_once("</tr>").unwrap();
    row.split('<')
        .filter_map(|piece| piece.split_once('>'))
        .map(|(_, text)| text)
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn throttle(body: &str) -> String {
    let (_, after) = body.split_once("id=\"throttle\">").unwrap_or_else(|| panic!("no throttle in:\n{body}"));
    after.split_once("</dd>").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_shop_shows_what_its_shoppers_waited_before_during_and_after_in_both_languages() {
    let bench = Bench::start(2).await;
    assert!(bench.get("/shops/1").await.body.contains("Nobody has come by yet."));
    assert!(bench.get("/shops/1?lang=id").await.body.contains("Belum ada yang datang."));
    waited(&bench, &[(When::Before, 2_000, 300), (When::During, 4_000, 20)]).await;
    let body = bench.get("/shops/1").await.body;
    assert_eq!(row(&body, When::Before), "before 300 1.9 ms 2.0 ms 2.0 ms");
    assert_eq!(row(&body, When::During), "during 20 3.9 ms 4.0 ms 4.0 ms");
    assert!(!body.contains("data-when=\"after\""), "nobody has waited since");
    waited(&bench, &[(When::Before, 2_000, 300), (When::During, 4_000, 20), (When::After, 1_000, 5_000)]).await;
    let body = bench.get("/shops/1?lang=id").await.body;
    assert_eq!(row(&body, When::Before), "sebelum 300 1,9 ms 2,0 ms 2,0 ms");
    assert!(row(&body, When::During).starts_with("selama 20 "));
    assert!(row(&body, When::After).starts_with("sesudah 5.000 "));
    assert!(bench.get("/shops/2").await.body.contains("Nobody has come by yet."), "they are shop 1's");
}

#[tokio::test]
async fn a_copy_under_way_shows_how_fast_it_may_be_and_why_in_both_languages() {
    let mut bench = Bench::start(1).await;
    assert!(!bench.get("/shops/1").await.body.contains("id=\"throttle\""));
    for (why, english, indonesian) in [
        ("free", "nobody feels it", "tidak ada yang terganggu"),
        ("shoppers", "shoppers would wait longer", "pembeli akan menunggu lebih lama"),
        ("lag", "the source's changes come too late", "perubahan sumber datang terlambat"),
        ("listening", "silent for a second, to compare", "diam sedetik, untuk membandingkan"),
    ] {
        copies(&mut bench, why).await;
        let said = throttle(&bench.get("/shops/1").await.body);
        assert_eq!(said, format!("at most 12,500 rows/s · {english} · p99 2.3 ms, without the copy 2.0 ms"));
        let said = throttle(&bench.get("/shops/1?lang=id").await.body);
        let figures = "p99 2,3 ms, tanpa penyalinan 2,0 ms";
        assert_eq!(said, format!("paling cepat 12.500 baris/dtk · {indonesian} · {figures}"));
    }
    copies(&mut bench, "paused").await;
    assert_eq!(throttle(&bench.get("/shops/1").await.body), "paused");
    assert_eq!(throttle(&bench.get("/shops/1?lang=id").await.body), "dijeda");
    // A word of a later version is no reason to show no page.
    copies(&mut bench, "solar flares").await;
    let got = bench.get("/shops/1").await;
    assert!(got.status == 200 && !got.body.contains("id=\"throttle\""));
}
