//! Checkouts whose buyers pay in their own time: sent to a page, waiting, and in the end with one order.

use super::{Complaint, Judged, ordered, sold};
use crate::later::{Stage, Step};
use crate::memory::{Change, Memory};
use crate::seen::{Kind, Line, Seen, list, text};
use serde_json::Value;

/// The status of a checkout whose units are kept for whoever pays.
pub const WAITS: &str = "complete_in_progress";
const READY: &str = "ready_for_complete";
/// Nobody transfers parts of a rupiah.
const RUPIAH: i64 = 100;

pub fn is_payable_nowhere(memory: &Memory, id: &str) -> bool {
    memory.seen(Kind::Checkout, id).is_some_and(|seen| seen.total("total") % RUPIAH != 0 || seen.total("total") == 0)
}

/// The host chose the page: nothing has begun, and the buyer is told where it is.
pub fn on_page(judged: &mut Judged, memory: &Memory, answer: &Value, id: &str) -> Result<(), String> {
    let seen = Seen::parse(Kind::Checkout, answer)?;
    let Some(before) = memory.seen(Kind::Checkout, id) else {
        return Err(format!("checkout {id} was never acknowledged, yet can be paid"));
    };
    let expected = Seen { status: "requires_escalation".to_owned(), ..before.clone() };
    if let Some(differs) = expected.differs_from(&seen) {
        judged.wrong(differs);
    }
    if !list(answer, "messages").iter().any(|message| text(message, "code").as_deref() == Ok("payment_on_page")) {
        judged.wrong(format!("checkout {id} does not say that its buyer pays on a page"));
    }
    judged.is(before.clone(), None);
    judged.link = Some(text(answer, "continue_url")?);
    Ok(())
}

/// What is shown of a checkout that is, or was, to be paid later. One that an earlier run left may have waited too long.
pub fn looked(judged: &mut Judged, memory: &Memory, seen: Seen, id: &str, left: bool) {
    let (Some(before), Some(later)) = (memory.seen(Kind::Checkout, id), memory.later.get(id)) else {
        return judged.wrong(format!("checkout {id} was never acknowledged, yet can be paid"));
    };
    let may_be_paid = matches!(later.stage, Stage::Paying | Stage::Paid | Stage::Completed);
    let mut step = |step| judged.changes.push(Change::Later { checkout: id.to_owned(), step });
    let expected = |status: &str| Seen { status: status.to_owned(), ..before.clone() };
    match (before.status.as_str(), seen.status.as_str()) {
        (_, "completed") if may_be_paid => {
            step(Step::Completed);
            if later.order.is_some() && later.order != seen.order {
                judged.wrong(format!("checkout {id} was to be order {:?}, and is {:?}", later.order, seen.order));
            }
            ordered(judged, memory, seen, id);
        }
        (READY, WAITS) => {
            step(Step::Waits);
            complain(judged, expected(WAITS).differs_from(&seen));
            judged.changes.extend(sold(&seen));
            judged.is(seen, None);
        }
        (WAITS, READY) if left && later.stage < Stage::Paid => {
            step(Step::LetGo);
            complain(judged, expected(READY).differs_from(&seen));
            let back = |line: &Line| Change::Returned { product: line.product.clone(), units: line.quantity };
            judged.changes.extend(seen.lines.iter().map(back));
            judged.is(seen, None);
        }
        _ => complain(judged, before.differs_from(&seen)),
    }
}

fn complain(judged: &mut Judged, differs: Option<String>) {
    judged.complaints.extend(differs.map(Complaint::Wrong));
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, Complaint, judge};
    use crate::arithmetic::Terms;
    use crate::later::{Stage, Step};
    use crate::memory::{Change, Memory, Opening};
    use crate::plan::Plan;
    use crate::seen::{Kind, Seen};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::time::Instant;

    fn answer(status: &str, order: Option<&str>) -> Value {
        let line = json!({"id": "l", "item": {"id": "p", "price": 9_000}, "quantity": 2,
            "totals": [{"type": "total", "amount": 18_000}]});
        let totals = json!([{"type": "subtotal", "amount": 18_000}, {"type": "total", "amount": 20_000},
            {"type": "tax", "amount": 2_000}]);
        let order = order.map(|id| json!({"id": id}));
        json!({"ucp": {"status": "success"}, "id": "c", "status": status, "line_items": [line], "totals": totals,
            "order": order})
    }

    /// A shop with ten units on its shelf, and a checkout of two that is ready.
    fn memory() -> Memory {
        let stock = BTreeMap::from([("p".to_owned(), 10)]);
        let terms = Terms::new("IDR", 1100, 0);
        let mut memory = Memory::new(Opening { shop: "1".into(), terms, stock, orders: Vec::new() });
        let seen = Seen::parse(Kind::Checkout, &answer("ready_for_complete", None)).unwrap();
        memory.apply(&Change::Is { seen, cart: None }, Instant::now());
        memory
    }

    fn step(memory: &mut Memory, step: Step) {
        memory.apply(&Change::Later { checkout: "c".into(), step }, Instant::now());
    }

    /// What is complained of when a plan is answered so; what the answer taught is remembered.
    fn told(memory: &mut Memory, plan: &Plan, answer: &Value) -> Vec<Complaint> {
        let judged = judge(plan, memory, answer, Asked { sent: Some(Instant::now()), repeated: false });
        judged.changes.iter().for_each(|change| memory.apply(change, Instant::now()));
        judged.complaints
    }

    fn look(memory: &mut Memory, left: bool, status: &str, order: Option<&str>) -> Vec<Complaint> {
        told(memory, &Plan::look("1", "c", left), &answer(status, order))
    }

    /// What is on the shelf, how far the buyer is, and whether somebody may be changing the checkout.
    fn stands(memory: &Memory) -> (i64, Stage, bool) {
        let busy = memory.known[&(Kind::Checkout, "c".to_owned())].busy;
        (memory.moves().left(), memory.later["c"].stage, busy)
    }

    fn begun() -> Memory {
        let mut memory = memory();
        step(&mut memory, Step::Chooses { link: "/pay".into() });
        memory
    }

    fn waiting() -> Memory {
        let mut memory = begun();
        step(&mut memory, Step::Code { order: Some("o".into()) });
        assert_eq!(look(&mut memory, false, "complete_in_progress", None), []);
        memory
    }

    #[test]
    fn units_are_kept_from_the_code_on_and_sold_once() {
        let mut memory = begun();
        assert_eq!(stands(&memory), (10, Stage::Choosing, true));
        assert_eq!(look(&mut memory, false, "ready_for_complete", None), [], "not yet");
        let mut memory = waiting();
        assert_eq!(stands(&memory), (8, Stage::Waiting, false));
        assert_eq!(look(&mut memory, false, "complete_in_progress", None), []);
        step(&mut memory, Step::Pays);
        step(&mut memory, Step::Paid);
        assert_eq!(look(&mut memory, false, "complete_in_progress", None), [], "the provider was faster");
        assert_eq!(stands(&memory), (8, Stage::Paid, true));
        for _ in 0..2 {
            assert_eq!(look(&mut memory, false, "completed", Some("o")), []);
            assert_eq!(stands(&memory), (8, Stage::Completed, false));
        }
        assert!(memory.seen(Kind::Order, "o").is_some());
    }

    #[test]
    fn an_order_that_nobody_paid_another_one_and_a_second_one_are_named() {
        let complained =
            |memory: &mut Memory, order: &str| format!("{:?}", look(memory, false, "completed", Some(order)));
        assert!(complained(&mut waiting(), "o").contains("status of Checkout c"));
        let mut memory = waiting();
        step(&mut memory, Step::Pays);
        assert!(complained(&mut memory, "other").contains("was to be order"));
        let mut memory = waiting();
        step(&mut memory, Step::Pays);
        assert_eq!(complained(&mut memory, "o"), "[]");
        assert!(complained(&mut memory, "second").contains("Twice(\"checkout c has order second"));
    }

    #[test]
    fn only_what_an_earlier_run_left_may_have_waited_for_too_long() {
        assert_ne!(look(&mut waiting(), false, "ready_for_complete", None), []);
        let mut memory = waiting();
        assert_eq!(look(&mut memory, true, "ready_for_complete", None), []);
        assert_eq!(stands(&memory), (10, Stage::LetGo, false));
        let mut memory = waiting();
        step(&mut memory, Step::Paid);
        assert_ne!(look(&mut memory, true, "ready_for_complete", None), [], "it was paid");
    }

    #[test]
    fn a_host_that_chooses_the_page_is_told_where_it_is_and_nothing_begins() {
        let plan = Plan::pay_later("k".into(), "1", "c");
        let mut shown = answer("requires_escalation", None);
        assert_ne!(told(&mut memory(), &plan, &shown), [], "neither a message nor a link");
        shown["messages"] = json!([{"type": "error", "code": "payment_on_page"}]);
        shown["continue_url"] = json!("/pay");
        let judged = judge(&plan, &memory(), &shown, Asked { sent: None, repeated: false });
        assert_eq!((judged.complaints, judged.link.as_deref()), (Vec::new(), Some("/pay")));
        shown["status"] = json!("ready_for_complete");
        assert_ne!(told(&mut memory(), &plan, &shown), []);
        let refused =
            json!({"ucp": {"status": "error"}, "messages": [{"type": "error", "code": "payment_unavailable"}]});
        assert_ne!(told(&mut memory(), &plan, &refused), [], "whole rupiah can be paid");
    }
}
