//! How a server of PostgreSQL fails us.

use std::error::Error as _;

/// How a server failed us. Of what it says only code and message are kept: a detail quotes rows.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the server says {code}: {message}")]
    Said { code: String, message: String },
    #[error("{0}")]
    Connection(String),
    #[error("the server does not answer")]
    Silent,
    #[error("there is no transaction that this could be part of")]
    Outside,
    #[error("a part of the transaction failed")]
    Spoiled,
}

impl Failure {
    /// Whether the server says with it that it ends the connection.
    pub fn is_a_farewell(&self) -> bool {
        matches!(self, Self::Said { code, .. } if code.starts_with("57P") || code == "25P03")
    }
}

/// Which of what was said failed, and how.
pub struct Failed {
    pub what: &'static str,
    pub failure: Failure,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            // What is wrong with a value is said by quoting it.
            Some(said) if said.code().code().starts_with("22") => {
                Self::Said { code: said.code().code().to_owned(), message: "a value is not taken".to_owned() }
            }
            Some(said) => Self::Said { code: said.code().code().to_owned(), message: said.message().to_owned() },
            None => match error.source() {
                Some(cause) => Self::Connection(format!("{error}: {cause}")),
                None => Self::Connection(error.to_string()),
            },
        }
    }
}
