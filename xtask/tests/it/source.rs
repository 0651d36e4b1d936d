//! The tree as text: its files, and Rust without comments and literals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders at the root that are not part of the project.
const NOT_OURS: [&str; 4] = [".git", ".venv", "target", "work"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What `cargo metadata` says, without the network.
pub fn metadata(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A text file: its path from the root, and its text.
pub struct File {
    pub path: String,
    pub text: String,
}

/// Every file that is text.
pub fn files() -> Vec<File> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        // What is not text (or is gone by now) has nothing to say here.
        fs::read_to_string(&path).ok().map(|text| File { path: name, text })
    };
    paths.into_iter().filter_map(read).collect()
}

pub fn rust_files() -> Vec<File> {
    let files: Vec<File> = files().into_iter().filter(|file| file.path.ends_with(".rs")).collect();
    assert!(files.len() > 20, "the tree was not found");
    files
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if folder != root() || !NOT_OURS.iter().any(|not| name == *not) {
                collect(&entry.path(), paths);
            }
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
}

/// The text with comments and the insides of literals blanked; lines stay where they are.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = match skipped(rest, bytes[..at].last().copied()) {
            Some(length) => {
                out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                at + length
            }
            None => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..length]);
                at + length
            }
        };
        at = end;
    }
    out
}

/// How long the comment or literal is that starts here, if one does.
fn skipped(rest: &str, before: Option<u8>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if let Some(inside) = rest.strip_prefix('"') {
        return Some(1 + escaped_until(inside, '"'));
    }
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if rest.starts_with('r') && (!in_word || before == Some(b'b')) {
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            return Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()));
        }
    }
    rest.strip_prefix('\'').and_then(character).map(|length| 1 + length)
}

/// The length of a character literal after its first quote; none if it was a lifetime.
fn character(rest: &str) -> Option<usize> {
    if rest.starts_with('\\') {
        return Some(escaped_until(rest, '\''));
    }
    let first = rest.chars().next()?.len_utf8();
    rest[first..].starts_with('\'').then_some(first + 1)
}

fn escaped_until(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A function: its name, the line of its head (from 1), and its body's lines that are neither blank nor comment.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// Every function with a body in text that [`code`] has cleaned.
pub fn functions(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let name: String = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if before.is_alphanumeric() || before == '_' || name.is_empty() {
            continue;
        }
        let Some(body) = body(&code[at..]) else { continue };
        let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
        functions.push(Function { name, line: code[..at].matches('\n').count() + 1, lines: lines.saturating_sub(2) });
    }
    functions
}

/// From the opening brace to the closing one; none for a declaration without a body.
fn body(function: &str) -> Option<&str> {
    let mut brackets = 0_u32;
    let open = function.char_indices().find_map(|(at, character)| match character {
        '(' | '[' => {
            brackets += 1;
            None
        }
        ')' | ']' => {
            brackets = brackets.saturating_sub(1);
            None
        }
        '{' if brackets == 0 => Some(Some(at)),
        ';' if brackets == 0 => Some(None),
        _ => None,
    })??;
    let mut depth = 0_u32;
    let close = function[open..].char_indices().find_map(|(at, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(open + at)
    })?;
    Some(&function[open..=close])
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = "a // b\nc /* d\n */ e \"f\\\"g\" 'h' '\\'' r#\"i\"j\"# k<'l> br\"m\" n";
    let words: Vec<String> = code(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "c", "e", "k<'l>", "b", "n"]);
    assert_eq!(code(text).lines().count(), text.lines().count());
}

#[test]
fn a_function_is_as_long_as_its_body() {
    let text = "trait T { fn none(&self); }\npub fn two(x: [u8; 2]) -> u8 {\n    // why\n\n    let y = 1;\n    y\n}\nfn one() {}\n";
    let found: Vec<(String, usize, usize)> =
        functions(&code(text)).into_iter().map(|found| (found.name, found.line, found.lines)).collect();
    assert_eq!(found, [("two".to_owned(), 2, 2), ("one".to_owned(), 8, 0)]);
}
