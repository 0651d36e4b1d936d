//! A buyer on the outside: creates a checkout, opens the page, chooses, pays once, twice or not at all, and looks what became
//! of it; whatever is not answered is asked again.

use crate::client::{Request, exchange, filled_in, form, id};
use crate::world::Provider;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use testkit::chance::Chance;

const PATIENCE: Duration = Duration::from_secs(200);
/// Of long tests, which kill for minutes on end.
const PATIENCE_LONG: Duration = Duration::from_secs(900);

const LOOK: Duration = Duration::from_millis(100);

/// One buyer, where they buy, and by what chance they act.
pub struct Buyer {
    pub shop: String,
    pub product: String,
    /// How long they wait before they pay what they were shown, at most.
    pub dawdles_ms: u64,
    /// Whether some pay by card: a shop that may go back to its legacy takes none.
    pub cards: bool,
    pub number: u64,
    pub seam: SocketAddr,
    pub chance: Chance,
}

/// What a buyer knows in the end.
pub struct Told {
    pub checkout: String,
    /// How often they paid all that was asked for.
    pub pays: u32,
    pub order: Option<String>,
}

impl Buyer {
    pub async fn buy(mut self, provider: &Provider) -> Told {
        let request = Request {
            method: "POST",
            path: format!("/shops/{}/checkout-sessions", self.shop),
            key: Some(format!("buyer-{}", self.number)),
            body: filled_in(&[(&self.product, 1 + i64::try_from(self.chance.below(3)).unwrap())]).to_string(),
        };
        let created = self.until(|body| body["id"].is_string(), &request.bytes()).await;
        let (checkout, link) = (id(&created), created["continue_url"].as_str().unwrap().to_owned());
        let times = match self.cards && self.chance.below(6) == 0 {
            true => self.pay_by_card(&link).await,
            false => self.pay_later(&link, provider).await,
        };
        let look = Request {
            method: "GET",
            path: format!("/shops/{}/checkout-sessions/{checkout}", self.shop),
            key: None,
            body: String::new(),
        };
        let is_done = |body: &Value| times == 0 || body["status"] == "completed";
        let shown = self.until(is_done, &look.bytes()).await;
        let order = shown["order"]["id"].as_str().map(str::to_owned);
        Told { checkout, pays: times, order }
    }

    /// By a number or in a wallet; how often.
    async fn pay_later(&mut self, link: &str, provider: &Provider) -> u32 {
        let wallet = self.chance.below(2) == 0;
        let target = self.pay_with(link, wallet).await;
        let times = match self.chance.below(10) {
            0 | 1 => 0,
            2 => 2,
            _ => 1,
        };
        tokio::time::sleep(Duration::from_millis(self.chance.below(self.dawdles_ms.max(1)))).await;
        for time in 0..times {
            match target.strip_prefix("http://") {
                Some(page) if time == 0 => pay_on_page(page).await,
                // A second time, and all the same: the provider takes it.
                _ => _ = provider.control("pay", &json!({ "code": target, "late": time > 0 })).await,
            }
        }
        times
    }

    /// By a card that is good, offered again whenever the page says that it was not charged.
    async fn pay_by_card(&mut self, link: &str) -> u32 {
        let choose = form(link, "method=card_token&card=tok_visa");
        let look = format!("GET {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\r\n").into_bytes();
        let deadline = Instant::now() + patience();
        loop {
            let page = self.try_once(&look).await.map_or_else(String::new, |(_, page)| page);
            if page.contains("class=\"paid\"") {
                return 1;
            }
            if page.contains("class=\"choices\"") {
                self.try_once(&choose).await;
            }
            assert!(Instant::now() < deadline, "buyer {}: a card is neither charged nor not: {page}", self.number);
            tokio::time::sleep(LOOK * 5).await;
        }
    }

    /// The number to transfer to, or the address of the wallet: chosen again until the page shows one.
    async fn pay_with(&mut self, link: &str, wallet: bool) -> String {
        let body = if wallet { "method=wallet" } else { "method=virtual_account" };
        let choose = form(link, body);
        let look = format!("GET {link} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\r\n").into_bytes();
        let deadline = Instant::now() + patience();
        loop {
            for request in [&choose, &look] {
                let page = self.try_once(request).await.map_or_else(String::new, |(_, page)| page);
                if let Some(shown) = shown(&page) {
                    return shown;
                }
            }
            assert!(Instant::now() < deadline, "buyer {}: nothing to pay with", self.number);
            tokio::time::sleep(LOOK * 10).await;
        }
    }

    /// The same bytes until somebody gives an answer that is one.
    async fn until(&mut self, is: impl Fn(&Value) -> bool, request: &[u8]) -> Value {
        let deadline = Instant::now() + patience();
        loop {
            let answer = self.try_once(request).await;
            let body =
                answer.filter(|(status, _)| status / 100 == 2).and_then(|(_, body)| serde_json::from_str(&body).ok());
            if let Some(body) = body.filter(&is) {
                return body;
            }
            let asked = String::from_utf8_lossy(request);
            assert!(Instant::now() < deadline, "buyer {}: no such answer to {asked}", self.number);
            tokio::time::sleep(LOOK).await;
        }
    }

    /// None where nobody answered: the process is dead, or dies.
    async fn try_once(&self, request: &[u8]) -> Option<(u16, String)> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.seam).await.ok()?;
        stream.write_all(request).await.ok()?;
        let mut answer = String::new();
        tokio::time::timeout(patience(), stream.read_to_string(&mut answer)).await.ok()?.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

fn patience() -> Duration {
    if std::env::var_os("BALIK_LONG").is_some() { PATIENCE_LONG } else { PATIENCE }
}

/// What the page shows to pay with.
fn shown(page: &str) -> Option<String> {
    if let Some((_, rest)) = page.split_once("<p class=\"number\">") {
        return rest.split_once('<').map(|(number, _)| number.replace(' ', ""));
    }
    let (_, rest) = page.split_once("<a class=\"button\" href=\"")?;
    rest.split_once('"').map(|(address, _)| address.to_owned())
}

/// On the provider's own page: one button.
async fn pay_on_page(page: &str) {
    let (host, path) = page.split_once('/').unwrap();
    let request = format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let (status, page) = exchange(host.parse().unwrap(), request.as_bytes()).await;
    assert_eq!(status, 200, "{page}");
}
