//! The two files of the demo's legacy compile, and say what they should.

use commerce::shape::SHAPES;
use mapping::{File, Mapping, compile};

pub const KIOS: &str = include_str!("../../../../demo/legacy/mapping/kios.toml");
pub const ARSIP: &str = include_str!("../../../../demo/legacy/mapping/arsip.toml");

pub fn both() -> Mapping {
    let files = [File { name: "kios.toml", text: KIOS }, File { name: "arsip.toml", text: ARSIP }];
    compile(&files, SHAPES).unwrap_or_else(|found| {
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        panic!("refused:\n{}", found.join("\n\n"))
    })
}

#[test]
fn the_files_of_the_demo_compile() {
    let mapping = both();
    assert_eq!(mapping.rules().len(), 8);
    assert_eq!(mapping.blocks().len(), 9);
}
