//! What the pages say where nothing varies: one match per text, so that a missing translation does not compile.

use crate::lang::Lang;

macro_rules! texts {
    ($($name:ident: $en:literal, $id:literal;)*) => {
        impl Lang {
            $(pub const fn $name(self) -> &'static str {
                match self {
                    Self::En => $en,
                    Self::Id => $id,
                }
            })*
        }
    };
}

texts! {
    console: "Console", "Konsol";
    board: "Board", "Papan";
    findings: "Findings", "Temuan";
    skip: "Skip to content", "Langsung ke isi";
    in_other_language: "Bahasa Indonesia", "English";
    live: "Live", "Langsung";
    reconnecting: "Reconnecting …", "Menyambung lagi …";
    no_script: "Without scripts this page does not update by itself.", "Tanpa skrip halaman ini tidak memperbarui diri.";
    list_moved: "Other shops belong in this list now.", "Daftar ini sekarang berisi toko lain.";
    show_again: "Show the list again", "Tampilkan ulang daftar";
    no_plan: "There is no plan yet.", "Belum ada rencana.";
    no_plan_do: "`baliklayar move plan` makes one; this page shows it then.", "`baliklayar move plan` membuatnya; halaman ini lalu menampilkannya.";
    progress: "Progress", "Kemajuan";
    done: "done", "selesai";
    left: "left", "tersisa";
    formula_inputs: "Inputs of formula 1", "Masukan rumus 1";
    formula_says: "Each part weighs what the plan says, times the share of shops in which the backend owns it. Done is rounded down, left is rounded up.",
        "Tiap bagian berbobot menurut rencana, dikali porsi toko yang bagiannya dipegang backend. Selesai dibulatkan ke bawah, tersisa ke atas.";
    part: "Part", "Bagian";
    parts: "Parts", "Bagian";
    weight: "Weight", "Bobot";
    deadline: "Deadline", "Tenggat";
    no_deadline: "none set", "tidak ditetapkan";
    reads_moved: "shops whose catalogue the backend answers", "toko yang katalognya dijawab backend";
    shops_sealed: "sealed", "disegel";
    catalogue_from_copy: "catalogue from the copy", "katalog dari salinan";
    burn_up: "Burn-up", "Grafik kemajuan";
    burn_up_says: "Shops owned by the backend, from the step records.", "Toko yang dipegang backend, dari catatan langkah.";
    too_early: "Too early for a forecast: it needs four shops that have moved, and some time since the first.", "Terlalu dini untuk perkiraan: perlu empat toko yang sudah pindah, dan jeda sejak yang pertama.";
    all_moved: "Every planned shop is at the backend.", "Semua toko dalam rencana sudah di backend.";
    pace_says: "The range is this move's own: its fastest and its slowest quarter so far, continued.",
        "Rentang ini dari pemindahan ini sendiri: seperempat waktu tercepat dan terlambat sejauh ini, diteruskan.";
    shops: "Shops", "Toko";
    shop: "Shop", "Toko";
    owner: "Owner", "Pemilik";
    state: "State", "Keadaan";
    waits: "How long shoppers waited", "Berapa lama pembeli menunggu";
    waits_says: "From the request to its answer, at the gateway, holds included. Before: until the copy begins. During: until the backend owns the shop. After: from then on.",
        "Dari permintaan sampai jawabannya, di gerbang, termasuk penahanan. Sebelum: sampai penyalinan mulai. Selama: sampai backend memegang toko. Sesudah: sejak itu.";
    no_waits: "Nobody has come by yet.", "Belum ada yang datang.";
    requests: "Requests", "Permintaan";
    waited_at: "When", "Kapan";
    throttle: "Throttle", "Pembatas";
    waits_for: "Waits for", "Menunggu";
    lag: "Lag", "Ketertinggalan";
    way_back: "Way back", "Jalan balik";
    all: "All", "Semua";
    find_shop: "Find a shop", "Cari toko";
    shop_id: "Shop id", "ID toko";
    find: "Find", "Cari";
    nothing_found: "No shop is like that.", "Tidak ada toko seperti itu.";
    previous: "Previous", "Sebelumnya";
    next: "Next", "Berikutnya";
    pages: "Pages", "Halaman";
    for_all_shops: "For all shops", "Untuk semua toko";
    not_looked: "not looked at yet", "belum dilihat";
    absent: "not planned", "di luar rencana";
    epoch: "Epoch", "Epoch";
    dirty: "Changed since proven", "Berubah sejak dibuktikan";
    facts_left: "Facts not yet in the legacy", "Fakta yang belum ada di legacy";
    stopped: "Stopped", "Terhenti";
    paused: "Paused", "Dijeda";
    what_can_be_done: "What can be done", "Yang dapat dilakukan";
    not_now: "Not now:", "Belum bisa:";
    ready_back: "Ready to go back", "Siap kembali";
    not_ready_back: "Not ready to go back", "Belum siap kembali";
    no_way_back: "No way back: the shop is sealed.", "Tidak ada jalan balik: toko sudah disegel.";
    nothing_to_undo: "The legacy owns this shop; there is nothing to take back.", "Toko ini milik legacy; tidak ada yang perlu dikembalikan.";
    debt: "What the legacy cannot express", "Yang tidak dapat dinyatakan legacy";
    document: "Document", "Dokumen";
    debt_name: "What is owed", "Yang terutang";
    seq: "Fact", "Fakta";
    timeline: "Timeline", "Lini masa";
    no_holds: "No hold yet: this shop's buyers have not waited for anything.", "Belum ada tahan: pembeli toko ini belum menunggu apa pun.";
    long_steps: "Before and after the holds", "Sebelum dan sesudah penahanan";
    step: "Step", "Langkah";
    began: "Began", "Mulai";
    took: "Took", "Lama";
    outcome: "Outcome", "Hasil";
    under_way: "under way", "sedang berjalan";
    failed: "failed", "gagal";
    to_backend: "to the backend", "ke backend";
    to_legacy: "back to the legacy", "kembali ke legacy";
    flipped: "flipped", "beralih";
    given_up: "given up", "dilepas";
    taken_over: "ended by another mover", "diakhiri mover lain";
    hold_lengths: "How long holds were", "Lama penahanan";
    hold_lengths_says: "The newest 1,000 holds of all shops; in brackets, how many are this shop's.", "1.000 penahanan terbaru semua toko; dalam kurung, jumlah milik toko ini.";
    wishes: "Wishes", "Permintaan";
    no_wishes: "Nobody has wished anything yet.", "Belum ada yang meminta apa pun.";
    wish: "Wish", "Permintaan";
    who: "Who", "Siapa";
    why: "Why", "Alasan";
    when: "When", "Kapan";
    open: "open", "terbuka";
    fulfilled: "came true", "terwujud";
    taken_back: "taken back or given up", "dibatalkan atau dilepas";
    every_shop: "every shop", "semua toko";
    no_findings: "No findings.", "Tidak ada temuan.";
    class: "Class", "Kelas";
    kind: "Kind", "Jenis";
    origin: "Origin", "Asal";
    said: "What was found", "Yang ditemukan";
    accepted: "accepted", "diterima";
    accepted_by: "accepted by", "diterima oleh";
    meaning: "What it means", "Artinya";
    what_to_do: "What to do", "Yang harus dilakukan";
    stops: "stops the move of this shop", "menghentikan pemindahan toko ini";
    blocks: "blocks flip, rollback and seal of this shop", "menghalangi alih, kembali, dan segel toko ini";
    detail: "What the mover wrote down", "Yang dicatat mover";
    ours: "Our document", "Dokumen kita";
    both_sides: "Both sides now", "Kedua sisi sekarang";
    legacy_side: "Legacy", "Legacy";
    our_side: "Ours", "Kita";
    differs: "differs", "berbeda";
    no_rows: "The legacy has no rows for it.", "Legacy tidak punya baris untuknya.";
    legacy_unknown: "The legacy's side cannot be told:", "Sisi legacy tidak dapat disebutkan:";
    legacy_not_here: "Nobody reads the legacy's side for this page.", "Tidak ada yang membaca sisi legacy untuk halaman ini.";
    no_aggregate: "This finding is about the shop as a whole and names no document.", "Temuan ini tentang toko seluruhnya dan tidak menyebut dokumen.";
    since: "Since", "Sejak";
    more_in: "More in", "Selengkapnya di";
    how_many: "Open now", "Terbuka sekarang";
    no_document: "The store has no document of this origin.", "Store tidak punya dokumen dari asal ini.";
    field: "Field", "Bidang";
    gone: "This finding is gone: what it said is true no more.", "Temuan ini sudah hilang: isinya tidak berlaku lagi.";
    cancel: "Cancel", "Batal";
    why_label: "Why? It is kept with the wish.", "Mengapa? Disimpan bersama permintaan.";
    why_missing: "Say why, in one line of at most 200 characters.", "Tulis alasannya, satu baris paling banyak 200 huruf.";
    as_console: "It is written down as a wish of `console`; the mover makes it true when it can.", "Dicatat sebagai permintaan dari `console`; mover mewujudkannya begitu bisa.";
    not_found: "There is no such page.", "Halaman itu tidak ada.";
    not_planned: "This shop is not in the plan.", "Toko ini tidak ada dalam rencana.";
    trouble: "The store could not be read. The log says why; try again.", "Store tidak dapat dibaca. Log menyebut sebabnya; coba lagi.";
    refused_site: "Refused: a wish is taken only from a page of this console.", "Ditolak: permintaan hanya diterima dari halaman konsol ini.";
    refused_host: "Refused: this console answers only to 127.0.0.1 and localhost.", "Ditolak: konsol ini hanya menjawab untuk 127.0.0.1 dan localhost.";
    too_many: "Too many pages are open; this one does not update by itself.", "Terlalu banyak halaman terbuka; yang ini tidak memperbarui diri.";
    back_to_board: "Back to the board", "Kembali ke papan";
}
