//! Who plays in the demo, and what each is told on its command line: ports, keys, folders.

use super::children::Process;
use super::fault::Fault;
use super::{Args, Missing};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use vocab::id::ShopId;

/// A loading of the history, a copy of a large shop: longer than anything is waited for elsewhere.
const LEGACY_READY_MAX: Duration = Duration::from_secs(300);

/// People at the same time who pay in their own time: so many that codes are open at every move.
const LATER: u32 = 12;

const HOST_READY_MAX: Duration = Duration::from_secs(30);
const PROVIDER_READY_MAX: Duration = Duration::from_secs(30);

/// Ports of the demo's parts.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub seam: u16,
    pub console: u16,
    pub host: u16,
    pub backend: u16,
    pub legacy: u16,
    pub provider: ProviderPorts,
    /// The sandbox's.
    pub metrics: u16,
    pub postgres: u16,
}

/// Its three doors.
#[derive(Debug, Clone, Copy)]
pub struct ProviderPorts {
    pub api: u16,
    pub page: u16,
    pub control: u16,
}

/// How long the ports of an earlier run may take to be free again: what it started ends after it.
const FREE_AGAIN_MAX: Duration = Duration::from_secs(5);
const FREE_AGAIN_LOOK: Duration = Duration::from_millis(50);

impl Ports {
    /// A folder that is taken up again has the ports that it had, where they are free: its provider was told where notices
    /// go, and its buyers where they pay.
    pub async fn of(base: u16, folder: &Path) -> Result<Self> {
        let fresh = Self::from(base)?;
        let Some(earlier) = earlier(folder).filter(|_| base == 0) else { return Ok(fresh) };
        let [seam, console, host, backend, legacy, api, page, control] = earlier;
        let provider = ProviderPorts { api, page, control };
        let begun = Instant::now();
        while begun.elapsed() < FREE_AGAIN_MAX {
            if earlier.iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
                return Ok(Self { seam, console, host, backend, legacy, provider, ..fresh });
            }
            tokio::time::sleep(FREE_AGAIN_LOOK).await;
        }
        Ok(fresh)
    }

    fn from(base: u16) -> Result<Self> {
        if base != 0 {
            let at = |offset: u16| base.checked_add(offset).ok_or_else(|| Missing::of("--port is too high"));
            return Ok(Self {
                seam: base,
                console: at(1)?,
                host: at(2)?,
                backend: at(3)?,
                legacy: at(4)?,
                provider: ProviderPorts { api: at(5)?, page: at(6)?, control: at(7)? },
                metrics: at(8)?,
                postgres: at(9)?,
            });
        }
        // Held all at once, so that they are different ones; free again a moment before they are needed.
        let held: Vec<TcpListener> =
            (0..10).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<std::io::Result<_>>()?;
        let port = |at: usize| Ok::<_, anyhow::Error>(held[at].local_addr()?.port());
        let (seam, console, host) = (port(0)?, port(1)?, port(2)?);
        let provider = ProviderPorts { api: port(6)?, page: port(7)?, control: port(8)? };
        let (backend, legacy, postgres, metrics) = (port(3)?, port(4)?, port(5)?, port(9)?);
        Ok(Self { seam, console, host, backend, legacy, provider, metrics, postgres })
    }
}

/// The ports in the addresses of an earlier run.
fn earlier(folder: &Path) -> Option<[u16; 8]> {
    let addresses: Value = serde_json::from_slice(&std::fs::read(folder.join("addresses.json")).ok()?).ok()?;
    let names = ["seam", "console", "host", "backend", "legacy", "provider", "provider_page", "provider_control"];
    let port = |name: &str| addresses[name].as_str()?.rsplit_once(':')?.1.parse().ok();
    let ports: Vec<u16> = names.into_iter().filter_map(port).collect();
    ports.try_into().ok()
}

impl Ports {
    /// Where the host page is loaded from, by either of the names that it answers to.
    pub fn host_origins(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|name| format!("http://{name}:{}", self.host))
    }

    pub fn provider_api(&self) -> String {
        format!("http://127.0.0.1:{}", self.provider.api)
    }

    pub fn provider_page(&self) -> String {
        format!("http://127.0.0.1:{}", self.provider.page)
    }

    /// As `addresses.json` names them: what is there whether there is a legacy or not.
    pub fn addresses(&self) -> Value {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        json!({
            "seam": at(self.seam), "console": at(self.console), "host": at(self.host), "backend": at(self.backend),
            "provider": at(self.provider.api), "provider_page": self.provider_page(),
            "provider_control": at(self.provider.control),
        })
    }
}

/// Where the store of this folder is; the password of a database stands in `store.url` only.
pub fn store_url(folder: &Path) -> String {
    let Ok(url) = std::fs::read_to_string(folder.join("store.url")) else {
        return format!("sqlite:{}", folder.join("store.sqlite").display());
    };
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (who, at))) => format!("{scheme}://{}@{at}", who.split(':').next().unwrap_or_default()),
        None => url,
    }
}

/// Written beside and renamed, so that no reader sees half of it.
///
/// # Errors
/// The folder cannot be written.
pub fn write_addresses(folder: &Path, addresses: &Value) -> Result<()> {
    let (draft, path) = (folder.join("addresses.json.draft"), folder.join("addresses.json"));
    // Keys are in it.
    let mut file = std::fs::OpenOptions::new();
    let opened = file.write(true).create(true).truncate(true).mode(0o600).open(&draft);
    let written = opened.and_then(|mut file| file.write_all(addresses.to_string().as_bytes()));
    written.with_context(|| format!("writing {}", draft.display()))?;
    std::fs::rename(&draft, &path).with_context(|| format!("writing {}", path.display()))
}

/// Bearer keys of host, seller and provider, and what notices and links are made with, of this run only.
#[derive(Debug, Clone)]
pub struct Keys {
    pub host: String,
    pub seller: String,
    pub provider: String,
    pub notices: String,
    pub pages: String,
}

impl Keys {
    /// The keys guard nothing but a demo on loopback; derived from the seed so that a resumed run has the same.
    pub fn fresh(seed: u64) -> Self {
        let key = |what: &str| {
            let digest =
                ring::digest::digest(&ring::digest::SHA256, format!("baliklayar-demo/{what}/{seed}").as_bytes());
            crate::hex(&digest.as_ref()[..16])
        };
        Self {
            host: key("host"),
            seller: key("seller"),
            provider: key("provider"),
            notices: key("notices"),
            pages: key("pages"),
        }
    }

    /// Those that callers need.
    pub fn addresses(&self) -> Value {
        json!({"host": self.host, "seller": self.seller, "provider": self.provider})
    }
}

/// The legacy, and the names of its shops as it says them.
pub async fn start_legacy(args: &Args, ports: Ports, url: &str, keys: &Keys) -> Result<(Process, Vec<String>)> {
    let mut legacy_args: Vec<String> = ["--database", url, "--init"].map(str::to_owned).to_vec();
    for (flag, value) in [
        ("--port", ports.legacy.to_string()),
        ("--seed", args.seed.to_string()),
        ("--shops", args.shops.to_string()),
        ("--provider", ports.provider_api()),
        // Its provider is told to tell the seam from before the first move on.
        ("--notices-at", format!("http://127.0.0.1:{}/notices/loket", ports.seam)),
    ] {
        legacy_args.extend([flag.to_owned(), value]);
    }
    legacy_args.extend(ports.host_origins().into_iter().flat_map(|origin| ["--host-origin".to_owned(), origin]));
    if let Some(data) = &args.data {
        let history = data.join("uci_online_retail/online_retail.csv.zst");
        if !history.exists() {
            return Err(Missing::of(format!("--data {}: there is no {}", data.display(), history.display())));
        }
        legacy_args.extend(["--data".to_owned(), data.display().to_string()]);
    }
    let envs = [
        ("KIOS_HOST_KEY", keys.host.as_str()),
        ("KIOS_SELLER_KEY", keys.seller.as_str()),
        ("KIOS_PROVIDER_KEY", keys.provider.as_str()),
        ("KIOS_PROVIDER_NOTICE_KEYS", keys.notices.as_str()),
        ("KIOS_PAGE_KEY", keys.pages.as_str()),
    ];
    let mut legacy = Process::start("legacy", &legacy_args, &envs)?;
    let mut shops = Vec::new();
    let is_ready = |line: &str| {
        shops.extend(line.strip_prefix("shop ").map(|shop| shop.replacen(' ', "=", 1)));
        line.trim() == "ready"
    };
    legacy.wait_for(LEGACY_READY_MAX, is_ready).await?;
    Ok((legacy, shops))
}

/// The provider through which buyers pay in their own time; its book stays in the work folder.
pub async fn start_provider(folder: &Path, ports: ProviderPorts, keys: &Keys) -> Result<Process> {
    let mut provider = vec!["--book".to_owned(), folder.join("provider.sqlite").display().to_string()];
    for (flag, port) in [("--port", ports.api), ("--page-port", ports.page), ("--control-port", ports.control)] {
        provider.extend([flag.to_owned(), port.to_string()]);
    }
    let envs = [("LOKET_KEY", keys.provider.as_str()), ("LOKET_WEBHOOK_KEY", keys.notices.as_str())];
    let mut process = Process::start("provider", &provider, &envs)?;
    process.wait_for(PROVIDER_READY_MAX, |line| line == "ready").await?;
    Ok(process)
}

pub fn serving_args(args: &Args, folder: &Path, ports: Ports, fault: Option<Fault>) -> Vec<String> {
    let mut serving = Vec::new();
    for (flag, value) in [
        ("--work", folder.display().to_string()),
        ("--seam-port", ports.seam.to_string()),
        ("--console-port", ports.console.to_string()),
        ("--backend-port", ports.backend.to_string()),
        ("--legacy", format!("127.0.0.1:{}", ports.legacy)),
        ("--provider", ports.provider_api()),
        ("--provider-cards", ports.provider_page()),
    ] {
        serving.extend([flag.to_owned(), value]);
    }
    serving.push("--cash-on-delivery".to_owned());
    serving.extend(ports.host_origins().into_iter().flat_map(|origin| ["--host-origin".to_owned(), origin]));
    for without in &args.without {
        serving.extend(["--without".to_owned(), without.clone()]);
    }
    if let Some(fault) = fault.and_then(Fault::of_import) {
        serving.extend(["--fault".to_owned(), fault.name().to_owned()]);
    }
    serving
}

/// The host app is told of its shops as `ID=NAME`. `busy`: whether somebody else moves them for now; none: nobody ever does.
pub async fn start_host(folder: &Path, ports: Ports, shops: &[String], busy: Option<bool>) -> Result<Process> {
    let mut told =
        vec![("--port", ports.host.to_string()), ("--addresses", folder.join("addresses.json").display().to_string())];
    if let Some(busy) = busy {
        let program = std::env::current_exe().context("finding this executable")?;
        told.push(("--program", program.display().to_string()));
        told.push(("--work", folder.display().to_string()));
        told.push(("--busy", if busy { "yes" } else { "no" }.to_owned()));
    }
    let mut host: Vec<String> = told.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect();
    for shop in shops {
        host.extend(["--shop".to_owned(), shop.clone()]);
    }
    let mut process = Process::start("host", &host, &[])?;
    process.wait_for(HOST_READY_MAX, |line| line == "ready").await?;
    Ok(process)
}

pub fn shopper_args(args: &Args, folder: &Path, shops: &[ShopId]) -> Vec<String> {
    let shops: Vec<&str> = shops.iter().map(ShopId::as_str).collect();
    let mut shoppers = Vec::new();
    for (flag, value) in [
        ("--addresses", folder.join("addresses.json").display().to_string()),
        ("--shops", shops.join(",")),
        ("--shoppers", args.shoppers.to_string()),
        ("--rate", args.rate.to_string()),
        ("--surge", args.surge.to_string()),
        ("--later", LATER.to_string()),
        ("--seed", args.seed.to_string()),
        ("--journal", folder.join("journal.jsonl").display().to_string()),
    ] {
        shoppers.extend([flag.to_owned(), value]);
    }
    for without in &args.without {
        shoppers.extend(["--without".to_owned(), without.clone()]);
    }
    shoppers
}

#[cfg(test)]
mod tests {
    use super::Ports;
    use serde_json::json;

    #[tokio::test]
    async fn a_folder_that_is_taken_up_again_has_the_ports_that_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let had = Ports::of(0, folder.path()).await.unwrap();
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let addresses = json!({"seam": at(had.seam), "console": at(had.console), "host": at(had.host),
            "backend": at(had.backend), "legacy": at(had.legacy), "provider": at(had.provider.api),
            "provider_page": at(had.provider.page), "provider_control": at(had.provider.control)});
        std::fs::write(folder.path().join("addresses.json"), addresses.to_string()).unwrap();
        let has = Ports::of(0, folder.path()).await.unwrap();
        assert_eq!((has.seam, has.legacy, has.provider.control), (had.seam, had.legacy, had.provider.control));
        assert_eq!(Ports::of(7_400, folder.path()).await.unwrap().seam, 7_400, "who names ports has them");
    }
}
