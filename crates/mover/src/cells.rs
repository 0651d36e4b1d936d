//! Cells as bytes, for staged rows: a tag, then the content; a cell that the stream did not tell has a tag of its own.
//!
//! Small cells are small: an integer has only the bytes it needs, a short text one byte more than its characters. The
//! bytes of integers sort as the integers do, so that rows in key order are appended where they are stored.

use crate::error::{Error, Result};
use mapping::Anchor;
use vocab::row::{Cell, RowKey};

const NULL: u8 = 0;
const UNTOLD: u8 = 1;
/// An integer from 0 has this and the number of its bytes; a negative one, this less one and less their number.
const INT: u8 = 0x18;
const TEXT: u8 = 0x30;
const BYTES: u8 = 0x31;
/// And the length of a text below 64 bytes.
const SHORT_TEXT: u8 = 0x40;
const SHORT_MAX: usize = 0x3f;
/// Room for the cells of most rows, and of most keys.
const ROW: usize = 24;
const KEY: usize = 1;

pub(crate) fn encode<'a>(cells: impl IntoIterator<Item = Option<&'a Cell>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(192);
    encode_into(&mut out, cells);
    out
}

/// Behind what is there already.
pub(crate) fn encode_into<'a>(out: &mut Vec<u8>, cells: impl IntoIterator<Item = Option<&'a Cell>>) {
    for cell in cells {
        match cell {
            None => out.push(UNTOLD),
            Some(Cell::Null) => out.push(NULL),
            Some(Cell::Int(value)) => put_int(out, *value),
            Some(Cell::Text(text)) if text.len() <= SHORT_MAX => {
                out.push(SHORT_TEXT | u8::try_from(text.len()).unwrap_or(0));
                out.extend_from_slice(text.as_bytes());
            }
            Some(Cell::Text(text)) => put_slice(out, TEXT, text.as_bytes()),
            Some(Cell::Bytes(bytes)) => put_slice(out, BYTES, bytes),
        }
    }
}

/// The bytes behind the leading ones that only repeat the sign; the number of them is in the tag.
fn put_int(out: &mut Vec<u8>, value: i64) {
    let (sign, bytes) = (if value < 0 { u8::MAX } else { 0 }, value.to_be_bytes());
    let leading = bytes.iter().take_while(|byte| **byte == sign).count();
    let count = u8::try_from(bytes.len() - leading).unwrap_or(0);
    out.push(if value < 0 { INT - 1 - count } else { INT + count });
    out.extend_from_slice(&bytes[leading..]);
}

fn put_slice(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Option<Cell>>> {
    decode_some(bytes, ROW)
}

/// The same, with room for so many.
fn decode_some(mut bytes: &[u8], room: usize) -> Result<Vec<Option<Cell>>> {
    let mut cells = Vec::with_capacity(room);
    while let Some((&tag, rest)) = bytes.split_first() {
        bytes = rest;
        cells.push(match tag {
            UNTOLD => None,
            NULL => Some(Cell::Null),
            0x18..=0x20 => Some(Cell::Int(int(&mut bytes, 0, tag - INT)?)),
            0x0f..=0x17 => Some(Cell::Int(int(&mut bytes, u8::MAX, INT - 1 - tag)?)),
            0x40..=0x7f => Some(Cell::Text(text(take(&mut bytes, usize::from(tag & !SHORT_TEXT))?)?)),
            TEXT => Some(Cell::Text(text(take_slice(&mut bytes)?)?)),
            BYTES => Some(Cell::Bytes(take_slice(&mut bytes)?.to_vec())),
            _ => return Err(Error::Staged("a cell has an unknown tag")),
        });
    }
    Ok(cells)
}

fn int(bytes: &mut &[u8], sign: u8, count: u8) -> Result<i64> {
    let taken = take(bytes, usize::from(count))?;
    let mut whole = [sign; 8];
    whole[8 - taken.len()..].copy_from_slice(taken);
    Ok(i64::from_be_bytes(whole))
}

fn text(bytes: &[u8]) -> Result<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Error::Staged("text is not UTF-8")),
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count).ok_or(Error::Staged("a cell is cut short"))?;
    *bytes = rest;
    Ok(head)
}

fn take_slice<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(Error::Staged("a cell is cut short"))?;
    *bytes = rest;
    let length = usize::try_from(u64::from_le_bytes(*head)).map_err(|_| Error::Staged("a cell is too long"))?;
    take(bytes, length)
}

pub(crate) fn encode_key(key: &RowKey) -> Vec<u8> {
    encode(key.0.iter().map(Some))
}

pub(crate) fn decode_key(bytes: &[u8]) -> Result<RowKey> {
    let cells: Option<Vec<Cell>> = decode_some(bytes, KEY)?.into_iter().collect();
    Ok(RowKey(cells.ok_or(Error::Staged("a key has an untold cell"))?))
}

pub(crate) fn encode_anchor(anchor: &Anchor) -> Vec<u8> {
    match anchor {
        Anchor::Row(key) => encode_key(key),
        Anchor::Group(cell) => encode([Some(cell)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back_and_what_is_cut_is_refused() {
        let cells = [
            None,
            Some(Cell::Null),
            Some(Cell::Int(-7)),
            Some(Cell::Text("kopi é".into())),
            Some(Cell::Text("k".repeat(64))),
            Some(Cell::Bytes(vec![0, 255])),
        ];
        let bytes = encode(cells.iter().map(Option::as_ref));
        assert_eq!(decode(&bytes).unwrap(), cells);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[9]).is_err());
    }

    #[test]
    fn integers_come_back_and_sort_as_integers_do() {
        let integers =
            [i64::MIN, i64::MIN + 1, -65_536, -257, -256, -255, -129, -128, -2, -1, 0, 1, 127, 128, 255, 256];
        let integers = integers.into_iter().chain([65_535, 65_536, i64::MAX - 1, i64::MAX]);
        let encoded: Vec<(i64, Vec<u8>)> = integers.map(|value| (value, encode([Some(&Cell::Int(value))]))).collect();
        for (value, bytes) in &encoded {
            assert_eq!(decode(bytes).unwrap(), [Some(Cell::Int(*value))]);
        }
        assert!(encoded.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }
}
