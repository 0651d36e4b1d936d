//! The shoppers and their oracle, as another process: told what happens, asked for what they saw.

use super::children::Process;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use vocab::id::ShopId;

/// How long the final look at everything may take.
const REPORT_MAX: Duration = Duration::from_secs(300);

pub struct Shoppers(Process);

impl Shoppers {
    pub async fn start(args: &[String]) -> Result<Self> {
        let mut process = Process::start("shoppers", args, &[])?;
        process.wait_for(Duration::from_secs(60), |line| line.contains("\"ready\"")).await?;
        Ok(Self(process))
    }

    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    pub async fn phase(&mut self, phase: &str) -> Result<()> {
        self.tell(&json!({"tell": "phase", "phase": phase})).await
    }

    /// Requests per second that come to one shop beside the usual ones; 0: none.
    pub async fn surge(&mut self, shop: &ShopId, rate: u32) -> Result<()> {
        self.tell(&json!({"tell": "surge", "shop": shop.as_str(), "rate": rate})).await
    }

    pub async fn hold(&mut self, shop: &ShopId, on: bool) -> Result<()> {
        self.tell(&json!({"tell": "hold", "shop": shop.as_str(), "on": on})).await
    }

    pub async fn check(&mut self, shop: &ShopId) -> Result<()> {
        self.tell(&json!({"tell": "check", "shop": shop.as_str()})).await
    }

    async fn tell(&mut self, what: &Value) -> Result<()> {
        self.0.tell(&what.to_string()).await.context("telling the shoppers")
    }

    /// Stops the traffic and waits for the oracle's last look.
    pub async fn finish(mut self) -> Result<Value> {
        self.tell(&json!({"tell": "finish"})).await?;
        let reporting = async {
            while let Some(line) = self.0.line().await {
                let said: Value = serde_json::from_str(&line).context("the shoppers said what is no JSON")?;
                if said["said"] == "report" {
                    return Ok(said);
                }
            }
            anyhow::bail!("the shoppers ended without a report")
        };
        let report = tokio::time::timeout(REPORT_MAX, reporting).await.context("the shoppers do not report")??;
        self.0.end().await;
        Ok(report)
    }
}
