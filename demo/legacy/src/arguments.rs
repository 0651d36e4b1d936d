//! The command line: flags with a value each, and `--init`.

use crate::loket::Provider;
use crate::server::Keys;
use anyhow::{Context, anyhow, bail};
use std::path::PathBuf;

const SHOPS_MAX: u32 = 10_000;

#[derive(Debug)]
pub struct Arguments {
    pub database: String,
    pub port: u16,
    pub keys: Keys,
    pub seed: u64,
    pub shops: u32,
    pub init: bool,
    pub data: Option<PathBuf>,
    pub provider: Option<Provider>,
}

impl Arguments {
    /// # Errors
    /// A flag that is unknown, lacks its value or has a wrong one; `--database` and the keys are needed, and with
    /// `--provider` its keys in the environment and `--notices-at`.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Self> {
        let (mut database, mut host, mut seller) = (None, None, None);
        let (mut provider, mut notices_at, mut host_origins) = (None, None, Vec::new());
        let (mut port, mut seed, mut shops, mut init, mut data) = (0, 1, 20, false, None);
        let mut args = args.into_iter();
        while let Some(flag) = args.next() {
            if flag == "--init" {
                init = true;
                continue;
            }
            let value = args.next().ok_or_else(|| anyhow!("{flag} needs a value"))?;
            let wrong = || format!("{flag} {value}");
            match flag.as_str() {
                "--database" => database = Some(value),
                "--host-key" => host = Some(value),
                "--seller-key" => seller = Some(value),
                "--provider" => provider = Some(value),
                "--notices-at" => notices_at = Some(value),
                "--host-origin" => host_origins.push(origin(value)?),
                "--data" => data = Some(PathBuf::from(value)),
                "--port" => port = value.parse().with_context(wrong)?,
                "--seed" => seed = value.parse().with_context(wrong)?,
                "--shops" => shops = value.parse().with_context(wrong)?,
                _ => bail!("{flag} is no flag of this program"),
            }
        }
        if shops > SHOPS_MAX {
            bail!("--shops is at most {SHOPS_MAX}");
        }
        // The environment is not shown to every user of the machine, as a command line is.
        let host = host.or_else(|| std::env::var("KIOS_HOST_KEY").ok());
        let seller = seller.or_else(|| std::env::var("KIOS_SELLER_KEY").ok());
        let needed = |value: Option<String>, flag: &str| value.ok_or_else(|| anyhow!("{flag} is needed"));
        let provider = provider.map(|api| provider_at(api, notices_at, host_origins)).transpose()?;
        let keys = Keys { host: needed(host, "--host-key")?, seller: needed(seller, "--seller-key")? };
        Ok(Self { database: needed(database, "--database")?, port, keys, seed, shops, init, data, provider })
    }
}

/// It becomes part of a header: scheme and authority, and no letter that would end it.
fn origin(text: String) -> anyhow::Result<String> {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':');
    if authority.is_empty() || !authority.bytes().all(fits) {
        bail!("--host-origin {text} is no origin");
    }
    Ok(text)
}

/// The provider, with its keys from the environment and nowhere else.
fn provider_at(api: String, notices_at: Option<String>, host_origins: Vec<String>) -> anyhow::Result<Provider> {
    let secret = |name: &str| {
        let found = std::env::var(name).ok().filter(|value| !value.is_empty());
        found.ok_or_else(|| anyhow!("--provider needs {name} in the environment"))
    };
    let keys = secret("KIOS_PROVIDER_NOTICE_KEYS")?;
    Ok(Provider {
        api,
        key: secret("KIOS_PROVIDER_KEY")?,
        notice_keys: keys.split(',').filter(|key| !key.is_empty()).map(ToOwned::to_owned).collect(),
        page_key: secret("KIOS_PAGE_KEY")?,
        host_origins,
        notices_at: notices_at.ok_or_else(|| anyhow!("--provider needs --notices-at"))?,
        grace_s: Provider::GRACE_S,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(ToOwned::to_owned).collect())
    }

    #[test]
    fn a_line_is_read_or_refused_with_the_flag() {
        let read =
            parse("--database sqlite:x --host-key h --seller-key s --port 7404 --seed 9 --shops 3 --init").unwrap();
        assert_eq!((read.port, read.seed, read.shops, read.init), (7404, 9, 3, true));
        for (line, said) in [
            ("--database", "--database needs a value"),
            ("--database x --host-key h", "--seller-key is needed"),
            ("--port x", "--port x"),
            ("--what x", "--what is no flag of this program"),
            ("--host-origin *", "--host-origin * is no origin"),
            ("--shops 10001", "--shops is at most 10000"),
            (
                "--database x --host-key h --seller-key s --provider http://127.0.0.1:1",
                "--provider needs KIOS_PROVIDER_NOTICE_KEYS in the environment",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err().to_string(), said);
        }
    }
}
