//! The command line: flags with a value each.

use anyhow::{Context, anyhow, bail};
use std::path::PathBuf;

/// Who may call, and what notices are signed with. Secrets: neither this type nor what holds it prints itself.
#[derive(Clone)]
pub struct Keys {
    /// Bearer of the API and the control.
    pub api: String,
    pub webhook: String,
}

pub struct Arguments {
    /// The file of the book; it is made where it is not there.
    pub book: PathBuf,
    /// API, buyer's page, control; 0 takes a free one.
    pub ports: [u16; 3],
    pub keys: Keys,
}

impl Arguments {
    /// # Errors
    /// A flag that is unknown, lacks its value or has a wrong one; `--book` is needed, and so are the keys, in the
    /// environment: a command line is shown to every user of the machine.
    pub fn parse(args: Vec<String>) -> anyhow::Result<Self> {
        let (mut book, mut ports) = (None, [0; 3]);
        let mut args = args.into_iter();
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| anyhow!("{flag} needs a value"))?;
            let port = || value.parse::<u16>().with_context(|| format!("{flag} {value}"));
            match flag.as_str() {
                "--book" => book = Some(PathBuf::from(value)),
                "--port" => ports[0] = port()?,
                "--page-port" => ports[1] = port()?,
                "--control-port" => ports[2] = port()?,
                _ => bail!("{flag} is no flag of this program"),
            }
        }
        let key = |name: &str| std::env::var(name).map_err(|_| anyhow!("{name} is needed in the environment"));
        let keys = Keys { api: key("LOKET_KEY")?, webhook: key("LOKET_WEBHOOK_KEY")? };
        Ok(Self { book: book.ok_or_else(|| anyhow!("--book is needed"))?, ports, keys })
    }
}
