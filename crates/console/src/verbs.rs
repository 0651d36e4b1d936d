//! The verbs: when each can be wished, and what it will do, in words.

use crate::lang::Lang;
use crate::picture::Row;
use cutover::bounds::{COPY_AGE_MS_MAX, HOLD_MS_MAX};
use cutover::state::State;
use cutover::verb::Verb;
use maud::{Markup, html};
use vocab::id::{ShopId, Side};

/// Why a verb makes no sense for a shop as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    Begun,
    NotBegun,
    AtBackend,
    AtLegacy,
    NoHold,
    Paused,
    NotPaused,
    Sealed,
    Dialled,
    NotDialled,
    NothingFound,
}

/// Whether a verb makes sense for a shop that stands like this. The mover decides by itself what comes true: this only
/// keeps a person from wishing what cannot.
pub fn fit(verb: Verb, row: &Row, paused: bool) -> Result<(), Unfit> {
    let unless = |wrong: bool, unfit| if wrong { Err(unfit) } else { Ok(()) };
    let begun = row.state != Some(State::Planned);
    let sealed = row.state == Some(State::Sealed);
    let (at_legacy, at_backend) = (row.owner == Side::Legacy, row.owner == Side::Backend);
    match verb {
        Verb::Start => unless(begun, Unfit::Begun),
        Verb::Flip => unless(!begun, Unfit::NotBegun).and(unless(at_backend, Unfit::AtBackend)),
        Verb::Rollback => unless(sealed, Unfit::Sealed).and(unless(at_legacy, Unfit::AtLegacy)),
        Verb::Seal => unless(sealed, Unfit::Sealed).and(unless(at_legacy, Unfit::AtLegacy)),
        Verb::Abort => unless(!is_held(row.state), Unfit::NoHold),
        Verb::Pause => unless(sealed, Unfit::Sealed).and(unless(paused, Unfit::Paused)),
        Verb::Resume => unless(!paused, Unfit::NotPaused),
        Verb::Dial => unless(!begun, Unfit::NotBegun)
            .and(unless(at_backend, Unfit::AtBackend))
            .and(unless(row.dialled, Unfit::Dialled)),
        Verb::DialBack => unless(!row.dialled, Unfit::NotDialled),
        Verb::Reread | Verb::Accept => unless(row.findings_open == 0, Unfit::NothingFound),
    }
}

const fn is_held(state: Option<State>) -> bool {
    matches!(
        state,
        Some(
            State::Held(_)
                | State::Drained(_)
                | State::Fenced(_)
                | State::Marked(_)
                | State::CaughtUp(_)
                | State::Proven(_)
        )
    )
}

/// Where a verb is confirmed; without a shop, for every planned one.
pub fn address(verb: Verb, shop: Option<&ShopId>) -> String {
    match shop {
        Some(shop) => format!("/shops/{shop}/{}", verb.name()),
        None => format!("/all/{}", verb.name()),
    }
}

/// Leads to the page on which the verb is confirmed; nothing is wished by it.
pub fn button(lang: Lang, verb: Verb, shop: Option<&ShopId>) -> Markup {
    html! {
        a .button data-verb=(verb.name()) id=(format!("verb-{}", verb.name())) href=(address(verb, shop)) { (lang.verb(verb)) " …" }
    }
}

/// All verbs of one shop: those that make sense with what they will do, the others with why not.
pub fn list(lang: Lang, row: &Row, paused: bool) -> Markup {
    let whom = lang.whom(Some(&row.shop));
    let verdicts = Verb::OF_SHOP.map(|verb| (verb, fit(verb, row, paused)));
    html! {
        ul .verbs-said {
            @for (verb, _) in verdicts.iter().filter(|(_, fit)| fit.is_ok()) {
                li { (button(lang, *verb, Some(&row.shop))) p { (lang.promise(*verb, &whom)) } }
            }
        }
        p .quiet {
            (lang.not_now())
            @for (at, (verb, unfit)) in verdicts.iter().filter_map(|(verb, fit)| Some((verb, fit.err()?))).enumerate() {
                (if at == 0 { " " } else { "; " }) (lang.verb(*verb)) " (" (lang.unfit(unfit)) ")"
            }
        }
    }
}

impl Lang {
    pub const fn unfit(self, unfit: Unfit) -> &'static str {
        match (self, unfit) {
            (Self::En, Unfit::Begun) => "already begun",
            (Self::En, Unfit::NotBegun) => "not begun",
            (Self::En, Unfit::AtBackend) => "the backend owns it",
            (Self::En, Unfit::AtLegacy) => "the legacy owns it",
            (Self::En, Unfit::NoHold) => "no hold is under way",
            (Self::En, Unfit::Paused) => "already paused",
            (Self::En, Unfit::NotPaused) => "not paused",
            (Self::En, Unfit::Sealed) => "sealed",
            (Self::En, Unfit::Dialled) => "the dial is on",
            (Self::En, Unfit::NotDialled) => "the dial is off",
            (Self::En, Unfit::NothingFound) => "no finding is open",
            (Self::Id, Unfit::Begun) => "sudah dimulai",
            (Self::Id, Unfit::NotBegun) => "belum dimulai",
            (Self::Id, Unfit::AtBackend) => "milik backend",
            (Self::Id, Unfit::AtLegacy) => "milik legacy",
            (Self::Id, Unfit::NoHold) => "tidak ada penahanan",
            (Self::Id, Unfit::Paused) => "sudah dijeda",
            (Self::Id, Unfit::NotPaused) => "tidak dijeda",
            (Self::Id, Unfit::Sealed) => "sudah disegel",
            (Self::Id, Unfit::Dialled) => "dial sudah menyala",
            (Self::Id, Unfit::NotDialled) => "dial sudah mati",
            (Self::Id, Unfit::NothingFound) => "tidak ada temuan terbuka",
        }
    }

    /// `shop 7`, or every one of the plan.
    pub fn whom(self, shop: Option<&ShopId>) -> String {
        match (self, shop) {
            (Self::En, Some(shop)) => format!("shop {shop}"),
            (Self::Id, Some(shop)) => format!("toko {shop}"),
            (Self::En, None) => "every planned shop".to_owned(),
            (Self::Id, None) => "setiap toko dalam rencana".to_owned(),
        }
    }

    /// What a confirmation asks.
    pub fn question(self, verb: Verb, whom: &str) -> String {
        match (self, verb) {
            (Self::En, Verb::Start) => format!("Start the move of {whom}?"),
            (Self::En, Verb::Flip) => format!("Move {whom} to the backend?"),
            (Self::En, Verb::Rollback) => format!("Move {whom} back to the legacy?"),
            (Self::En, Verb::Seal) => format!("Close the way back of {whom} for good?"),
            (Self::En, Verb::Abort) => format!("End the hold of {whom}?"),
            (Self::En, Verb::Pause) => format!("Pause {whom}?"),
            (Self::En, Verb::Resume) => format!("Resume {whom}?"),
            (Self::En, Verb::Dial) => format!("Read the catalogue of {whom} from the copy?"),
            (Self::En, Verb::DialBack) => format!("Read the catalogue of {whom} from its owner?"),
            (Self::En, Verb::Reread) => format!("Read what was found of {whom} again?"),
            (Self::En, Verb::Accept) => format!("Accept these findings of {whom}?"),
            (Self::Id, Verb::Start) => format!("Mulai pemindahan {whom}?"),
            (Self::Id, Verb::Flip) => format!("Pindahkan {whom} ke backend?"),
            (Self::Id, Verb::Rollback) => format!("Kembalikan {whom} ke legacy?"),
            (Self::Id, Verb::Seal) => format!("Tutup jalan balik {whom} untuk selamanya?"),
            (Self::Id, Verb::Abort) => format!("Akhiri penahanan {whom}?"),
            (Self::Id, Verb::Pause) => format!("Jeda {whom}?"),
            (Self::Id, Verb::Resume) => format!("Lanjutkan {whom}?"),
            (Self::Id, Verb::Dial) => format!("Baca katalog {whom} dari salinan?"),
            (Self::Id, Verb::DialBack) => format!("Baca katalog {whom} dari pemiliknya?"),
            (Self::Id, Verb::Reread) => format!("Baca ulang yang ditemukan pada {whom}?"),
            (Self::Id, Verb::Accept) => format!("Terima temuan {whom} ini?"),
        }
    }

    /// What a verb will do.
    pub fn promise(self, verb: Verb, whom: &str) -> String {
        match self {
            Self::En => promise_en(verb, whom),
            Self::Id => promise_id(verb, whom),
        }
    }
}

fn promise_en(verb: Verb, whom: &str) -> String {
    match verb {
        Verb::Start => format!(
            "Copies {whom} from the legacy, follows its changes and verifies the copy in full. The legacy goes on \
             owning it, and its buyers notice nothing."
        ),
        Verb::Flip => format!(
            "Holds the writes of {whom} for at most {HOLD_MS_MAX} ms, proves what changed, and makes the backend its \
             owner; as soon as it is ready, if it is not yet. It can go back until it is sealed."
        ),
        Verb::Rollback => format!(
            "Holds the writes of {whom} for at most {HOLD_MS_MAX} ms and makes the legacy its owner again, with \
             everything that was sold meanwhile. It waits while the legacy cannot express something."
        ),
        Verb::Seal => format!(
            "Closes the way back of {whom}: what going back needs is deleted, and the legacy can sell there no more. \
             This cannot be undone."
        ),
        Verb::Abort => format!(
            "Ends the hold of {whom} that is under way, before its flip. The owner stays, and what was held goes on to \
             it. A flip that is still wished is tried again."
        ),
        Verb::Pause => format!("Begins nothing new for {whom}. A hold under way goes on to its end."),
        Verb::Resume => format!("Takes the pause of {whom} back: what is wished goes on."),
        Verb::Dial => format!(
            "Lets the backend's copy answer searches and product pages of {whom}, as soon as it is verified and for as \
             long as it is less than {COPY_AGE_MS_MAX} ms old. The legacy goes on owning everything and prices every \
             checkout; a flip ends it."
        ),
        Verb::DialBack => format!("Lets the owner answer searches and product pages of {whom} again, at once."),
        Verb::Reread => format!(
            "Reads what the findings of {whom} are about from the source again, and takes away those that are true no \
             more. A shop that is stopped and that the legacy owns is copied again in place, if the cause is mended; \
             its buyers notice nothing."
        ),
        Verb::Accept => format!(
            "Lets these findings of {whom} block no more, if there are still exactly as many. What they say stays as it \
             is: nothing is repaired, and one that comes later is open."
        ),
    }
}

fn promise_id(verb: Verb, whom: &str) -> String {
    match verb {
        Verb::Start => format!(
            "Menyalin {whom} dari legacy, mengikuti perubahannya, dan memeriksa salinan seluruhnya. Legacy tetap \
             pemiliknya, dan pembeli tidak merasakan apa-apa."
        ),
        Verb::Flip => format!(
            "Menahan tulisan {whom} paling lama {HOLD_MS_MAX} ms, membuktikan yang berubah, lalu menjadikan backend \
             pemiliknya; begitu siap, kalau sekarang belum. Masih bisa kembali sampai disegel."
        ),
        Verb::Rollback => format!(
            "Menahan tulisan {whom} paling lama {HOLD_MS_MAX} ms dan menjadikan legacy pemiliknya lagi, beserta semua \
             yang terjual sementara itu. Menunggu selama ada yang tidak dapat dinyatakan legacy."
        ),
        Verb::Seal => format!(
            "Menutup jalan balik {whom}: yang diperlukan untuk kembali dihapus, dan legacy tidak dapat berjualan di \
             sana lagi. Ini tidak dapat dibatalkan."
        ),
        Verb::Abort => format!(
            "Mengakhiri penahanan {whom} yang sedang berjalan, sebelum beralih. Pemilik tetap, dan yang ditahan \
             diteruskan kepadanya. Peralihan yang masih diminta dicoba lagi."
        ),
        Verb::Pause => format!("Tidak memulai hal baru untuk {whom}. Penahanan yang berjalan tetap sampai selesai."),
        Verb::Resume => format!("Mencabut jeda {whom}: yang diminta berjalan lagi."),
        Verb::Dial => format!(
            "Salinan di backend menjawab pencarian dan halaman produk {whom}, begitu terverifikasi dan selama umurnya di \
             bawah {COPY_AGE_MS_MAX} ms. Legacy tetap memiliki semuanya dan menentukan harga setiap checkout; peralihan \
             mengakhirinya."
        ),
        Verb::DialBack => format!("Pemilik menjawab lagi pencarian dan halaman produk {whom}, seketika."),
        Verb::Reread => format!(
            "Membaca ulang dari sumber apa yang dibahas temuan {whom}, dan menghapus yang tidak berlaku lagi. Toko milik \
             legacy yang terhenti disalin ulang di tempat, kalau sebabnya sudah diperbaiki; pembeli tidak merasakan \
             apa-apa."
        ),
        Verb::Accept => format!(
            "Temuan {whom} ini tidak lagi menghalangi, kalau jumlahnya masih tepat sama. Isinya tetap: tidak ada yang \
             diperbaiki, dan yang datang kemudian tetap terbuka."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::id::{Direction, Epoch};

    fn check(owner: Side, state: State, paused: bool, expected: &str) {
        let row = Row {
            shop: ShopId::parse("7").unwrap(),
            planned: [true; 5],
            owner,
            epoch: Epoch::FIRST,
            state: Some(state),
            stopped: None,
            waits_for: None,
            lag_us: None,
            throttle: None,
            dialled: false,
            catalog_reads: owner,
            dirty: 0,
            facts_left: None,
            back_waits_for: None,
            findings_open: 0,
            debts: 0,
        };
        let offered = Verb::ALL.into_iter().filter(|verb| fit(*verb, &row, paused).is_ok());
        assert_eq!(offered.map(Verb::name).collect::<Vec<_>>().join(" "), expected, "{state:?}");
    }

    #[test]
    fn a_verb_is_offered_where_something_can_come_of_it() {
        check(Side::Legacy, State::Planned, false, "start pause");
        check(Side::Legacy, State::Tracking, false, "dial flip pause");
        check(Side::Legacy, State::Tracking, true, "dial flip resume");
        check(Side::Legacy, State::Fenced(Direction::ToBackend), false, "dial flip abort pause");
        check(Side::Backend, State::Soaking, true, "rollback seal resume");
        check(Side::Backend, State::Drained(Direction::ToLegacy), false, "rollback seal abort pause");
        check(Side::Backend, State::Sealed, false, "");
    }

    #[test]
    fn what_was_found_can_be_read_again_and_is_accepted_where_it_stands() {
        assert!(Verb::OF_SHOP.contains(&Verb::Reread) && !Verb::OF_SHOP.contains(&Verb::Accept));
        assert!(Lang::En.promise(Verb::Accept, "shop 7").contains("nothing is repaired"));
    }

    #[test]
    fn what_cannot_be_undone_says_so_in_both_languages() {
        assert!(Lang::En.promise(Verb::Seal, "shop 7").contains("cannot be undone"));
        assert!(Lang::Id.promise(Verb::Seal, "toko 7").contains("tidak dapat dibatalkan"));
    }
}
