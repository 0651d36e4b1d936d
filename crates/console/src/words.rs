//! What the pages call things that the program names by enums and codes. A new variant does not compile until it has
//! a word in each language; a code of the mover that has none is shown as it is.

use crate::group::Group;
use crate::lang::Lang;
use cutover::ready::Condition;
use cutover::record::StepName;
use cutover::state::State;
use cutover::verb::Verb;
use vocab::id::{Direction, Part, Side};

impl Lang {
    pub const fn side(self, side: Side) -> &'static str {
        match side {
            Side::Legacy => "legacy",
            Side::Backend => "backend",
        }
    }

    pub const fn part_name(self, part: Part) -> &'static str {
        match (self, part) {
            (Self::En, Part::Catalog) => "catalogue",
            (Self::En, Part::Cart) => "cart",
            (Self::En, Part::Checkout) => "checkout",
            (Self::En, Part::Payment) => "payment",
            (Self::En, Part::Order) => "order",
            (Self::Id, Part::Catalog) => "katalog",
            (Self::Id, Part::Cart) => "keranjang",
            (Self::Id, Part::Checkout) => "checkout",
            (Self::Id, Part::Payment) => "pembayaran",
            (Self::Id, Part::Order) => "pesanan",
        }
    }

    pub const fn direction(self, direction: Direction) -> &'static str {
        match direction {
            Direction::ToBackend => self.to_backend(),
            Direction::ToLegacy => self.to_legacy(),
        }
    }

    pub const fn verb(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::En, Verb::Start) => "Start",
            (Self::En, Verb::Flip) => "Flip",
            (Self::En, Verb::Rollback) => "Roll back",
            (Self::En, Verb::Seal) => "Seal",
            (Self::En, Verb::Abort) => "Abort",
            (Self::En, Verb::Pause) => "Pause",
            (Self::En, Verb::Resume) => "Resume",
            (Self::En, Verb::Dial) => "Read catalogue from copy",
            (Self::En, Verb::DialBack) => "Read catalogue from owner",
            (Self::En, Verb::Reread) => "Re-read",
            (Self::En, Verb::Accept) => "Accept",
            (Self::Id, Verb::Start) => "Mulai",
            (Self::Id, Verb::Flip) => "Alihkan",
            (Self::Id, Verb::Rollback) => "Kembalikan",
            (Self::Id, Verb::Seal) => "Segel",
            (Self::Id, Verb::Abort) => "Batalkan",
            (Self::Id, Verb::Pause) => "Jeda",
            (Self::Id, Verb::Resume) => "Lanjutkan",
            (Self::Id, Verb::Dial) => "Baca katalog dari salinan",
            (Self::Id, Verb::DialBack) => "Baca katalog dari pemilik",
            (Self::Id, Verb::Reread) => "Baca ulang",
            (Self::Id, Verb::Accept) => "Terima",
        }
    }

    pub const fn group(self, group: Group) -> &'static str {
        match (self, group) {
            (Self::En, Group::Attention) => "needs attention",
            (Self::En, Group::Planned) => "planned",
            (Self::En, Group::Copying) => "copying",
            (Self::En, Group::Tracking) => "tracking",
            (Self::En, Group::Ready) => "ready",
            (Self::En, Group::Moving) => "moving",
            (Self::En, Group::Soaking) => "soaking",
            (Self::En, Group::Sealed) => "sealed",
            (Self::Id, Group::Attention) => "perlu perhatian",
            (Self::Id, Group::Planned) => "direncanakan",
            (Self::Id, Group::Copying) => "disalin",
            (Self::Id, Group::Tracking) => "diikuti",
            (Self::Id, Group::Ready) => "siap",
            (Self::Id, Group::Moving) => "berpindah",
            (Self::Id, Group::Soaking) => "masa rendam",
            (Self::Id, Group::Sealed) => "disegel",
        }
    }

    /// The state in words; its name in `move status` stands beside it in the manual.
    pub const fn state_name(self, state: State) -> &'static str {
        match (self, state) {
            (Self::En, State::Planned) => "planned",
            (Self::En, State::Installed) => "installed",
            (Self::En, State::Copying) => "copying",
            (Self::En, State::Tracking) => "tracking",
            (Self::En, State::Ready(Direction::ToBackend)) => "ready",
            (Self::En, State::Ready(Direction::ToLegacy)) => "soaking, ready to go back",
            (Self::En, State::Held(_)) => "held",
            (Self::En, State::Drained(_)) => "held: drained",
            (Self::En, State::Fenced(_)) => "held: fenced",
            (Self::En, State::Marked(_)) => "held: marked",
            (Self::En, State::CaughtUp(_)) => "held: caught up",
            (Self::En, State::Proven(_)) => "held: proven",
            (Self::En, State::Flipped(_)) => "flipped",
            (Self::En, State::Released(_)) => "released",
            (Self::En, State::Soaking) => "soaking",
            (Self::En, State::Sealed) => "sealed",
            (Self::Id, State::Planned) => "direncanakan",
            (Self::Id, State::Installed) => "terpasang",
            (Self::Id, State::Copying) => "disalin",
            (Self::Id, State::Tracking) => "diikuti",
            (Self::Id, State::Ready(Direction::ToBackend)) => "siap",
            (Self::Id, State::Ready(Direction::ToLegacy)) => "masa rendam, siap kembali",
            (Self::Id, State::Held(_)) => "ditahan",
            (Self::Id, State::Drained(_)) => "ditahan: kosong",
            (Self::Id, State::Fenced(_)) => "ditahan: dipagari",
            (Self::Id, State::Marked(_)) => "ditahan: ditandai",
            (Self::Id, State::CaughtUp(_)) => "ditahan: terkejar",
            (Self::Id, State::Proven(_)) => "ditahan: terbukti",
            (Self::Id, State::Flipped(_)) => "beralih",
            (Self::Id, State::Released(_)) => "dilepas",
            (Self::Id, State::Soaking) => "masa rendam",
            (Self::Id, State::Sealed) => "disegel",
        }
    }

    pub const fn step_name(self, step: StepName) -> &'static str {
        match self {
            Self::En if matches!(step, StepName::CatchUp) => "catch up",
            Self::En => step.name(),
            Self::Id => match step {
                StepName::Install => "pasang",
                StepName::Copy => "salin",
                StepName::Track => "ikuti",
                StepName::Verify => "periksa",
                StepName::Hold => "tahan",
                StepName::Drain => "kosongkan",
                StepName::Fence => "pagari",
                StepName::Mark => "tandai",
                StepName::CatchUp => "kejar",
                StepName::Prove => "buktikan",
                StepName::Flip => "alihkan",
                StepName::Release => "lepas",
                StepName::Abort => "batalkan",
                StepName::Unfence => "buka pagar",
                StepName::Reread => "baca ulang",
                StepName::Soak => "rendam",
                StepName::Seal => "segel",
            },
        }
    }

    /// What keeps a shop, as the mover wrote it on its board.
    pub fn waiting(self, text: &str) -> &str {
        let known = match text {
            "a wish" => Some(self.for_a_wish()),
            "the end of the pause" => Some(self.for_the_resume()),
            "nothing" => Some(self.for_nothing()),
            "a rest after a failure" => Some(self.for_a_rest()),
            _ => text.strip_prefix("condition ").and_then(|name| self.condition(name)),
        };
        known.unwrap_or(text)
    }

    const fn for_a_wish(self) -> &'static str {
        match self {
            Self::En => "a wish",
            Self::Id => "permintaan",
        }
    }

    const fn for_nothing(self) -> &'static str {
        match self {
            Self::En => "nothing",
            Self::Id => "tidak ada",
        }
    }

    const fn for_the_resume(self) -> &'static str {
        match self {
            Self::En => "the end of the pause",
            Self::Id => "akhir jeda",
        }
    }

    const fn for_a_rest(self) -> &'static str {
        match self {
            Self::En => "a second's rest after a failure",
            Self::Id => "istirahat sedetik setelah gagal",
        }
    }

    /// A condition of READY that is not met, by its name; none for a name that this version does not know.
    pub fn condition(self, name: &str) -> Option<&'static str> {
        let all = [
            Condition::Verified,
            Condition::Lag,
            Condition::Dirty,
            Condition::Findings,
            Condition::Rehearsed,
            Condition::FenceTested,
            Condition::Payments,
            Condition::FactsLeft,
            Condition::Debt,
        ];
        let condition = all.into_iter().find(|condition| condition.name() == name)?;
        Some(match (self, condition) {
            (Self::En, Condition::Verified) => "a complete verification",
            (Self::En, Condition::Lag) => "the copy to keep up",
            (Self::En, Condition::Dirty) => "fewer unproven changes",
            (Self::En, Condition::Findings) => "its findings to be settled",
            (Self::En, Condition::Rehearsed) => "a clean rehearsal of the way back",
            (Self::En, Condition::FenceTested) => "its fence to be installed",
            (Self::En, Condition::Payments) => "payments to settle",
            (Self::En, Condition::FactsLeft) => "facts to reach the legacy",
            (Self::En, Condition::Debt) => "what the legacy cannot express",
            (Self::Id, Condition::Verified) => "pemeriksaan lengkap",
            (Self::Id, Condition::Lag) => "salinan menyusul",
            (Self::Id, Condition::Dirty) => "perubahan yang belum dibuktikan berkurang",
            (Self::Id, Condition::Findings) => "temuannya diselesaikan",
            (Self::Id, Condition::Rehearsed) => "latihan jalan balik yang bersih",
            (Self::Id, Condition::FenceTested) => "pagarnya dipasang",
            (Self::Id, Condition::Payments) => "pembayaran selesai",
            (Self::Id, Condition::FactsLeft) => "fakta sampai di legacy",
            (Self::Id, Condition::Debt) => "yang tidak dapat dinyatakan legacy",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shop_waits_for_is_said_in_words_and_an_unknown_code_as_it_is() {
        assert_eq!(Lang::Id.waiting("a wish"), "permintaan");
        assert_eq!(Lang::En.waiting("condition lag"), "the copy to keep up");
        assert_eq!(Lang::Id.waiting("condition gravity"), "condition gravity");
        assert_eq!(Lang::En.waiting("help: schema.changed"), "help: schema.changed");
    }
}
