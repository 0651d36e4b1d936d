//! What an aggregate was made of and what it says, as one digest: taken when it is derived, kept with the document, and
//! taken again by a verification from the source's own rows and the text that is stored.
//!
//! Where both are the same, the rows are the ones that were mapped, and the text is the one that they came to then; to
//! map them again could say nothing else, because mapping is a pure function of the rows. That holds for aggregates of
//! one row and what hangs on it; what a group means hangs on the classes of others too, and has no fingerprint.
//! Every cell that is read from a source counts, moved or not, and so do the mapping files and this program, byte for byte:
//! what another mapping or another version has made is compared in full.

use crate::cells;
use mapping::{Mapping, Rows, RuleNo};
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};
use store::{Fingerprint, Plan};
use vocab::row::{ColumnNo, Use};

/// Stands where the number of a table would, behind the last row.
const END: u32 = u32::MAX;

/// What all fingerprints of one plan begin with.
#[derive(Clone)]
pub(crate) struct Fingerprints {
    /// None: this program cannot be read, so nobody can tell what made a document.
    begun: Option<Arc<Context>>,
    /// The columns of each table that are read.
    read: Arc<Vec<Vec<ColumnNo>>>,
}

impl Fingerprints {
    pub(crate) fn new(plan: &Plan, mapping: &Mapping) -> Self {
        let begun = this_program().map(|program| {
            let mut begun = Context::new(&SHA256);
            begun.update(program);
            for file in &plan.mappings {
                for part in [&file.name, &file.text] {
                    begun.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                    begun.update(part.as_bytes());
                }
            }
            Arc::new(begun)
        });
        let read = mapping.tables().iter().map(|table| {
            let columns = table.columns.iter().enumerate().filter(|(_, column)| column.usage != Use::Secret);
            columns.map(|(no, _)| no).collect()
        });
        Self { begun, read: Arc::new(read.collect()) }
    }

    /// Of an aggregate of this rule, with these rows, whose document has this text.
    pub(crate) fn of(&self, rule: RuleNo, rows: &Rows, text: &str) -> Option<Fingerprint> {
        let mut digest = Context::clone(self.begun.as_ref()?);
        let mut bytes = Vec::with_capacity(1_024);
        bytes.extend(number(rule));
        for (table, _, row) in rows.iter() {
            bytes.extend(number(table));
            cells::encode_into(&mut bytes, self.read[table].iter().map(|&column| row.0.get(column)));
        }
        bytes.extend(END.to_le_bytes());
        digest.update(&bytes);
        digest.update(text.as_bytes());
        let mut kept = [0; 16];
        kept.copy_from_slice(&digest.finish().as_ref()[..16]);
        Some(Fingerprint(kept))
    }
}

/// The digest of the file that this process runs; read once.
pub(crate) fn this_program() -> Option<&'static [u8]> {
    static DIGEST: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let read = || {
        let (mut file, mut digest) = (File::open(std::env::current_exe()?)?, Context::new(&SHA256));
        let mut piece = vec![0; 1 << 16];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(digest.finish().as_ref().to_vec()),
                count => digest.update(&piece[..count]),
            }
        }
    };
    let kept = || read().inspect_err(|error: &io::Error| tracing::warn!(%error, "this program cannot be read")).ok();
    DIGEST.get_or_init(kept).as_deref()
}

fn number(place: usize) -> [u8; 4] {
    u32::try_from(place).unwrap_or(END).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FILE, plan};
    use vocab::row::{Cell, Row, RowKey};

    fn fingerprints(text: &str) -> Fingerprints {
        let file = mapping::File { name: "small.toml", text };
        let mapping = mapping::compile(&[file], commerce::shape::SHAPES).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let plan = plan("", text, &[]);
        Fingerprints::new(&plan, &mapping)
    }

    fn rows(cells: [Cell; 6]) -> Rows {
        let mut rows = Rows::default();
        rows.insert(0, RowKey(vec![cells[0].clone()]), Row(cells.to_vec()));
        rows
    }

    #[test]
    fn whatever_is_read_or_said_or_meant_otherwise_has_another_fingerprint() {
        let cells = [Cell::Int(7), Cell::Text("ab".into()), Cell::Int(1), Cell::Int(2), Cell::Null, Cell::Int(3)];
        let (prints, text) = (fingerprints(FILE), "{\"id\":\"7\"}");
        let first = prints.of(0, &rows(cells.clone()), text);
        assert!(first.is_some());
        assert_eq!(first, fingerprints(FILE).of(0, &rows(cells.clone()), text));
        let mut others = vec![prints.of(1, &rows(cells.clone()), text), prints.of(0, &Rows::default(), text)];
        others.push(prints.of(0, &rows(cells.clone()), "{\"id\":\"8\"}"));
        others.push(fingerprints(&format!("{FILE}# another\n")).of(0, &rows(cells.clone()), text));
        for column in [0, 1, 2, 3, 5] {
            let mut changed = cells.clone();
            changed[column] = Cell::Text("a".into());
            others.push(prints.of(0, &rows(changed), text));
        }
        let mut twice = rows(cells.clone());
        twice.insert(0, RowKey(vec![Cell::Int(8)]), Row(cells.to_vec()));
        others.push(prints.of(0, &twice, text));
        assert!(!others.contains(&first));
        // A secret is never read, so it is no reason to think that anything changed.
        let mut told = cells;
        told[4] = Cell::Text("a".into());
        assert_eq!(first, prints.of(0, &rows(told), text));
    }
}
