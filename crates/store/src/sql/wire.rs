//! Cells as PostgreSQL has them.

use super::failure::Failure;
use super::value::Value;
use bytes::BytesMut;
use std::error::Error as StdError;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A cell of a row.
pub fn value(row: &Row, at: usize) -> Result<Value<'_>, Failure> {
    Ok(match *row.columns()[at].type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(at)?.map_or(Value::Null, Value::Int),
        Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map_or(Value::Null, |it| Value::Int(it.into())),
        Type::BOOL => row.try_get::<_, Option<bool>>(at)?.map_or(Value::Null, |it| Value::Int(it.into())),
        Type::BYTEA => row.try_get::<_, Option<&[u8]>>(at)?.map_or(Value::Null, Value::Bytes),
        _ => row.try_get::<_, Option<&str>>(at)?.map_or(Value::Null, Value::Text),
    })
}

/// Which of the keys that were asked for a row is of: its last cell says so, from 1.
pub fn nth(row: &Row) -> Result<usize, Failure> {
    let nth: i64 = row.try_get(row.len().saturating_sub(1))?;
    Ok(usize::try_from(nth).unwrap_or(0).saturating_sub(1))
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(ty, out),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Value::Int(number), _) => number.to_sql(ty, out),
            (Value::Text(text), _) => text.to_sql(ty, out),
            (Value::Bytes(bytes), _) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT4 | Type::INT8 | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }

    to_sql_checked!();
}
