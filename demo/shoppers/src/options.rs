//! The command line of the shoppers: what the supervisor says once, before the first line on stdin.

use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How many shoppers there are, where they shop and how hard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `addresses.json` of the work folder; read again after each connection error, since ports may change.
    pub addresses: PathBuf,
    pub shops: Vec<String>,
    pub shoppers: usize,
    /// Requests per second over all shops.
    pub rate: u32,
    /// Requests per second at a shop when it surges most, half of them writes; 0: nothing surges in this run.
    pub surge: u32,
    /// People at the same time who pay later.
    pub later: usize,
    /// How long they take to pay, at most: longer than a shop needs to be moved.
    pub later_ms: u64,
    pub seed: u64,
    pub journal: PathBuf,
    /// Detectors taken away.
    pub without: BTreeSet<String>,
}

impl Options {
    /// Reads `--addresses FILE --journal FILE --shops 1,2 [--shoppers 40] [--rate 50] [--surge 300] [--later 12]
    /// [--later-ms 30000] [--seed 1] [--without DETECTOR]…`; each flag takes its value from the next argument.
    pub fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self {
            addresses: PathBuf::new(),
            shops: Vec::new(),
            shoppers: 40,
            rate: 50,
            surge: 300,
            later: 12,
            later_ms: 30_000,
            seed: 1,
            journal: PathBuf::new(),
            without: BTreeSet::new(),
        };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let value = args.next().with_context(|| format!("`{flag}` wants a value"))?;
            options.set(flag, value).with_context(|| format!("`{flag} {value}`"))?;
        }
        options.checked()
    }

    fn set(&mut self, flag: &str, value: &str) -> anyhow::Result<()> {
        match flag {
            "--addresses" => self.addresses = value.into(),
            "--journal" => self.journal = value.into(),
            "--shops" => self.shops = value.split(',').map(|shop| shop.trim().to_owned()).collect(),
            "--shoppers" => self.shoppers = value.parse()?,
            "--rate" => self.rate = value.parse()?,
            "--surge" => self.surge = value.parse()?,
            "--later" => self.later = value.parse()?,
            "--later-ms" => self.later_ms = value.parse()?,
            "--seed" => self.seed = value.parse()?,
            "--without" => {
                self.without.insert(value.to_owned());
            }
            _ => bail!("unknown flag"),
        }
        Ok(())
    }

    fn checked(self) -> anyhow::Result<Self> {
        if self.addresses.as_os_str().is_empty() || self.journal.as_os_str().is_empty() {
            bail!("--addresses and --journal are needed");
        }
        // Shop ids go into paths and SQL literals: only the letters a shop's id may have.
        let fits = |shop: &String| {
            !shop.is_empty() && shop.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        if self.shops.is_empty() || !self.shops.iter().all(fits) {
            bail!("--shops wants ids of A-Z a-z 0-9 . _ - with commas between them");
        }
        if self.shoppers == 0 {
            bail!("--shoppers wants at least one");
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> anyhow::Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_override_defaults_and_without_repeats() {
        let options =
            parse("--addresses a --journal j --shops 1,2 --rate 7 --without oracle --without oracle.stock").unwrap();
        assert_eq!((options.rate, options.surge, options.shops.len(), options.without.len()), (7, 300, 2, 2));
    }

    #[test]
    fn an_unknown_flag_a_missing_value_and_a_shop_with_a_quote_are_refused() {
        assert!(parse("--addresses a --journal j --shops 1 --speed 9").is_err());
        assert!(parse("--addresses a --journal j --shops").is_err());
        assert!(parse("--addresses a --journal j --shops 1'2").is_err());
        assert!(parse("--journal j --shops 1").is_err());
    }
}
