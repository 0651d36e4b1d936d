//! The settings file of `serve`: read, or made with new keys where there is none.
//!
//! Secrets are not in it. Of callers' keys it has the digests; what a provider is called with and signs with, and the address of a
//! database, come from the environment, which is stronger than the file.

use crate::serving::{Provider, Setting};
use anyhow::{Context, Result};
use api::{KeyDigest, Keys, Options, Rate, WebOrigin};
use ring::rand::{SecureRandom, SystemRandom};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A settings file that is wrong, with its name, the place and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub work: PathBuf,
    pub listen: SocketAddr,
    pub backend: SocketAddr,
    pub console: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
    public: Option<String>,
    pub legacy: Option<String>,
    #[serde(default)]
    instant: bool,
    #[serde(default, deserialize_with = "origins")]
    framed_by: Vec<WebOrigin>,
    limits: Option<Limits>,
    keys: Callers,
    provider: Option<ProviderAt>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    per_second: u32,
    burst: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Callers {
    #[serde(deserialize_with = "digests")]
    host: Vec<KeyDigest>,
    #[serde(deserialize_with = "digests")]
    seller: Vec<KeyDigest>,
}

/// One at least; what is none is perhaps a key, and is not quoted.
fn digests<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<KeyDigest>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    if texts.is_empty() {
        return Err(D::Error::custom("at least one digest of a key is needed"));
    }
    let digest = |(nth, text): (usize, &String)| {
        KeyDigest::parse(text)
            .map_err(|why| D::Error::custom(format!("number {}: {why}; `printf %s KEY | sha256sum` makes it", nth + 1)))
    };
    texts.iter().enumerate().map(digest).collect()
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<WebOrigin>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(|wrong| D::Error::custom(format!("framed_by: {wrong}")))).collect()
}

fn origin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<WebOrigin>, D::Error> {
    let origin = String::deserialize(from)?.parse();
    origin.map(Some).map_err(|wrong| D::Error::custom(format!("[provider] cards: {wrong}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderAt {
    api: String,
    #[serde(default, deserialize_with = "origin")]
    cards: Option<WebOrigin>,
    #[serde(default)]
    cash_on_delivery: bool,
}

/// What links are made with.
pub struct Secrets {
    pub invoices: String,
    pub pages: String,
}

impl Config {
    /// Paths in it are relative to its own folder.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| wrong(file, &error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            // Without the line itself: a key may stand in it.
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            wrong(file, &format!("line {line}: {}", unquoted(error.message())))
        })?;
        config.check().map_err(|why| wrong(file, &why))?;
        config.work = file.parent().unwrap_or(Path::new("")).join(&config.work);
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        // It has no sign-in: whoever reaches it moves shops.
        if let Some(at) = self.console.filter(|at| !at.ip().is_loopback()) {
            return Err(format!(
                "console = \"{at}\": the console has no sign-in; only an address of this machine, as 127.0.0.1"
            ));
        }
        // Whoever calls the backend itself passes the seam's holds.
        if !self.backend.ip().is_loopback() {
            return Err(format!("backend = \"{}\": only an address of this machine, as 127.0.0.1", self.backend));
        }
        if let Some(public) = self.public.as_deref().filter(|public| !is_origin(public)) {
            return Err(format!("public = \"{public}\": is not http:// or https://, a name and perhaps a port"));
        }
        if let Some(legacy) = self.legacy.as_deref().filter(|legacy| !is_authority(legacy)) {
            return Err(format!("legacy = \"{legacy}\": is not host:port"));
        }
        if let Some(provider) = &self.provider {
            if !provider.api.starts_with("http://") || !is_origin(&provider.api) {
                let to_do = "TLS to a provider needs a proxy on this machine";
                return Err(format!("[provider] api: is not http:// with a name and perhaps a port; {to_do}"));
            }
            if self.listen.ip().is_unspecified() && self.public.is_none() {
                return Err(format!(
                    "listen = \"{}\": a provider has to be told an address: say it in `public`",
                    self.listen
                ));
            }
        }
        if let Some(limits) = self.limits
            && (limits.per_second == 0 || limits.burst == 0)
        {
            return Err("[limits]: at least 1; without the section there is no limit".to_owned());
        }
        Ok(())
    }

    /// With what the environment says beside it.
    ///
    /// # Errors
    /// A provider without its keys.
    pub fn setting(self, secrets: Secrets) -> Result<Setting> {
        let keys =
            Keys { host: self.keys.host, seller: self.keys.seller, invoices: secrets.invoices, pages: secrets.pages };
        let provider = match self.provider {
            None => None,
            Some(at) => {
                let told = Provider::told(at.api, env("BALIK_PROVIDER_KEY"), &env("BALIK_PROVIDER_NOTICE_KEYS"));
                let told = told.map_err(|why| Wrong(format!("[provider]: {why}")))?;
                Some(told.taking(at.cards, at.cash_on_delivery))
            }
        };
        let rate = self.limits.map(|limits| Rate { per_second: limits.per_second, burst: limits.burst });
        Ok(Setting {
            work: self.work,
            seam: self.listen,
            backend: self.backend,
            console: self.console,
            metrics: self.metrics,
            public: self.public.map(|public| public.trim_end_matches('/').to_owned()),
            legacy: self.legacy,
            keys,
            options: Options { rate, framed_by: self.framed_by },
            instant: self.instant,
            provider,
            without: vec![],
            fault: None,
        })
    }
}

/// What is said of a value of the wrong type quotes it; here that may be a key.
fn unquoted(message: &str) -> String {
    if !message.starts_with("invalid type") && !message.starts_with("invalid value") {
        return message.to_owned();
    }
    let expected = message.rsplit_once(", expected ").map_or("another one", |(_, expected)| expected);
    format!("a value of the wrong type, expected {expected}")
}

fn wrong(file: &Path, why: &str) -> anyhow::Error {
    Wrong(format!("{}: {why}", file.display())).into()
}

/// `scheme://name[:port]` and nothing behind it.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| rest.parse::<axum::http::uri::Authority>().is_ok_and(|of| !of.as_str().contains('@')))
}

fn is_authority(text: &str) -> bool {
    text.parse::<axum::http::uri::Authority>().is_ok_and(|of| of.port_u16().is_some() && !of.as_str().contains('@'))
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// A key that nobody guesses, which says of whom it is.
///
/// # Errors
/// The machine gives no randomness.
pub fn fresh_key(of: &str) -> Result<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("this machine gives no randomness"))?;
    Ok(format!("{of}_{}", crate::hex(&bytes)))
}

/// Makes the file where there is none, and beside it, for one reading, the new keys; where these are. None: it was there.
///
/// # Errors
/// One of them cannot be written.
pub fn make(file: &Path) -> Result<Option<PathBuf>> {
    if file.exists() {
        return Ok(None);
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let (host, seller) = (fresh_key("host")?, fresh_key("seller")?);
    let mut name = file.as_os_str().to_owned();
    name.push(".keys");
    let shown = PathBuf::from(name);
    write_new(&shown, &format!("host {host}\nseller {seller}\n"))?;
    let text = TEMPLATE
        .replace("{host}", &KeyDigest::of(&host).to_string())
        .replace("{seller}", &KeyDigest::of(&seller).to_string());
    write_new(file, &text)?;
    Ok(Some(shown))
}

/// Only its owner reads it; what is there already is left alone.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| {
        let is_there = error.kind() == ErrorKind::AlreadyExists;
        let to_do = if is_there { ": move it away, and start again" } else { "" };
        anyhow::anyhow!("writing {}: {error}{to_do}", path.display())
    })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))
}

const TEMPLATE: &str = r#"# Settings of `baliklayar serve --config`. Paths are relative to this file. Each change needs a new start.

# Folder of the store, and of the rows of a move under way.
work = "work"

# Where host apps call, and providers tell. TLS belongs in front of it; `public` is then what the world calls it.
listen = "127.0.0.1:7400"
# public = "https://shops.example"

# Between the seam and the backend of this process; nobody else calls it.
backend = "127.0.0.1:7403"

# Board and verbs of moves. It has no sign-in, so that it is of this machine only.
console = "127.0.0.1:7401"

# Host apps that may show the page where a buyer pays in a frame.
# framed_by = ["https://app.example"]

# For Prometheus, at /metrics.
metrics = "127.0.0.1:7408"

# host:port of the program that owns the shops which have not moved yet.
# legacy = "127.0.0.1:7404"

# Takes the word of a host app for money: for trials only.
instant = false

# The store is a file in `work`, or the PostgreSQL database that BALIK_STORE names in the environment.

# Callers' keys are kept as digests, each `sha256:` and what `printf %s KEY | sha256sum` says. Two while one is being replaced.
[keys]
host = ["{host}"]
seller = ["{seller}"]

# Requests of one shop; more are answered 429.
[limits]
per_second = 1000
burst = 2000

# Over http:// only: TLS to a provider needs a proxy on this machine. BALIK_PROVIDER_KEY and BALIK_PROVIDER_NOTICE_KEYS are needed in the environment.
# [provider]
# api = "http://127.0.0.1:8443"
# Its page where buyers type in a card, shown in a frame; without it cards are not taken.
# cards = "https://cards.example"
# Its couriers take money at the door.
# cash_on_delivery = true
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(&file)
    }

    #[test]
    fn what_is_made_is_read_again_and_has_no_key_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made/serve.toml");
        let shown = std::fs::read_to_string(make(&file).unwrap().unwrap()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let keys: Vec<&str> = shown.lines().filter_map(|line| line.split_once(' ')).map(|(_, key)| key).collect();
        assert!(keys.len() == 2 && keys.iter().all(|key| key.len() > 64 && !text.contains(key)), "{shown}");
        let config = Config::read(&file).unwrap();
        assert_eq!(config.work, folder.path().join("made/work"));
        let setting = config.setting(Secrets { invoices: "i".into(), pages: "p".into() }).unwrap();
        assert_eq!(setting.keys.host, [KeyDigest::of(keys[0])]);
        assert_eq!(setting.keys.seller, [KeyDigest::of(keys[1])]);
        assert!(!setting.instant && setting.options.rate.is_some() && setting.provider.is_none());
        assert!(make(&file).unwrap().is_none(), "what is there stays");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_without_the_secret() {
        let good = TEMPLATE.replace("{host}", &KeyDigest::of("h").to_string());
        let good = good.replace("{seller}", &KeyDigest::of("s").to_string());
        read(&good).unwrap();
        for (from, to, says) in [
            ("listen = \"127.0.0.1:7400\"", "listen = \"here\"", "line 7"),
            ("console = \"127.0.0.1:7401\"", "console = \"0.0.0.0:7401\"", "no sign-in"),
            ("host = [", "host = \"my-secret-key\" #", "line 32: a value of the wrong type, expected a sequence"),
            ("work = \"work\"", "work = \"work\"\nwrok = 1", "wrok"),
            ("instant = false", "instant = false\nframed_by = [\"http://elsewhere\"]", "framed_by"),
            ("instant = false", "instant = \"my-secret-key\"", "wrong type, expected a boolean"),
            ("instant = false", "public = \"https://a.example/shop\"", "public"),
            ("instant = false", "legacy = \"no port\"", "legacy"),
            ("backend = \"127.0.0.1:7403\"", "backend = \"0.0.0.0:7403\"", "backend"),
            ("# [provider]\n# api = \"http:", "[provider]\napi = \"https:", "needs a proxy"),
            (
                "# [provider]",
                "[provider]\napi = \"http://a.example\"\ncards = \"http://a.example\"\n#",
                "is not an origin",
            ),
            ("per_second = 1000", "per_second = 0", "[limits]"),
            ("seller = [", "seller = [] #", "line 33: at least one digest"),
            ("host = [\"", "host = [\"my-secret-key\", \"", "line 32: number 1: is not `sha256:`"),
        ] {
            let text = good.replace(from, to);
            assert_ne!(text, good, "{from}");
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("a.toml"), "{to}: {error}");
            assert!(!error.contains("my-secret-key"), "{error}");
        }
        assert!(Config::read(Path::new("/nowhere/a.toml")).unwrap_err().to_string().contains("/nowhere/a.toml"));
    }
}
