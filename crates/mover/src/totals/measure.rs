//! What a control total measures, as our documents have it.

use store::Wanted;
use vocab::document::{Node, Record};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Measure {
    Count,
    CountList(String),
    Sum(Vec<String>),
    Min(Vec<String>),
    Max(Vec<String>),
}

impl Measure {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let path = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
        match text.split_once(' ') {
            None if text == "count" => Some(Self::Count),
            Some(("count", list)) => Some(Self::CountList(list.to_owned())),
            Some(("sum", field)) => Some(Self::Sum(path(field))),
            Some(("min", field)) => Some(Self::Min(path(field))),
            Some(("max", field)) => Some(Self::Max(path(field))),
            _ => None,
        }
    }

    /// Adds what it reads of a document.
    pub(super) fn reads(&self, wanted: &mut Wanted) {
        match self {
            Self::Count => {}
            Self::CountList(list) => wanted.add_empty([list.as_str()]),
            Self::Sum(path) | Self::Min(path) | Self::Max(path) => wanted.add(path.iter().map(String::as_str)),
        }
    }

    /// Adds one document to a figure; none where nothing was counted yet.
    pub(super) fn take(&self, figure: &mut Option<i128>, document: &Record, scale: u32) {
        match self {
            Self::Count => *figure = Some(figure.unwrap_or(0) + 1),
            Self::CountList(list) => {
                let count = i128::try_from(document.list(list).len()).unwrap_or(i128::MAX);
                *figure = Some(figure.unwrap_or(0) + count);
            }
            Self::Sum(path) => each(document, path, scale, |value| *figure = Some(figure.unwrap_or(0) + value)),
            Self::Min(path) => {
                each(document, path, scale, |value| *figure = Some(figure.map_or(value, |least| least.min(value))));
            }
            Self::Max(path) => {
                each(document, path, scale, |value| *figure = Some(figure.map_or(value, |most| most.max(value))));
            }
        }
    }
}

/// The values of a field, or of a field of every element of a list.
fn each(document: &Record, path: &[String], scale: u32, mut take: impl FnMut(i128)) {
    match path {
        [field] => document.get(field).and_then(|node| number(node, scale)).into_iter().for_each(take),
        [list, field] => {
            for node in document.list(list) {
                if let Node::Record(element) = node
                    && let Some(value) = element.get(field).and_then(|node| number(node, scale))
                {
                    take(value);
                }
            }
        }
        _ => {}
    }
}

/// An integer, or decimal text in units of 10^-scale.
fn number(node: &Node, scale: u32) -> Option<i128> {
    match node {
        Node::Int(value) => Some(i128::from(*value)),
        Node::Text(text) => decimal(text, scale),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Record(_) => None,
    }
}

/// Decimal text in units of 10^-scale; none where it is no decimal or has more digits than that.
fn decimal(text: &str, scale: u32) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = scale.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let units: i128 = format!("{whole}{fraction}").parse().ok()?;
    units.checked_mul(10_i128.checked_pow(missing)?)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_scaled_exactly_or_not_at_all() {
        assert_eq!(decimal("2681.274", 3), Some(2_681_274));
        assert_eq!(decimal("-0.5", 2), Some(-50));
        assert_eq!(decimal("7", 2), Some(700));
        assert_eq!(decimal("1.005", 2), None);
        assert_eq!(decimal("x", 2), None);
    }

    #[test]
    fn measures_go_over_documents_and_their_lists() {
        let line = |quantity: i64| Node::Record(Record::default().with("quantity", quantity));
        let document = Record::default().with("total", "1.50").with("lines", vec![line(2), line(3)]);
        let figure = |measure: &str| {
            let mut figure = None;
            Measure::parse(measure).unwrap().take(&mut figure, &document, 2);
            figure
        };
        assert_eq!(figure("count"), Some(1));
        assert_eq!(figure("count lines"), Some(2));
        assert_eq!(figure("sum lines.quantity"), Some(5));
        assert_eq!(figure("max lines.quantity"), Some(3));
        assert_eq!(figure("sum total"), Some(150));
        assert_eq!(figure("sum nothing"), None);
        assert_eq!(Measure::parse("median x"), None);
    }

    #[test]
    fn a_figure_of_what_a_measure_reads_is_that_of_the_whole_document() {
        let line = |id: i64, quantity: i64| Node::Record(Record::default().with("id", id).with("quantity", quantity));
        let bare = Node::Record(Record::default().with("quantity", 9));
        let document = Record::default()
            .with("total", "1.50")
            .with("placed_at", 7)
            .with("note", "x")
            .with("lines", vec![line(1, 2), line(2, 3), bare])
            .with("payments", vec![Node::Record(Record::default())]);
        let text = store::encode(&document).unwrap();
        let named =
            ["count", "count lines", "count payments", "count nothing", "sum total", "min placed_at", "max nothing"];
        let nested = ["sum lines.quantity", "min lines.id", "max lines.quantity", "sum payments.amount"];
        for named in named.into_iter().chain(nested) {
            let measure = Measure::parse(named).unwrap();
            let mut wanted = Wanted::default();
            measure.reads(&mut wanted);
            let part = store::decode_in_part(&text, &wanted).unwrap();
            let figure = |document: &Record| {
                let mut figure = None;
                measure.take(&mut figure, document, 2);
                figure
            };
            assert_eq!(figure(&part), figure(&document), "{named}");
            assert!(part.0.iter().count() <= 1, "{named} reads {part:?}");
        }
    }
}
