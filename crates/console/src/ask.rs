//! What of the board a person asks for: a page, a group of shops, an id to find. Read from an address, and written
//! into one.

use crate::group::Group;
use crate::picture::{Picture, Row};
use std::collections::BTreeMap;

/// Shops on one page of the board.
pub const PAGE_ROWS: usize = 50;
/// An id has at most 64 characters.
const FIND_MAX: usize = 64;

/// Parameters of an address.
pub type Query = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// From 1.
    pub page: usize,
    pub group: Option<Group>,
    /// Part of an id, in lower case; empty for all.
    pub find: String,
}

/// The shops of one page.
pub struct Selection<'a> {
    pub rows: Vec<&'a Row>,
    pub found: usize,
    /// From 1, and at most the last.
    pub page: usize,
    pub pages: usize,
}

impl Ask {
    pub fn of(query: &Query) -> Self {
        let text = |name: &str| query.get(name).map_or("", |text| text.trim());
        Self {
            page: text("page").parse().unwrap_or(1).max(1),
            group: Group::from_name(text("state")),
            find: text("find").chars().take(FIND_MAX).collect::<String>().to_ascii_lowercase(),
        }
    }

    pub fn select<'a>(&self, picture: &'a Picture) -> Selection<'a> {
        let is_asked = |row: &&Row| {
            self.group.is_none_or(|group| row.is_in(group))
                && (self.find.is_empty() || row.shop.as_str().to_ascii_lowercase().contains(&self.find))
        };
        let mut found: Vec<&Row> = picture.rows.iter().filter(is_asked).collect();
        if !self.find.is_empty() {
            // Whoever types a whole id means that shop.
            found.sort_by_key(|row| !row.shop.as_str().eq_ignore_ascii_case(&self.find));
        }
        let pages = found.len().div_ceil(PAGE_ROWS).max(1);
        let page = self.page.min(pages);
        let total = found.len();
        let rows = found.into_iter().skip((page - 1) * PAGE_ROWS).take(PAGE_ROWS).collect();
        Selection { rows, found: total, page, pages }
    }

    /// `?page=2&state=ready`, or nothing for the first page of all. An id needs no escaping; what else somebody looks
    /// for is left out.
    pub fn address(&self) -> String {
        let mut pairs = Vec::new();
        if self.page > 1 {
            pairs.push(format!("page={}", self.page));
        }
        pairs.extend(self.group.map(|group| format!("state={}", group.name())));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !self.find.is_empty() && self.find.chars().all(is_plain) {
            pairs.push(format!("find={}", self.find));
        }
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    #[must_use]
    pub fn at_page(&self, page: usize) -> Self {
        Self { page, ..self.clone() }
    }

    /// The first page of another group, with nothing looked for.
    pub const fn of_group(group: Option<Group>) -> Self {
        Self { page: 1, group, find: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, kept: &str) {
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query: Query = address.split('&').filter_map(pair).collect();
        assert_eq!(Ask::of(&query).address(), kept, "{address}");
    }

    #[test]
    fn an_address_is_read_and_written_and_what_is_no_address_asks_for_everything() {
        check("", "");
        check("page=1", "");
        check("page=3&state=ready", "?page=3&state=ready");
        check("find=Toko-7&state=nowhere", "?find=toko-7");
        check("page=-1&find=a b", "");
    }
}
