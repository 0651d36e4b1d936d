//! What commits of one shop have to know of what stands, all of it asked for together behind the lock of the head.
//!
//! Invariant: each commit sees what those before it in the same transaction have left, although nothing of that has been written
//! yet; one that is refused leaves nothing.

use super::rows::Rows;
use super::{Commit, CommitError, Committed, Prepared, Write};
use crate::documents::Put;
use crate::head::{self, Head};
use crate::sql::{Ask, Bind, Connection, Row};
use crate::{Error, Result, documents, ledger, serials, sql, stock};
use std::collections::BTreeMap;
use vocab::id::{Kind, Origin, PublicId, ShopId, Side};

/// What stands under a write's id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    version: u64,
    history: bool,
    source_tx: Option<u64>,
    origin: Option<Origin>,
}

#[derive(Debug, Default)]
pub struct Seen {
    head: Option<Head>,
    standing: BTreeMap<(Kind, PublicId), Option<Standing>>,
    /// Which document has an origin that is named.
    holders: BTreeMap<(Kind, Origin), Option<PublicId>>,
    /// The highest number of each kind that gets one.
    serials: BTreeMap<Kind, Option<i64>>,
    on_hand: stock::OnHand,
    lasts: ledger::Lasts,
}

impl Seen {
    /// What these commits, all of one shop, have to know.
    pub fn read(connection: &Connection, shop: &ShopId, commits: &[&Prepared]) -> Result<Self> {
        let mut seen = Self::default();
        commits.iter().for_each(|prepared| seen.want(&prepared.commit));
        let version = "select version, class = 'history', source_tx, origin from document
                       where shop = ?1 and kind = ?2 and id = ?3";
        let holder = "select id from document where shop = ?1 and kind = ?2 and origin = ?3";
        let mut asks = vec![head::ask(shop, head::LOCK, &mut seen.head)];
        let (keys, places) =
            seen.standing.iter_mut().map(|((kind, id), place)| (of(shop, *kind, id.as_str()), place)).unzip();
        asks.push(Ask::first_of_each("read of a version", version, keys, places, standing));
        let (keys, places) =
            seen.holders.iter_mut().map(|((kind, origin), place)| (of(shop, *kind, origin.as_str()), place)).unzip();
        asks.push(Ask::first_of_each("read of an origin", holder, keys, places, |row| sql::public_id(row, 0)));
        asks.extend(seen.serials.iter_mut().map(|(kind, place)| serials::ask(shop, *kind, place)));
        asks.push(stock::ask(shop, &mut seen.on_hand));
        asks.push(ledger::ask(shop, &mut seen.lasts));
        connection.together(asks)?;
        Ok(seen)
    }

    /// Places for what this commit has to know.
    fn want(&mut self, commit: &Commit) {
        for write in &commit.writes {
            self.standing.insert((write.kind, write.id.clone()), None);
            if let Some(origin) = named(write) {
                self.holders.insert((write.kind, Origin::new(origin)), None);
            }
            if write.numbered {
                self.serials.insert(write.kind, None);
            }
        }
        self.on_hand.extend(commit.stock.iter().map(|change| (change.variant.clone(), None)));
        self.lasts.extend(commit.entries.iter().map(|entry| (entry.order.clone(), None)));
    }

    /// Decides on the next commit, whose rows are put to the others; a refused one changes neither.
    pub fn make(&mut self, prepared: &Prepared, rows: &mut Rows) -> Result<Committed, CommitError> {
        let mut own = self.part(&prepared.commit);
        let mut new = Rows::default();
        let committed = own.apply(prepared, &mut new)?;
        self.take(own);
        rows.append(new);
        Ok(committed)
    }

    /// As much of it as this commit can change.
    fn part(&self, commit: &Commit) -> Self {
        let mut part = Self { head: self.head.clone(), ..Self::default() };
        part.want(commit);
        fill(&mut part.standing, &self.standing);
        fill(&mut part.holders, &self.holders);
        fill(&mut part.on_hand, &self.on_hand);
        fill(&mut part.lasts, &self.lasts);
        // Whoever writes a document with a number gives none: it counts all the same.
        part.serials.clone_from(&self.serials);
        part
    }

    fn take(&mut self, part: Self) {
        self.head = part.head;
        self.standing.extend(part.standing);
        self.holders.extend(part.holders);
        self.serials.extend(part.serials);
        self.on_hand.extend(part.on_hand);
        self.lasts.extend(part.lasts);
    }

    fn apply(&mut self, prepared: &Prepared, rows: &mut Rows) -> Result<Committed, CommitError> {
        let commit = &prepared.commit;
        let seq = admit(self.head.as_mut(), commit)?;
        seq.0 += 1;
        let seq = *seq;
        let mut serial = None;
        for (write, body) in commit.writes.iter().zip(&prepared.bodies) {
            let own = if write.numbered {
                let highest = self.serials.get(&write.kind).copied().flatten();
                Some(serials::after(&commit.shop, highest)?)
            } else {
                None
            };
            self.put(commit, write, &body.filled(own), own, rows)?;
            serial = serial.or(own);
        }
        let on_hand = &mut self.on_hand;
        let stock = commit.stock.iter().map(|change| stock::change(commit, change, on_hand, rows.stock()));
        let stock = stock.collect::<Result<_, _>>()?;
        rows.entries(ledger::rows(commit, seq, &mut self.lasts)?);
        rows.fact(commit, seq, &prepared.fact.filled(serial))?;
        Ok(Committed { seq, stock, serial })
    }

    fn put(
        &mut self,
        commit: &Commit,
        write: &Write,
        body: &str,
        serial: Option<i64>,
        rows: &mut Rows,
    ) -> Result<(), CommitError> {
        let (shop, kind) = (&commit.shop, write.kind);
        let standing = self.standing.get(&(kind, write.id.clone())).cloned().flatten();
        let expected = match (&standing, write.expected) {
            (None, None) => true,
            (Some(standing), Some(version)) => standing.version == version && !standing.history,
            (None, Some(_)) | (Some(_), None) => false,
        };
        if !expected {
            return Err(CommitError::Conflict { kind, id: write.id.clone() });
        }
        let kept = standing.as_ref().and_then(|standing| standing.origin.as_ref());
        let origin = self.move_origin(write, kept)?;
        let put = Put {
            shop,
            kind,
            id: &write.id,
            why: None,
            version: standing.as_ref().map_or(0, |standing| standing.version) + 1,
            source_tx: standing.as_ref().and_then(|standing| standing.source_tx),
            origin: origin.as_ref().map(Origin::as_str),
            document: &write.document,
            serial,
            body,
            fingerprint: None,
            changed_at: Some(commit.at.0),
        };
        rows.document(documents::row(&put)?);
        if let Some(highest) = self.serials.get_mut(&kind) {
            *highest = (*highest).max(serials::of(&put));
        }
        let Put { version, source_tx, .. } = put;
        self.standing.insert((kind, write.id.clone()), Some(Standing { version, history: false, source_tx, origin }));
        Ok(())
    }

    /// The origin that a document has afterwards. It names one document: a second one is a bug of whoever minted it, and no refusal
    /// of the shop.
    fn move_origin(&mut self, write: &Write, kept: Option<&Origin>) -> Result<Option<Origin>> {
        let named = named(write).map(Origin::new);
        let Some(origin) = named.filter(|named| Some(named) != kept) else { return Ok(kept.cloned()) };
        let place = self.holders.entry((write.kind, origin.clone())).or_default();
        if let Some(held_by) = place.as_ref().filter(|held_by| **held_by != write.id) {
            return Err(Error::Invalid(format!("origin {} of {} is held by {held_by}", origin.as_str(), write.id)));
        }
        *place = Some(write.id.clone());
        if let Some(kept) = kept {
            self.holders.insert((write.kind, kept.clone()), None);
        }
        Ok(Some(origin))
    }
}

/// What stands under the keys of a part, from the whole.
fn fill<K: Ord, V: Clone>(part: &mut BTreeMap<K, V>, whole: &BTreeMap<K, V>) {
    for (key, place) in part {
        if let Some(known) = whole.get(key) {
            place.clone_from(known);
        }
    }
}

/// The origin that a write says its document has.
fn named(write: &Write) -> Option<&str> {
    write.origin.as_ref().map(Origin::as_str).or_else(|| write.document.text("origin"))
}

fn of<'a>(shop: &'a ShopId, kind: Kind, id: &'a str) -> Vec<sql::Value<'a>> {
    vec![shop.as_str().value(), kind.name().value(), id.value()]
}

/// The place of the newest seq, where a commit is let in.
fn admit<'a>(head: Option<&'a mut Head>, commit: &Commit) -> Result<&'a mut vocab::id::Seq, CommitError> {
    let head = head.ok_or(CommitError::UnknownShop)?;
    if head.owner != Side::Backend {
        return Err(CommitError::NotOwner { owner: head.owner });
    }
    if head.epoch != commit.epoch {
        return Err(CommitError::WrongEpoch { head: head.epoch });
    }
    if head.fenced {
        return Err(CommitError::Fenced);
    }
    Ok(&mut head.seq)
}

fn standing(row: &Row<'_>) -> Result<Standing> {
    Ok(Standing {
        version: sql::natural(row, 0)?,
        history: sql::cell(row, 1)?,
        source_tx: sql::natural_or_null(row, 2)?,
        origin: sql::origin(row, 3)?,
    })
}
