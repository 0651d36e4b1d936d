//! The expression grammar, and the small forms beside it: fields, assignments, literals.
//!
//! Absent on purpose: names are not looked up here, types are not known.

use crate::diagnostics::{Sink, Span};
use crate::file::Text;
use crate::lexer::{Token, Tokens};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lit {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(String),
    Text(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub kind: NodeKind,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Lit(Lit),
    Path(Vec<String>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    IsNull(Box<Node>, bool),
    In(Box<Node>, Vec<Lit>, bool),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Negative(Box<Node>),
    Call(String, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

/// `col [as codec] [once]`.
#[derive(Debug, Clone)]
pub(crate) struct FieldText {
    pub column: (String, Span),
    pub codec: Option<(String, Span)>,
    pub once: bool,
}

/// One `name = literal`.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    pub column: (String, Span),
    pub value: Lit,
    pub span: Span,
}

/// Deeper nesting is refused: nobody writes it, and the parser recurses.
const DEPTH_MAX: usize = 24;

pub(crate) fn expression(text: &Text, sink: &mut Sink<'_>) -> Option<Node> {
    let mut tokens = Tokens::new(text, "expr/syntax", sink)?;
    let node = or(&mut tokens, 0, sink)?;
    tokens.end(sink)?;
    Some(node)
}

pub(crate) fn field(text: &Text, sink: &mut Sink<'_>) -> Option<FieldText> {
    let mut tokens = Tokens::new(text, "field/syntax", sink)?;
    let field = field_of(&mut tokens, sink)?;
    tokens.end(sink)?;
    Some(field)
}

pub(crate) fn field_of(tokens: &mut Tokens<'_>, sink: &mut Sink<'_>) -> Option<FieldText> {
    let column = tokens.name("a column", sink)?;
    let codec = if tokens.take_word("as") { Some(tokens.name("a codec", sink)?) } else { None };
    let once = tokens.take_word("once");
    Some(FieldText { column, codec, once })
}

/// `a = 1, b = 'x'`.
pub(crate) fn assignments(text: &Text, sink: &mut Sink<'_>) -> Option<Vec<Assignment>> {
    let mut tokens = Tokens::new(text, "assign/syntax", sink)?;
    let mut all = Vec::new();
    loop {
        let start = tokens.span();
        let column = tokens.name("a column", sink)?;
        tokens.need_symbol("=", sink)?;
        let value = literal(&mut tokens, sink)?;
        all.push(Assignment { column, value, span: tokens.since(start) });
        if !tokens.take_symbol(",") {
            tokens.end(sink)?;
            return Some(all);
        }
    }
}

pub(crate) fn literal(tokens: &mut Tokens<'_>, sink: &mut Sink<'_>) -> Option<Lit> {
    let negative = tokens.take_symbol("-");
    let lit = match tokens.peek() {
        Some(Token::Int(int)) => Lit::Int(if negative { -*int } else { *int }),
        Some(Token::Decimal(text)) => Lit::Decimal(if negative { format!("-{text}") } else { text.clone() }),
        Some(Token::Text(text)) if !negative => Lit::Text(text.clone()),
        Some(Token::Name(name)) if !negative => match name.as_str() {
            "true" => Lit::Bool(true),
            "false" => Lit::Bool(false),
            "null" => Lit::Null,
            _ => {
                tokens.fail("a literal", sink);
                return None;
            }
        },
        _ => {
            tokens.fail("a literal", sink);
            return None;
        }
    };
    tokens.next();
    Some(lit)
}

type Level = fn(&mut Tokens<'_>, usize, &mut Sink<'_>) -> Option<Node>;
type Join = fn(Box<Node>, Box<Node>) -> NodeKind;

fn chain(
    tokens: &mut Tokens<'_>,
    depth: usize,
    sink: &mut Sink<'_>,
    below: Level,
    joins: &dyn Fn(&mut Tokens<'_>) -> Option<Join>,
) -> Option<Node> {
    let start = tokens.span();
    let mut left = below(tokens, depth, sink)?;
    while let Some(join) = joins(tokens) {
        let right = below(tokens, depth, sink)?;
        left = Node { kind: join(Box::new(left), Box::new(right)), span: tokens.since(start) };
    }
    Some(left)
}

fn or(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    if depth > DEPTH_MAX {
        tokens.fail("less nesting", sink);
        return None;
    }
    chain(tokens, depth, sink, and, &|tokens| tokens.take_word("or").then_some(NodeKind::Or))
}

fn and(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    chain(tokens, depth, sink, not, &|tokens| tokens.take_word("and").then_some(NodeKind::And))
}

fn not(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    let start = tokens.span();
    if !tokens.take_word("not") {
        return compare(tokens, depth, sink);
    }
    let inner = compare(tokens, depth, sink)?;
    Some(Node { kind: NodeKind::Not(Box::new(inner)), span: tokens.since(start) })
}

fn compare(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    let start = tokens.span();
    let left = Box::new(sum(tokens, depth, sink)?);
    for (symbol, comparison) in [
        ("=", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        ("<", Comparison::Less),
        (">=", Comparison::GreaterOrEqual),
        (">", Comparison::Greater),
    ] {
        if tokens.take_symbol(symbol) {
            let right = Box::new(sum(tokens, depth, sink)?);
            return Some(Node { kind: NodeKind::Compare(comparison, left, right), span: tokens.since(start) });
        }
    }
    if tokens.take_word("is") {
        let not = tokens.take_word("not");
        if !tokens.take_word("null") {
            tokens.fail("`null`", sink);
            return None;
        }
        return Some(Node { kind: NodeKind::IsNull(left, !not), span: tokens.since(start) });
    }
    let not = tokens.take_word("not");
    if tokens.take_word("in") {
        let among = among(tokens, sink)?;
        return Some(Node { kind: NodeKind::In(left, among, !not), span: tokens.since(start) });
    }
    if not {
        tokens.fail("`in`", sink);
        return None;
    }
    Some(*left)
}

fn among(tokens: &mut Tokens<'_>, sink: &mut Sink<'_>) -> Option<Vec<Lit>> {
    tokens.need_symbol("(", sink)?;
    let mut among = vec![literal(tokens, sink)?];
    while tokens.take_symbol(",") {
        among.push(literal(tokens, sink)?);
    }
    tokens.need_symbol(")", sink)?;
    Some(among)
}

fn sum(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    chain(tokens, depth, sink, product, &|tokens| {
        if tokens.take_symbol("+") {
            return Some(|a, b| NodeKind::Arithmetic(Arithmetic::Add, a, b));
        }
        tokens.take_symbol("-").then_some(|a, b| NodeKind::Arithmetic(Arithmetic::Subtract, a, b))
    })
}

fn product(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    chain(tokens, depth, sink, atom, &|tokens| {
        tokens.take_symbol("*").then_some(|a, b| NodeKind::Arithmetic(Arithmetic::Multiply, a, b))
    })
}

fn atom(tokens: &mut Tokens<'_>, depth: usize, sink: &mut Sink<'_>) -> Option<Node> {
    let start = tokens.span();
    if tokens.take_symbol("(") {
        let inner = or(tokens, depth + 1, sink)?;
        tokens.need_symbol(")", sink)?;
        return Some(inner);
    }
    if tokens.take_symbol("-") {
        if depth > DEPTH_MAX {
            tokens.fail("less nesting", sink);
            return None;
        }
        let inner = atom(tokens, depth + 1, sink)?;
        return Some(Node { kind: NodeKind::Negative(Box::new(inner)), span: tokens.since(start) });
    }
    let name = match tokens.peek() {
        Some(Token::Name(name)) if !matches!(name.as_str(), "true" | "false" | "null") => name.clone(),
        _ => {
            let lit = literal(tokens, sink)?;
            return Some(Node { kind: NodeKind::Lit(lit), span: tokens.since(start) });
        }
    };
    tokens.next();
    if tokens.take_symbol("(") {
        let mut arguments = vec![or(tokens, depth + 1, sink)?];
        while tokens.take_symbol(",") {
            arguments.push(or(tokens, depth + 1, sink)?);
        }
        tokens.need_symbol(")", sink)?;
        return Some(Node { kind: NodeKind::Call(name, arguments), span: tokens.since(start) });
    }
    let mut path = vec![name];
    while tokens.take_symbol(".") {
        path.push(tokens.name("a name", sink)?.0);
    }
    if matches!(tokens.peek(), Some(Token::Symbol("["))) {
        sink.error("form/not_built", tokens.span(), "lookups by name are not built", "not built");
        return None;
    }
    Some(Node { kind: NodeKind::Path(path), span: tokens.since(start) })
}
