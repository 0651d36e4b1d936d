//! Evaluation of checked expressions. It cannot fail, it can say null; null compares false.

use crate::decimal::Decimal;
use crate::expr::{Expr, Fold, Function, Scope, Source, Value, unpadded};
use crate::syntax::{Arithmetic, Comparison};
use std::borrow::Cow;
use std::cmp::Ordering;
use vocab::document::Node;
use vocab::row::{Cell, ColumnNo, Row};

impl Expr {
    /// True only if it is true: null counts as false.
    pub fn holds(&self, scope: Scope<'_>) -> bool {
        matches!(self.eval(scope), Value::Bool(true))
    }

    pub fn eval<'a>(&'a self, scope: Scope<'a>) -> Value<'a> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Decimal(value) => Value::Decimal(*value),
            Self::Text(text) => Value::Text(text.into()),
            Self::Column(column, padded) => {
                scope.row.map_or(Value::Null, |row| cell_value(row.0.get(*column), *padded))
            }
            Self::Field(name) => scope.record.map_or(Value::Null, |record| node_value(record.get(name))),
            Self::OneField(one, name) => {
                node_value(scope.record.and_then(|record| record.record(one)).and_then(|one| one.get(name)))
            }
            Self::Old(column) => side_value(scope.old, *column),
            Self::New(column) => side_value(scope.new, *column),
            Self::Not(inner) => Value::Bool(!inner.holds(scope)),
            Self::And(a, b) => Value::Bool(a.holds(scope) && b.holds(scope)),
            Self::Or(a, b) => Value::Bool(a.holds(scope) || b.holds(scope)),
            Self::Compare(comparison, a, b) => Value::Bool(compares(*comparison, &a.eval(scope), &b.eval(scope))),
            Self::IsNull(inner, null) => Value::Bool(matches!(inner.eval(scope), Value::Null) == *null),
            Self::Arithmetic(how, a, b) => arithmetic(*how, &a.eval(scope), &b.eval(scope)),
            Self::Negative(inner) => arithmetic(Arithmetic::Subtract, &Value::Int(0), &inner.eval(scope)),
            Self::Count(source) => Value::Int(i64::try_from(elements(source, scope).count()).unwrap_or(i64::MAX)),
            Self::Fold(fold, source, inner) => run(*fold, elements(source, scope).map(|scope| inner.eval(scope))),
            Self::Call(function, arguments) => call(*function, arguments, scope),
        }
    }
}

fn cell_value(cell: Option<&Cell>, padded: bool) -> Value<'_> {
    match cell {
        Some(Cell::Int(value)) => Value::Int(*value),
        Some(Cell::Text(text)) => Value::Text(unpadded(text, padded).into()),
        Some(Cell::Null | Cell::Bytes(_)) | None => Value::Null,
    }
}

/// A cell in a trigger's arithmetic: nothing counts as 0.
fn side_value(row: Option<&Row>, column: ColumnNo) -> Value<'_> {
    match row.map(|row| cell_value(row.0.get(column), false)) {
        None | Some(Value::Null) => Value::Int(0),
        Some(value) => value,
    }
}

fn node_value(node: Option<&Node>) -> Value<'_> {
    match node {
        Some(Node::Bool(value)) => Value::Bool(*value),
        Some(Node::Int(value)) => Value::Int(*value),
        Some(Node::Text(text)) => Value::Text(text.into()),
        Some(Node::Null | Node::List(_) | Node::Record(_)) | None => Value::Null,
    }
}

fn elements<'a>(source: &Source, scope: Scope<'a>) -> Box<dyn Iterator<Item = Scope<'a>> + 'a> {
    let of_row = move |row: &&'a Row| Scope { row: Some(row), ..scope };
    match source {
        Source::Rows(list) => Box::new(scope.lists.get(*list).into_iter().flatten().map(of_row)),
        Source::Group => Box::new(scope.group.iter().map(of_row)),
        Source::List(name) => {
            let nodes = scope.record.map_or(&[][..], |record| record.list(name));
            Box::new(nodes.iter().map(move |node| match node {
                Node::Record(record) => Scope { record: Some(record), row: None, ..scope },
                Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) | Node::List(_) => {
                    Scope { record: None, row: None, ..scope }
                }
            }))
        }
    }
}

fn run<'a>(fold: Fold, mut values: impl Iterator<Item = Value<'a>>) -> Value<'a> {
    let is_true = |value: &Value<'_>| matches!(value, Value::Bool(true));
    match fold {
        Fold::Any => Value::Bool(values.any(|value| is_true(&value))),
        Fold::All => Value::Bool(values.all(|value| is_true(&value))),
        Fold::Sum => values.fold(Value::Int(0), |sum, value| arithmetic(Arithmetic::Add, &sum, &value)),
        Fold::Min => best(values, Ordering::Less),
        Fold::Max => best(values, Ordering::Greater),
    }
}

fn best<'a>(values: impl Iterator<Item = Value<'a>>, wanted: Ordering) -> Value<'a> {
    values.filter(|value| !matches!(value, Value::Null)).fold(Value::Null, |best, value| match order(&value, &best) {
        None => value,
        Some(found) if found == wanted => value,
        Some(_) => best,
    })
}

fn as_decimal(value: &Value<'_>) -> Option<Decimal> {
    match value {
        Value::Int(value) => Some(Decimal::int(*value)),
        Value::Decimal(value) => Some(*value),
        Value::Null | Value::Bool(_) | Value::Text(_) => None,
    }
}

pub(crate) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        _ => as_decimal(a)?.compare(as_decimal(b)?),
    }
}

fn compares(comparison: Comparison, a: &Value<'_>, b: &Value<'_>) -> bool {
    let Some(order) = order(a, b) else { return false };
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

fn arithmetic(how: Arithmetic, a: &Value<'_>, b: &Value<'_>) -> Value<'static> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        let value = match how {
            Arithmetic::Add => a.checked_add(*b),
            Arithmetic::Subtract => a.checked_sub(*b),
            Arithmetic::Multiply => a.checked_mul(*b),
        };
        return value.map_or(Value::Null, Value::Int);
    }
    let (Some(a), Some(b)) = (as_decimal(a), as_decimal(b)) else { return Value::Null };
    let value = match how {
        Arithmetic::Add => a.plus(b),
        Arithmetic::Subtract => a.minus(b),
        Arithmetic::Multiply => a.times(b),
    };
    value.map_or(Value::Null, Value::Decimal)
}

fn call<'a>(function: Function, arguments: &'a [Expr], scope: Scope<'a>) -> Value<'a> {
    let argument = |nth: usize| arguments.get(nth).map_or(Value::Null, |argument| argument.eval(scope));
    match function {
        Function::If => {
            let branch = if matches!(argument(0), Value::Bool(true)) { 1 } else { 2 };
            argument(branch)
        }
        Function::Coalesce => {
            arguments.iter().map(|a| a.eval(scope)).find(|v| !matches!(v, Value::Null)).unwrap_or(Value::Null)
        }
        Function::Round => match (as_decimal(&argument(0)), argument(1)) {
            (Some(value), Value::Int(scale)) => {
                u32::try_from(scale).ok().and_then(|scale| value.round(scale)).map_or(Value::Null, Value::Decimal)
            }
            _ => Value::Null,
        },
        Function::Starts | Function::Ends => match (argument(0), argument(1)) {
            (Value::Text(text), Value::Text(part)) if function == Function::Starts => {
                Value::Bool(text.starts_with(&*part))
            }
            (Value::Text(text), Value::Text(part)) => Value::Bool(text.ends_with(&*part)),
            _ => Value::Null,
        },
        Function::Scale | Function::Decimal | Function::Trim | Function::Lower | Function::Length => {
            of_one(function, argument(0))
        }
    }
}

fn of_one(function: Function, value: Value<'_>) -> Value<'_> {
    match (function, value) {
        (Function::Decimal, Value::Int(value)) => Value::Decimal(Decimal::int(value)),
        (Function::Decimal, Value::Text(text)) => Decimal::parse(&text, '.').map_or(Value::Null, Value::Decimal),
        (Function::Scale, Value::Int(_)) => Value::Int(0),
        (Function::Scale, Value::Text(text)) => Decimal::parse(&text, '.').map_or(Value::Null, scale_of),
        (Function::Scale, Value::Decimal(value)) => scale_of(value),
        (Function::Trim, Value::Text(text)) => match text {
            Cow::Borrowed(text) => Value::Text(text.trim().into()),
            Cow::Owned(text) => Value::Text(text.trim().to_owned().into()),
        },
        (Function::Lower, Value::Text(text)) => Value::Text(text.to_lowercase().into()),
        (Function::Length, Value::Text(text)) => i64::try_from(text.chars().count()).map_or(Value::Null, Value::Int),
        _ => Value::Null,
    }
}

/// Digits that count: 0.100 has one.
fn scale_of(value: Decimal) -> Value<'static> {
    let mut scale = value.scale;
    while scale > 0 && value.rescale(scale - 1).is_some() {
        scale -= 1;
    }
    Value::Int(i64::from(scale))
}
