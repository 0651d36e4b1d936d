//! The operation table: the only place where it is known whether a request reads or writes, or is a provider's notice.
//!
//! Invariant: what no row knows is a write, so that it is held; a wrong guess costs a wait, never a lost write.
//! Absent on purpose: a guess from the method alone (search is a POST that reads), ids, bodies.

use std::borrow::Cow;

use http::Method;
use vocab::id::{Part, ShopId};

/// What a request does to its shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Answered by the owner at any time, also during a hold.
    Read,
    /// Parked during a hold.
    Write,
    /// A fact that a payment provider tells, of whatever shop: it goes to our inbox, whoever owns the shop, whether it is
    /// held, and whether the routes here are fresh.
    Notice,
}

/// One row: a method, and a path below `/shops/{shop}/` whose segments are literals or `{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub method: Method,
    pub pattern: Cow<'static, str>,
    pub class: Class,
    /// Of a read: the part whose dial may send it to the copy; none where the owner always answers.
    pub dial: Option<Part>,
}

impl Operation {
    #[must_use]
    pub const fn new(method: Method, pattern: &'static str, class: Class) -> Self {
        Self { method, pattern: Cow::Borrowed(pattern), class, dial: None }
    }

    const fn of_catalog(pattern: &'static str) -> Self {
        let dial = Some(Part::Catalog);
        Self { method: Method::POST, pattern: Cow::Borrowed(pattern), class: Class::Read, dial }
    }
}

/// The calls that both sides serve.
const SERVED: [Operation; 21] = [
    Operation::of_catalog("catalog/search"),
    Operation::of_catalog("catalog/lookup"),
    Operation::of_catalog("catalog/product"),
    Operation::new(Method::POST, "carts", Class::Write),
    Operation::new(Method::GET, "carts/{id}", Class::Read),
    Operation::new(Method::PUT, "carts/{id}", Class::Write),
    Operation::new(Method::POST, "carts/{id}/cancel", Class::Write),
    Operation::new(Method::POST, "checkout-sessions", Class::Write),
    Operation::new(Method::GET, "checkout-sessions/{id}", Class::Read),
    Operation::new(Method::PUT, "checkout-sessions/{id}", Class::Write),
    Operation::new(Method::POST, "checkout-sessions/{id}/complete", Class::Write),
    Operation::new(Method::POST, "checkout-sessions/{id}/cancel", Class::Write),
    Operation::new(Method::GET, "orders/{id}", Class::Read),
    // Pages for people, and what they refer to.
    Operation::new(Method::GET, "orders/{id}/invoice", Class::Read),
    Operation::new(Method::GET, "checkout/{id}", Class::Read),
    Operation::new(Method::GET, "checkout/{id}/state", Class::Read),
    Operation::new(Method::POST, "checkout/{id}", Class::Write),
    Operation::new(Method::GET, "assets/{name}", Class::Read),
    Operation::new(Method::POST, "orders/{id}/cancel", Class::Write),
    Operation::new(Method::POST, "orders/{id}/refund", Class::Write),
    Operation::new(Method::PUT, "seller/products/{id}", Class::Write),
];

/// A path pattern that could never match or would match everything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a path pattern below /shops/{{shop}}/: segments are literals or {{name}}, no empty ones")]
pub struct BadPattern(pub String);

enum Segment {
    Literal(String),
    Any,
}

struct Row {
    method: Method,
    segments: Vec<Segment>,
    class: Class,
    dial: Option<Part>,
}

impl Row {
    fn compile(operation: &Operation) -> Result<Self, BadPattern> {
        let bad = || BadPattern(operation.pattern.to_string());
        let segment = |text: &str| match text.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
            Some(Some(name)) if !name.is_empty() => Ok(Segment::Any),
            None if !text.is_empty() && !text.contains('}') => Ok(Segment::Literal(text.to_owned())),
            Some(_) | None => Err(bad()),
        };
        let segments = operation.pattern.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { method: operation.method.clone(), segments, class: operation.class, dial: operation.dial })
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        if self.method != *method {
            return false;
        }
        let mut given = path.split('/');
        let fits = self.segments.iter().all(|segment| match (segment, given.next()) {
            (Segment::Literal(literal), Some(text)) => literal == text,
            (Segment::Any, Some(text)) => !text.is_empty(),
            (_, None) => false,
        });
        fits && given.next().is_none()
    }

    /// How many leading segments name the resource: up to the first `{…}`; none where a collection is meant.
    fn resource_depth(&self) -> Option<usize> {
        self.segments.iter().position(|segment| matches!(segment, Segment::Any)).map(|index| index + 1)
    }
}

/// What a request is about, as far as the seam cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    pub shop: &'a str,
    pub class: Class,
    pub dial: Option<Part>,
    /// The path up to the id: writes of one resource that were parked go on one after the other.
    pub resource: Option<&'a str>,
}

/// Why a path has no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTarget {
    /// Not below `/shops/{shop}/`.
    NotFound,
    /// Two programs could read it as two different paths, so two different shops.
    Ambiguous,
}

/// The table in force: the rows that both sides serve, and those of the plan.
pub struct Operations {
    rows: Vec<Row>,
}

impl Operations {
    /// # Errors
    /// The first pattern of `more` that is not one.
    pub fn new(more: &[Operation]) -> Result<Self, BadPattern> {
        let rows = SERVED.iter().chain(more).map(Row::compile).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rows })
    }

    /// `overridden`: the request asks to be taken for one of another method.
    pub fn target<'a>(&self, method: &Method, path: &'a str, overridden: bool) -> Result<Target<'a>, NoTarget> {
        if let Some(rail) = path.strip_prefix(NOTICES) {
            return notice(method, rail, overridden);
        }
        let below = path.strip_prefix("/shops/").ok_or(NoTarget::NotFound)?;
        let (shop, rest) = below.split_once('/').ok_or(NoTarget::NotFound)?;
        if is_ambiguous(shop) || is_ambiguous(rest) {
            return Err(NoTarget::Ambiguous);
        }
        if !ShopId::fits(shop) {
            return Err(NoTarget::NotFound);
        }
        let row = self.rows.iter().find(|row| row.matches(method, rest));
        Ok(Target {
            shop,
            class: if overridden { Class::Write } else { row.map_or(Class::Write, |row| row.class) },
            dial: row.and_then(|row| row.dial).filter(|_| !overridden),
            // An unknown path of two segments or more is taken for collection/id/….
            resource: row.map_or(Some(2), Row::resource_depth).and_then(|depth| leading(rest, depth)),
        })
    }
}

/// Where providers tell facts: `/notices/{rail}`, in no shop.
const NOTICES: &str = "/notices/";

fn notice<'a>(method: &Method, rail: &str, overridden: bool) -> Result<Target<'a>, NoTarget> {
    if is_ambiguous(rail) {
        return Err(NoTarget::Ambiguous);
    }
    if *method != Method::POST || overridden || rail.is_empty() || rail.contains('/') {
        return Err(NoTarget::NotFound);
    }
    Ok(Target { shop: "", class: Class::Notice, dial: None, resource: None })
}

/// The first `depth` segments; none if there are fewer.
fn leading(path: &str, depth: usize) -> Option<&str> {
    let end = path.match_indices('/').nth(depth - 1).map_or(path.len(), |(at, _)| at);
    (path.split('/').count() >= depth).then(|| &path[..end])
}

/// Whether an owner could resolve the path to another one: dot segments, encoded or doubled separators.
fn is_ambiguous(path: &str) -> bool {
    let encoded = |part: &str| {
        let part = part.to_ascii_lowercase();
        ["%2f", "%5c", "%2e", "%00"].iter().any(|code| part.contains(code))
    };
    path.contains('\\')
        || path.contains("//")
        || path.starts_with('/')
        || path.split('/').any(|part| part == "." || part == "..")
        || (path.contains('%') && encoded(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, path: &str, expected: &str) {
        let more = [Operation::new(Method::GET, "admin/reports/{id}", Class::Read)];
        let operations = Operations::new(&more).unwrap();
        let found = match operations.target(&method, path, false) {
            Ok(target) => format!("{} {:?} {}", target.shop, target.class, target.resource.unwrap_or("-")),
            Err(no) => format!("{no:?}"),
        };
        assert_eq!(found, expected, "{method} {path}");
    }

    #[test]
    fn the_table_says_what_reads() {
        check(Method::POST, "/shops/a/catalog/search", "a Read -");
        check(Method::GET, "/shops/a/carts/7", "a Read carts/7");
        check(Method::GET, "/shops/a/admin/reports/3", "a Read admin/reports/3");
        check(Method::GET, "/shops/a/orders/TRX-1/invoice", "a Read orders/TRX-1");
        check(Method::GET, "/shops/a/assets/invoice.css", "a Read assets/invoice.css");
    }

    #[test]
    fn the_table_says_what_writes_and_to_what() {
        check(Method::POST, "/shops/a/carts", "a Write -");
        check(Method::PUT, "/shops/a/carts/7", "a Write carts/7");
        check(Method::POST, "/shops/a/carts/7/cancel", "a Write carts/7");
        check(Method::POST, "/shops/a/checkout-sessions/7/complete", "a Write checkout-sessions/7");
        check(Method::PUT, "/shops/a/seller/products/9", "a Write seller/products/9");
    }

    #[test]
    fn what_no_row_knows_is_a_write() {
        check(Method::GET, "/shops/a/", "a Write -");
        check(Method::GET, "/shops/a/carts", "a Write -");
        check(Method::GET, "/shops/a/carts/7/", "a Write carts/7");
        check(Method::HEAD, "/shops/a/carts/7", "a Write carts/7");
        check(Method::GET, "/shops/a/catalog/search", "a Write catalog/search");
        check(Method::DELETE, "/shops/a/orders/7/lines/1", "a Write orders/7");
        check(Method::GET, "/shops/a/%63arts/7", "a Write %63arts/7");
    }

    #[test]
    fn a_notice_is_of_no_shop_and_nothing_else_is_there() {
        check(Method::POST, "/notices/loket", " Notice -");
        for path in ["/notices", "/notices/", "/notices/loket/", "/notices/a/b"] {
            check(Method::POST, path, "NotFound");
        }
        check(Method::GET, "/notices/loket", "NotFound");
        check(Method::POST, "/notices/..", "Ambiguous");
        check(Method::POST, "/notices/%2e%2e", "Ambiguous");
        let operations = Operations::new(&[]).unwrap();
        assert_eq!(operations.target(&Method::POST, "/notices/loket", true).err(), Some(NoTarget::NotFound));
    }

    #[test]
    fn elsewhere_nothing_is() {
        for path in ["/", "/shops", "/shops/", "/shops/a", "/shops//carts", "/Shops/a/carts", "/shops/a%20b/carts"] {
            check(Method::POST, path, "NotFound");
        }
    }

    #[test]
    fn a_path_that_reads_two_ways_is_refused() {
        for rest in ["../b/carts", "carts/..", "carts/%2e%2e/x", "x%2Fy", "a%5cb", "a\\b", "carts//7", "./carts", "/x"]
        {
            check(Method::POST, &format!("/shops/a/{rest}"), "Ambiguous");
        }
        check(Method::POST, "/shops/../carts", "Ambiguous");
    }

    #[test]
    fn asking_for_another_method_makes_a_read_a_write() {
        let operations = Operations::new(&[]).unwrap();
        assert_eq!(operations.target(&Method::GET, "/shops/a/carts/7", true).unwrap().class, Class::Write);
    }

    #[test]
    fn a_pattern_that_cannot_match_is_refused() {
        for pattern in ["", "/carts", "carts/", "carts/{}", "carts/{id", "carts/id}"] {
            let row = Operation { method: Method::GET, pattern: pattern.into(), class: Class::Read, dial: None };
            assert_eq!(Operations::new(&[row]).err(), Some(BadPattern(pattern.to_owned())));
        }
    }
}
