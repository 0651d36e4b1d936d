//! A clip, drawn: what moves behind a caption is made from the product's title and its id, and nothing is downloaded.
//!
//! Whole numbers only, and the colours are attributes, since no style may stand inside a page.

mod thing;

use maud::{Markup, html};
use thing::Thing;

/// Colours that go together: two of the sky, one of the light in it, two of what stands before it, one of lines.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    sky: [&'static str; 2],
    light: &'static str,
    ground: [&'static str; 2],
    pub body: &'static str,
    pub shade: &'static str,
    pub line: &'static str,
}

const PALETTES: [Palette; 6] = [
    // Evening on Java
    Palette {
        sky: ["#ff9a5a", "#c8375c"],
        light: "#ffd98a",
        ground: ["#6b1f4a", "#3a1136"],
        body: "#fff1dc",
        shade: "#e9c9a4",
        line: "#7c2d3f",
    },
    // Rice fields
    Palette {
        sky: ["#a8e6c1", "#2f9c8a"],
        light: "#fdf6c9",
        ground: ["#14655c", "#0b3b3b"],
        body: "#fdf3e0",
        shade: "#d9c79c",
        line: "#0f4b45",
    },
    // Night market
    Palette {
        sky: ["#3b3f8f", "#191a45"],
        light: "#ffb45c",
        ground: ["#12122f", "#0a0a1e"],
        body: "#ffe6c2",
        shade: "#e0a96a",
        line: "#33306e",
    },
    // The sea at Sanur
    Palette {
        sky: ["#8fd6f5", "#2c79c0"],
        light: "#ffffff",
        ground: ["#f0d6a4", "#c89e62"],
        body: "#ffffff",
        shade: "#d5e3ee",
        line: "#1c4d80",
    },
    // Frangipani
    Palette {
        sky: ["#ffd3e0", "#e86f9b"],
        light: "#fff6d6",
        ground: ["#8a2f63", "#55173f"],
        body: "#fffaf0",
        shade: "#f0cfd8",
        line: "#8a2f63",
    },
    // Gold and indigo
    Palette {
        sky: ["#ffe29a", "#e29a2b"],
        light: "#fffbe8",
        ground: ["#27366b", "#141c40"],
        body: "#fbf4e4",
        shade: "#d8c49a",
        line: "#27366b",
    },
];

/// The scene of a product, the same wherever it is shown; `place` tells several of one page apart.
pub fn scene(title: &str, product: &str, place: usize) -> Markup {
    let thing = Thing::of(title);
    let pick = product.bytes().fold(0, |sum: usize, byte| (sum * 7 + usize::from(byte)) % 9_973);
    let palette = &PALETTES[pick % PALETTES.len()];
    let left = pick.is_multiple_of(2);
    let (sky, glow, weave) = (format!("sky-{place}"), format!("glow-{place}"), format!("weave-{place}"));
    let of = |id: &str| format!("url(#{id})");
    html! {
        svg .scene viewBox="0 0 360 640" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false" {
            defs {
                linearGradient id=(sky) x1="0" y1="0" x2="0" y2="1" {
                    stop offset="0" stop-color=(palette.sky[0]) {}
                    stop offset="1" stop-color=(palette.sky[1]) {}
                }
                radialGradient id=(glow) {
                    stop offset="0" stop-color=(palette.light) {}
                    stop offset=".55" stop-color=(palette.light) stop-opacity=".5" {}
                    stop offset="1" stop-color=(palette.light) stop-opacity="0" {}
                }
                (kawung(&weave, palette.light))
            }
            rect width="360" height="640" fill=(of(&sky)) {}
            rect width="360" height="640" fill=(of(&weave)) opacity=".16" {}
            circle .drift cx=(if left { 116 } else { 244 }) cy="196" r="150" fill=(of(&glow)) {}
            circle .drift cx=(if left { 116 } else { 244 }) cy="196" r="62" fill=(palette.light) opacity=".9" {}
            (ground(palette, left))
            ellipse cx="180" cy="452" rx="118" ry="15" fill="#000" opacity=".22" {}
            g .sway { (thing.draw(palette)) }
        }
    }
}

/// The old pattern of four petals, for a whole cloth of them.
fn kawung(id: &str, colour: &str) -> Markup {
    html! {
        pattern id=(id) width="60" height="60" patternUnits="userSpaceOnUse" {
            g fill="none" stroke=(colour) stroke-width="2" {
                ellipse cx="30" cy="12" rx="8" ry="12" {}
                ellipse cx="30" cy="48" rx="8" ry="12" {}
                ellipse cx="12" cy="30" rx="12" ry="8" {}
                ellipse cx="48" cy="30" rx="12" ry="8" {}
                circle cx="30" cy="30" r="2" {}
                circle cx="0" cy="0" r="3" {}
            }
        }
    }
}

fn ground(palette: &Palette, left: bool) -> Markup {
    let back = if left {
        "M0 432 C70 384 130 420 190 398 S310 372 360 408 V640 H0Z"
    } else {
        "M0 408 C60 372 120 404 180 392 S300 386 360 436 V640 H0Z"
    };
    html! {
        path d=(back) fill=(palette.ground[0]) opacity=".55" {}
        path d="M0 446 C90 428 250 428 360 446 V640 H0Z" fill=(palette.ground[0]) {}
        path d="M0 520 C110 500 240 508 360 492 V640 H0Z" fill=(palette.ground[1]) opacity=".7" {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_the_same_every_time_and_carries_no_style() {
        let drawn = scene("Kopi Gayo Besar 1", "7", 3).into_string();
        assert_eq!(drawn, scene("Kopi Gayo Besar 1", "7", 3).into_string());
        assert!(!drawn.contains("style="), "{drawn}");
        assert_ne!(drawn, scene("Tas Rotan Besar 1", "7", 3).into_string());
    }
}
