//! Cells on their way in and out: null, whole numbers, text, bytes. There is nothing else in this store.

use std::sync::Arc;

/// A cell, whichever engine has it. Truth is 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A cell that is kept, of whatever type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owned {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What can be written into a cell.
pub trait Bind {
    fn value(&self) -> Value<'_>;
}

macro_rules! bind {
    ($($type:ty: |$it:ident| $value:expr;)*) => {
        $(
            impl Bind for $type {
                fn value(&self) -> Value<'_> {
                    let $it = self;
                    $value
                }
            }
        )*
    };
}

bind! {
    i64: |it| Value::Int(*it);
    u32: |it| Value::Int(i64::from(*it));
    bool: |it| Value::Int(i64::from(*it));
    str: |it| Value::Text(it);
    String: |it| Value::Text(it);
    Arc<str>: |it| Value::Text(it);
    [u8]: |it| Value::Bytes(it);
    Vec<u8>: |it| Value::Bytes(it);
}

impl Bind for Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Bind::value)
    }
}

/// The cells of one statement, in the order of `?1`, `?2` …
pub trait Params {
    fn values(&self) -> Vec<Value<'_>>;
}

impl<T: Bind + ?Sized, const N: usize> Params for [&T; N] {
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(|it| it.value()).collect()
    }
}

impl<const N: usize> Params for [String; N] {
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(Bind::value).collect()
    }
}

impl<const N: usize> Params for [i64; N] {
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(Bind::value).collect()
    }
}

impl Params for [(); 0] {
    fn values(&self) -> Vec<Value<'_>> {
        Vec::new()
    }
}

impl Params for &[Owned] {
    fn values(&self) -> Vec<Value<'_>> {
        self.iter().map(Bind::value).collect()
    }
}

impl Params for &[Value<'_>] {
    fn values(&self) -> Vec<Value<'_>> {
        self.to_vec()
    }
}

/// Of a statement that takes no cells.
pub const NOTHING: [&str; 0] = [];

/// Cells of several types.
macro_rules! params {
    ($($cell:expr),* $(,)?) => {
        [$(&$cell as &dyn $crate::sql::Bind),*]
    };
}
pub(crate) use params;

/// What can be read from a cell; none: it is of another type.
pub trait Cell: Sized {
    fn of(value: Value<'_>) -> Option<Self>;
}

impl Cell for Owned {
    fn of(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(number),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        })
    }
}

impl Cell for i64 {
    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Int(number) = value { Some(number) } else { None }
    }
}

impl Cell for u32 {
    fn of(value: Value<'_>) -> Option<Self> {
        i64::of(value)?.try_into().ok()
    }
}

impl Cell for bool {
    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(0) => Some(false),
            Value::Int(1) => Some(true),
            Value::Null | Value::Int(_) | Value::Text(_) | Value::Bytes(_) => None,
        }
    }
}

impl Cell for String {
    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl Cell for Arc<str> {
    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into()) } else { None }
    }
}

impl Cell for Vec<u8> {
    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.to_vec()) } else { None }
    }
}

impl<const N: usize> Cell for [u8; N] {
    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.try_into().ok() } else { None }
    }
}

impl<T: Cell> Cell for Option<T> {
    fn of(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::of(value).map(Some) }
    }
}
