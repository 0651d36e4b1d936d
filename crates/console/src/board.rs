//! The board: every planned shop with its parts, who owns them and where its move stands.

use crate::ask::{Ask, Selection};
use crate::group::Group;
use crate::lang::Lang;
use crate::live::Fragment;
use crate::picture::{Picture, Row};
use crate::progress;
use crate::verbs;
use cutover::verb::Verb;
use maud::{Markup, html};
use vocab::id::{Part, Side, Timestamp};

/// The whole board, in its frame's `main`.
pub fn body(lang: Lang, picture: &Picture, ask: &Ask, now: Timestamp) -> Markup {
    let selection = ask.select(picture);
    html! {
        h1 { (lang.board()) }
        div .overview {
            section .panel aria-labelledby="progress-title" {
                h2 #progress-title { (lang.progress()) }
                div #figures { (progress::figures(lang, picture)) }
                @if let Some(reading) = &picture.reading {
                    div #inputs { (progress::inputs(lang, reading)) }
                    p .quiet { (lang.formula_says()) }
                }
            }
            section .panel aria-labelledby="burn-up-title" {
                h2 #burn-up-title { (lang.burn_up()) }
                p .quiet { (lang.burn_up_says()) }
                div #burn-up { (progress::burn_up_panel(lang, picture, now)) }
            }
            (for_all(lang))
        }
        section .shops aria-labelledby="shops-title" {
            h2 #shops-title { (lang.shops()) }
            (chips(lang, picture, ask))
            (search(lang, ask))
            p #moved .notice role="status" hidden {
                (lang.list_moved()) " " a href=(format!("/{}", ask.address())) { (lang.show_again()) }
            }
            @if selection.rows.is_empty() { p { (lang.nothing_found()) } } @else { (table(lang, &selection.rows)) }
            (pages(lang, ask, &selection))
        }
    }
}

/// What of the board may change while somebody looks at it.
pub fn fragments(lang: Lang, picture: &Picture, ask: &Ask, now: Timestamp) -> Vec<Fragment> {
    let mut all = vec![
        Fragment::new("figures", &progress::figures(lang, picture)),
        Fragment::new("burn-up", &progress::burn_up_panel(lang, picture, now)),
        Fragment::new("n-all", &html! { (lang.number(picture.rows.len())) }),
    ];
    all.extend(picture.reading.iter().map(|reading| Fragment::new("inputs", &progress::inputs(lang, reading))));
    for group in Group::ALL {
        all.push(Fragment::new(format!("n-{}", group.name()), &html! { (lang.number(picture.count(group))) }));
    }
    for row in ask.select(picture).rows {
        all.extend(cells(lang, row).into_iter().map(|cell| Fragment::new(cell.id(row), &cell.content)));
    }
    all
}

/// The verbs that go to every shop of the plan.
fn for_all(lang: Lang) -> Markup {
    const VERBS: [Verb; 6] = [Verb::Start, Verb::Pause, Verb::Resume, Verb::Flip, Verb::Rollback, Verb::Seal];
    html! {
        section .panel aria-labelledby="for-all-title" {
            h2 #for-all-title { (lang.for_all_shops()) }
            ul .verbs { @for verb in VERBS { li { (verbs::button(lang, verb, None)) } } }
        }
    }
}

/// The groups as filters, each with its count.
fn chips(lang: Lang, picture: &Picture, ask: &Ask) -> Markup {
    let chip = |group: Option<Group>, name: &str, count: usize| {
        let id = format!("n-{}", group.map_or("all", Group::name));
        let current = (ask.group == group && ask.find.is_empty()).then_some("true");
        html! {
            a .chip data-group=[group.map(Group::name)] href=(format!("/{}", Ask::of_group(group).address())) aria-current=[current] {
                (name) " " b id=(id) { (lang.number(count)) }
            }
        }
    };
    html! {
        nav .chips aria-label=(lang.state()) {
            (chip(None, lang.all(), picture.rows.len()))
            @for group in Group::ALL { (chip(Some(group), lang.group(group), picture.count(group))) }
        }
    }
}

fn search(lang: Lang, ask: &Ask) -> Markup {
    html! {
        form .search role="search" action="/" method="get" {
            label for="find" { (lang.find_shop()) }
            input #find name="find" type="search" value=(ask.find) maxlength="64" autocomplete="off" placeholder=(lang.shop_id());
            @if let Some(group) = ask.group { input type="hidden" name="state" value=(group.name()); }
            button type="submit" { (lang.find()) }
        }
    }
}

/// A cell that may change.
struct Cell {
    name: &'static str,
    head: &'static str,
    content: Markup,
}

impl Cell {
    fn id(&self, row: &Row) -> String {
        format!("{}-{}", self.name, row.shop)
    }
}

fn cells(lang: Lang, row: &Row) -> [Cell; 5] {
    let cell = |name, head, content| Cell { name, head, content };
    [
        cell("o", lang.owner(), owner(lang, row)),
        cell("s", lang.state(), state(lang, row)),
        cell("w", lang.waits_for(), waits(lang, row)),
        cell("l", lang.lag(), html! { @if let Some(us) = row.lag_us { (lang.lag_of(us)) } @else { "–" } }),
        cell("f", lang.findings(), html! { (lang.number(row.findings_open)) }),
    ]
}

fn table(lang: Lang, rows: &[&Row]) -> Markup {
    let names = Part::ALL.map(|part| lang.part_name(part)).join(" · ");
    html! {
        p .quiet .legend { (lang.parts()) ": " (names) }
        table .board {
            thead { tr {
                th scope="col" { (lang.shop()) }
                th scope="col" { (lang.owner()) }
                th scope="col" { (lang.state()) }
                th scope="col" { (lang.waits_for()) }
                th scope="col" { (lang.lag()) }
                th scope="col" { (lang.findings()) }
            } }
            tbody { @for row in rows {
                tr {
                    th scope="row" { a href=(format!("/shops/{}", row.shop)) { (row.shop) } }
                    @for cell in cells(lang, row) {
                        td data-head=(cell.head) { div id=(cell.id(row)) { (cell.content) } }
                    }
                }
            } }
        }
    }
}

/// The parts as a strip of five, filled where the backend owns them, and the owner's name.
pub fn owner(lang: Lang, row: &Row) -> Markup {
    let side = match row.owner {
        Side::Legacy => "legacy",
        Side::Backend => "backend",
    };
    html! {
        span .owner {
            svg .parts viewBox="0 0 58 10" width="58" height="10" aria-hidden="true" focusable="false" {
                @for (at, planned) in row.planned.iter().enumerate() {
                    rect class=(if !planned { "absent" } else if Part::ALL[at] == Part::Catalog && row.reads_copy() { "dialled" } else { side }) x=(at * 12) y="0" width="10" height="10" rx="2" {}
                }
            }
            " " (lang.side(row.owner))
            @if row.reads_copy() { " " span .quiet { "(" (lang.catalogue_from_copy()) ")" } }
            @if row.planned.contains(&false) { " " span .quiet { (missing(lang, row)) } }
        }
    }
}

/// The parts that the plan leaves where they are.
fn missing(lang: Lang, row: &Row) -> String {
    let absent = Part::ALL.iter().zip(row.planned).filter(|(_, planned)| !planned);
    let names: Vec<&str> = absent.map(|(part, _)| lang.part_name(*part)).collect();
    format!("({}: {})", lang.absent(), names.join(", "))
}

pub fn state(lang: Lang, row: &Row) -> Markup {
    let group = row.state.map_or("unknown", |state| Group::of(state).name());
    html! {
        span .state data-group=(group) {
            (row.state.map_or(lang.not_looked(), |state| lang.state_name(state)))
        }
    }
}

pub fn waits(lang: Lang, row: &Row) -> Markup {
    html! {
        @if let Some(code) = &row.stopped {
            strong .stopped { (lang.stopped()) ": " (code) }
        } @else if let Some(text) = &row.waits_for {
            (lang.waiting(text))
        } @else { "–" }
    }
}

fn pages(lang: Lang, ask: &Ask, selection: &Selection<'_>) -> Markup {
    let link = |page: usize, name: &str, rel: &str| {
        html! { a rel=(rel) href=(format!("/{}", ask.at_page(page).address())) { (name) } }
    };
    html! {
        @if selection.pages > 1 {
            nav .pages aria-label=(lang.pages()) {
                @if selection.page > 1 { (link(selection.page - 1, lang.previous(), "prev")) }
                span { (lang.number(selection.page)) " / " (lang.number(selection.pages)) " · " (lang.number(selection.found)) }
                @if selection.page < selection.pages { (link(selection.page + 1, lang.next(), "next")) }
            }
        }
    }
}
