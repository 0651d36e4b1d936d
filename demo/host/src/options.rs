//! The command line of the host app: flags with a value each, and `--shop` again and again.

use anyhow::{Context, bail};
use std::path::PathBuf;

/// Shops that one feed can show.
const SHOPS_MAX: usize = 1_000;

/// A shop that this app sells for, as it agreed with its seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    pub id: String,
    pub name: String,
}

/// Who can be asked to move a shop while somebody buys: a demo's toy, and no part of a host app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    /// The program whose `move` is the operator's command line.
    pub program: PathBuf,
    /// Its `--work`.
    pub work: PathBuf,
}

/// How the app is told to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// On 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// `addresses.json` of the work folder; read again after each connection error, since ports may change.
    pub addresses: PathBuf,
    pub shops: Vec<Shop>,
    pub steering: Option<Steering>,
    /// Somebody else moves the shops until `free` comes on stdin: no button moves one before.
    pub busy: bool,
}

impl Options {
    /// Reads `--addresses FILE --shop ID=NAME… [--port 0] [--program FILE --work FOLDER] [--busy yes]`.
    ///
    /// # Errors
    /// A flag that is unknown, lacks its value or has a wrong one; no addresses or no shop.
    pub fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { port: 0, addresses: PathBuf::new(), shops: Vec::new(), steering: None, busy: false };
        let (mut program, mut work) = (None, None);
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            let value = args.next().with_context(|| format!("`{flag}` wants a value"))?;
            match flag.as_str() {
                "--port" => options.port = value.parse().with_context(|| format!("`{flag} {value}`"))?,
                "--addresses" => options.addresses = value.into(),
                "--shop" => options.shops.push(shop(value)?),
                "--program" => program = Some(value.into()),
                "--work" => work = Some(value.into()),
                "--busy" => options.busy = value == "yes",
                _ => bail!("`{flag}` is no flag of this program"),
            }
        }
        options.steering = program.zip(work).map(|(program, work)| Steering { program, work });
        if options.addresses.as_os_str().is_empty() || options.shops.is_empty() || options.shops.len() > SHOPS_MAX {
            bail!("--addresses and 1 to {SHOPS_MAX} times --shop are needed");
        }
        Ok(options)
    }
}

fn shop(value: &str) -> anyhow::Result<Shop> {
    let (id, name) = value.split_once('=').with_context(|| format!("`--shop {value}` is not ID=NAME"))?;
    // Ids go into paths: only the letters that a shop's id may have.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if id.is_empty() || !id.bytes().all(fits) || name.trim().is_empty() {
        bail!("`--shop {value}`: an id of A-Z a-z 0-9 . _ - and a name");
    }
    Ok(Shop { id: id.to_owned(), name: name.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> anyhow::Result<Options> {
        Options::parse(&line.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_shop_has_an_id_and_a_name() {
        let options = parsed(&["--addresses", "a.json", "--shop", "1=Toko Halim", "--shop", "2= B=C "]).unwrap();
        let names: Vec<_> = options.shops.iter().map(|shop| (shop.id.as_str(), shop.name.as_str())).collect();
        assert_eq!(names, [("1", "Toko Halim"), ("2", "B=C")]);
        assert_eq!(options.steering, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for line in [&["--shop", "1/2=A"][..], &["--shop", "1="], &["--port", "x"], &["--what", "1"], &["--shop"]] {
            let mut line = line.to_vec();
            line.splice(0..0, ["--addresses", "a.json"]);
            assert!(parsed(&line).is_err(), "{line:?}");
        }
    }
}
