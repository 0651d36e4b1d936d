//! The legacy's side of an aggregate, as the console and the command line show it: read by the mover's eyes, told in the
//! console's words.

use console::sides::{Legacy, Look, with_stock};
use mover::{Eyes, Told};
use std::sync::Arc;
use store::Store;
use vocab::id::{Kind, Origin, ShopId};

/// What the source says of an aggregate now.
pub async fn look(eyes: &Eyes, shop: &ShopId, kind: Kind, origin: &Origin) -> Legacy {
    match eyes.look(shop, kind, origin).await {
        Ok(Told::Document { document, on_hand }) => Legacy::Document(with_stock(document, on_hand)),
        Ok(Told::Nothing) => Legacy::Nothing,
        Ok(Told::Unreadable(what)) => Legacy::Unknown(what),
        Err(error) => Legacy::Unknown(error.to_string()),
    }
}

/// The same for whoever serves the console: by the plan that stands at that moment.
pub fn reader(store: Store) -> Look {
    Arc::new(move |shop, kind, origin| {
        let store = store.clone();
        Box::pin(async move {
            match open(&store).await {
                Ok(eyes) => look(&eyes, &shop, kind, &origin).await,
                Err(error) => Legacy::Unknown(format!("{error:#}")),
            }
        })
    })
}

async fn open(store: &Store) -> anyhow::Result<Eyes> {
    let plan = store.plan().await?.ok_or_else(|| anyhow::anyhow!("there is no plan"))?;
    Ok(Eyes::open(&plan).await?)
}
