//! Staged rows: a copy of the source's rows as they are, each with the source transaction that last wrote it.
//!
//! One SQLite file per source database. Rows of a stream batch, the position they reach and the aggregates they
//! dirty become durable in one transaction, so a crash repeats a batch and never skips one (I7). A row keeps the
//! cells it had at the latest flip beside the ones that write-back gave it: they are the complement that `put`
//! needs. Absent on purpose: what a row means; that is the mapping's.

use crate::cells;
use crate::error::{Error, Result};
use capture::{Cut, Position, Tx};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use vocab::id::ShopId;
use vocab::row::{Cell, ColumnNo, Row, RowKey, TableNo};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS staged(
  tbl INTEGER NOT NULL, key BLOB NOT NULL, shop TEXT, tx_order INTEGER NOT NULL, tx_xid INTEGER NOT NULL,
  cells BLOB, base_kind INTEGER NOT NULL DEFAULT 0, base BLOB,
  PRIMARY KEY(tbl, key)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS staged_shop ON staged(shop, tbl, key);
CREATE TABLE IF NOT EXISTS link(
  tbl INTEGER NOT NULL, col INTEGER NOT NULL, value BLOB NOT NULL, key BLOB NOT NULL,
  PRIMARY KEY(tbl, col, value, key)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dirty(
  rule INTEGER NOT NULL, anchor BLOB NOT NULL, shop TEXT NOT NULL, gen INTEGER NOT NULL,
  PRIMARY KEY(shop, rule, anchor)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unproven(
  rule INTEGER NOT NULL, anchor BLOB NOT NULL, shop TEXT NOT NULL, gen INTEGER NOT NULL,
  PRIMARY KEY(shop, rule, anchor)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copied(
  shop TEXT NOT NULL, tbl INTEGER NOT NULL, after BLOB, done INTEGER NOT NULL, rows INTEGER NOT NULL,
  PRIMARY KEY(shop, tbl)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position(one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
";
