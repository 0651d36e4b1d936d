//! From parsed expressions to checked ones: names become slots, types must fit.

use crate::decimal::Decimal;
use crate::diagnostics::{Sink, Span};
use crate::expr::{Expr, Fold, Function, Source, Ty};
use crate::syntax::{Arithmetic, Comparison, Lit, Node, NodeKind};
use vocab::id::Name;
use vocab::row::{ColumnType, Table, Use};
use vocab::shape::{Field, Type};

/// The names that an expression may use.
#[derive(Clone, Copy, Default)]
pub(crate) struct Names<'a> {
    /// Columns of the row at hand.
    pub table: Option<&'a Table>,
    /// Lists of rows by name: the rule's lists with their tables.
    pub lists: &'a [(Name, &'a Table)],
    /// The group's table, under the name `rows`.
    pub group: Option<&'a Table>,
    /// Fields of the document or element at hand.
    pub fields: &'a [Field],
    /// `old.x` and `new.x`.
    pub trigger: Option<&'a Table>,
}

pub(crate) fn type_of_column(ty: &ColumnType) -> Option<Ty> {
    match ty {
        ColumnType::Int => Some(Ty::Int),
        ColumnType::Text(_) | ColumnType::Char(_) => Some(Ty::Text),
        ColumnType::Bytes => None,
    }
}

pub(crate) fn type_of_field(ty: Type) -> Option<Ty> {
    match ty {
        Type::Id | Type::Text | Type::Currency | Type::Word(_) => Some(Ty::Text),
        Type::Int | Type::Count => Some(Ty::Int),
        Type::Bool => Some(Ty::Bool),
        Type::Money => Some(Ty::Money),
        Type::Instant => Some(Ty::Instant),
        Type::List(_) | Type::One(_) => None,
    }
}

/// The checked expression and its type.
pub(crate) fn check(node: &Node, names: Names<'_>, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    match &node.kind {
        NodeKind::Lit(lit) => literal(lit, node.span, sink),
        NodeKind::Path(path) => path_of(path, node.span, names, sink),
        NodeKind::Not(inner) => {
            let inner = boolean(inner, names, sink)?;
            Some((Expr::Not(Box::new(inner)), Ty::Bool))
        }
        NodeKind::And(a, b) => {
            let (a, b) = (boolean(a, names, sink), boolean(b, names, sink));
            Some((Expr::And(Box::new(a?), Box::new(b?)), Ty::Bool))
        }
        NodeKind::Or(a, b) => {
            let (a, b) = (boolean(a, names, sink), boolean(b, names, sink));
            Some((Expr::Or(Box::new(a?), Box::new(b?)), Ty::Bool))
        }
        NodeKind::Compare(how, a, b) => compare(*how, a, b, node.span, names, sink),
        NodeKind::IsNull(inner, null) => {
            let (inner, _) = check(inner, names, sink)?;
            Some((Expr::IsNull(Box::new(inner), *null), Ty::Bool))
        }
        NodeKind::In(inner, among, positive) => membership(inner, among, *positive, node.span, names, sink),
        NodeKind::Arithmetic(how, a, b) => arithmetic(*how, a, b, node.span, names, sink),
        NodeKind::Negative(inner) => {
            let (inner, ty) = check(inner, names, sink)?;
            numeric(ty, node.span, sink)?;
            Some((Expr::Negative(Box::new(inner)), ty))
        }
        NodeKind::Call(name, arguments) => call(name, arguments, node.span, names, sink),
    }
}

/// The checked condition.
pub(crate) fn boolean(node: &Node, names: Names<'_>, sink: &mut Sink<'_>) -> Option<Expr> {
    let (expr, ty) = check(node, names, sink)?;
    if ty != Ty::Bool {
        mismatch(node.span, "a condition", ty, sink);
        return None;
    }
    Some(expr)
}

fn mismatch(span: Span, wanted: &str, found: Ty, sink: &mut Sink<'_>) {
    sink.error("expr/type", span, format!("expected {wanted}"), format!("this is of type {}", found.name()));
}

fn numeric(ty: Ty, span: Span, sink: &mut Sink<'_>) -> Option<()> {
    if matches!(ty, Ty::Int | Ty::Decimal | Ty::Money) {
        return Some(());
    }
    mismatch(span, "a number", ty, sink);
    None
}

fn literal(lit: &Lit, span: Span, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    Some(match lit {
        Lit::Null => (Expr::Null, Ty::Null),
        Lit::Bool(value) => (Expr::Bool(*value), Ty::Bool),
        Lit::Int(value) => (Expr::Int(*value), Ty::Int),
        Lit::Text(text) => (Expr::Text(text.clone()), Ty::Text),
        Lit::Decimal(text) => match Decimal::parse(text, '.') {
            Some(value) => (Expr::Decimal(value), Ty::Decimal),
            None => {
                sink.error("expr/syntax", span, "a decimal with too many digits", "here");
                return None;
            }
        },
    })
}

fn path_of(path: &[String], span: Span, names: Names<'_>, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    let found = match path {
        [name] => field_named(name, names).or_else(|| column_named(name, names)),
        [side, name] => trigger_side(side, name, names).or_else(|| one_field(side, name, names)),
        _ => None,
    };
    if found.is_none() {
        let secret = names.table.and_then(|table| table.column(path.first()?).map(|no| table.columns[no].usage));
        let (title, label) = match secret {
            Some(Use::Secret) => ("a secret column is never read", "secret"),
            _ => ("unknown name", "neither a column nor a field here"),
        };
        sink.error("expr/unknown_name", span, format!("`{}`: {title}", path.join(".")), label);
    }
    found
}

fn field_named(name: &str, names: Names<'_>) -> Option<(Expr, Ty)> {
    let field = names.fields.iter().find(|field| field.name == name)?;
    Some((Expr::Field(field.name.into()), type_of_field(field.ty)?))
}

fn column_named(name: &str, names: Names<'_>) -> Option<(Expr, Ty)> {
    let table = names.table?;
    let no = table.column(name)?;
    let column = table.columns.get(no).filter(|column| column.usage != Use::Secret)?;
    Some((Expr::Column(no, matches!(column.ty, ColumnType::Char(_))), type_of_column(&column.ty)?))
}

fn trigger_side(side: &str, name: &str, names: Names<'_>) -> Option<(Expr, Ty)> {
    let table = names.trigger?;
    let no = table.column(name)?;
    let ty = type_of_column(&table.columns.get(no)?.ty)?;
    match side {
        "old" => Some((Expr::Old(no), ty)),
        "new" => Some((Expr::New(no), ty)),
        _ => None,
    }
}

fn one_field(one: &str, name: &str, names: Names<'_>) -> Option<(Expr, Ty)> {
    let field = names.fields.iter().find(|field| field.name == one)?;
    let Type::One(inner) = field.ty else { return None };
    let inner = inner.iter().find(|field| field.name == name)?;
    Some((Expr::OneField(field.name.into(), inner.name.into()), type_of_field(inner.ty)?))
}

/// Whether two types may be compared; a literal 0 is also no money, an integer is also a decimal.
fn comparable(a: (&Expr, Ty), b: (&Expr, Ty)) -> bool {
    let zero = |expr: &Expr| matches!(expr, Expr::Int(0));
    match (a.1, b.1) {
        (Ty::Null, _) | (_, Ty::Null) | (Ty::Int, Ty::Decimal) | (Ty::Decimal, Ty::Int) => true,
        (Ty::Money, Ty::Int) => zero(b.0),
        (Ty::Int, Ty::Money) => zero(a.0),
        (x, y) => x == y,
    }
}

fn compare(
    how: Comparison,
    a: &Node,
    b: &Node,
    span: Span,
    names: Names<'_>,
    sink: &mut Sink<'_>,
) -> Option<(Expr, Ty)> {
    let (left, right) = (check(a, names, sink), check(b, names, sink));
    let ((left, left_ty), (right, right_ty)) = (left?, right?);
    if !comparable((&left, left_ty), (&right, right_ty)) {
        let title = format!("{} and {} cannot be compared", left_ty.name(), right_ty.name());
        sink.error("expr/type", span, title, "there are no conversions; `decimal(…)` reads a number from text");
        return None;
    }
    Some((Expr::Compare(how, Box::new(left), Box::new(right)), Ty::Bool))
}

fn membership(
    inner: &Node,
    among: &[Lit],
    positive: bool,
    span: Span,
    names: Names<'_>,
    sink: &mut Sink<'_>,
) -> Option<(Expr, Ty)> {
    let (inner, ty) = check(inner, names, sink)?;
    let mut any = Expr::Bool(false);
    for lit in among {
        let (lit, lit_ty) = literal(lit, span, sink)?;
        if !comparable((&inner, ty), (&lit, lit_ty)) {
            mismatch(span, ty.name(), lit_ty, sink);
            return None;
        }
        let equal = Expr::Compare(Comparison::Equal, Box::new(inner.clone()), Box::new(lit));
        any = Expr::Or(Box::new(any), Box::new(equal));
    }
    // Null is neither in nor not in.
    let known = Expr::IsNull(Box::new(inner), false);
    let expr = if positive { any } else { Expr::And(Box::new(known), Box::new(Expr::Not(Box::new(any)))) };
    Some((expr, Ty::Bool))
}

fn arithmetic(
    how: Arithmetic,
    a: &Node,
    b: &Node,
    span: Span,
    names: Names<'_>,
    sink: &mut Sink<'_>,
) -> Option<(Expr, Ty)> {
    let (left, right) = (check(a, names, sink), check(b, names, sink));
    let ((left, left_ty), (right, right_ty)) = (left?, right?);
    numeric(left_ty, a.span, sink)?;
    numeric(right_ty, b.span, sink)?;
    let ty = match (how, left_ty, right_ty) {
        (_, Ty::Int, Ty::Int) => Some(Ty::Int),
        (_, Ty::Int | Ty::Decimal, Ty::Int | Ty::Decimal) => Some(Ty::Decimal),
        (Arithmetic::Multiply, Ty::Money, Ty::Int) | (Arithmetic::Multiply, Ty::Int, Ty::Money) => Some(Ty::Money),
        (Arithmetic::Add | Arithmetic::Subtract, Ty::Money, Ty::Money) => Some(Ty::Money),
        _ => None,
    };
    let Some(ty) = ty else {
        let title = format!("{} and {} do not go together here", left_ty.name(), right_ty.name());
        sink.error("expr/type", span, title, "there are no conversions");
        return None;
    };
    Some((Expr::Arithmetic(how, Box::new(left), Box::new(right)), ty))
}

fn call(name: &str, arguments: &[Node], span: Span, names: Names<'_>, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    let fold = match name {
        "count" => return count(arguments, span, names, sink),
        "any" => Fold::Any,
        "all" => Fold::All,
        "sum" => Fold::Sum,
        "min" => Fold::Min,
        "max" => Fold::Max,
        _ => return function(name, arguments, span, names, sink),
    };
    let [over, inner] = arguments else {
        sink.error("expr/arguments", span, format!("`{name}` takes a list and an expression"), "here");
        return None;
    };
    let (source, inside) = source_of(over, names, sink)?;
    let (expr, ty) = check(inner, inside, sink)?;
    match fold {
        Fold::Any | Fold::All if ty != Ty::Bool => {
            mismatch(inner.span, "a condition", ty, sink);
            return None;
        }
        Fold::Sum => numeric(ty, inner.span, sink)?,
        Fold::Any | Fold::All | Fold::Min | Fold::Max => {}
    }
    Some((Expr::Fold(fold, source, Box::new(expr)), ty))
}

fn count(arguments: &[Node], span: Span, names: Names<'_>, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    let [over] = arguments else {
        sink.error("expr/arguments", span, "`count` takes a list", "here");
        return None;
    };
    Some((Expr::Count(source_of(over, names, sink)?.0), Ty::Int))
}

/// The list of that name, and the names inside it.
fn source_of<'a>(node: &Node, names: Names<'a>, sink: &mut Sink<'_>) -> Option<(Source, Names<'a>)> {
    let name = if let NodeKind::Path(path) = &node.kind { path.join(".") } else { String::new() };
    let name = name.as_str();
    if let Some(no) = names.lists.iter().position(|(list, _)| &**list == name) {
        return Some((Source::Rows(no), Names { table: Some(names.lists[no].1), ..Names::default() }));
    }
    if let Some(table) = names.group.filter(|_| name == "rows") {
        return Some((Source::Group, Names { table: Some(table), ..Names::default() }));
    }
    let list = names.fields.iter().find(|field| field.name == name);
    if let Some(Field { name, ty: Type::List(fields), .. }) = list {
        return Some((Source::List((*name).into()), Names { fields, ..Names::default() }));
    }
    sink.error("expr/unknown_name", node.span, "unknown list", "no list of this name here");
    None
}

fn function(name: &str, arguments: &[Node], span: Span, names: Names<'_>, sink: &mut Sink<'_>) -> Option<(Expr, Ty)> {
    let known = match name {
        "round" => (Function::Round, 2..=2),
        "scale" => (Function::Scale, 1..=1),
        "decimal" => (Function::Decimal, 1..=1),
        "trim" => (Function::Trim, 1..=1),
        "lower" => (Function::Lower, 1..=1),
        "starts" => (Function::Starts, 2..=2),
        "ends" => (Function::Ends, 2..=2),
        "length" => (Function::Length, 1..=1),
        "if" => (Function::If, 3..=3),
        "coalesce" => (Function::Coalesce, 1..=8),
        _ => {
            sink.error("expr/unknown_name", span, format!("unknown function `{name}`"), "here");
            return None;
        }
    };
    let (function, counts) = known;
    if !counts.contains(&arguments.len()) {
        let title = format!("`{name}` takes {} arguments, not {}", counts.end(), arguments.len());
        sink.error("expr/arguments", span, title, "here");
        return None;
    }
    let checked: Vec<_> = arguments.iter().map(|argument| check(argument, names, sink)).collect();
    let checked: Vec<(Expr, Ty)> = checked.into_iter().collect::<Option<_>>()?;
    let types: Vec<Ty> = checked.iter().map(|(_, ty)| *ty).collect();
    let Some(ty) = result(function, &types) else {
        let found: Vec<_> = types.iter().map(|ty| ty.name()).collect();
        sink.error("expr/type", span, format!("`{name}` does not take ({})", found.join(", ")), "here");
        return None;
    };
    Some((Expr::Call(function, checked.into_iter().map(|(expr, _)| expr).collect()), ty))
}

/// The type of a call, if its arguments fit.
fn result(function: Function, types: &[Ty]) -> Option<Ty> {
    match (function, types) {
        (Function::Round, [Ty::Decimal | Ty::Int, Ty::Int]) => Some(Ty::Decimal),
        (Function::Scale, [Ty::Text | Ty::Decimal | Ty::Int]) | (Function::Length, [Ty::Text]) => Some(Ty::Int),
        (Function::Decimal, [Ty::Text | Ty::Int]) => Some(Ty::Decimal),
        (Function::Trim | Function::Lower, [Ty::Text]) => Some(Ty::Text),
        (Function::Starts | Function::Ends, [Ty::Text, Ty::Text]) => Some(Ty::Bool),
        (Function::If, [Ty::Bool, a, b]) => common(&[*a, *b]),
        (Function::Coalesce, all) => common(all),
        _ => None,
    }
}

fn common(types: &[Ty]) -> Option<Ty> {
    let first = types.iter().copied().find(|ty| *ty != Ty::Null).unwrap_or(Ty::Null);
    types.iter().all(|ty| *ty == first || *ty == Ty::Null).then_some(first)
}
