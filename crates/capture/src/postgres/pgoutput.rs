//! The messages of PostgreSQL's `pgoutput` plugin, protocol 1: bytes in, data out.
//!
//! Source: PostgreSQL 15, "Logical Replication Message Formats". Begin, commit and our own messages are decoded by the
//! replication client.

use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Relation(Relation),
    Insert {
        relation: u32,
        new: Tuple,
    },
    /// `old` is the key before, where it changed, or the whole row before, where the table's identity is full.
    Update {
        relation: u32,
        old: Option<Tuple>,
        new: Tuple,
    },
    Delete {
        relation: u32,
        old: Tuple,
    },
    Truncate {
        relations: Vec<u32>,
    },
    /// A type, an origin: nothing to us.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub id: u32,
    pub schema: String,
    pub name: String,
    pub columns: Vec<RelationColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationColumn {
    pub name: String,
    pub oid: u32,
    pub modifier: i64,
}

pub(super) type Tuple = Vec<Value>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// Kept out of line and not changed, so not told.
    Unchanged,
    Text(String),
}

pub(super) fn decode(bytes: &[u8]) -> Result<Message> {
    let mut reader = Bytes { rest: bytes };
    match reader.byte()? {
        b'R' => relation(&mut reader).map(Message::Relation),
        b'I' => {
            let relation = reader.u32()?;
            reader.expect(b'N')?;
            Ok(Message::Insert { relation, new: tuple(&mut reader)? })
        }
        b'U' => update(&mut reader),
        b'D' => {
            let relation = reader.u32()?;
            match reader.byte()? {
                b'K' | b'O' => Ok(Message::Delete { relation, old: tuple(&mut reader)? }),
                other => Err(unknown("old row", other)),
            }
        }
        b'T' => {
            let count = reader.u32()?;
            reader.byte()?;
            let relations = (0..count).map(|_| reader.u32()).collect::<Result<_>>()?;
            Ok(Message::Truncate { relations })
        }
        b'Y' | b'O' => Ok(Message::Other),
        other => Err(unknown("message", other)),
    }
}

fn update(reader: &mut Bytes<'_>) -> Result<Message> {
    let relation = reader.u32()?;
    match reader.byte()? {
        b'N' => Ok(Message::Update { relation, old: None, new: tuple(reader)? }),
        b'K' | b'O' => {
            let old = tuple(reader)?;
            reader.expect(b'N')?;
            Ok(Message::Update { relation, old: Some(old), new: tuple(reader)? })
        }
        other => Err(unknown("changed row", other)),
    }
}

fn relation(reader: &mut Bytes<'_>) -> Result<Relation> {
    let id = reader.u32()?;
    let schema = reader.name()?;
    let name = reader.name()?;
    reader.byte()?;
    let count = reader.u16()?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        reader.byte()?;
        let name = reader.name()?;
        let oid = reader.u32()?;
        let modifier = i64::from(reader.u32()?.cast_signed());
        columns.push(RelationColumn { name, oid, modifier });
    }
    Ok(Relation { id, schema, name, columns })
}

fn tuple(reader: &mut Bytes<'_>) -> Result<Tuple> {
    let count = reader.u16()?;
    let values = (0..count).map(|_| match reader.byte()? {
        b'n' => Ok(Value::Null),
        b'u' => Ok(Value::Unchanged),
        b't' => {
            let length = reader.u32()?;
            let bytes = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
            text(bytes).map(Value::Text)
        }
        other => Err(unknown("value", other)),
    });
    values.collect()
}

struct Bytes<'b> {
    rest: &'b [u8],
}

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Text up to a zero byte.
    fn name(&mut self) -> Result<String> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or_else(cut_short)?;
        let name = text(self.take(end)?)?;
        self.byte()?;
        Ok(name)
    }

    fn expect(&mut self, tag: u8) -> Result<()> {
        match self.byte()? {
            found if found == tag => Ok(()),
            other => Err(unknown("row", other)),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::Decode("text that is no UTF-8".to_owned()))
}

fn cut_short() -> Error {
    Error::Decode("a message ends too early".to_owned())
}

fn unknown(what: &str, tag: u8) -> Error {
    Error::Decode(format!("a {what} of the unknown kind {:?}", char::from(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_value_is_not_null() {
        let message = b"U\0\0\0\x07N\0\x03t\0\0\0\x015nu";
        let expected = Message::Update {
            relation: 7,
            old: None,
            new: vec![Value::Text("5".into()), Value::Null, Value::Unchanged],
        };
        assert_eq!(decode(message).unwrap(), expected);
    }

    #[test]
    fn a_message_that_is_cut_short_or_unknown_is_an_error() {
        let whole = b"I\0\0\0\x07N\0\x01t\0\0\0\x015";
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_err(), "{end} bytes");
        }
        assert!(decode(b"Zx").is_err());
    }
}
