//! A code to be scanned, drawn as squares: black on white, with nothing around it for as far as scanners need.

use crate::page::escaped;
use fast_qr::QRBuilder;
use std::fmt::Write;

/// Squares of nothing around it.
const QUIET: usize = 4;

/// None for a text that no code can carry.
pub fn drawn(text: &str, label: &str) -> Option<String> {
    let code = QRBuilder::new(text).build().ok()?;
    let mut squares = String::new();
    for row in 0..code.size {
        for (column, square) in code[row].iter().take(code.size).enumerate().filter(|(_, square)| square.value()) {
            let _ = (square, write!(squares, "M{} {}h1v1h-1z", column + QUIET, row + QUIET));
        }
    }
    let side = code.size + 2 * QUIET;
    Some(format!(
        "<svg class=\"qr\" role=\"img\" aria-label=\"{}\" width=\"264\" viewBox=\"0 0 {side} {side}\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#ffffff\"/><path d=\"{squares}\" fill=\"#000000\"/></svg>",
        escaped(label)
    ))
}

#[cfg(test)]
mod tests {
    use super::drawn;

    #[test]
    fn what_fits_is_drawn_and_what_does_not_is_none() {
        let small = drawn("A", "QRIS").unwrap();
        assert!(small.contains("viewBox=\"0 0 29 29\"") && small.contains("M4 4h1v1h-1z"), "{small}");
        assert!(drawn(&"x".repeat(5_000), "QRIS").is_none());
    }
}
