//! Where the shops are: the file that the demo's supervisor keeps current.

use anyhow::Context;
use serde::Deserialize;
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Addresses {
    /// `http://host:port`
    pub seam: String,
    /// Where an operator looks; a person is led there, this program never goes.
    #[serde(default)]
    pub console: Option<String>,
    pub keys: Keys,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Keys {
    /// Ours: it is sent to shops, never to a browser.
    pub host: String,
}

impl Addresses {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("addresses in {}", path.display()))
    }

    /// Where the shops' own pages are: in links, and in the one frame that this app has.
    pub fn origin(&self) -> &str {
        self.seam.trim_end_matches('/')
    }

    /// Host and port of the seam.
    pub fn authority(&self) -> &str {
        self.seam.trim_start_matches("http://").trim_end_matches('/')
    }
}
