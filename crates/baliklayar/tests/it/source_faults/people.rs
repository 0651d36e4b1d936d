//! The demo's shoppers and their oracle, at the seam of a world: the same that a demo runs, on a thread of their own.

use crate::client::{HOST, SELLER};
use crate::world::World;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::mpsc;
use vocab::id::ShopId;

/// Requests per second over all shops.
const RATE: u32 = 20;
const READY_MAX: Duration = Duration::from_secs(60);
/// A request that fails takes 15 s; then everything is looked at again.
const CLOSE_MAX: Duration = Duration::from_secs(120);

pub struct People {
    tell: DuplexStream,
    said: mpsc::UnboundedReceiver<Value>,
    _folder: TempDir,
}

impl People {
    /// Shoppers at these shops; they are buying when this returns.
    pub async fn at(world: &World, shops: &[&ShopId], seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = folder.path().join("addresses.json");
        let told = json!({
            "seam": format!("http://{}", world.seam()),
            "databases": {"legacy": world.source_url(), "store": world.work.path().join("store.sqlite")},
            "keys": {"host": HOST, "seller": SELLER},
        });
        std::fs::write(&addresses, told.to_string()).unwrap();
        let journal = folder.path().join("journal");
        let shops = shops.iter().map(|shop| shop.as_str()).collect::<Vec<_>>().join(",");
        let (rate, seed) = (RATE.to_string(), seed.to_string());
        let (addresses, journal) = (addresses.display().to_string(), journal.display().to_string());
        let args = [
            ("--addresses", &addresses),
            ("--journal", &journal),
            ("--shops", &shops),
            ("--shoppers", &"8".to_owned()),
            ("--rate", &rate),
            ("--surge", &"0".to_owned()),
            ("--seed", &seed),
        ];
        let args: Vec<String> = args.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).clone()]).collect();
        let (tell, told) = tokio::io::duplex(4_096);
        let (says, said) = mpsc::unbounded_channel();
        let mut lines = Lines { says, open: Vec::new() };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ran = runtime.block_on(demo_shoppers::run_on(&args, BufReader::new(told), &mut lines));
            if let Err(error) = ran {
                let _ = lines.says.send(json!({"said": "failed", "what": format!("{error:#}")}));
            }
        });
        let mut people = Self { tell, said, _folder: folder };
        people.hear("ready", READY_MAX).await;
        people
    }

    /// Ends the shopping; the oracle's report.
    pub async fn finish(mut self) -> Value {
        self.tell.write_all(b"{\"tell\":\"finish\"}\n").await.unwrap();
        self.hear("report", CLOSE_MAX).await
    }

    async fn hear(&mut self, what: &str, max: Duration) -> Value {
        let heard = async {
            loop {
                let said = self.said.recv().await.expect("the shoppers have gone");
                assert_ne!(said["said"], "failed", "the shoppers failed: {said}");
                if said["said"] == what {
                    return said;
                }
            }
        };
        tokio::time::timeout(max, heard).await.unwrap_or_else(|_| panic!("the shoppers do not say {what}"))
    }
}

/// What is wrong with a report, if anything is.
pub fn complaint(report: &Value) -> Option<String> {
    let count = |name: &str| {
        let phases = report["requests"].as_object().unwrap();
        phases.values().map(|counts| counts[name].as_u64().unwrap_or(0)).sum::<u64>()
    };
    let reasons = report["reasons"].as_array().unwrap();
    let wrong = (count("failed"), count("wrong"), reasons.len());
    (wrong != (0, 0, 0) || count("ok") == 0)
        .then(|| format!("{} failed, {} wrong, {} {}", wrong.0, wrong.1, report["reasons"], report["examples"]))
}

/// Takes lines apart and hands on those that somebody waits for.
struct Lines {
    says: mpsc::UnboundedSender<Value>,
    open: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.open.extend_from_slice(bytes);
        while let Some(end) = self.open.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.open.drain(..=end).collect();
            let said: Value = serde_json::from_slice(&line).map_err(std::io::Error::other)?;
            if said["said"] != "tick" {
                // Whoever no longer listens has ended.
                let _ = self.says.send(said);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
