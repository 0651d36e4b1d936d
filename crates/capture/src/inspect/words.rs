//! What names and declared types give away: which columns look like money.

/// Words inside a column's name that promise money, in English and in Indonesian.
const MONEY: [&str; 33] = [
    "amount",
    "balance",
    "bayar",
    "biaya",
    "charge",
    "cost",
    "credit",
    "debit",
    "diskon",
    "discount",
    "fee",
    "freight",
    "gross",
    "harga",
    "jumlah",
    "net",
    "nominal",
    "ongkir",
    "paid",
    "pajak",
    "payment",
    "potongan",
    "price",
    "refund",
    "revenue",
    "rupiah",
    "saldo",
    "salary",
    "shipping",
    "subtotal",
    "surcharge",
    "tax",
    "total",
];

/// Words that are money only as a whole one: `net` is not in `network`.
const WHOLE_MAX: usize = 3;

/// Whether a name looks like an amount of money.
pub(crate) fn is_money(column: &str) -> bool {
    let name = column.to_lowercase();
    let whole: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let is_in = |word: &&str| if word.len() <= WHOLE_MAX { whole.contains(word) } else { name.contains(*word) };
    MONEY.iter().any(is_in) && !is_count(&whole)
}

/// `total_items` and `price_id` are no amounts; `items_total` is one.
fn is_count(parts: &[&str]) -> bool {
    const COUNTS: [&str; 8] = ["at", "count", "id", "items", "method", "quantity", "qty", "units"];
    parts.last().is_some_and(|part| COUNTS.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_known_by_its_name() {
        for name in ["price", "Harga_Jual", "sub_total", "shippingCost", "tax", "items_total", "net"] {
            assert!(is_money(name), "{name}");
        }
        for name in ["weight", "network", "tax_id", "paid_at", "total_items", "price_id", "rating"] {
            assert!(!is_money(name), "{name}");
        }
    }
}
