//! The plan of the demo: the mapping files of its legacy, every shop, every part.

use super::fault::Fault;
use super::{Args, Engine};
use anyhow::Result;
use std::path::Path;
use store::{Plan, PlanFile, PlannedShop};
use vocab::id::{Part, ShopId};

/// The mapping files of the demo's legacy, with the control totals that stand beside each.
const KIOS: [(&str, &str); 2] = [
    ("kios.toml", include_str!("../../../../demo/legacy/mapping/kios.toml")),
    ("kios.totals.toml", include_str!("../../../../demo/legacy/mapping/kios.totals.toml")),
];
const ARSIP: [(&str, &str); 2] = [
    ("arsip.toml", include_str!("../../../../demo/legacy/mapping/arsip.toml")),
    ("arsip.totals.toml", include_str!("../../../../demo/legacy/mapping/arsip.totals.toml")),
];
/// The shop that has the real history.
const ARCHIVE_SHOP: &str = "900";
/// The plan of the demo: every shop, every part, equal weights.
pub fn plan(args: &Args, source: &str, fault: Option<Fault>) -> Result<Plan> {
    let mut files: Vec<(&str, String)> = Vec::new();
    let archives: &[(&str, &str)] = if args.data.is_some() { &ARSIP } else { &[] };
    for (name, text) in KIOS.iter().chain(archives) {
        files.push((name, fault.map_or_else(|| (*text).to_owned(), |fault| fault.mapping(name, text, &args.without))));
    }
    let (totals, mappings): (Vec<_>, Vec<_>) = files
        .into_iter()
        .map(|(name, text)| PlanFile { name: name.to_owned(), text })
        .partition(|file| file.name.ends_with(".totals.toml"));
    let mut shops: Vec<String> = (1..=args.shops).map(|shop| shop.to_string()).collect();
    if args.data.is_some() {
        shops.push(ARCHIVE_SHOP.to_owned());
    }
    let planned = shops.iter().map(|shop| Ok(PlannedShop { shop: ShopId::parse(shop)?, parts: Part::ALL.to_vec() }));
    Ok(Plan {
        source: source.to_owned(),
        mappings,
        totals,
        policy: match args.source {
            Engine::Postgres => "role = 'kios'\n".to_owned(),
            Engine::Sqlite => String::new(),
        },
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: planned.collect::<Result<_>>()?,
        deadline: None,
        created_at: (crate::serving::clock())(),
    })
}

/// The mapping files, for whoever wants to read or plan with them.
pub fn write_files(folder: &Path, plan: &Plan) -> Result<()> {
    let folder = folder.join("mapping");
    std::fs::create_dir_all(&folder)?;
    for file in plan.mappings.iter().chain(&plan.totals) {
        std::fs::write(folder.join(&file.name), &file.text)?;
    }
    Ok(())
}
