//! What stands in the middle of a scene: about 180 wide and 200 high, its foot at y = 450.

use super::Palette;
use maud::{Markup, html};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Cup,
    Jar,
    Cloth,
    Bag,
    Packet,
    Bottle,
    Mask,
    Box,
}

impl Thing {
    /// By the first word that says something.
    pub fn of(title: &str) -> Self {
        let title = title.to_lowercase();
        let things = [
            (Self::Cup, &["kopi", "teh", "mug", "cup"][..]),
            (Self::Jar, &["sambal", "madu", "abon", "jar"]),
            (Self::Cloth, &["batik", "sarung", "kain", "cloth"]),
            (Self::Bag, &["tas", "bag"]),
            (Self::Packet, &["keripik", "gula"]),
            (Self::Bottle, &["minyak", "bottle"]),
            (Self::Mask, &["topeng"]),
        ];
        let named = title.split_whitespace().find_map(|word| things.iter().find(|(_, words)| words.contains(&word)));
        named.map_or(Self::Box, |(thing, _)| *thing)
    }

    pub fn draw(self, palette: &Palette) -> Markup {
        match self {
            Self::Cup => cup(palette),
            Self::Jar => jar(palette),
            Self::Cloth => cloth(palette),
            Self::Bag => bag(palette),
            Self::Packet => packet(palette),
            Self::Bottle => bottle(palette),
            Self::Mask => mask(palette),
            Self::Box => parcel(palette),
        }
    }
}

fn cup(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        g fill="none" stroke=(body) stroke-width="7" stroke-linecap="round" opacity=".75" {
            path .rise d="M150 292 c-14 -22 14 -34 0 -58" {}
            path .rise d="M184 284 c-14 -24 14 -38 0 -66" {}
            path .rise d="M218 292 c-14 -22 14 -34 0 -58" {}
        }
        path d="M258 340 c46 -4 46 70 -8 66" fill="none" stroke=(shade) stroke-width="16" {}
        path d="M98 320 H268 C268 396 246 440 222 444 H144 C120 440 98 396 98 320Z" fill=(body) {}
        path d="M222 320 H268 C268 396 246 440 222 444 H196 C220 430 226 380 222 320Z" fill=(shade) opacity=".7" {}
        ellipse cx="183" cy="320" rx="85" ry="17" fill=(shade) {}
        ellipse cx="183" cy="321" rx="73" ry="12" fill="#4a2617" {}
        path d="M124 372 q20 -18 40 0 t40 0" fill="none" stroke=(line) stroke-width="5" stroke-linecap="round" {}
        ellipse cx="183" cy="450" rx="104" ry="11" fill=(shade) {}
        ellipse cx="183" cy="447" rx="104" ry="10" fill=(body) {}
    }
}

fn jar(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        path d="M112 268 C104 286 104 296 104 312 V424 Q104 450 130 450 H230 Q256 450 256 424 V312 C256 296 256 286 248 268Z" fill="#fff" opacity=".28" {}
        path d="M112 316 H248 V424 Q248 442 230 442 H130 Q112 442 112 424Z" fill="#c8321f" {}
        path d="M214 316 H248 V424 Q248 442 230 442 H202 Q216 430 214 316Z" fill="#8e1d14" opacity=".55" {}
        g fill="#ffd08a" { circle cx="130" cy="332" r="3" {} circle cx="158" cy="326" r="2" {} circle cx="222" cy="334" r="3" {} circle cx="190" cy="325" r="3" {} }
        rect x="104" y="236" width="152" height="38" rx="8" fill=(line) {}
        rect x="104" y="236" width="152" height="12" rx="6" fill="#fff" opacity=".22" {}
        rect x="118" y="346" width="124" height="70" rx="8" fill=(body) {}
        path d="M180 356 c-22 14 -22 34 0 50 c22 -16 22 -36 0 -50Z" fill="#c8321f" {}
        path d="M180 356 q4 -10 14 -10" fill="none" stroke="#3f7d3a" stroke-width="4" stroke-linecap="round" {}
        path d="M130 362 h24 M130 374 h18 M206 362 h24 M212 374 h18" stroke=(shade) stroke-width="4" stroke-linecap="round" {}
        path d="M120 290 V430" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".4" {}
    }
}

fn cloth(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        path d="M70 206 H290" stroke="#5b3a22" stroke-width="9" stroke-linecap="round" {}
        circle cx="70" cy="206" r="8" fill="#7a5233" {}
        circle cx="290" cy="206" r="8" fill="#7a5233" {}
        path d="M86 208 H274 V416 q-23 18 -47 4 t-47 6 t-47 0 t-47 -2Z" fill=(line) {}
        path d="M224 208 H274 V416 q-23 18 -47 4Z" fill="#000" opacity=".18" {}
        g fill="none" stroke="#e9b24c" stroke-width="4" {
            @for (x, y) in [(133, 252), (180, 252), (227, 252), (133, 320), (180, 320), (227, 320), (133, 388), (180, 388), (227, 388)] {
                path d=(format!("M{x} {} c-13 10 -13 20 0 28 c13 -8 13 -18 0 -28Z", y - 30)) {}
                path d=(format!("M{x} {} c-13 -10 -13 -20 0 -28 c13 8 13 18 0 28Z", y + 30)) {}
                circle cx=(x) cy=(y) r="4" fill="#e9b24c" {}
            }
            @for x in [110, 156, 204, 250] { path d=(format!("M{x} 212 V408")) stroke-width="1.5" opacity=".7" {} }
        }
        path d="M86 404 q24 2 47 14 t47 6 t47 -6 t47 -8" fill="none" stroke=(body) stroke-width="9" {}
        path d="M86 392 q24 2 47 14 t47 6 t47 -6 t47 -8" fill="none" stroke=(shade) stroke-width="3" {}
        g stroke="#e9b24c" stroke-width="3" stroke-linecap="round" {
            @for x in [96, 112, 128, 146, 164, 182, 200, 218, 236, 254, 268] { path d=(format!("M{x} 424 v14")) {} }
        }
    }
}

fn bag(Palette { body, line, .. }: &Palette) -> Markup {
    html! {
        path d="M124 320 C124 220 236 220 236 320" fill="none" stroke="#6b4423" stroke-width="13" stroke-linecap="round" {}
        path d="M84 316 H276 L258 430 Q254 450 232 450 H128 Q106 450 102 430Z" fill="#c98f4a" {}
        path d="M226 316 H276 L258 430 Q254 450 232 450 H204Z" fill="#8f5f2a" opacity=".45" {}
        g fill="none" stroke="#8f5f2a" stroke-width="3.5" {
            @for y in [338, 360, 382, 404, 426] { path d=(format!("M92 {y} q12 -9 24 0 t24 0 t24 0 t24 0 t24 0 t24 0 t24 0")) {} }
        }
        rect x="80" y="304" width="200" height="24" rx="12" fill="#a9732f" {}
        path d="M156 304 h48 v46 a24 24 0 0 1 -48 0Z" fill=(line) {}
        circle cx="180" cy="346" r="7" fill=(body) {}
        path d="M240 326 q16 22 4 48 M250 326 q30 14 24 42" fill="none" stroke=(body) stroke-width="4" stroke-linecap="round" {}
    }
}

fn packet(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        path d="M104 250 H256 L266 448 Q180 462 94 448Z" fill=(line) {}
        path d="M214 250 H256 L266 448 Q240 454 212 455Z" fill="#000" opacity=".2" {}
        path d="M100 232 l10 -8 10 8 10 -8 10 8 10 -8 10 8 10 -8 10 8 10 -8 10 8 10 -8 10 8 10 -8 10 8 10 -8 10 8 V258 H100Z" fill=(body) {}
        ellipse cx="180" cy="346" rx="62" ry="58" fill=(body) {}
        ellipse cx="180" cy="346" rx="52" ry="48" fill=(shade) {}
        g fill="#d9962f" stroke="#8a5412" stroke-width="3" {
            path d="M146 352 q14 -34 40 -22 q4 28 -40 22Z" {}
            path d="M170 374 q30 -28 50 -4 q-16 26 -50 4Z" {}
            path d="M178 336 q22 -26 42 -4 q-8 24 -42 4Z" {}
        }
        g fill="#8a5412" { circle cx="164" cy="342" r="2" {} circle cx="196" cy="372" r="2" {} circle cx="200" cy="334" r="2" {} }
        path d="M122 276 h70 M122 424 h116" stroke=(body) stroke-width="5" stroke-linecap="round" opacity=".75" {}
        path d="M114 268 L106 436" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".28" {}
    }
}

fn bottle(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        path d="M160 210 H200 V262 C236 280 240 300 240 326 V430 Q240 450 220 450 H140 Q120 450 120 430 V326 C120 300 124 280 160 262Z" fill="#2f8f5b" opacity=".88" {}
        path d="M206 268 C232 284 234 304 234 326 V430 Q234 444 220 450 H206 Q214 380 206 268Z" fill="#0f5a37" opacity=".55" {}
        rect x="154" y="182" width="52" height="34" rx="6" fill=(line) {}
        path d="M154 194 h52 M154 204 h52" stroke="#fff" stroke-width="2" opacity=".35" {}
        rect x="120" y="322" width="120" height="88" fill=(body) {}
        path d="M180 338 c-26 12 -30 40 -14 60 c26 -6 36 -34 14 -60Z" fill="#2f8f5b" {}
        path d="M172 392 q2 -28 8 -44" fill="none" stroke=(body) stroke-width="3" {}
        path d="M204 352 h22 M204 366 h16 M204 380 h22" stroke=(shade) stroke-width="5" stroke-linecap="round" {}
        path d="M134 300 V432" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".4" {}
        path .rise d="M262 286 c-14 -14 0 -26 0 -26 s14 12 0 26Z" fill="#9be0b5" {}
        path .rise d="M96 330 c-12 -12 0 -22 0 -22 s12 10 0 22Z" fill="#9be0b5" {}
    }
}

fn mask(Palette { body, line, .. }: &Palette) -> Markup {
    html! {
        path d="M180 176 l18 38 40 -18 -6 42 44 6 -28 32 H112 l-28 -32 44 -6 -6 -42 40 18Z" fill="#e9b24c" stroke="#8a5412" stroke-width="3" stroke-linejoin="round" {}
        circle cx="180" cy="222" r="10" fill="#c8321f" {}
        path d="M106 268 Q180 226 254 268 C264 350 232 440 180 452 C128 440 96 350 106 268Z" fill=(body) {}
        path d="M206 248 Q232 254 254 268 C264 350 232 440 180 452 C216 420 232 340 206 248Z" fill="#000" opacity=".1" {}
        g fill="none" stroke=(line) stroke-width="7" stroke-linecap="round" {
            path d="M124 294 q20 -18 42 -2" {}
            path d="M194 292 q22 -16 42 2" {}
        }
        path d="M126 316 q20 -14 38 2 q-18 14 -38 -2Z M196 318 q18 -16 38 -2 q-20 16 -38 2Z" fill="#221018" {}
        path d="M180 318 q-4 34 -14 46 q14 8 28 0 q-10 -12 -14 -46Z" fill="#e8b98c" stroke=(line) stroke-width="3" stroke-linejoin="round" {}
        path d="M148 390 q32 -18 64 0 q-32 34 -64 0Z" fill="#c8321f" {}
        path d="M150 391 q30 8 60 0" fill="none" stroke="#5e0f10" stroke-width="3" {}
        circle cx="134" cy="360" r="13" fill="#f2907a" opacity=".6" {}
        circle cx="226" cy="360" r="13" fill="#f2907a" opacity=".6" {}
        path d="M174 280 l6 -10 6 10 -6 8Z" fill="#c8321f" {}
    }
}

fn parcel(Palette { body, shade, line, .. }: &Palette) -> Markup {
    html! {
        path d="M80 320 L180 286 L280 320 L180 356Z" fill=(body) {}
        path d="M80 320 L180 356 V456 L80 420Z" fill=(shade) {}
        path d="M280 320 L180 356 V456 L280 420Z" fill=(shade) opacity=".72" {}
        path d="M130 303 L230 338 V438" fill="none" stroke="#ffc62b" stroke-width="14" {}
        path d="M230 303 L130 338 V438" fill="none" stroke="#e5a900" stroke-width="14" {}
        path d="M180 318 c-40 -70 -84 -20 -4 4 M180 318 c40 -70 84 -20 4 4" fill="none" stroke=(line) stroke-width="9" stroke-linecap="round" {}
    }
}

#[cfg(test)]
mod tests {
    use super::Thing;

    #[test]
    fn a_title_is_drawn_as_what_it_names() {
        let check = |title, thing| assert_eq!(Thing::of(title), thing, "{title}");
        check("Kopi Gayo Besar 1", Thing::Cup);
        check("Kain Songket Hemat 2", Thing::Cloth);
        check("Gula Aren", Thing::Packet);
        check("WHITE HANGING HEART", Thing::Box);
        check("RED RETROSPOT BAG", Thing::Bag);
    }
}
