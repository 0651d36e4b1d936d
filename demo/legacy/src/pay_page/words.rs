//! What the page says, in English and in Indonesian.

use crate::pesanan::Method;

/// The words of one language.
pub struct Words {
    pub title: &'static str,
    pub due: &'static str,
    pub choose: &'static str,
    pub incomplete: &'static str,
    pub checking: &'static str,
    pub checking_hint: &'static str,
    pub until: &'static str,
    pub rest: &'static str,
    pub part: &'static str,
    pub rest_how: &'static str,
    pub canceling: &'static str,
    pub number_hint: &'static str,
    pub scan_hint: &'static str,
    pub wallet: &'static str,
    pub wallet_hint: &'static str,
    pub unreadable: &'static str,
    pub another: &'static str,
    pub another_hint: &'static str,
    pub again: &'static str,
    pub paid: &'static str,
    pub order: &'static str,
    pub invoice: &'static str,
    pub canceled: &'static str,
    refused: &'static str,
    out_of_stock: &'static str,
    account_invalid: &'static str,
    pub owed: &'static str,
    pub owed_hint: &'static str,
    pub account: &'static str,
    pub send_back: &'static str,
    pub late: &'static str,
    pub managed: &'static str,
    pub none: &'static str,
    pub none_hint: &'static str,
    /// In the order of `Method::ALL`.
    methods: [&'static str; 3],
}

const ENGLISH: Words = Words {
    title: "Pay",
    due: "Total",
    choose: "Choose how to pay",
    incomplete: "Name, address or shipping is missing. Please fill it in where you came from.",
    checking: "One moment",
    checking_hint: "The payment provider is being asked. Please do not pay twice.",
    until: "Can be paid until",
    rest: "What is left:",
    part: "Received so far:",
    rest_how: "Choose how to pay the rest",
    canceling: "This is being canceled. Please do not pay it.",
    number_hint: "Transfer exactly the total to this number.",
    scan_hint: "Scan this with the app of your bank or wallet.",
    wallet: "Go to the wallet",
    wallet_hint: "Pay there, then come back.",
    unreadable: "The code cannot be shown. Please choose another way.",
    another: "Choose another way",
    another_hint: "Then the code above is void.",
    again: "This did not work. Please try again.",
    paid: "Paid, thank you",
    order: "Order",
    invoice: "Invoice",
    canceled: "This was canceled.",
    refused: "This cannot be done now. Please try again later.",
    out_of_stock: "There are not enough left. Please change your basket where you came from.",
    account_invalid: "Please write the bank, the number and the name of the account.",
    owed: "We owe you",
    owed_hint: "A bank transfer has no way back. Please say to which account we should send it.",
    account: "Bank, number and name",
    send_back: "Send it",
    late: "What is paid too late goes back.",
    managed: "Service provided and managed by kios",
    none: "There is nothing to pay here.",
    none_hint: "Please open the link again where you came from.",
    methods: ["Bank transfer (virtual account)", "QRIS", "Wallet"],
};

const INDONESIAN: Words = Words {
    title: "Bayar",
    due: "Total",
    choose: "Pilih cara bayar",
    incomplete: "Nama, alamat, atau pengiriman belum ada. Silakan lengkapi di tempat Anda memesan.",
    checking: "Mohon tunggu",
    checking_hint: "Penyedia pembayaran sedang ditanya. Jangan bayar dua kali.",
    until: "Dapat dibayar sampai",
    rest: "Sisanya:",
    part: "Sudah diterima:",
    rest_how: "Pilih cara membayar sisanya",
    canceling: "Sedang dibatalkan. Jangan dibayar.",
    number_hint: "Transfer tepat sebesar total ke nomor ini.",
    scan_hint: "Pindai dengan aplikasi bank atau dompet digital.",
    wallet: "Buka dompet digital",
    wallet_hint: "Bayar di sana, lalu kembali ke sini.",
    unreadable: "Kode tidak dapat ditampilkan. Silakan pilih cara lain.",
    another: "Pilih cara lain",
    another_hint: "Kode di atas lalu tidak berlaku.",
    again: "Belum berhasil. Silakan coba lagi.",
    paid: "Lunas, terima kasih",
    order: "Pesanan",
    invoice: "Faktur",
    canceled: "Sudah dibatalkan.",
    refused: "Sekarang belum bisa. Silakan coba lagi nanti.",
    out_of_stock: "Stok tidak cukup. Silakan ubah keranjang di tempat Anda memesan.",
    account_invalid: "Silakan tulis bank, nomor, dan nama rekening.",
    owed: "Uang Anda yang kembali:",
    owed_hint: "Transfer bank tidak punya jalan kembali. Tulis rekening tujuannya.",
    account: "Bank, nomor, dan nama",
    send_back: "Kirim",
    late: "Yang dibayar terlambat dikembalikan.",
    managed: "Layanan disediakan dan dikelola oleh kios",
    none: "Tidak ada yang perlu dibayar di sini.",
    none_hint: "Silakan buka lagi tautannya dari tempat Anda memesan.",
    methods: ["Transfer bank (virtual account)", "QRIS", "Dompet digital"],
};

pub fn words(lang: &str) -> &'static Words {
    if lang == "en" { &ENGLISH } else { &INDONESIAN }
}

impl Words {
    pub fn of_refusal(&self, code: &str) -> &'static str {
        match code {
            "out_of_stock" => self.out_of_stock,
            "account_invalid" => self.account_invalid,
            _ => self.refused,
        }
    }

    pub const fn of_method(&self, method: Method) -> &'static str {
        let [account, qr, wallet] = self.methods;
        match method {
            Method::VirtualAccount => account,
            Method::Qr => qr,
            Method::Wallet => wallet,
        }
    }
}
