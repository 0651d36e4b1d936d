//! Where everything is: the file that the supervisor keeps current.

use anyhow::Context;
use serde::Deserialize;
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Addresses {
    /// `http://host:port`
    pub seam: String,
    /// Where buyers pay, and where the provider's book can be read; without the first nobody pays later.
    pub provider_page: Option<String>,
    pub provider_control: Option<String>,
    pub databases: Databases,
    pub keys: Keys,
}

/// A SQLite file (a path, or behind `sqlite:`) or a `postgres://` URL each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Databases {
    pub legacy: String,
    pub store: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Keys {
    pub host: String,
    pub seller: String,
    /// Of the provider's control.
    pub provider: Option<String>,
}

impl Addresses {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("addresses in {}", path.display()))
    }

    /// Host and port of the seam.
    pub fn authority(&self) -> &str {
        authority(&self.seam)
    }
}

/// Host and port of an address.
pub fn authority(address: &str) -> &str {
    address.trim_start_matches("http://").split('/').next().unwrap_or_default()
}
