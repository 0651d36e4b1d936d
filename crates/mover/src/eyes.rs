//! The legacy's side of an aggregate, read now from the source itself: for whoever wants to see both sides of a finding.
//!
//! It reads and does nothing else; it needs no lease and no staged rows, so any process may look while the mover works.

use crate::derive::{self, Meaning};
use crate::error::Result;
use crate::{compile, source_rows};
use capture::{Reader, Source};
use mapping::{Anchor, Context, Got, Mapping, Rows, RuleNo};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Plan;
use vocab::document::Record;
use vocab::id::{Kind, Name, Origin, PublicId, ShopId};
use vocab::row::Cell;

/// How often a rule may ask for the class of yet another aggregate.
const ASKS_MAX: u32 = 4;

/// A look at a plan's source.
#[derive(Clone)]
pub struct Eyes {
    source: Source,
    mapping: Arc<Mapping>,
}

/// What the source says of one aggregate now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Document {
        document: Record,
        on_hand: Vec<(PublicId, i64)>,
    },
    /// It has no such rows, or they are part of another aggregate.
    Nothing,
    /// It cannot be read; where, and not what stands there.
    Unreadable(String),
}

impl Eyes {
    /// # Errors
    /// The plan does not compile, or the source is not there.
    pub async fn open(plan: &Plan) -> Result<Self> {
        let mapping = Arc::new(compile(plan)?);
        let source = Source::connect(&plan.source, Arc::new(mapping.tables().to_vec()), "balik").await?;
        Ok(Self { source, mapping })
    }

    /// What the source says of an aggregate.
    ///
    /// # Errors
    /// The source cannot be read.
    pub async fn look(&self, shop: &ShopId, kind: Kind, origin: &Origin) -> Result<Told> {
        let document = Record::default().with("origin", origin.as_str());
        let rules = self.mapping.rules().iter().enumerate().filter(|(_, rule)| rule.kind == kind);
        let places = rules.filter_map(|(rule, _)| Some((rule, self.mapping.anchor_of(rule, shop, &document)?)));
        let mut told = Told::Nothing;
        let mut reader = self.source.snapshot().await?;
        for (rule, anchor) in places {
            told = self.tell(&mut reader, rule, &anchor).await?;
            if told != Told::Nothing {
                break;
            }
        }
        Ok(told)
    }

    async fn tell(&self, reader: &mut Reader, rule: RuleNo, anchor: &Anchor) -> Result<Told> {
        let mapping = &self.mapping;
        let rows = self.rows(reader, rule, anchor).await?;
        let classes = derive::Classes::default();
        let mut known: BTreeMap<(Kind, String), Option<Name>> = BTreeMap::new();
        for _ in 0..ASKS_MAX {
            let (got, asked) = self.get(rule, anchor, &rows, &known);
            if asked.is_empty() {
                return Ok(said(derive::meaning(mapping, &classes, rule, anchor, got).what));
            }
            for (kind, group) in asked {
                let class = self.class(reader, kind, &group).await?;
                known.insert((kind, group), class);
            }
        }
        Ok(Told::Unreadable("its class hangs on too many others".to_owned()))
    }

    /// What the rows mean by the classes that are known, and whose class was asked for beside them.
    fn get(
        &self,
        rule: RuleNo,
        anchor: &Anchor,
        rows: &Rows,
        known: &BTreeMap<(Kind, String), Option<Name>>,
    ) -> (Got, BTreeSet<(Kind, String)>) {
        let asked: RefCell<BTreeSet<(Kind, String)>> = RefCell::default();
        let class_of = |kind: Kind, group: &str| {
            let key = (kind, group.to_owned());
            let class = known.get(&key).cloned();
            if class.is_none() {
                asked.borrow_mut().insert(key);
            }
            class.flatten()
        };
        let got = self.mapping.get(rule, anchor, rows, &Context { class_of: &class_of });
        (got, asked.into_inner())
    }

    async fn rows(&self, reader: &mut Reader, rule: RuleNo, anchor: &Anchor) -> Result<Rows> {
        let (tables, rule) = (self.mapping.tables(), &self.mapping.rules()[rule]);
        let mut found = source_rows::read(reader, tables, rule, std::slice::from_ref(anchor)).await?;
        Ok(found.remove(anchor).unwrap_or_default())
    }

    /// The class of another aggregate, by its group.
    async fn class(&self, reader: &mut Reader, kind: Kind, group: &str) -> Result<Option<Name>> {
        let anchor = Anchor::Group(Cell::Text(group.to_owned()));
        for (rule, _) in self
            .mapping
            .rules()
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.kind == kind && matches!(rule.gather, mapping::Gather::Grouped { .. }))
        {
            let rows = self.rows(reader, rule, &anchor).await?;
            match self.mapping.get(rule, &anchor, &rows, &Context::ALONE) {
                Got::Live { .. } => return Ok(Some("live".into())),
                Got::History { why, .. } | Got::Merged { why } => return Ok(Some(why)),
                Got::Absent | Got::Refused { .. } => {}
            }
        }
        Ok(None)
    }
}

fn said(what: Meaning) -> Told {
    match what {
        // Units on hand stand beside a document in the store, and beside it they are shown.
        Meaning::Live { canonical, .. } => Told::Document { document: canonical.document, on_hand: canonical.stock },
        Meaning::History { document, .. } => Told::Document { document, on_hand: Vec::new() },
        Meaning::Gone => Told::Nothing,
        Meaning::Refused { detail, .. } => Told::Unreadable(detail.text("what").unwrap_or("unreadable").to_owned()),
    }
}
