//! What an invoice says, in English and in Indonesian, and which of the two a reader gets.

use commerce::order::{PaymentState, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Id,
}

impl Lang {
    /// As the address asks, else the first that the browser prefers and we speak, else the shops' own.
    pub fn choose(asked: Option<&str>, accepted: &str) -> Self {
        let language = |range: &str| Self::of(range.split(';').next()?.trim().split('-').next()?);
        asked.and_then(Self::of).or_else(|| accepted.split(',').find_map(language)).unwrap_or(Self::Id)
    }

    fn of(code: &str) -> Option<Self> {
        match code {
            "en" => Some(Self::En),
            // `in` is what old systems call Indonesian.
            "id" | "in" => Some(Self::Id),
            _ => None,
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Id,
            Self::Id => Self::En,
        }
    }

    pub const fn code(self) -> &'static str {
        self.words().code
    }

    pub const fn words(self) -> &'static Words {
        match self {
            Self::En => &ENGLISH,
            Self::Id => &INDONESIAN,
        }
    }
}

/// The texts of one language.
pub struct Words {
    pub code: &'static str,
    /// The language's name for itself.
    pub name: &'static str,
    pub invoice: &'static str,
    pub number: &'static str,
    pub date: &'static str,
    pub order: &'static str,
    pub state: &'static str,
    pub seller: &'static str,
    pub buyer: &'static str,
    pub item: &'static str,
    pub price: &'static str,
    pub quantity: &'static str,
    pub amount: &'static str,
    pub each: &'static str,
    pub cancelled: &'static str,
    pub refunded: &'static str,
    pub subtotal: &'static str,
    pub shipping: &'static str,
    pub tax: &'static str,
    pub total: &'static str,
    pub given_back: &'static str,
    pub remains: &'static str,
    pub recorded_total: &'static str,
    pub payments: &'static str,
    pub adjustments: &'static str,
    pub cancellation: &'static str,
    pub refund: &'static str,
    pub whole_rest: &'static str,
    pub history: &'static str,
    pub as_found: &'static str,
    pub managed_by: &'static str,
    pub none: &'static str,
    pub none_hint: &'static str,
    months: [&'static str; 12],
    states: [&'static str; 5],
    payment_states: [&'static str; 3],
    /// Between the day and the time.
    pub at: &'static str,
    /// Between hours and minutes, in front of decimals, between thousands.
    pub clock: char,
    pub decimal: char,
    pub thousands: char,
}

const ENGLISH: Words = Words {
    code: "en",
    name: "English",
    invoice: "Invoice",
    number: "Number",
    date: "Date",
    order: "Order",
    state: "State",
    seller: "Sold by",
    buyer: "Sold to",
    item: "Item",
    price: "Price",
    quantity: "Quantity",
    amount: "Amount",
    each: "each",
    cancelled: "cancelled",
    refunded: "refunded",
    subtotal: "Subtotal",
    shipping: "Shipping",
    tax: "Tax",
    total: "Total",
    given_back: "Given back",
    remains: "Remains",
    recorded_total: "Recorded total",
    payments: "Payments",
    adjustments: "Cancellations and refunds",
    cancellation: "Cancellation",
    refund: "Refund",
    whole_rest: "all that was left of the order",
    history: "From the records",
    as_found: "This document was closed before the shop came here. It is shown as it was found and is not changed.",
    managed_by: "Service provided and managed by",
    none: "There is no such invoice",
    none_hint: "The address may be incomplete. Open the invoice from your order again.",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    states: ["Awaiting payment", "Paid", "Shipped", "Done", "Cancelled"],
    payment_states: ["awaited", "received", "failed"],
    at: ", ",
    clock: ':',
    decimal: '.',
    thousands: ',',
};

const INDONESIAN: Words = Words {
    code: "id",
    name: "Bahasa Indonesia",
    invoice: "Faktur",
    number: "Nomor",
    date: "Tanggal",
    order: "Pesanan",
    state: "Status",
    seller: "Penjual",
    buyer: "Pembeli",
    item: "Barang",
    price: "Harga",
    quantity: "Jumlah",
    amount: "Nilai",
    each: "per buah",
    cancelled: "dibatalkan",
    refunded: "dananya dikembalikan",
    subtotal: "Subtotal",
    shipping: "Ongkos kirim",
    tax: "Pajak",
    total: "Total",
    given_back: "Dikembalikan",
    remains: "Sisa",
    recorded_total: "Total tercatat",
    payments: "Pembayaran",
    adjustments: "Pembatalan dan pengembalian dana",
    cancellation: "Pembatalan",
    refund: "Pengembalian dana",
    whole_rest: "seluruh sisa pesanan",
    history: "Dari catatan lama",
    as_found: "Dokumen ini sudah ditutup sebelum toko pindah ke sini. Ditampilkan apa adanya dan tidak diubah.",
    managed_by: "Layanan disediakan dan dikelola oleh",
    none: "Faktur ini tidak ada",
    none_hint: "Alamatnya mungkin tidak lengkap. Buka lagi faktur dari pesanan Anda.",
    months: [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    states: ["Menunggu pembayaran", "Lunas", "Dikirim", "Selesai", "Dibatalkan"],
    payment_states: ["ditunggu", "diterima", "gagal"],
    at: " pukul ",
    clock: '.',
    decimal: ',',
    thousands: '.',
};

impl Words {
    /// `month` counts from 1.
    pub fn month(&self, month: i8) -> &'static str {
        usize::try_from(month - 1).ok().and_then(|month| self.months.get(month)).copied().unwrap_or_default()
    }

    pub const fn of_state(&self, state: State) -> &'static str {
        let [open, paid, shipped, done, cancelled] = self.states;
        match state {
            State::Open => open,
            State::Paid => paid,
            State::Shipped => shipped,
            State::Done => done,
            State::Cancelled => cancelled,
        }
    }

    pub const fn of_payment(&self, state: PaymentState) -> &'static str {
        let [awaited, received, failed] = self.payment_states;
        match state {
            PaymentState::Pending => awaited,
            PaymentState::Captured => received,
            PaymentState::Failed => failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_comes_before_the_browser_and_both_before_the_shops_own() {
        for (asked, accepted, lang) in [
            (Some("en"), "id", Lang::En),
            (None, "fr-FR, en-GB;q=0.8, id;q=0.5", Lang::En),
            (None, "in", Lang::Id),
            (Some("fr"), "en", Lang::En),
            (None, "", Lang::Id),
        ] {
            assert_eq!(Lang::choose(asked, accepted), lang, "{asked:?} {accepted}");
        }
    }
}
