//! The host app over a real shop: kios, as it is, with nothing between. What a move adds is tried where moves are.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what is not as expected fails the test")]

mod browser;
mod forms;
mod typed;
mod way;

use demo_legacy::{Database, Keys};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use way::Way;

/// A running shop program with two shops, and the app in front of it. Both end with the test's runtime.
pub struct Bench {
    /// `http://host:port` of the app.
    pub at: String,
    pub way: Way,
    folder: TempDir,
}

impl Bench {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database =
            Database::open(&format!("sqlite:{}", folder.path().join("kios.sqlite").display())).await.unwrap();
        demo_legacy::init(&database, 7, 2, None).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Way::to(listener.local_addr().unwrap());
        tokio::spawn(demo_legacy::serve(listener, database, Keys { host: "h".into(), seller: "s".into() }));
        let addresses = json!({"seam": way.at, "keys": {"host": "h", "seller": "s"}});
        let file = folder.path().join("addresses.json").display().to_string();
        std::fs::write(&file, addresses.to_string()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let args = ["--addresses", &file, "--shop", "1=Toko Satu", "--shop", "2=Toko Dua"].map(str::to_owned);
        tokio::spawn(async move { demo_host::serve(listener, &args).await });
        Self { at, way, folder }
    }

    /// Every product of every shop is called so.
    fn call_products(&self, title: &str) {
        let kios = rusqlite::Connection::open(self.folder.path().join("kios.sqlite")).unwrap();
        assert!(kios.execute("update produk set nama = ?1", [title]).unwrap() > 0);
    }
}
