//! What is said to PostgreSQL in one breath: all of it is sent, in its order, before the first answer is waited for.

use super::failure::Failure;
use super::value::{Bind, Owned, Value};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// Something that is said, and what it is for.
pub struct Asked<'a> {
    pub what: &'static str,
    pub said: Said<'a>,
}

pub enum Said<'a> {
    /// Without cells and rows.
    Command(&'a str),
    /// Who asks wants the number of rows that it changes.
    Execute(&'a str, Cells<'a>),
    Query(&'a str, Cells<'a>),
}

/// The cells of a statement.
#[derive(Clone)]
pub enum Cells<'a> {
    /// In the order of `?1`, `?2` …
    One(Vec<Value<'a>>),
    /// Of many rows or keys at once: in that order a list of each.
    Each(Vec<Vec<Value<'a>>>),
}

/// A statement as it is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form<'a> {
    One(&'a str),
    /// For many rows or keys at once.
    Each(&'a str),
}

/// What is said with the next that is waited for.
pub struct Later {
    pub what: &'static str,
    pub sql: &'static str,
    /// None: a command. Where it is said of several rows, it is said of all at once.
    pub rows: Option<Vec<Vec<Owned>>>,
}

pub enum Answer {
    Done,
    Changed(u64),
    Rows(Vec<Row>),
}

impl<'a> Asked<'a> {
    pub const fn command(what: &'static str, sql: &'a str) -> Self {
        Self { what, said: Said::Command(sql) }
    }

    /// What has to be prepared before this can be said.
    pub const fn statement(&self) -> Option<Form<'a>> {
        match self.said {
            Said::Command(_) => None,
            Said::Execute(sql, Cells::One(_)) | Said::Query(sql, Cells::One(_)) => Some(Form::One(sql)),
            Said::Execute(sql, Cells::Each(_)) | Said::Query(sql, Cells::Each(_)) => Some(Form::Each(sql)),
        }
    }
}

impl<'a> Cells<'a> {
    /// What is said of these rows or keys, all of which have as many cells.
    pub fn of(mut rows: Vec<Vec<Value<'a>>>) -> Self {
        if rows.len() == 1 {
            return Self::One(rows.pop().unwrap_or_default());
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut lists: Vec<Vec<Value<'a>>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            lists.iter_mut().zip(row).for_each(|(list, cell)| list.push(cell));
        }
        Self::Each(lists)
    }
}

impl Later {
    pub fn asked(&self) -> Asked<'_> {
        let said = match &self.rows {
            None => Said::Command(self.sql),
            Some(rows) => {
                let rows = rows.iter().map(|row| row.iter().map(Bind::value).collect());
                Said::Execute(self.sql, Cells::of(rows.collect()))
            }
        };
        Asked { what: self.what, said }
    }

    /// What has to be prepared before this can be said.
    pub fn statement(&self) -> Option<Form<'static>> {
        let rows = self.rows.as_ref()?;
        Some(if rows.len() == 1 { Form::One(self.sql) } else { Form::Each(self.sql) })
    }
}

impl Answer {
    pub fn changed(self) -> usize {
        match self {
            Self::Changed(rows) => usize::try_from(rows).unwrap_or(usize::MAX),
            Self::Done | Self::Rows(_) => 0,
        }
    }

    pub fn rows(self) -> Vec<Row> {
        match self {
            Self::Rows(rows) => rows,
            Self::Done | Self::Changed(_) => Vec::new(),
        }
    }
}

/// Says all of it and waits for the answers, for the first so long, and for each of the others behind the one before it. The first
/// failure in their order is the answer, and where it stands. `give_up` ends the connection.
///
/// What cannot even be sent is the end of what is said: nothing behind it may happen without it.
pub async fn in_order(
    client: &Client,
    all: &[(&Asked<'_>, Option<Statement>)],
    (first_max, max): (Duration, Duration),
    give_up: impl Fn(),
) -> Result<Vec<Answer>, (usize, Failure)> {
    let mut sent = Vec::with_capacity(all.len());
    for (asked, statement) in all {
        let mut answer = Box::pin(answer(client, &asked.said, statement.as_ref()));
        // It is sent when it is first looked at.
        let first = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut answer).poll(context))).await;
        let unsent = matches!(first, Poll::Ready(Err(_)));
        sent.push((answer, first));
        if unsent {
            break;
        }
    }
    let mut answers = Vec::with_capacity(sent.len());
    for (nth, (mut answer, first)) in sent.into_iter().enumerate() {
        let max = if nth == 0 { first_max } else { max };
        let answered = match first {
            Poll::Ready(answered) => answered,
            Poll::Pending => match tokio::time::timeout(max, &mut answer).await {
                Ok(answered) => answered,
                Err(_) => {
                    // Whoever waits for a connection that has ended is told so.
                    give_up();
                    answer.await
                }
            },
        };
        answers.push(answered.map_err(|error| (nth, Failure::from(error)))?);
    }
    Ok(answers)
}

async fn answer(client: &Client, said: &Said<'_>, statement: Option<&Statement>) -> Result<Answer, Error> {
    match (said, statement) {
        (Said::Execute(_, values), Some(statement)) => {
            client.execute(statement, &cells(values)).await.map(Answer::Changed)
        }
        (Said::Query(_, values), Some(statement)) => client.query(statement, &cells(values)).await.map(Answer::Rows),
        (Said::Command(sql) | Said::Execute(sql, _) | Said::Query(sql, _), _) => {
            client.batch_execute(sql).await.map(|()| Answer::Done)
        }
    }
}

fn cells<'a>(cells: &'a Cells<'_>) -> Vec<&'a (dyn ToSql + Sync)> {
    let one = |value: &'a Value<'_>| -> &'a (dyn ToSql + Sync) { value };
    let list = |values: &'a Vec<Value<'_>>| -> &'a (dyn ToSql + Sync) { values };
    match cells {
        Cells::One(values) => values.iter().map(one).collect(),
        Cells::Each(lists) => lists.iter().map(list).collect(),
    }
}
