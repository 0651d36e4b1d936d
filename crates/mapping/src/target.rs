//! F: the rows that an aggregate should have, from its rows at the flip and its document now.
//!
//! No earlier value is used: any prefix, repetition or coalescing of facts ends in the same cells.

use crate::Mapping;
use crate::api::{Rows, RuleNo};
use crate::conform::{records, who};
use crate::derive;
use crate::origin;
use crate::program::{Form, From, ListForm, OneForm, Program, Remove};
use crate::write::{self, Owed, Was};
use std::collections::BTreeMap;
use vocab::document::{Node, Record};
use vocab::id::{ShopId, Timestamp};
use vocab::row::{Cell, ColumnNo, ColumnType, Row, RowKey, ShopPath, Table, TableNo};

/// One row as it should be.
#[derive(Debug, Default)]
pub(crate) struct TargetRow {
    /// The cells that the document decides.
    pub cells: BTreeMap<ColumnNo, Cell>,
    /// The other cells, should the row have to be inserted.
    pub defaults: Vec<(ColumnNo, Cell)>,
    /// Inserted if it is not there, never edited.
    pub shared: bool,
}

pub(crate) type Target = BTreeMap<(TableNo, RowKey), TargetRow>;

/// What F works on.
pub(crate) struct Aggregate<'a> {
    pub mapping: &'a Mapping,
    pub rule: RuleNo,
    pub shop: &'a ShopId,
    pub at: Timestamp,
    pub key: &'a RowKey,
    pub base: &'a Rows,
    pub rows: &'a Rows,
    /// What the rows at the flip said; none if it was born since.
    pub was: Option<&'a Record>,
}

impl<'a> Aggregate<'a> {
    pub fn program(&self) -> &'a Program {
        &self.mapping.rules[self.rule].program
    }

    pub fn target(&self, after: &Record) -> Result<Target, Owed> {
        let program = self.program();
        let mut target = Target::new();
        let mut anchor = self.row(program.table, self.key, self.was)?;
        if self.base_row(program.table, self.key).is_none() {
            self.birth_of_anchor(&mut anchor)?;
        }
        self.there_again(&mut anchor);
        self.fields(&program.fields, program.table, self.key, self.was, after, &mut anchor)?;
        for one in &program.ones {
            self.one(one, after, &mut anchor, &mut target)?;
        }
        let own = program.lists.iter().filter(|list| list.from == From::Own);
        for list in own {
            self.own(list, after, &mut anchor)?;
        }
        target.insert((program.table, self.key.clone()), anchor);
        for list in &program.lists {
            if let From::Join { column, anchor_column } = list.from {
                self.list(list, column, anchor_column, after, &mut target)?;
            }
        }
        self.derived(after, &mut target)?;
        Ok(target)
    }

    /// The rows of an aggregate that is gone.
    pub fn removed(&self) -> Result<Target, Owed> {
        let program = self.program();
        let mut target = Target::new();
        let Some(row) = self.base_row(program.table, self.key) else { return Ok(target) };
        match &program.remove {
            Remove::Debt => return Err(("removed", "removing it is not expressed".to_owned())),
            Remove::Delete => {}
            Remove::Set(cells) => {
                let cells = cells.iter().cloned().collect();
                let others = row.0.iter().cloned().enumerate().collect();
                let gone = TargetRow { cells, defaults: others, shared: false };
                target.insert((program.table, self.key.clone()), gone);
                for list in &program.lists {
                    self.keep_rows(list, &mut target);
                }
            }
        }
        Ok(target)
    }

    fn keep_rows(&self, list: &ListForm, target: &mut Target) {
        let From::Join { .. } = list.from else { return };
        for (key, row) in self.base.of(list.table) {
            let defaults = row.0.iter().cloned().enumerate().collect();
            target.insert((list.table, key.clone()), TargetRow { defaults, ..TargetRow::default() });
        }
    }

    fn base_row(&self, table: TableNo, key: &RowKey) -> Option<&'a Row> {
        self.base.get(table, key)
    }

    /// A row of which nothing is decided yet: the other cells are the flip's, or what a birth gives.
    fn row(&self, table: TableNo, key: &RowKey, was: Option<&Record>) -> Result<TargetRow, Owed> {
        let of = &self.mapping.tables[table];
        let births = &self.mapping.births[table];
        let defaults = match (self.base_row(table, key), was) {
            (Some(row), Some(_)) => row.0.iter().cloned().enumerate().collect(),
            _ => write::defaults(births, of, self.at)?,
        };
        Ok(TargetRow { defaults, ..TargetRow::default() })
    }

    fn key_cells(&self, table: TableNo, key: &RowKey, row: &mut TargetRow) {
        let columns = &self.mapping.tables[table].key;
        row.cells.extend(columns.iter().copied().zip(key.0.iter().cloned()));
    }

    fn birth_of_anchor(&self, anchor: &mut TargetRow) -> Result<(), Owed> {
        let program = self.program();
        let table = &self.mapping.tables[program.table];
        let minted = self.mapping.block_of(program.table).is_some();
        let natural = table.key.len() > 1;
        if !minted && !natural && !self.is_there(program.table, self.key) {
            return Err(("no_ids", format!("no ids are minted for {}", table.name)));
        }
        self.key_cells(program.table, self.key, anchor);
        if let ShopPath::Column(column) = table.shop {
            anchor.cells.insert(column, shop_cell(self.shop, &table.columns[column].ty)?);
        }
        Ok(())
    }

    /// What a removal has set is as it was at the flip.
    fn there_again(&self, anchor: &mut TargetRow) {
        let program = self.program();
        if let (Remove::Set(cells), Some(row)) = (&program.remove, self.base_row(program.table, self.key)) {
            anchor.cells.extend(cells.iter().map(|(column, _)| (*column, row.0[*column].clone())));
        }
    }

    fn is_there(&self, table: TableNo, key: &RowKey) -> bool {
        self.rows.get(table, key).is_some()
    }

    fn fields(
        &self,
        fields: &[crate::program::FieldForm],
        table: TableNo,
        key: &RowKey,
        was: Option<&Record>,
        after: &Record,
        row: &mut TargetRow,
    ) -> Result<(), Owed> {
        let base = match (self.base_row(table, key), was) {
            (Some(row), Some(record)) => Some(Was { row, record }),
            _ => None,
        };
        let current = self.rows.get(table, key).filter(|_| base.is_none());
        write::fields(fields, &self.mapping.tables[table], base, current, after, &mut row.cells)
    }

    /// The single element that lies in the anchor row itself.
    fn own(&self, list: &ListForm, after: &Record, anchor: &mut TargetRow) -> Result<(), Owed> {
        let elements = records(after, &list.name);
        let [element] = elements[..] else {
            return Err(("second_element", format!("`{}` is one row: {} elements", list.name, elements.len())));
        };
        let was = self.was.and_then(|was| records(was, &list.name).first().copied());
        self.fields(&list.fields, list.table, self.key, was, element, anchor)
    }

    fn one(&self, one: &OneForm, after: &Record, anchor: &mut TargetRow, target: &mut Target) -> Result<(), Owed> {
        let program = self.program();
        let column = &self.mapping.tables[program.table].columns[one.anchor_column];
        let node = after.get(&one.name).unwrap_or(&Node::Null);
        let before = self.was.and_then(|was| was.get(&one.name));
        let base = self.base_row(program.table, self.key).filter(|_| self.was.is_some());
        let Node::Record(element) = node else {
            let cell = match (base, before) {
                (Some(row), None | Some(Node::Null)) => row.0[one.anchor_column].clone(),
                _ => one.link.print(&Node::Null, column)?,
            };
            anchor.cells.insert(one.anchor_column, cell);
            return Ok(());
        };
        let table = &self.mapping.tables[one.table];
        let key = element_key(self.mapping, one.table, element)
            .ok_or_else(|| ("no_origin", format!("`{}` does not say which row it is", one.name)))?;
        let link = key.0.first().cloned().unwrap_or(Cell::Null);
        if let (Some(row), Some(Node::Record(was))) = (base, before)
            && who(before) == who(Some(node))
        {
            if let Some(path) = changed(one, was, element) {
                return Err(("shared_edit", format!("{}.{path} is shared by shops", table.name)));
            }
            anchor.cells.insert(one.anchor_column, row.0[one.anchor_column].clone());
            return Ok(());
        }
        anchor.cells.insert(one.anchor_column, link);
        if !self.is_there(one.table, &key) && !one.births {
            return Err(("no_ids", format!("no ids are minted for {}", table.name)));
        }
        let mut row = self.row(one.table, &key, None)?;
        row.shared = true;
        self.key_cells(one.table, &key, &mut row);
        write::fields(&one.fields, table, None, None, element, &mut row.cells)?;
        target.insert((one.table, key), row);
        Ok(())
    }

    fn list(
        &self,
        list: &ListForm,
        column: ColumnNo,
        anchor_column: ColumnNo,
        after: &Record,
        target: &mut Target,
    ) -> Result<(), Owed> {
        let table = &self.mapping.tables[list.table];
        let link = self.anchor_cell(anchor_column, target);
        let was: Vec<(Option<RowKey>, &Record)> = self.was.map(|was| self.keyed(list, &link, was)).unwrap_or_default();
        let mut last_order = 0;
        for (key, element) in self.keyed(list, &link, after) {
            let Some(key) = key else {
                return Err(("no_origin", format!("an element of `{}` does not say which row it is", list.name)));
            };
            let before = was.iter().find(|(was, _)| was.as_ref() == Some(&key)).map(|(_, was)| *was);
            let base = self.base_row(list.table, &key).filter(|_| before.is_some());
            let mut row = self.row(list.table, &key, before)?;
            if let (Some(base), Some(order)) = (base, list.order) {
                if let Cell::Int(at) = base.0[order] {
                    last_order = at.max(last_order);
                }
            } else if base.is_none() {
                let minted = self.mapping.block_of(list.table).is_some() || list.placed;
                if !minted && !self.is_there(list.table, &key) {
                    return Err(("no_ids", format!("no ids are minted for {}", table.name)));
                }
                self.key_cells(list.table, &key, &mut row);
                row.cells.insert(column, link.clone());
                if let Some(order) = list.order {
                    last_order += 1;
                    row.cells.insert(order, Cell::Int(last_order));
                }
                if let ShopPath::Column(shop) = table.shop {
                    row.cells.insert(shop, shop_cell(self.shop, &table.columns[shop].ty)?);
                }
            }
            self.fields(&list.fields, list.table, &key, before, element, &mut row)?;
            if target.insert((list.table, key), row).is_some() {
                return Err(("twice", format!("an element of `{}` is there twice", list.name)));
            }
        }
        self.gone(list, target)
    }

    /// The elements of a list, and which row each is: by what it says, else by its place.
    fn keyed<'r>(&self, list: &ListForm, link: &Cell, record: &'r Record) -> Vec<(Option<RowKey>, &'r Record)> {
        let table = &self.mapping.tables[list.table];
        let place = |number: i64| {
            let cell = |column: &ColumnNo| {
                if list.order == Some(*column) { Cell::Int(number) } else { link.clone() }
            };
            RowKey(table.key.iter().map(cell).collect())
        };
        let elements = (1..).zip(records(record, &list.name));
        let keyed = elements.map(|(number, element)| {
            let said = element_key(self.mapping, list.table, element);
            (said.or_else(|| list.placed.then(|| place(number))), element)
        });
        keyed.collect()
    }

    /// Elements of the flip that are no longer there.
    fn gone(&self, list: &ListForm, target: &Target) -> Result<(), Owed> {
        let missing = self.base.of(list.table).find(|(key, _)| !target.contains_key(&(list.table, (*key).clone())));
        match (missing, &list.remove) {
            (Some(_), Remove::Debt | Remove::Set(_)) => {
                Err(("removed", format!("removing an element of `{}` is not expressed", list.name)))
            }
            (Some(_), Remove::Delete) | (None, _) => Ok(()),
        }
    }

    fn anchor_cell(&self, column: ColumnNo, target: &Target) -> Cell {
        let program = self.program();
        let decided = target.get(&(program.table, self.key.clone())).and_then(|row| row.cells.get(&column));
        let base = self.base_row(program.table, self.key).map(|row| &row.0[column]);
        decided.or(base).cloned().unwrap_or(Cell::Null)
    }

    /// Derived columns: the flip's figure while what decides it is the flip's, else recomputed.
    fn derived(&self, after: &Record, target: &mut Target) -> Result<(), Owed> {
        let program = self.program();
        for derived in &program.derived {
            let list = derived.list.map(|no| &program.lists[no]);
            let table = list.map_or(program.table, |list| list.table);
            let keys: Vec<RowKey> = match list {
                Some(list) => {
                    let link = match list.from {
                        From::Join { anchor_column, .. } => self.anchor_cell(anchor_column, target),
                        From::Own | From::Group => Cell::Null,
                    };
                    self.keyed(list, &link, after).into_iter().filter_map(|(key, _)| key).collect()
                }
                None => vec![self.key.clone()],
            };
            let inputs = derive::inputs(derived, after);
            let unchanged = self.was.is_some_and(|was| derive::inputs(derived, was) == inputs);
            let values = derive::values(derived, list.map(|list| &list.name), after).unwrap_or_default();
            if values.len() != keys.len() {
                return Err(("derived", "a derived column has no value".to_owned()));
            }
            let column = &self.mapping.tables[table].columns[derived.column];
            for (key, value) in keys.into_iter().zip(values) {
                let base = self.base_row(table, &key).filter(|_| unchanged);
                let cell = match base {
                    Some(row) => row.0[derived.column].clone(),
                    None => derived.codec.print(&value, column)?,
                };
                if let Some(row) = target.get_mut(&(table, key)) {
                    row.cells.insert(derived.column, cell);
                }
            }
        }
        Ok(())
    }
}

/// The key of an element: by its origin, else by the id that is the key.
pub(crate) fn element_key(mapping: &Mapping, table: TableNo, element: &Record) -> Option<RowKey> {
    let of = &mapping.tables[table];
    match element.text("origin") {
        Some(text) => origin::parse(of, &of.key, text),
        None => {
            let [column] = of.key[..] else { return None };
            crate::codec::key_cell(element.text("id")?, &of.columns[column]).ok().map(|cell| RowKey(vec![cell]))
        }
    }
}

/// The key that is made of the shop and of fields; none if it is not made of them.
pub(crate) fn natural_key(program: &Program, table: &Table, shop: &ShopId, document: &Record) -> Option<RowKey> {
    let cell = |column: ColumnNo| {
        if table.shop == ShopPath::Column(column) && table.key.len() > 1 {
            return shop_cell(shop, &table.columns[column].ty).ok();
        }
        program.fields.iter().find_map(|field| {
            let Form::Column(binding) = &field.form else { return None };
            let value = document.get(&field.name).filter(|_| binding.column == column)?;
            binding.codec.print(value, &table.columns[column]).ok()
        })
    };
    table.key.iter().map(|&column| cell(column)).collect::<Option<Vec<Cell>>>().map(RowKey)
}

fn changed(one: &OneForm, was: &Record, is: &Record) -> Option<String> {
    let value = |record: &Record, name: &str| record.get(name).cloned().unwrap_or(Node::Null);
    let field = one.fields.iter().find(|field| value(was, &field.name) != value(is, &field.name));
    field.map(|field| field.name.to_string())
}

fn shop_cell(shop: &ShopId, ty: &ColumnType) -> Result<Cell, Owed> {
    match (ty, shop.as_str().parse::<i64>()) {
        (ColumnType::Int, Ok(id)) => Ok(Cell::Int(id)),
        (ColumnType::Int, Err(_)) => Err(("shop", format!("{shop} is no number, but the shop column is"))),
        _ => Ok(Cell::Text(shop.as_str().to_owned())),
    }
}
