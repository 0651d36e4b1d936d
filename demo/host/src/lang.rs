//! In which language a page speaks: as its address asks, else as its cookie says, else as the browser prefers. And what
//! depends on the language and on something else: amounts, times, the shop's no.

use crate::deed::CHANGED;
use crate::people::What;
use crate::seam::Trouble;
use crate::wire::Refusal;
use crate::words::{self, Words};
use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Id,
}

/// The cookie that keeps the choice; the demo's other pages read it too.
const COOKIE_NAME: &str = "lang";

impl Lang {
    pub const fn words(self) -> &'static Words {
        match self {
            Self::En => &words::EN,
            Self::Id => &words::ID,
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Id => "id",
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Id,
            Self::Id => Self::En,
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [Self::En, Self::Id].into_iter().find(|lang| lang.code() == code)
    }

    /// What a request without an address of its own choice gets.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kept = text(COOKIE).split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE_NAME).then(|| Self::from_code(value)).flatten()
        });
        kept.unwrap_or_else(|| {
            // Browsers send the best first; `in` is what old systems call Indonesian.
            let first = |range: &str| match range.split([';', '-']).next().unwrap_or_default().trim() {
                "id" | "in" => Some(Self::Id),
                "en" => Some(Self::En),
                _ => None,
            };
            text(ACCEPT_LANGUAGE).split(',').find_map(first).unwrap_or(Self::En)
        })
    }

    /// `Set-Cookie` for this language.
    pub fn cookie(self) -> String {
        format!("{COOKIE_NAME}={}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly", self.code())
    }

    pub fn trouble(self, trouble: &Trouble) -> String {
        match trouble {
            Trouble::Silent => self.words().silent.to_owned(),
            Trouble::Refused(refusal) => self.refusal(refusal),
            Trouble::Odd(code) => match self {
                Self::En => format!("That did not work ({code})."),
                Self::Id => format!("Tidak berhasil ({code})."),
            },
        }
    }

    /// The shop's no, in a person's words; what we have none for is said as the shop says it.
    fn refusal(self, refusal: &Refusal) -> String {
        let (en, id) = match refusal.code.as_str() {
            "out_of_stock" => ("The shop has fewer of it than you want.", "Stok toko kurang dari yang Anda mau."),
            "item_unavailable" => ("It is not for sale any more.", "Barang ini tidak dijual lagi."),
            "payment_failed" => {
                ("The payment was declined. You can try again.", "Pembayaran ditolak. Silakan coba lagi.")
            }
            "checkout_incomplete" => {
                ("Something about you or the address is missing.", "Data pembeli atau alamat belum lengkap.")
            }
            "checkout_closed" => ("This checkout has ended.", "Checkout ini sudah berakhir."),
            "checkout_in_progress" => ("It is being paid already.", "Pembayaran sedang berjalan."),
            CHANGED => (
                "The basket or the total is not what that button said any more, so nothing was paid. Please look again.",
                "Keranjang atau totalnya tidak lagi seperti pada tombol itu, jadi tidak ada yang dibayar. Silakan periksa lagi.",
            ),
            "not_found" => ("The shop does not have it any more.", "Toko tidak memilikinya lagi."),
            "too_long" => ("One of the texts is too long for the shop.", "Salah satu teks terlalu panjang bagi toko."),
            _ => (refusal.content.as_str(), refusal.content.as_str()),
        };
        match self {
            Self::En => en.to_owned(),
            Self::Id => id.to_owned(),
        }
    }

    pub const fn tapped(self, what: What) -> &'static str {
        match (self, what) {
            (Self::En, What::Basket) => "Basket",
            (Self::Id, What::Basket) => "Keranjang",
            (_, What::Checkout) => "Checkout",
            (Self::En, What::Pay) => "Payment",
            (Self::Id, What::Pay) => "Bayar",
        }
    }

    /// An order's status; one that we do not know as it is.
    pub fn status(self, status: &str) -> &str {
        match (self, status) {
            (Self::Id, "open") => "menunggu",
            (Self::Id, "paid") => "dibayar",
            (Self::Id, "shipped") => "dikirim",
            (Self::Id, "done") => "selesai",
            (Self::Id, "cancelled") => "dibatalkan",
            (Self::Id, "history") => "riwayat",
            (_, other) => other,
        }
    }

    /// A duration: `840 µs`, `38 ms`, `1.2 s`.
    pub fn span(self, us: u64) -> String {
        let (point, milli) = match self {
            Self::En => ('.', "ms"),
            Self::Id => (',', "md"),
        };
        match us {
            0..1_000 => format!("{us}\u{a0}µs"),
            1_000..10_000 => format!("{}{point}{}\u{a0}{milli}", us / 1_000, us % 1_000 / 100),
            10_000..1_000_000 => format!("{}\u{a0}{milli}", us / 1_000),
            _ => format!("{}{point}{}\u{a0}s", us / 1_000_000, us % 1_000_000 / 100_000),
        }
    }
}

/// Minor units as people in Indonesia write rupiah: `Rp 12.500`.
pub fn rupiah(minor: i64) -> String {
    let (sign, minor) = (if minor < 0 { "−" } else { "" }, minor.unsigned_abs());
    let digits = (minor / 100).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('.');
        }
        grouped.push(digit);
    }
    let rest = minor % 100;
    let cents = if rest == 0 { String::new() } else { format!(",{rest:02}") };
    format!("{sign}Rp\u{a0}{grouped}{cents}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_by_threes() {
        let check = |minor, shown: &str| assert_eq!(rupiah(minor).replace('\u{a0}', " "), shown);
        check(0, "Rp 0");
        check(99_900, "Rp 999");
        check(1_250_000, "Rp 12.500");
        check(-123_456_789, "−Rp 1.234.567,89");
    }

    #[test]
    fn spans_keep_two_or_three_digits() {
        let shown: Vec<String> =
            [840, 4_260, 38_900, 1_234_567].map(|us| Lang::En.span(us).replace('\u{a0}', " ")).into();
        assert_eq!(shown, ["840 µs", "4.2 ms", "38 ms", "1.2 s"]);
        assert_eq!(Lang::Id.span(4_260), "4,2\u{a0}md");
    }

    #[test]
    fn the_cookie_comes_before_what_the_browser_prefers() {
        let check = |cookie: &str, accepted: &str, lang| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, cookie.parse().unwrap());
            headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
            assert_eq!(Lang::of_headers(&headers), lang, "{cookie} {accepted}");
        };
        check("", "fr, in;q=0.5", Lang::Id);
        check("kelir=1; lang=en", "id-ID", Lang::En);
        check("lang=xx", "", Lang::En);
    }
}
