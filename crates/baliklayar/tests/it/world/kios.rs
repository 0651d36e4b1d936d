//! The plan of a move out of kios, with the files that say what its rows mean.

use baliklayar::serving::clock;
use store::{Plan, PlanFile, PlannedShop};
use vocab::id::{Part, ShopId};

const KIOS: &str = include_str!("../../../../../demo/legacy/mapping/kios.toml");
const KIOS_TOTALS: &str = include_str!("../../../../../demo/legacy/mapping/kios.totals.toml");

pub fn plan(source: &str, shops: &[ShopId]) -> Plan {
    let file = |name: &str, text: &str| PlanFile { name: name.into(), text: text.into() };
    Plan {
        source: source.to_owned(),
        mappings: vec![file("kios.toml", KIOS)],
        totals: vec![file("kios.totals.toml", KIOS_TOTALS)],
        policy: String::new(),
        weights: Part::ALL.iter().map(|part| (*part, 2_000)).collect(),
        shops: shops.iter().map(|shop| PlannedShop { shop: shop.clone(), parts: Part::ALL.to_vec() }).collect(),
        deadline: None,
        created_at: clock()(),
    }
}

/// As if whoever wrote the files knew nothing of orders that are not paid yet.
pub fn forget_payments(plan: &mut Plan) {
    let without = |text: &str, parts: &[(&str, &str)]| {
        parts.iter().fold(text.to_owned(), |text, (from, to)| {
            let (before, rest) = text.split_once(from).unwrap();
            let after = if to.is_empty() { "" } else { &rest[rest.find(to).unwrap()..] };
            format!("{before}{after}")
        })
    };
    let of_kios = [("[table.pesanan]", "[table.idem]"), ("[entity.intent]", "[entity.idempotency]")];
    plan.mappings[0].text = without(KIOS, &of_kios).replace("pesanan = { block = 10000 }\n", "");
    let of_totals = [("[keys.intent]", "[keys.idempotency]"), ("# Orders that are not paid yet", "")];
    plan.totals[0].text = without(KIOS_TOTALS, &of_totals);
}
