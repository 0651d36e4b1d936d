//! The number of an invoice: 1, 2, 3 … of one shop, without gaps and without doubles, whichever side gives it.
//!
//! Invariant: an order that has one keeps it. What has none came from a program that numbered its documents otherwise.
//! Absent on purpose: which number is the next. Only what is stored knows that, under the lock of whoever stores it.

use crate::fault::{Fault, Reader};
use std::fmt;

/// The field of an order, live or history, in which it stands.
pub const FIELD: &str = "invoice";

/// At least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvoiceNo(i64);

impl InvoiceNo {
    pub fn new(number: i64) -> Option<Self> {
        (number >= 1).then_some(Self(number))
    }

    pub const fn get(self) -> i64 {
        self.0
    }

    /// None where the document has none.
    pub(crate) fn read(from: &Reader<'_>) -> Result<Option<Self>, Fault> {
        let Some(number) = from.optional_int(FIELD)? else { return Ok(None) };
        let wrong = || from.fault("invoice_number", FIELD, format!("{number} is no number of an invoice"));
        Self::new(number).ok_or_else(wrong).map(Some)
    }
}

impl fmt::Display for InvoiceNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::document::Record;

    #[test]
    fn a_number_counts_from_one_and_may_be_absent() {
        let read =
            |document: &Record| InvoiceNo::read(&Reader::root(document)).map(|number| number.map(InvoiceNo::get));
        assert_eq!(read(&Record::default()), Ok(None));
        assert_eq!(read(&Record::default().with(FIELD, 1)), Ok(Some(1)));
        for wrong in [0, -1, i64::MIN] {
            assert_eq!(read(&Record::default().with(FIELD, wrong)).unwrap_err().code, "invoice_number");
        }
    }
}
