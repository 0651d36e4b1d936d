//! Classes of findings explained: the short form of docs/runbook.md, in both languages.

use crate::lang::Lang;
use cutover::stopping::stops;

/// One class, in one language.
#[derive(Debug, Clone)]
pub struct Explained {
    /// It stops the move; the others block a flip, a rollback and the seal.
    pub stops: bool,
    pub meaning: &'static str,
    pub to_do: &'static str,
    /// The page of the documents that says more.
    pub page: String,
}

const BEGIN_AGAIN: Both = Both {
    en: "Repair the cause, then begin again with an empty work folder (docs/runbook.md).",
    id: "Perbaiki sebabnya, lalu mulai lagi dengan folder kerja kosong (docs/runbook.md).",
};

const MEND: Both = Both {
    en: "Repair the cause, then read again: a shop that the legacy owns is copied again in place, one that soaks is compared as a whole.",
    id: "Perbaiki sebabnya, lalu baca ulang: toko milik legacy disalin ulang di tempat, toko dalam masa rendam dibandingkan seluruhnya.",
};

#[derive(Clone, Copy)]
struct Both {
    en: &'static str,
    id: &'static str,
}

const fn both(en: &'static str, id: &'static str) -> Both {
    Both { en, id }
}

impl Both {
    const fn said(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Id => self.id,
        }
    }
}

/// What a class means and what to do; one that this version does not know is left to the runbook.
pub fn of(lang: Lang, class: &str) -> Explained {
    let (meaning, to_do) = stopping(class).or_else(|| blocking(class)).unwrap_or_else(|| family(class));
    let stops = stops(class);
    let page = if stops { format!("docs/runbook/{class}.md") } else { "docs/runbook.md".to_owned() };
    Explained { stops, meaning: meaning.said(lang), to_do: to_do.said(lang), page }
}

type Said = (Both, Both);

fn stopping(class: &str) -> Option<Said> {
    let said = match class {
        "schema.changed" => both(
            "A declared column of the legacy is gone or has another type; every planned shop is concerned.",
            "Sebuah kolom legacy yang dinyatakan hilang atau berganti tipe; semua toko dalam rencana terkena.",
        ),
        "guards.missing" => both(
            "Our triggers or the publication are not as they were installed. What was written meanwhile was not captured.",
            "Trigger atau publikasi kita tidak seperti saat dipasang. Yang ditulis sementara itu tidak tertangkap.",
        ),
        "stream.lost" => both(
            "The source no longer has the part of its log that comes next.",
            "Sumber tidak lagi punya bagian log berikutnya.",
        ),
        "reverse.mismatch" => {
            return Some((
                both(
                    "The legacy refused what was carried back, or a cell did not read back as written.",
                    "Legacy menolak yang dibawa kembali, atau sebuah sel tidak terbaca seperti yang ditulis.",
                ),
                both(
                    "Look at the table, row and cell that the text names: usually a trigger that nobody declared. Nothing of that batch is in the legacy: mended, read again, and it is carried back once more.",
                    "Lihat tabel, baris, dan sel yang disebut: biasanya trigger yang tidak dinyatakan. Tidak ada dari kelompok itu di legacy: perbaiki, baca ulang, dan ia dibawa kembali sekali lagi.",
                ),
            ));
        }
        _ => return None,
    };
    Some((said, MEND))
}

fn blocking(class: &str) -> Option<Said> {
    let (meaning, to_do) = match class {
        "verify.digest" => (
            both(
                "Aggregates differ between the source's rows and our documents, and stay different.",
                "Agregat berbeda antara baris sumber dan dokumen kita, dan tetap berbeda.",
            ),
            both(
                "Look at both sides, and read again. If it stays, the mapping is wrong: correct it and begin again. Never touch the data.",
                "Lihat kedua sisi, lalu baca ulang. Kalau tetap, pemetaannya salah: perbaiki dan mulai lagi. Jangan menyentuh data.",
            ),
        ),
        "control_total" => (
            both("A hand-written figure differs.", "Sebuah angka yang ditulis tangan berbeda."),
            both(
                "Either the mapping or the SQL of the total is wrong: find out which before changing one.",
                "Pemetaan atau SQL totalnya yang salah: cari tahu mana sebelum mengubah.",
            ),
        ),
        "verify.ledger" => (
            both("Entries of this shop do not sum to zero.", "Catatan toko ini tidak berjumlah nol."),
            both(
                "A bug or a damaged store: do not move this shop, and keep the file.",
                "Kutu atau store rusak: jangan pindahkan toko ini, dan simpan berkasnya.",
            ),
        ),
        "verify.unmapped" => (
            both(
                "Documents of ours for which no rule of the mapping has a place.",
                "Dokumen kita yang tidak punya tempat dalam aturan pemetaan.",
            ),
            BEGIN_AGAIN,
        ),
        "rehearsal" => (
            both(
                "Putting back what was got would change something.",
                "Mengembalikan yang diambil akan mengubah sesuatu.",
            ),
            both(
                "A codec prints otherwise than it reads: correct the mapping and begin again.",
                "Sebuah codec mencetak lain dari yang dibaca: perbaiki pemetaan dan mulai lagi.",
            ),
        ),
        "rogue_watch" => (
            both(
                "Rows of a shop that the backend owns were changed in the legacy, past the fence. They are not taken over.",
                "Baris toko milik backend diubah di legacy, melewati pagar. Perubahan itu tidak diambil alih.",
            ),
            both(
                "Find the writer; the first row is in the text. Read again: it goes away if the rows are as our facts say, else it names what is not. Accept it when you know what it did.",
                "Cari penulisnya; baris pertama ada di teks. Baca ulang: temuan hilang kalau baris sesuai fakta kita, kalau tidak ia menyebut yang berbeda. Terima kalau sudah tahu apa yang terjadi.",
            ),
        ),
        _ => return of_import(class),
    };
    Some((meaning, to_do))
}

/// What came of a document on its way in.
fn of_import(class: &str) -> Option<Said> {
    let (meaning, to_do) = match class {
        "import.conflict" => (
            both(
                "Two aggregates of the source want the same public id.",
                "Dua agregat sumber menghendaki id publik yang sama.",
            ),
            both("Correct the source.", "Perbaiki sumbernya."),
        ),
        "import.unfit" => (
            both("The document does not fit the store.", "Dokumen tidak cocok dengan store."),
            both("The text says why.", "Teksnya menyebut sebabnya."),
        ),
        _ => return None,
    };
    Some((meaning, to_do))
}

fn family(class: &str) -> Said {
    let (meaning, to_do) = match class.split('.').next() {
        Some("mapping") => (
            both("A cell that cannot be read.", "Sebuah sel yang tidak dapat dibaca."),
            both(
                "Correct the row, list the word, or declare the class as history (docs/mapping.md).",
                "Perbaiki barisnya, daftarkan katanya, atau nyatakan kelasnya sebagai riwayat (docs/mapping.md).",
            ),
        ),
        Some("commerce") => (
            both("A live document that breaks a live rule.", "Dokumen hidup yang melanggar aturan hidup."),
            both("Give it a class of history with a reason.", "Beri kelas riwayat dengan alasan."),
        ),
        Some("history") => (
            both(
                "A closed document that cannot even be shown.",
                "Dokumen tertutup yang bahkan tidak dapat ditampilkan.",
            ),
            both("Correct the row.", "Perbaiki barisnya."),
        ),
        _ => (
            both(
                "This version has no explanation of its own for this class.",
                "Versi ini tidak punya penjelasan untuk kelas ini.",
            ),
            both("Look it up in docs/runbook.md.", "Lihat docs/runbook.md."),
        ),
    };
    (meaning, to_do)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_explained_by_its_name_or_its_family_or_by_the_runbook() {
        let lost = of(Lang::En, "stream.lost");
        assert_eq!((lost.stops, lost.page.as_str()), (true, "docs/runbook/stream.lost.md"));
        for class in cutover::stopping::STOPPING {
            assert!(stopping(class).is_some(), "{class} has no words of its own");
        }
        assert_eq!(of(Lang::Id, "control_total").meaning, "Sebuah angka yang ditulis tangan berbeda.");
        assert_eq!(of(Lang::En, "mapping.money").meaning, of(Lang::En, "mapping.word").meaning);
        assert!(of(Lang::En, "weather.bad").to_do.contains("runbook"));
    }
}
