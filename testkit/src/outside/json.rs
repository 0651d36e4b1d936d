//! JSON bent as a tree, so that it is still JSON: nodes of another kind, out of bounds, missing, doubled or moved.

use super::{WORDS, below, size};
use crate::chance::Chance;
use serde_json::{Value, json};

/// Deeper than readers go, which mostly give up at 128.
const DEPTHS: [u64; 4] = [3, 100, 127, 140];
/// Around the bounds that lists and texts often have.
const LENGTHS: [u64; 7] = [0, 1, 50, 51, 129, 200, 201];
/// Longer than any text of a field may be.
const LONG: usize = 5_000;

/// With one node changed.
pub fn bend(mut tree: Value, chance: &mut Chance) -> Value {
    let nodes = count(&tree);
    let other = nth(&tree, &mut below(nodes, chance)).cloned();
    let mut at = below(nodes, chance);
    if let Some(node) = nth_mut(&mut tree, &mut at) {
        change(node, other.unwrap_or_default(), chance);
    }
    tree
}

fn change(node: &mut Value, other: Value, chance: &mut Chance) {
    let pick = chance.below(8);
    match node {
        Value::Object(members) if pick < 4 && !members.is_empty() => {
            let nth = below(members.len(), chance);
            let name = members.keys().nth(nth).cloned().unwrap_or_default();
            let held = members.remove(&name).unwrap_or_default();
            match pick {
                0 => {}
                1 => drop(members.insert(format!("{name} "), held)),
                2 => drop(members.insert(name, json!([held]))),
                _ => drop(members.insert(name, other)),
            }
        }
        Value::Array(list) if pick < 4 && !list.is_empty() => {
            let nth = below(list.len(), chance);
            match pick {
                0 => drop(list.remove(nth)),
                1 => list.insert(nth, other),
                2 if chance.one_in(8) => list.resize(size(chance.of(&LENGTHS)), list[nth].clone()),
                _ => list[nth] = something(chance),
            }
        }
        Value::String(text) if pick < 5 => {
            let mut at = below(text.len() + 1, chance);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            text.insert_str(at, &word(chance));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            *node = if pick == 7 { other } else { something(chance) };
        }
    }
}

fn something(chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::Null,
        1 => json!(chance.one_in(2)),
        2 => json!(chance.of(&[0, 1, -1, 100, 1_000_000, 1_000_001, i64::MAX, i64::MIN, (1 << 53) + 1, -(1 << 53)])),
        3 => json!(u64::MAX - chance.below(2)),
        4 => serde_json::from_str(chance.of(&["0.5", "-0.0", "1e300", "1.0", "4.9e-324"])).unwrap_or_default(),
        5 => json!(word(chance)),
        6 if chance.one_in(16) => json!("x".repeat(LONG)),
        6 => json!(chance.of(&["x", "é", "🧺", " ", "<"]).repeat(size(chance.of(&LENGTHS)))),
        7 => json!([]),
        8 => json!({}),
        9 if chance.one_in(4) => (0..chance.of(&DEPTHS))
            .fold(Value::Null, |inner, _| if chance.one_in(2) { json!([inner]) } else { json!({"a": inner}) }),
        _ => json!([word(chance)]),
    }
}

fn word(chance: &mut Chance) -> String {
    String::from_utf8_lossy(chance.of(&WORDS)).into_owned()
}

fn children(node: &Value) -> Vec<&Value> {
    match node {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn count(node: &Value) -> usize {
    1 + children(node).into_iter().map(count).sum::<usize>()
}

fn nth<'a>(node: &'a Value, at: &mut usize) -> Option<&'a Value> {
    if *at == 0 {
        return Some(node);
    }
    *at -= 1;
    children(node).into_iter().find_map(|child| nth(child, at))
}

fn nth_mut<'a>(node: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(node);
    }
    *at -= 1;
    match node {
        Value::Array(list) => list.iter_mut().find_map(|child| nth_mut(child, at)),
        Value::Object(members) => members.values_mut().find_map(|child| nth_mut(child, at)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
