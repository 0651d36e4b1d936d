//! Patterns of public ids, as in `TRX-{id:07}`.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdPattern {
    pub text: String,
    before: String,
    after: String,
    /// Zeros in front up to this many digits.
    width: usize,
}

/// More leading zeros than any key needs.
const WIDTH_MAX: usize = 19;

impl IdPattern {
    pub fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once("{id")?;
        let (width, after) = rest.split_once('}')?;
        let width = match width.strip_prefix(":0") {
            Some(width) => width.parse().ok().filter(|width| *width <= WIDTH_MAX)?,
            None if width.is_empty() => 0,
            None => return None,
        };
        let plain = |text: &str| !text.contains(['{', '}']);
        (plain(before) && plain(after)).then(|| Self {
            text: text.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            width,
        })
    }

    pub fn print(&self, key: u64) -> String {
        format!("{}{key:0width$}{}", self.before, self.after, width = self.width)
    }

    /// How long a printed id is at least.
    pub fn length_min(&self) -> usize {
        self.before.chars().count() + self.after.chars().count() + self.width.max(1)
    }
}
