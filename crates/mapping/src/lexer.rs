//! The tokens of columns, fields, assignments and expressions, each with its place.

use crate::diagnostics::{Sink, Span};
use crate::file::Text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Name(String),
    Int(i64),
    /// A decimal literal as written.
    Decimal(String),
    Text(String),
    /// One of `= != < <= > >= + - * ( ) , . [ ]` and `->`.
    Symbol(&'static str),
}

/// Longer ones first: the first that fits is taken.
const SYMBOLS: [&str; 17] = ["->", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "(", ")", ",", ".", "[", "]", "{"];

/// The tokens of a text, and a place in them.
pub(crate) struct Tokens<'a> {
    tokens: Vec<(Token, Span)>,
    at: usize,
    text: &'a Text,
    code: &'static str,
}

impl<'a> Tokens<'a> {
    /// Splits a text; `code` is the code of every syntax error in it.
    pub fn new(text: &'a Text, code: &'static str, sink: &mut Sink<'_>) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(rest) = text.text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((token, length)) = next(rest) else {
                let end = at + rest.chars().next().map_or(0, char::len_utf8);
                sink.error(code, text.part(at, end), "this cannot be read", "unexpected here");
                return None;
            };
            if let Some(token) = token {
                tokens.push((token, text.part(at, at + length)));
            }
            at += length;
        }
        Some(Self { tokens, at: 0, text, code })
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The place of the next token, or the end of the text.
    pub fn span(&self) -> Span {
        match self.tokens.get(self.at) {
            Some((_, span)) => *span,
            None => self.text.part(self.text.text.len().saturating_sub(1), self.text.text.len()),
        }
    }

    /// From the start of one token to the end of the last one taken.
    pub fn since(&self, start: Span) -> Span {
        let end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start.end, |(_, span)| span.end);
        Span { end: end.max(start.end), ..start }
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).map(|(token, _)| token.clone());
        self.at += 1;
        token
    }

    pub fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        if found {
            self.at += 1;
        }
        found
    }

    pub fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        if found {
            self.at += 1;
        }
        found
    }

    pub fn name(&mut self, what: &str, sink: &mut Sink<'_>) -> Option<(String, Span)> {
        let span = self.span();
        if let Some(Token::Name(name)) = self.peek() {
            let name = name.clone();
            self.at += 1;
            return Some((name, span));
        }
        self.fail(what, sink);
        None
    }

    pub fn need_symbol(&mut self, symbol: &'static str, sink: &mut Sink<'_>) -> Option<()> {
        if self.take_symbol(symbol) {
            return Some(());
        }
        self.fail(&format!("`{symbol}`"), sink);
        None
    }

    /// Reports that something else was expected here.
    pub fn fail(&self, expected: &str, sink: &mut Sink<'_>) {
        let found = if self.is_done() { "the text ends here" } else { "not this" };
        sink.error(self.code, self.span(), format!("expected {expected}"), found);
    }

    /// Nothing may follow.
    pub fn end(&self, sink: &mut Sink<'_>) -> Option<()> {
        if self.is_done() {
            return Some(());
        }
        self.fail("the end", sink);
        None
    }
}

/// The next token and its length in bytes; no token for blanks and comments, nothing if it cannot be read.
fn next(rest: &str) -> Option<(Option<Token>, usize)> {
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some((None, first.len_utf8()));
    }
    if rest.starts_with("--") {
        return Some((None, rest.find('\n').unwrap_or(rest.len())));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        return Some((Some(Token::Name(rest[..length].to_owned())), length));
    }
    if first.is_ascii_digit() {
        return number(rest);
    }
    if first == '\'' {
        return quoted(rest);
    }
    let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol))?;
    Some((Some(Token::Symbol(symbol)), symbol.len()))
}

fn number(rest: &str) -> Option<(Option<Token>, usize)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, digits);
    if fraction == 0 {
        return rest[..whole].parse().ok().map(|int| (Some(Token::Int(int)), whole));
    }
    let length = whole + 1 + fraction;
    Some((Some(Token::Decimal(rest[..length].to_owned())), length))
}

/// Text in single quotes; a quote in it is doubled.
fn quoted(rest: &str) -> Option<(Option<Token>, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return Some((Some(Token::Text(text)), at + 1));
        }
    }
    None
}
