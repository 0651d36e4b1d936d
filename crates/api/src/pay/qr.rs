//! A code to be scanned, drawn as one path: black on white whatever the page's colours, with the quiet zone that scanners need.

use fast_qr::QRBuilder;
use maud::{Markup, html};

/// Modules of nothing around it.
const QUIET: usize = 4;

/// None for a text that no code can carry.
pub fn drawn(text: &str, label: &str) -> Option<Markup> {
    let code = QRBuilder::new(text).build().ok()?;
    let mut path = String::new();
    for row in 0..code.size {
        for (column, module) in code[row].iter().take(code.size).enumerate() {
            if module.value() {
                path += &format!("M{} {}h1v1h-1z", column + QUIET, row + QUIET);
            }
        }
    }
    let side = code.size + 2 * QUIET;
    Some(html! {
        svg .qr role="img" aria-label=(label) viewBox=(format!("0 0 {side} {side}")) shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#ffffff" {}
            path d=(path) fill="#000000" {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The drawing as a scanner sees it: eight pixels for each module.
    fn pixels(svg: &str) -> (usize, Vec<bool>) {
        let side: usize = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let (scale, mut dark) = (8, vec![false; side * side]);
        let path = svg.split("path d=\"").nth(1).unwrap().split('"').next().unwrap();
        for module in path.split('M').skip(1) {
            let (column, row) = module.split_once('h').unwrap().0.split_once(' ').unwrap();
            dark[row.parse::<usize>().unwrap() * side + column.parse::<usize>().unwrap()] = true;
        }
        let width = side * scale;
        let pixel = |at: usize| dark[(at / width / scale) * side + at % width / scale];
        (width, (0..width * width).map(pixel).collect())
    }

    #[test]
    fn a_reader_that_is_not_ours_reads_what_was_drawn() {
        for text in ["A", "00020101021226690017ID.CO.EXAMPLE.WWW0118936009990123456789", &"7".repeat(512)] {
            let (width, pixels) = pixels(&drawn(text, "QRIS").unwrap().into_string());
            let shade = |x: usize, y: usize| if pixels[y * width + x] { 0 } else { 255 };
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, width, shade);
            let grids = image.detect_grids();
            assert_eq!(grids.len(), 1, "{text}");
            assert_eq!(grids[0].decode().unwrap().1, text);
        }
    }

    #[test]
    fn what_no_code_can_carry_is_not_drawn() {
        assert!(drawn(&"x".repeat(5_000), "QRIS").is_none());
    }
}
