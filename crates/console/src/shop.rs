//! One shop: where it stands, what can be done, what going back would lose, and what happened.

use crate::Console;
use crate::board;
use crate::figures::second;
use crate::lang::Lang;
use crate::live::Fragment;
use crate::picture::Row;
use crate::timeline;
use crate::verbs;
use crate::waits::{self, Waits};
use cutover::hold::Hold;
use cutover::latency::note_of;
use cutover::record::{Head, Record};
use cutover::state::State;
use cutover::verb::Verb;
use maud::{Markup, html};
use store::{Debt, FindingCount, HoldLength, RecordedStep, StoredWish};
use vocab::id::{ShopId, Side};

/// Wishes that are looked through for a pause, and those that are shown.
pub const WISHES_READ: usize = 200;
const WISHES_SHOWN: usize = 10;
const DEBTS_SHOWN: usize = 50;
/// Holds in the histogram.
pub const HOLDS_READ: usize = 1_000;

/// Everything that the page of one shop is made from.
pub struct Look {
    pub row: Row,
    pub steps: Vec<RecordedStep>,
    pub holds: Vec<Hold>,
    debts: Vec<Debt>,
    wishes: Vec<StoredWish>,
    classes: Vec<FindingCount>,
    waits: Waits,
}

impl Look {
    /// None where no plan has the shop.
    pub async fn at(console: &Console, shop: &ShopId) -> store::Result<Option<Self>> {
        let store = console.store();
        let Some(picture) = console.picture().await? else { return Ok(None) };
        let Some(row) = picture.row(shop) else { return Ok(None) };
        let steps = store.steps(shop, 0).await?;
        let mut row = row.clone();
        if row.state.is_none() {
            row.state = recorded_state(&row, &steps);
        }
        Ok(Some(Self {
            holds: cutover::hold::holds(steps.iter().filter_map(RecordedStep::timed)),
            // The list is long where there is one, and nearly always there is none.
            debts: if row.debts > 0 { store.debts(shop).await? } else { Vec::new() },
            row,
            steps,
            wishes: store.newest_wishes(Some(shop), WISHES_READ).await?,
            classes: store.finding_counts(shop).await?,
            waits: Waits::of(store.noted(&note_of(shop)).await?.as_ref()),
        }))
    }

    fn paused(&self) -> bool {
        is_paused(&self.wishes)
    }
}

/// What the records say of the state, where the mover has not looked since the owner changed.
fn recorded_state(row: &Row, steps: &[RecordedStep]) -> Option<State> {
    let records: Vec<Record> = steps.iter().filter_map(RecordedStep::record).collect();
    let head = Head { owner: row.owner, epoch: row.epoch, fenced: false };
    Some(cutover::progress::progress(&records, head).state())
}

/// Whether the newest of a shop's pauses and resumes is a pause that stands. `wishes` are newest first.
pub fn is_paused(wishes: &[StoredWish]) -> bool {
    let verb = |wish: &&StoredWish| Verb::from_name(&wish.wish.verb);
    let newest = wishes.iter().find(|wish| matches!(verb(wish), Some(Verb::Pause | Verb::Resume)));
    newest.is_some_and(|wish| verb(&wish) == Some(Verb::Pause) && wish.outcome.is_none())
}

/// The whole page, in its frame's `main`. `lengths` are those of the newest holds of all shops.
pub fn body(lang: Lang, look: &Look, lengths: &[HoldLength]) -> Markup {
    let panel = |id: &str, title: &str, content: Markup| {
        let name = format!("{id}-title");
        html! {
            section .panel aria-labelledby=(name) { h2 id=(name) { (title) } div id=(id) { (content) } }
        }
    };
    html! {
        p .crumb { a href="/" { (lang.board()) } }
        h1 { (lang.shop()) " " (look.row.shop) }
        div .columns {
            div {
                (panel("standing", lang.state(), standing(lang, look)))
                (panel("verbs", lang.what_can_be_done(), verbs::list(lang, &look.row, look.paused())))
                (panel("back", lang.way_back(), back(lang, look)))
                (panel("found", lang.findings(), findings(lang, look)))
            }
            div {
                (panel("timeline", lang.timeline(), timeline::holds(lang, &look.holds)))
                (panel("waits", lang.waits(), waits::table(lang, &look.waits)))
                (panel("lengths", lang.hold_lengths(), timeline::histogram(lang, &look.row.shop, lengths)))
                (panel("steps", lang.long_steps(), timeline::long_steps(lang, &look.steps)))
                (panel("wishes", lang.wishes(), wishes(lang, look)))
            }
        }
    }
}

/// What of the page may change while somebody looks at it. The histogram stays as it was when the page was loaded: it is
/// about all shops, and reading it again and again for every viewer would cost more than it says.
pub fn fragments(lang: Lang, look: &Look) -> Vec<Fragment> {
    vec![
        Fragment::new("standing", &standing(lang, look)),
        Fragment::new("verbs", &verbs::list(lang, &look.row, look.paused())),
        Fragment::new("back", &back(lang, look)),
        Fragment::new("found", &findings(lang, look)),
        Fragment::new("timeline", &timeline::holds(lang, &look.holds)),
        Fragment::new("waits", &waits::table(lang, &look.waits)),
        Fragment::new("steps", &timeline::long_steps(lang, &look.steps)),
        Fragment::new("wishes", &wishes(lang, look)),
    ]
}

fn standing(lang: Lang, look: &Look) -> Markup {
    let row = &look.row;
    let soaks = row.owner == Side::Backend;
    html! {
        dl .facts {
            dt { (lang.owner()) } dd #owner { (board::owner(lang, row)) }
            dt { (lang.state()) } dd #state {
                (board::state(lang, row)) @if look.paused() { " " span .state data-group="attention" { (lang.paused()) } }
            }
            dt { (lang.waits_for()) } dd { (board::waits(lang, row)) }
            dt { (lang.epoch()) } dd { (row.epoch) }
            dt { (lang.lag()) } dd { @if let Some(us) = row.lag_us { (lang.lag_of(us)) } @else { "–" } }
            @if let Some(throttle) = &row.throttle { dt { (lang.throttle()) } dd #throttle { (waits::throttle(lang, throttle)) } }
            dt { (lang.dirty()) } dd { (lang.number(row.dirty)) }
            @if let Some(facts) = row.facts_left.filter(|_| soaks) {
                dt { (lang.facts_left()) } dd { (lang.number(facts)) }
            }
        }
    }
}

fn back(lang: Lang, look: &Look) -> Markup {
    let row = &look.row;
    if row.state == Some(State::Sealed) {
        return html! { p { (lang.no_way_back()) } };
    }
    if row.owner == Side::Legacy {
        return html! { p { (lang.nothing_to_undo()) } };
    }
    let ready = row.may_go_back();
    html! {
        p { strong class=(if ready { "good" } else { "wrong" }) { (if ready { lang.ready_back() } else { lang.not_ready_back() }) }
            @if let Some(name) = &row.back_waits_for {
                " · " (lang.waits_for()) ": " (lang.condition(name).unwrap_or(name))
            }
        }
        p { (lang.would_lose(row.debts)) }
        @if !look.debts.is_empty() {
            table .cards {
                caption { (lang.debt()) }
                thead { tr { th scope="col" { (lang.document()) } th scope="col" { (lang.debt_name()) } th scope="col" { (lang.seq()) } } }
                tbody { @for debt in look.debts.iter().take(DEBTS_SHOWN) {
                    tr {
                        th scope="row" { (debt.kind.name()) " " (debt.id) }
                        td data-head=(lang.debt_name()) { (debt.name) }
                        td data-head=(lang.seq()) { (debt.seq) }
                    }
                } }
            }
        }
    }
}

fn findings(lang: Lang, look: &Look) -> Markup {
    let shop = &look.row.shop;
    html! {
        @if look.classes.is_empty() { p { (lang.no_findings()) } } @else {
            ul { @for count in &look.classes {
                li {
                    a href=(format!("/findings?shop={shop}&class={}", count.class)) { (count.class) }
                    " · " (lang.number(count.open)) " " (lang.open())
                    @if count.accepted > 0 { " · " (lang.number(count.accepted)) " " (lang.accepted()) }
                }
            } }
        }
    }
}

fn wishes(lang: Lang, look: &Look) -> Markup {
    html! {
        @if look.wishes.is_empty() { p { (lang.no_wishes()) } } @else {
            table .cards {
                thead { tr {
                    th scope="col" { (lang.wish()) }
                    th scope="col" { (lang.who()) }
                    th scope="col" { (lang.why()) }
                    th scope="col" { (lang.when()) }
                    th scope="col" { (lang.outcome()) }
                } }
                tbody { @for wish in look.wishes.iter().take(WISHES_SHOWN) { (wish_row(lang, wish)) } }
            }
        }
    }
}

fn wish_row(lang: Lang, stored: &StoredWish) -> Markup {
    let wish = &stored.wish;
    let verb = Verb::from_name(&wish.verb).map_or(&*wish.verb, |verb| lang.verb(verb));
    let outcome = match stored.outcome.as_ref().map(|outcome| outcome.bool("fulfilled") == Some(true)) {
        None => lang.open(),
        Some(true) => lang.fulfilled(),
        Some(false) => lang.taken_back(),
    };
    let outcome_why = stored.outcome.as_ref().and_then(|outcome| Some((outcome.text("refused")?, outcome.text("why"))));
    html! {
        tr {
            th scope="row" {
                (verb) @if let Some(class) = wish.args.text("class") { " " (class) }
                @if wish.shop.is_none() { " (" (lang.every_shop()) ")" }
            }
            td data-head=(lang.who()) { (wish.who) }
            td data-head=(lang.why()) { (wish.why) }
            td data-head=(lang.when()) { (second(wish.at)) }
            td data-head=(lang.outcome()) {
                (outcome)
                @if let Some((code, why)) = outcome_why { ": " code { (code) } @if let Some(why) = why { " · " (why) } }
            }
        }
    }
}

impl Lang {
    /// What a rollback would lose, in words.
    pub fn would_lose(self, debts: u64) -> String {
        match (self, debts) {
            (Self::En, 0) => "Going back would lose nothing.".to_owned(),
            (Self::Id, 0) => "Kembali tidak menghilangkan apa pun.".to_owned(),
            (Self::En, 1) => "Going back would lose 1 change that the legacy cannot express.".to_owned(),
            (Self::En, _) => {
                format!("Going back would lose {} changes that the legacy cannot express.", self.number(debts))
            }
            (Self::Id, _) => {
                format!(
                    "Kembali akan menghilangkan {} perubahan yang tidak dapat dinyatakan legacy.",
                    self.number(debts)
                )
            }
        }
    }
}
