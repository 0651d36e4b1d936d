//! What the page says, in English and in Indonesian.

use crate::invoice::Lang;
use commerce::intent::Method;

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
    pub number: &'static str,
    pub number_hint: &'static str,
    pub scan: &'static str,
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
    pub refused: &'static str,
    pub out_of_stock: &'static str,
    pub account_invalid: &'static str,
    pub owed: &'static str,
    pub owed_hint: &'static str,
    pub account: &'static str,
    pub send_back: &'static str,
    pub late: &'static str,
    pub managed_by: &'static str,
    pub none: &'static str,
    pub none_hint: &'static str,
    /// Names of the ways to pay, in the order of `Method::ALL`.
    methods: [&'static str; 5],
}

const ENGLISH: Words = Words {
    title: "Payment",
    due: "To pay",
    choose: "How would you like to pay?",
    incomplete: "Your address or shipping is not complete yet. Go back to the app and finish it there.",
    checking: "We are checking",
    checking_hint: "The payment provider has not answered yet. Please do not pay a second time; this page goes on by itself.",
    until: "Pay until",
    rest: "A part has arrived. This is the rest:",
    part: "A part has arrived:",
    rest_how: "How would you like to pay the rest?",
    canceling: "This is being canceled. Please do not pay it any more.",
    number: "Virtual account number",
    number_hint: "Transfer exactly this amount to this number, at any bank.",
    scan: "QRIS code",
    scan_hint: "Scan this code with your bank's app or your wallet.",
    wallet: "Open the wallet",
    wallet_hint: "You pay in your wallet and come back here.",
    unreadable: "This code cannot be shown. Please choose another way to pay.",
    another: "Pay in another way",
    another_hint: "What you see above can then not be paid any more.",
    again: "It did not work. You can try again.",
    paid: "Paid. Thank you!",
    order: "Order",
    invoice: "Open the invoice",
    canceled: "This checkout was canceled.",
    refused: "That was not possible just now. Please try again.",
    out_of_stock: "There are not enough of these left. Go back to the app and change your basket.",
    account_invalid: "This does not look like an account. Write bank, number and name.",
    owed: "Yours to have back:",
    owed_hint: "It came by bank transfer, which has no way back of its own. Tell us where to send it.",
    account: "Bank, account number and name",
    send_back: "Send it back",
    late: "Paid after its time is still paid: the money goes back to you, or your order comes.",
    managed_by: "Service provided and managed by",
    none: "There is nothing to pay here",
    none_hint: "The address may be incomplete. Open the payment from your app again.",
    methods: ["Card", "Virtual account (bank transfer)", "QRIS", "Wallet", "Cash on delivery"],
};

const INDONESIAN: Words = Words {
    title: "Pembayaran",
    due: "Total bayar",
    choose: "Mau bayar dengan cara apa?",
    incomplete: "Alamat atau pengiriman belum lengkap. Kembali ke aplikasi dan lengkapi di sana.",
    checking: "Sedang kami periksa",
    checking_hint: "Penyedia pembayaran belum menjawab. Jangan bayar dua kali; halaman ini berlanjut sendiri.",
    until: "Bayar sebelum",
    rest: "Sebagian sudah diterima. Sisanya:",
    part: "Sebagian sudah diterima:",
    rest_how: "Sisanya mau dibayar dengan cara apa?",
    canceling: "Ini sedang dibatalkan. Jangan dibayar lagi.",
    number: "Nomor virtual account",
    number_hint: "Transfer tepat sejumlah ini ke nomor ini, dari bank mana pun.",
    scan: "Kode QRIS",
    scan_hint: "Pindai kode ini dengan aplikasi bank atau dompet digital.",
    wallet: "Buka dompet digital",
    wallet_hint: "Anda membayar di dompet digital lalu kembali ke sini.",
    unreadable: "Kode ini tidak dapat ditampilkan. Silakan pilih cara bayar lain.",
    another: "Bayar dengan cara lain",
    another_hint: "Yang di atas kemudian tidak dapat dibayar lagi.",
    again: "Belum berhasil. Anda dapat mencoba lagi.",
    paid: "Lunas. Terima kasih!",
    order: "Pesanan",
    invoice: "Buka faktur",
    canceled: "Checkout ini dibatalkan.",
    refused: "Saat ini belum bisa. Silakan coba lagi.",
    out_of_stock: "Stoknya tidak cukup lagi. Kembali ke aplikasi dan ubah keranjang Anda.",
    account_invalid: "Ini tidak seperti rekening. Tulis bank, nomor, dan nama.",
    owed: "Dana yang kembali kepada Anda:",
    owed_hint: "Dana ini datang lewat transfer bank, yang tidak punya jalan kembali sendiri. Beri tahu kami ke mana mengirimnya.",
    account: "Bank, nomor rekening, dan nama",
    send_back: "Kirim kembali",
    late: "Yang dibayar setelah waktunya tetap diterima: uangnya kembali kepada Anda, atau pesanan Anda datang.",
    managed_by: "Layanan disediakan dan dikelola oleh",
    none: "Tidak ada yang perlu dibayar di sini",
    none_hint: "Alamatnya mungkin tidak lengkap. Buka lagi pembayaran dari aplikasi Anda.",
    methods: ["Kartu", "Virtual account (transfer bank)", "QRIS", "Dompet digital", "Bayar di tempat"],
};

pub const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Id => &INDONESIAN,
    }
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
        let [card, account, qr, wallet, cash] = self.methods;
        match method {
            Method::CardToken => card,
            Method::VirtualAccount => account,
            Method::Qr => qr,
            Method::Wallet => wallet,
            Method::CashOnDelivery => cash,
        }
    }
}
