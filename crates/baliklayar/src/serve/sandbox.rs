//! The sandbox: one shop with a shelf, a provider that takes no real money, and a host page to buy on, in one command.
//!
//! The shop serves in this process; provider and host app are processes of their own, as they are in the world.

use super::config::fresh_key;
use super::{Args, open, until_asked};
use crate::demo::Work;
use crate::demo::cast::{self, Keys, Ports};
use crate::exit::{Ears, Exit};
use crate::seed::{self, Product};
use crate::serving::{Provider, Setting, clock};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use store::Store;
use vocab::document::Record;
use vocab::id::ShopId;

const SHOP: &str = "warung";
const NAME: &str = "Warung Contoh";

const SHELF: [Product<'static>; 6] = [
    Product { id: "1", title: "Kopi Gayo 200 g", price: 6_500_000, stock: 120 },
    Product { id: "2", title: "Teh Melati 50 kantong", price: 2_450_000, stock: 300 },
    Product { id: "3", title: "Kain Batik Cap 2 m", price: 18_500_000, stock: 40 },
    Product { id: "4", title: "Gelas Enamel Hijau", price: 3_200_000, stock: 80 },
    Product { id: "5", title: "Sambal Bawang 150 ml", price: 2_800_000, stock: 250 },
    // So that one can see how the last one is sold, and what the next buyer is told.
    Product { id: "6", title: "Keris Hias (satu-satunya)", price: 95_000_000, stock: 1 },
];

/// In the store: the keys of a sandbox, which are the same again in the same folder.
const KEYS: &str = "sandbox.keys";

pub async fn run(args: &Args, ears: Ears) -> Result<Exit> {
    let work = Work::open(args.work.as_deref(), "sandbox")?;
    let folder = work.folder();
    let ports = Ports::of(args.port, folder).await?;
    let store = open(args.store.as_deref(), folder)?;
    let shop = ShopId::parse(SHOP)?;
    must_be_a_sandbox(&store, &shop).await?;
    let keys = keys(&store).await?;
    seed::open_shop(&store, &shop, NAME, &SHELF, clock()()).await.context("seeding the sandbox's shop")?;
    let provider = cast::start_provider(folder, ports.provider, &keys).await?;
    write(folder, ports, &keys, &store, &shop).await?;
    let host = cast::start_host(folder, ports, &[format!("{SHOP}={NAME}")], None).await?;
    let setting = setting(folder, ports, &keys)?;
    let at = folder.join("addresses.json");
    let ended = Box::pin(until_asked(store, setting, ears, move || {
        eprintln!(
            "ready: buy at http://127.0.0.1:{} (a host page), or call the shop `{SHOP}` at http://127.0.0.1:{} as docs/ucp.md says; \
             console http://127.0.0.1:{}, figures http://127.0.0.1:{}/metrics, provider's control http://127.0.0.1:{}; keys and \
             products in {}; ctrl-c ends it",
            ports.host,
            ports.seam,
            ports.console,
            ports.metrics,
            ports.provider.control,
            at.display()
        );
    }))
    .await;
    host.end().await;
    provider.end().await;
    ended
}

/// A sandbox takes a host's word for money, and nobody's shop may be in it.
async fn must_be_a_sandbox(store: &Store, shop: &ShopId) -> Result<()> {
    let others = store.heads().await?.into_iter().any(|head| head.shop != *shop);
    if others || store.noted(super::LINKS).await?.is_some() {
        bail!("this store is no sandbox's: there are other shops in it, or it was served with settings");
    }
    Ok(())
}

async fn keys(store: &Store) -> Result<Keys> {
    let names = ["host", "seller", "provider", "notices", "pages"];
    let mut fresh = Record::default();
    for name in names {
        fresh = fresh.with(name, fresh_key(name)?);
    }
    let kept = store.note_first(KEYS, fresh).await?;
    let key = |name: &str| kept.text(name).map(str::to_owned).with_context(|| format!("the note {KEYS} has no {name}"));
    let [host, seller, provider, notices, pages] = names;
    Ok(Keys {
        host: key(host)?,
        seller: key(seller)?,
        provider: key(provider)?,
        notices: key(notices)?,
        pages: key(pages)?,
    })
}

fn setting(folder: &Path, ports: Ports, keys: &Keys) -> Result<Setting> {
    let framed_by = ports.host_origins().iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let provider = Provider::told(ports.provider_api(), keys.provider.clone(), &keys.notices)?;
    let provider = provider.taking(Some(ports.provider_page().parse()?), true);
    Ok(Setting {
        work: folder.to_owned(),
        seam: at(ports.seam),
        backend: at(ports.backend),
        console: Some(at(ports.console)),
        metrics: Some(at(ports.metrics)),
        public: None,
        legacy: None,
        keys: api::Keys::of(&keys.host, &keys.seller, &keys.pages),
        options: api::Options { rate: None, framed_by },
        instant: true,
        provider: Some(provider),
        without: vec![],
        fault: None,
    })
}

/// What a program needs to find its way, written before anything says that it is ready.
async fn write(folder: &Path, ports: Ports, keys: &Keys, store: &Store, shop: &ShopId) -> Result<()> {
    let stock = store.stock_all(shop).await?;
    let left = |id: &str| stock.iter().find(|(variant, _)| variant.as_str() == id).map(|(_, left)| *left);
    let products: Vec<Value> = SHELF
        .iter()
        .map(|product| json!({"id": product.id, "variant": product.id, "stock": left(product.id)}))
        .collect();
    let mut addresses = ports.addresses();
    addresses["metrics"] = format!("http://127.0.0.1:{}", ports.metrics).into();
    addresses["pids"] = json!({"serving": std::process::id()});
    addresses["databases"] = json!({"store": cast::store_url(folder)});
    addresses["keys"] = keys.addresses();
    addresses["sandbox"] = json!({"shop": shop.as_str(), "products": products});
    cast::write_addresses(folder, &addresses)
}
