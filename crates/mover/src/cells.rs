//! Cells as bytes, for staged rows: a tag, then the content; a cell that the stream did not tell has a tag of its own.

use crate::error::{Error, Result};
use mapping::Anchor;
use vocab::row::{Cell, RowKey};

const NULL: u8 = 0;
const INT: u8 = 1;
const TEXT: u8 = 2;
const BYTES: u8 = 3;
const UNTOLD: u8 = 4;

pub(crate) fn encode<'a>(cells: impl IntoIterator<Item = Option<&'a Cell>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for cell in cells {
        match cell {
            None => out.push(UNTOLD),
            Some(Cell::Null) => out.push(NULL),
            Some(Cell::Int(value)) => {
                out.push(INT);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Some(Cell::Text(text)) => put_slice(&mut out, TEXT, text.as_bytes()),
            Some(Cell::Bytes(bytes)) => put_slice(&mut out, BYTES, bytes),
        }
    }
    out
}

fn put_slice(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn decode(mut bytes: &[u8]) -> Result<Vec<Option<Cell>>> {
    let mut cells = Vec::new();
    while let Some((&tag, rest)) = bytes.split_first() {
        bytes = rest;
        cells.push(match tag {
            UNTOLD => None,
            NULL => Some(Cell::Null),
            INT => Some(Cell::Int(i64::from_le_bytes(take(&mut bytes)?))),
            TEXT => Some(Cell::Text(
                String::from_utf8(take_slice(&mut bytes)?.to_vec()).map_err(|_| Error::Staged("text is not UTF-8"))?,
            )),
            BYTES => Some(Cell::Bytes(take_slice(&mut bytes)?.to_vec())),
            _ => return Err(Error::Staged("a cell has an unknown tag")),
        });
    }
    Ok(cells)
}

fn take(bytes: &mut &[u8]) -> Result<[u8; 8]> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(Error::Staged("a cell is cut short"))?;
    *bytes = rest;
    Ok(*head)
}

fn take_slice<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).map_err(|_| Error::Staged("a cell is too long"))?;
    let (head, rest) = bytes.split_at_checked(length).ok_or(Error::Staged("a cell is cut short"))?;
    *bytes = rest;
    Ok(head)
}

pub(crate) fn encode_key(key: &RowKey) -> Vec<u8> {
    encode(key.0.iter().map(Some))
}

pub(crate) fn decode_key(bytes: &[u8]) -> Result<RowKey> {
    let cells: Option<Vec<Cell>> = decode(bytes)?.into_iter().collect();
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
            Some(Cell::Bytes(vec![0, 255])),
        ];
        let bytes = encode(cells.iter().map(Option::as_ref));
        assert_eq!(decode(&bytes).unwrap(), cells);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[9]).is_err());
    }
}
