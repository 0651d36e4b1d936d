//! The fake's page where buyers pay, and a provider in the same process: whoever transfers to a number has paid.

use super::{Document, Fault, Shop};
use rusqlite::params;
use serde_json::{Value, json};

const PAGE: &str = "/shops/1/checkout/";

impl Shop {
    /// Status and page; none where nobody looks at a page.
    pub fn page(&mut self, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
        let body = String::from_utf8_lossy(body);
        match (method, path.strip_prefix(PAGE)) {
            (_, Some(id)) => {
                if method == "POST" && self.document(id).status == "open" {
                    self.keep(id);
                }
                Some((200, self.show_page(id)))
            }
            ("POST", None) if path == "/transfer" => Some(self.transfer(body.strip_prefix("number=").unwrap())),
            ("GET", None) if path == "/book" => Some((200, self.show_book().to_string())),
            _ => None,
        }
    }

    fn document(&mut self, id: &str) -> &mut Document {
        self.documents.get_mut(&("checkout-sessions".to_owned(), id.to_owned())).unwrap()
    }

    /// The units leave the shelf, and the number of the order is promised.
    fn keep(&mut self, id: &str) {
        if self.fault == Fault::KeepNothing {
            return;
        }
        self.document(id).status = "complete_in_progress".into();
        for line in self.document(id).lines.clone() {
            self.take(&line.product, line.quantity);
        }
        let sql =
            "insert into pesanan (id, toko_id, transaksi_id, nomor, akun, jumlah, dikembalikan, telat, akhir_pada,
                   minta_batal, batas, dibuat, diubah) values (?1, 1, ?1, '', '', '', '', 0, '', '', '', '', '')";
        self.books.execute(sql, [id]).unwrap();
        let sql =
            "insert into pesanan_coba (pesanan_id, ke, rujukan, cara, jumlah, status, dengar_pada, mati_pada, batas,
                   dibuat) values (?1, 1, 'R' || ?1, 'VA', '', '', '', '', '', '')";
        self.books.execute(sql, [id]).unwrap();
        if self.fault == Fault::CompleteUnpaid {
            self.order(id);
        }
    }

    fn order(&mut self, id: &str) {
        let lines = self.document(id).lines.clone();
        let number = self.place(&("checkout-sessions".to_owned(), id.to_owned())).unwrap();
        // They were off the shelf already.
        for line in lines {
            self.take(&line.product, -line.quantity);
        }
        self.document(id).order = Some(number.clone());
        self.books.execute("update pesanan set jual_nomor = ?2 where id = ?1", params![id, number]).unwrap();
    }

    fn transfer(&mut self, number: &str) -> (u16, String) {
        let id = number.strip_prefix("8808").unwrap();
        if self.document(id).status != "complete_in_progress" {
            return (409, json!({"error": "not_payable", "message": "the charge is paid"}).to_string());
        }
        *self.charges.entry(id.to_owned()).or_default() += if self.fault == Fault::ChargeTwice { 2 } else { 1 };
        self.order(id);
        (200, "paid".to_owned())
    }

    fn show_page(&mut self, id: &str) -> String {
        if self.document(id).status == "open" && self.fault != Fault::KeepNothing {
            return "how?".to_owned();
        }
        let promise = self.fault == Fault::OtherOrder;
        let promised = if promise { "<strong class=\"order\">TRX-0</strong>" } else { "" };
        format!("<p class=\"number\">8808 {id}</p>{promised}")
    }

    fn show_book(&self) -> Value {
        let charge = |id: &String| json!({"id": id, "reference": format!("R{id}")});
        let charges: Vec<Value> = self.charges.keys().map(charge).collect();
        let movement = |(id, times): (&String, &u32)| {
            let document = &self.documents[&("checkout-sessions".to_owned(), id.clone())];
            let paid = json!({"charge": id, "kind": "captured", "amount": document.sums().2 / 100});
            vec![paid; usize::try_from(*times).unwrap()]
        };
        let movements: Vec<Value> = self.charges.iter().flat_map(movement).collect();
        let gone = movements.iter().filter(|_| self.fault == Fault::RefundsPaid);
        let refund = |paid: &Value| json!({"charge": paid["charge"], "amount": paid["amount"], "status": "accepted"});
        let refunds: Vec<Value> = gone.map(refund).collect();
        json!({"charge": charges, "movement": movements, "refund": refunds})
    }

    /// The buyer goes on at the page.
    pub fn show_escalated(&self, kind: &str, id: &str) -> Value {
        let mut shown = self.show(kind, id);
        shown["status"] = json!("requires_escalation");
        shown["continue_url"] = json!(format!("{PAGE}{id}"));
        shown["messages"] = json!([{"type": "error", "code": "payment_on_page", "content": "on the page"}]);
        shown
    }
}
