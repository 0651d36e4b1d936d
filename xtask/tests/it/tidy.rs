//! How source looks: stories, lengths, names, and what is never left behind.

use crate::source::{File, code, files, functions, rust_files};

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 400;
const TEST_FILE_LINES_MAX: usize = 800;

/// Files over the limit, how long they may be, and why.
const LONG_FILES: [(&str, usize, &str); 0] = [];

/// Words that say nothing in a type's name.
const EMPTY_WORDS: [&str; 5] = ["Manager", "Helper", "Util", "Data", "Info"];

/// File names that say nothing.
const EMPTY_FILES: [&str; 8] =
    ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "types.rs", "misc.rs"];

/// What stands for work not done, in code without comments and literals.
const LEFT_BEHIND: [&str; 4] = ["todo!", "unimplemented!", "#[ignore", "dbg!"];

fn check(rule: &str, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

/// Where the tests at the end of a file begin.
fn before_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod ").map_or(text, |at| &text[..at])
}

fn too_long(file: &File) -> Option<String> {
    let lines = before_tests(&file.text).lines().count();
    let usual = if file.path.contains("/tests/") { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let limit = LONG_FILES.iter().find(|(path, ..)| *path == file.path).map_or(usual, |(_, limit, _)| *limit);
    (lines > limit).then(|| format!("{}: {lines} lines, {limit} allowed", file.path))
}

/// `HTTPData` and `RowData` end in the word `Data`, `Database` does not.
fn has_word(name: &str, word: &str) -> bool {
    name.match_indices(word).any(|(at, _)| {
        let after = name[at + word.len()..].chars().next();
        after.is_none_or(|next| !next.is_lowercase() || (next == 's' && name[at + word.len()..].len() == 1))
    })
}

fn type_names(code: &str) -> Vec<String> {
    let words: Vec<&str> = code.split_whitespace().collect();
    let is_kind = |word: &str| ["struct", "enum", "trait", "union", "type"].contains(&word);
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    words.windows(2).filter(|pair| is_kind(pair[0])).map(|pair| name(pair[1])).collect()
}

#[test]
fn a_file_tells_its_story_first() {
    let wrong = rust_files().into_iter().filter(|file| !file.text.starts_with("//!")).map(|file| file.path);
    check("no `//!` at the top", wrong.collect());
}

#[test]
fn files_are_short() {
    check("too long", rust_files().iter().filter_map(too_long).collect());
    for (path, limit, reason) in LONG_FILES {
        let file = rust_files().into_iter().find(|file| file.path == path).expect("a listed file exists");
        assert!(before_tests(&file.text).lines().count() > FILE_LINES_MAX, "{path} needs no exception any more");
        assert!(limit <= 2 * FILE_LINES_MAX && reason.len() > 10, "{path}: no reason, or no limit");
    }
}

#[test]
fn functions_are_short() {
    let of = |file: &File| -> Vec<String> {
        let long = functions(&code(&file.text)).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        long.map(|function| format!("{}:{} {}: {} lines", file.path, function.line, function.name, function.lines))
            .collect()
    };
    check("too long", rust_files().iter().flat_map(of).collect());
}

#[test]
fn names_say_something() {
    let of = |file: &File| -> Vec<String> {
        let is_empty = |name: &String| EMPTY_WORDS.iter().any(|word| has_word(name, word));
        type_names(&code(&file.text))
            .into_iter()
            .filter(is_empty)
            .map(|name| format!("{}: {name}", file.path))
            .collect()
    };
    let mut wrong: Vec<String> = rust_files().iter().flat_map(of).collect();
    let is_empty = |file: &File| file.path.rsplit('/').next().is_some_and(|name| EMPTY_FILES.contains(&name));
    wrong.extend(rust_files().into_iter().filter(is_empty).map(|file| file.path));
    check("names that say nothing", wrong);
}

#[test]
fn nothing_is_left_behind() {
    let of = |file: &File| -> Vec<String> {
        let code = code(&file.text);
        let found = LEFT_BEHIND.iter().filter(|mark| code.contains(*mark));
        found.map(|mark| format!("{}: {mark}", file.path)).collect()
    };
    check("work not done", rust_files().iter().flat_map(of).collect());
}

#[test]
fn no_file_knows_a_particular_machine() {
    // Put together here, so that this file does not contain what it looks for.
    let machines = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];
    let beside = concat!("..", "/shared");
    let of = |file: &File| -> Vec<String> {
        let mut found: Vec<&str> = machines.into_iter().filter(|path| file.text.contains(path)).collect();
        if file.path != ".ci/run" && file.text.contains(beside) {
            found.push(beside);
        }
        found.into_iter().map(|path| format!("{}: {path}", file.path)).collect()
    };
    check("paths that only one machine has", files().iter().flat_map(of).collect());
}

#[test]
fn a_word_in_a_name_is_told_from_a_part_of_one() {
    for name in ["RowData", "DataRow", "HTTPInfo", "Utils", "ShopManager"] {
        assert!(EMPTY_WORDS.iter().any(|word| has_word(name, word)), "{name}");
    }
    for name in ["Database", "Informed", "Utility", "Managerial"] {
        assert!(!EMPTY_WORDS.iter().any(|word| has_word(name, word)), "{name}");
    }
    assert_eq!(type_names("pub struct Row<T> { x: Y } enum Side { A } type Z = W;"), ["Row", "Side", "Z"]);
}
