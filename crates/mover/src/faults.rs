//! Seeded faults: what a wrong mapping would have imported, so that a test can see who notices.
//!
//! Armed only by the demo and tests, once per process, on documents that nobody buys any more.

use std::sync::atomic::{AtomicBool, Ordering};
use store::{Imported, What};
use vocab::document::{Node, Record};
use vocab::id::{Kind, Origin, PublicId};

/// A fault that the import can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    AmountChanged,
    RowMissing,
    RowExtra,
    RowsSwapped,
    ScaleWrong,
}

impl Fault {
    pub const ALL: [Self; 5] =
        [Self::AmountChanged, Self::RowMissing, Self::RowExtra, Self::RowsSwapped, Self::ScaleWrong];

    pub const fn name(self) -> &'static str {
        match self {
            Self::AmountChanged => "amount_changed",
            Self::RowMissing => "row_missing",
            Self::RowExtra => "row_extra",
            Self::RowsSwapped => "rows_swapped",
            Self::ScaleWrong => "scale_wrong",
        }
    }

    /// # Errors
    /// The name is none of those that the import can be given.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| format!("`{name}` is no fault of the import; `demo --list-faults` prints them"))
    }
}

/// The fault of this process, and whether it was done.
#[derive(Debug, Default)]
pub(crate) struct Armed {
    fault: Option<Fault>,
    done: AtomicBool,
}

impl Armed {
    pub(crate) const fn new(fault: Option<Fault>) -> Self {
        Self { fault, done: AtomicBool::new(false) }
    }

    /// Distorts the first batch that has what the fault needs.
    pub(crate) fn distort(&self, items: &mut Vec<Imported>) {
        let Some(fault) = self.fault else { return };
        if self.done.load(Ordering::Relaxed) {
            return;
        }
        let orders: Vec<usize> = (0..items.len()).filter(|&at| is_live(&items[at], Kind::Order)).collect();
        let [first, second, ..] = orders[..] else { return };
        self.done.store(true, Ordering::Relaxed);
        match fault {
            Fault::AmountChanged => scale(items, first, "shipping", 100, 1),
            Fault::ScaleWrong => scale(items, first, "total", 0, 100),
            Fault::RowMissing => drop(items.remove(first)),
            Fault::RowExtra => {
                let mut extra = items[first].clone();
                extra.origin = Origin::new(format!("{}0000000", extra.origin));
                if let What::Live { id, document, .. } = &mut extra.what {
                    *id = PublicId::new(format!("{id}-EXTRA"));
                    document.set("id", id.as_str());
                    document.set("origin", extra.origin.as_str());
                }
                items.push(extra);
            }
            Fault::RowsSwapped => swap_lines(items, first, second),
        }
        // What is stored is the text; what the fault did not touch is made anew as it was.
        for item in items {
            if let (What::Live { document, .. }, Some(made)) = (&item.what, &mut item.made) {
                made.text = store::encode(document).unwrap_or_default();
            }
        }
    }
}

fn is_live(item: &Imported, kind: Kind) -> bool {
    item.kind == kind && matches!(item.what, What::Live { .. })
}

fn document(item: &mut Imported) -> Option<&mut Record> {
    match &mut item.what {
        What::Live { document, .. } => Some(document),
        What::History { .. } | What::Gone => None,
    }
}

fn scale(items: &mut [Imported], at: usize, field: &'static str, plus: i64, times: i64) {
    let Some(document) = document(&mut items[at]) else { return };
    let value = document.int(field).unwrap_or(0);
    document.set(field, value * times + plus);
}

fn swap_lines(items: &mut [Imported], first: usize, second: usize) {
    let lines = |item: &mut Imported| document(item).and_then(|document| document.get("lines").cloned());
    let (one, other) = (lines(&mut items[first]), lines(&mut items[second]));
    for (at, lines) in [(first, other), (second, one)] {
        if let Some(document) = document(&mut items[at]) {
            document.set("lines", lines.unwrap_or(Node::Null));
        }
    }
}
