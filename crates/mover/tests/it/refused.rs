//! What an operator wrote wrongly is said with its place, before anything is moved.

use crate::world::{MAPPING, plan};
use mover::{Policy, Totals};
use store::PlanFile;

#[test]
fn a_policy_says_which_entry_lacks_what() {
    for (text, said) in [
        ("role = ", "the policy is not TOML"),
        ("[[accept]]\nclass = 'a'\ncount = 1", "accept no. 1 has no shop"),
        ("[[accept]]\nshop = '7'\nclass = 'a'\ncount = 1\n[[accept]]\nshop = '7'\nclass = 'b'", "no. 2 has no count"),
        ("[[accept]]\nshop = '7'\nclass = 'a'\ncount = -1", "count (0 or more)"),
        ("[[accept]]\nshop = ''\nclass = 'a'\ncount = 1", "the plan: "),
    ] {
        let error = Policy::parse(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(Policy::parse("").unwrap().role, None);
}

#[test]
fn control_totals_say_which_entry_of_which_file_is_wrong() {
    let good = "[[total]]\nentity = 'cart'\nclass = 'any'\nmeasures = ['count', 'max at']\nsqlite = 'select 1'\npostgres = 'select 1'\n";
    assert!(!Totals::parse(&[("small.totals.toml", good)]).unwrap().is_empty());
    assert!(Totals::parse(&[("small.totals.toml", "")]).unwrap().is_empty());
    let several = good.replace(
        "class = 'any'\nmeasures = ['count', 'max at']",
        "of = [{ class = 'live', measures = ['count'] }, { class = 'history:old', measures = ['count', 'max at'] }]",
    );
    assert!(!Totals::parse(&[("small.totals.toml", &several)]).unwrap().is_empty());
    for (from, to) in [
        ("entity = 'cart'", "entity = 'chart'"),
        ("'count'", "'median total'"),
        ("['count', 'max at']", "[]"),
        ("class = 'any'", "class = 'any'\nsame = { made = 1 }"),
        ("class = 'any'", "class = 'any'\nsame = { at = 'a second' }"),
        ("postgres = 'select 1'", ""),
        ("class = 'any'", "class = 'any'\nscale = -1"),
        ("class = 'any'", "of = [{ class = 'live', measures = ['count'] }]"),
        ("class = 'any'\nmeasures = ['count', 'max at']", "of = [{ class = 'live', measures = ['median at'] }]"),
        ("class = 'any'\nmeasures = ['count', 'max at']", "of = [{ measures = ['count'] }]"),
        ("class = 'any'\nmeasures = ['count', 'max at']", "of = []"),
    ] {
        let text = format!("{good}{}", good.replace(from, to));
        let error = Totals::parse(&[("small.totals.toml", &text)]).unwrap_err().to_string();
        assert!(error.contains("small.totals.toml: total no. 2"), "{to}: {error}");
    }
}

#[test]
fn a_plan_whose_mapping_does_not_compile_says_every_reason() {
    let mut plan = plan("sqlite:nowhere", "");
    assert!(mover::compile(&plan).is_ok());
    let text = MAPPING.replace("n int", "n int, colour int").replace("as state", "as shade");
    plan.mappings = vec![PlanFile { name: "small.toml".into(), text }];
    let error = mover::compile(&plan).unwrap_err().to_string();
    assert!(error.contains("coverage/") && error.contains("shade"), "{error}");
}
