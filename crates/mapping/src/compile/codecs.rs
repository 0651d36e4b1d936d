//! `[codec.…]`: declared once, checked for itself here, and for its column and field where it is used.

use super::header::Header;
use crate::codec::{Codec, CodecKind, InstantText, MoneyText, Words, length_max};
use crate::diagnostics::{Problem, Sink, Span};
use crate::file::{Entries, Item};
use crate::instant::Pattern;
use std::collections::BTreeMap;
use vocab::row::{Cell, Column, ColumnType};
use vocab::shape::Type;

/// A codec as declared.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub kind: CodecKind,
    /// Keys only: may stand for nobody.
    pub none: Option<(Cell, Span)>,
    pub span: Span,
    /// Where each printed word stands.
    pub words: BTreeMap<String, Span>,
}

pub(crate) fn compile(mut entries: Entries<'_>, header: &Header, sink: &mut Sink<'_>) -> BTreeMap<String, Declared> {
    let mut codecs = BTreeMap::new();
    for (name, span, item) in entries.rest() {
        let Some(entries) = item.table(sink) else { continue };
        if let Some(declared) = one(entries, span, header, sink) {
            codecs.insert(name, declared);
        }
    }
    codecs
}

fn one(mut entries: Entries<'_>, span: Span, header: &Header, sink: &mut Sink<'_>) -> Option<Declared> {
    let is = entries.need_text("is", sink)?;
    let none = entries.take("none").and_then(|item| Some((none_cell(item, sink)?, item.span)));
    let mut words = BTreeMap::new();
    let kind = match is.text.as_str() {
        "text" => CodecKind::Text { trim: flag(&mut entries, "trim", sink) },
        "int" => CodecKind::Int,
        "key" | "ref" => CodecKind::Key,
        "money" => money(&mut entries, span, header, sink)?,
        "decimal" => CodecKind::Exact { separator: separator(&mut entries, sink)? },
        "instant" => instant(&mut entries, none.as_ref(), span, header, sink)?,
        "hex" => CodecKind::Hex,
        "words" => CodecKind::Words(read_words(&mut entries, &mut words, sink)?),
        "json" | "php" => {
            let title = format!("the codec `{}` is part of the language, but this version does not build it", is.text);
            sink.error("form/not_built", is.span, title, "not built");
            return None;
        }
        other => {
            let known = "text, int, key, ref, money, decimal, instant, hex, words";
            sink.push(
                Problem::new("codec/unknown", format!("there is no codec of kind `{other}`"))
                    .at(is.span, "not known")
                    .help(format!("one of: {known}")),
            );
            return None;
        }
    };
    entries.finish("a codec of this kind", sink);
    Some(Declared { kind, none, span, words })
}

fn none_cell(item: Item<'_>, sink: &mut Sink<'_>) -> Option<Cell> {
    match item.as_int() {
        Some(int) => Some(Cell::Int(int)),
        None => item.text(sink).map(|text| Cell::Text(text.text)),
    }
}

fn flag(entries: &mut Entries<'_>, key: &str, sink: &mut Sink<'_>) -> bool {
    entries.take(key).and_then(|item| item.bool(sink)).unwrap_or(false)
}

fn separator(entries: &mut Entries<'_>, sink: &mut Sink<'_>) -> Option<char> {
    let Some(text) = entries.take_text("decimal", sink) else { return Some('.') };
    let mut chars = text.text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !c.is_ascii_digit() && c != '-' => Some(c),
        _ => {
            sink.error("codec/separator", text.span, "the decimal separator is one character", "here");
            None
        }
    }
}

fn money(entries: &mut Entries<'_>, span: Span, header: &Header, sink: &mut Sink<'_>) -> Option<CodecKind> {
    if flag(entries, "minor", sink) {
        return Some(CodecKind::Minor);
    }
    let float = flag(entries, "float", sink);
    let separator = separator(entries, sink);
    let read = entries.take("read").map(|item| (item, item.list(sink)));
    let range = match &read {
        Some((item, bounds)) => match bounds.iter().map(|bound| digits(bound)).collect::<Option<Vec<_>>>().as_deref() {
            Some([least, most]) if least <= most => (*least, *most),
            _ => {
                sink.error("money/read", item.span, "`read` is the least and the most digits read", "as in [0, 2]");
                return None;
            }
        },
        None => (0, header.minor),
    };
    let print = entries.take("print");
    let digits = match print {
        Some(item) => Some(digits(&item).or_else(|| {
            sink.error("money/print", item.span, "`print` is how many digits are written", "0 to 9");
            None
        })?),
        None if float => None,
        None => {
            sink.error("money/print", span, "`print` is missing", "how many digits after the separator are written?");
            return None;
        }
    };
    if let (Some(item), Some(digits)) = (print, digits)
        && (digits < range.0 || digits > range.1)
    {
        let title = format!("amounts are printed with {digits} digits, which `read` does not give back");
        sink.error("money/not_read_back", item.span, title, "outside `read`");
    }
    if float && digits.is_some() {
        sink.error("money/print", span, "a float is printed with as few digits as needed", "`print` and `float`");
    }
    Some(CodecKind::Money(MoneyText { separator: separator?, read: range, print: digits, minor: header.minor }))
}

fn digits(item: &Item<'_>) -> Option<u32> {
    item.as_int().and_then(|int| u32::try_from(int).ok()).filter(|digits| *digits <= 9)
}

fn instant(
    entries: &mut Entries<'_>,
    none: Option<&(Cell, Span)>,
    span: Span,
    header: &Header,
    sink: &mut Sink<'_>,
) -> Option<CodecKind> {
    let text = entries.take_text("text", sink);
    let unit = entries.take_text("unit", sink);
    let (pattern, unit) = match (&text, &unit) {
        (Some(text), None) => match Pattern::parse(&text.text) {
            Some(pattern) => (Some(pattern), 1),
            None => {
                let label = "%Y %m %d %H %M, and %S %f %-m %-d %-H, each once";
                sink.error("instant/pattern", text.span, "this pattern does not show an instant", label);
                return None;
            }
        },
        (None, Some(unit)) => (
            None,
            duration(&unit.text).or_else(|| {
                sink.error("instant/unit", unit.span, "a unit is a duration", "as in \"1s\" or \"1ms\"");
                None
            })?,
        ),
        _ => {
            sink.error("instant/pattern", span, "an instant needs `text` or `unit`", "one of them");
            return None;
        }
    };
    let finest = pattern.as_ref().map_or(unit, Pattern::resolution);
    let same = entries.take_text("same", sink);
    let same_us = match &same {
        Some(text) => duration(&text.text).or_else(|| {
            sink.error("instant/same", text.span, "`same` is a duration", "as in \"1s\" or \"1ms\"");
            None
        })?,
        None => finest,
    };
    if let Some(text) = same.filter(|_| same_us % finest != 0) {
        sink.error("instant/same", text.span, "finer than what is printed, or not a multiple of it", "here");
    }
    if let (Some(pattern), Some((Cell::Text(none), span))) = (&pattern, none)
        && crate::instant::parse(pattern, none).is_some()
    {
        sink.error("codec/none", *span, "`none` is itself an instant", "it could not be told from one");
    }
    Some(CodecKind::Instant(InstantText { pattern, unit, offset: header.offset, same: same_us }))
}

/// Microseconds of `10us`, `1ms`, `1s`, `1m`.
fn duration(text: &str) -> Option<i64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor).filter(|us| *us > 0)
}

fn read_words(entries: &mut Entries<'_>, places: &mut BTreeMap<String, Span>, sink: &mut Sink<'_>) -> Option<Words> {
    let read = entries.take_table("read", sink);
    let print = entries.take_table("print", sink);
    let (Some(mut read), Some(mut print)) = (read, print) else {
        sink.error("words/missing", entries.span, "words need `read` and `print`", "here");
        return None;
    };
    let mut words = Words::default();
    let mut read_at = BTreeMap::new();
    for (word, span, item) in read.rest() {
        let Some(class) = item.text(sink) else { continue };
        read_at.entry(class.text.clone()).or_insert((word.clone(), span));
        if word.ends_with(' ') {
            sink.error("words/blank", span, "a word ends with a blank", "blanks at the end are padding");
        }
        words.read.insert(word, class.text.into());
    }
    for (class, span, item) in print.rest() {
        let Some(word) = item.text(sink) else { continue };
        if words.read.get(&word.text).map(|class| &**class) != Some(class.as_str()) {
            let title = format!("`{class}` is printed as \"{}\", which `read` does not give back", word.text);
            sink.error("words/not_read_back", item.span, title, "not read as this class");
        }
        places.insert(class.clone(), span);
        words.print.insert(class.into(), word.text);
    }
    for (class, (word, span)) in read_at {
        if !words.print.contains_key(class.as_str()) {
            let title = format!("`{class}` is read from \"{word}\", but has no word to print");
            sink.error("words/not_printed", span, title, "add it to `print`");
        }
    }
    Some(words)
}

/// The codec for a column and a field; `ty` is none for a link or a derived column whose type is the codec's own.
pub(crate) fn fit(
    declared: &Declared,
    column: &Column,
    ty: Option<Type>,
    span: Span,
    sink: &mut Sink<'_>,
) -> Option<Codec> {
    let textual = matches!(column.ty, ColumnType::Text(_) | ColumnType::Char(_));
    let int = column.ty == ColumnType::Int;
    let fits = match &declared.kind {
        CodecKind::Text { .. } | CodecKind::Money(_) => textual,
        CodecKind::Int | CodecKind::Key | CodecKind::Exact { .. } | CodecKind::Words(_) => textual || int,
        CodecKind::Minor | CodecKind::Bool => int,
        CodecKind::Instant(instant) => {
            if instant.pattern.is_some() {
                textual
            } else {
                int
            }
        }
        CodecKind::Hex => !int,
    };
    if !fits {
        sink.error("codec/column", span, format!("this codec does not fit the type of {}", column.name), "here");
        return None;
    }
    if let Some(ty) = ty {
        gives(&declared.kind, ty, span, sink)?;
    }
    lengths(declared, column, span, sink);
    let none = none_of(declared, column, sink)?;
    Some(Codec { kind: declared.kind.clone(), none })
}

/// Whether the codec's values are of the field's type.
fn gives(kind: &CodecKind, ty: Type, span: Span, sink: &mut Sink<'_>) -> Option<()> {
    let fits = match (kind, ty) {
        (CodecKind::Words(words), Type::Word(all)) => {
            let unknown = words.read.values().chain(words.print.keys()).find(|class| !all.contains(&&***class));
            if let Some(class) = unknown {
                let title = format!("`{class}` is no word of this field");
                sink.error("words/unknown_class", span, title, format!("one of: {}", all.join(", ")));
                return None;
            }
            true
        }
        (CodecKind::Text { .. }, Type::Id | Type::Text)
        | (CodecKind::Key | CodecKind::Words(_), Type::Id | Type::Text)
        | (CodecKind::Exact { .. } | CodecKind::Hex, Type::Text)
        | (CodecKind::Int, Type::Int)
        | (CodecKind::Money(_) | CodecKind::Minor, Type::Money)
        | (CodecKind::Instant(_), Type::Instant)
        | (CodecKind::Bool, Type::Bool) => true,
        _ => false,
    };
    if !fits {
        sink.error("codec/field", span, "this codec does not give the field's type", "here");
        return None;
    }
    Some(())
}

/// Whether all that can be known of what is printed fits the column.
fn lengths(declared: &Declared, column: &Column, span: Span, sink: &mut Sink<'_>) {
    let Some(most) = length_max(&column.ty) else {
        if let CodecKind::Words(words) = &declared.kind
            && let Some(word) = words.read.keys().find(|word| word.parse::<i64>().is_err())
            && column.ty == ColumnType::Int
        {
            sink.error("words/type", span, format!("\"{word}\" is no integer, but {} is", column.name), "here");
        }
        return;
    };
    if let CodecKind::Words(words) = &declared.kind {
        for (class, word) in &words.print {
            if word.chars().count() > most {
                let at = declared.words.get(&**class).copied().unwrap_or(declared.span);
                sink.push(
                    Problem::new("words/too_long", format!("\"{word}\" does not fit {} ({most})", column.name))
                        .at(at, "too long")
                        .at(span, "used here"),
                );
            }
        }
    }
    if let CodecKind::Instant(InstantText { pattern: Some(pattern), .. }) = &declared.kind
        && pattern.length_max() > most
    {
        sink.error("codec/too_long", span, format!("this pattern does not fit {} ({most})", column.name), "here");
    }
}

fn none_of(declared: &Declared, column: &Column, sink: &mut Sink<'_>) -> Option<Option<Cell>> {
    let Some((none, span)) = &declared.none else { return Some(None) };
    let fits = match (none, &column.ty) {
        (Cell::Int(_), ColumnType::Int) => true,
        (Cell::Text(text), ty) => {
            length_max(ty).is_none_or(|most| text.chars().count() <= most) && *ty != ColumnType::Int
        }
        _ => false,
    };
    if !fits {
        sink.error("codec/none", *span, format!("`none` does not fit {}", column.name), "here");
        return None;
    }
    Some(Some(none.clone()))
}

/// The codec of a field that names none.
pub(crate) fn by_type(column: &Column, ty: Type, span: Span, sink: &mut Sink<'_>) -> Option<Codec> {
    let kind = match (ty, &column.ty) {
        (Type::Id, ColumnType::Int | ColumnType::Text(_) | ColumnType::Char(_)) => CodecKind::Key,
        (Type::Text, ColumnType::Text(_) | ColumnType::Char(_)) => CodecKind::Text { trim: false },
        (Type::Int, ColumnType::Int) => CodecKind::Int,
        (Type::Bool, ColumnType::Int) => CodecKind::Bool,
        _ => {
            let title = format!("{} needs a codec to become this field", column.name);
            sink.error("codec/missing", span, title, "add `as …`");
            return None;
        }
    };
    Some(Codec::plain(kind))
}
