//! Cells and rows as this program sees them, whatever the engine.

use crate::database::Error;
use crate::money;

/// A cell: this schema knows integers and text, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
}

/// The arguments of a statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Value::from($value)),*] };
}
pub(crate) use args;

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The cells of a row in the order in which the statement names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// # Errors
    /// Where the cell is no integer.
    pub fn int(&self, index: usize) -> Result<i64, Error> {
        match self.0.get(index) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(Error::unreadable(index, other)),
        }
    }

    /// # Errors
    /// Where the cell is neither null nor an integer.
    pub fn optional_int(&self, index: usize) -> Result<Option<i64>, Error> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.int(index).map(Some),
        }
    }

    /// # Errors
    /// Where the cell is no text.
    pub fn text(&self, index: usize) -> Result<String, Error> {
        match self.0.get(index) {
            Some(Value::Text(text)) => Ok(text.clone()),
            other => Err(Error::unreadable(index, other)),
        }
    }

    /// # Errors
    /// Where the cell is neither null nor text.
    pub fn optional_text(&self, index: usize) -> Result<Option<String>, Error> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.text(index).map(Some),
        }
    }

    /// A word of a `char(n)` column, without the blanks that fill it up.
    ///
    /// # Errors
    /// Where the cell is no text.
    pub fn word(&self, index: usize) -> Result<String, Error> {
        Ok(self.text(index)?.trim_end().to_owned())
    }

    /// An amount in hundredths, from decimal text.
    ///
    /// # Errors
    /// Where the cell is no decimal text with at most two places.
    pub fn money(&self, index: usize) -> Result<i64, Error> {
        let text = self.text(index)?;
        money::read(&text).ok_or_else(|| Error::unreadable(index, self.0.get(index)))
    }
}
