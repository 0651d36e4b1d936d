//! The tree of a page, without what people wrote on it.
//!
//! It reads what a careful program writes and fails on anything else: a page that is not quoted and closed throughout is one
//! in which somebody's text could have become more than text.
//! Absent on purpose: what browsers make of broken pages. For that there is a browser.

/// Elements that have no end.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "img", "hr", "source"];
/// Attributes whose value is of the page's own making, whoever typed what is on it.
const OWN: [&str; 8] = ["class", "id", "method", "name", "rel", "role", "type", "lang"];

/// Elements and attributes in their order, one element a line. Of values only those are told that no text of people's is in.
///
/// # Panics
/// Where something is not closed, not quoted or not escaped.
pub fn skeleton(page: &str) -> String {
    let (mut tree, mut open, mut rest) = (String::new(), Vec::<String>::new(), page);
    while let Some((text, tag)) = rest.split_once('<') {
        is_escaped(text);
        let end = end_of(tag);
        let (tag, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let begun = open.pop();
            assert_eq!(begun.as_deref(), Some(name), "an end without a beginning");
        } else if !tag.eq_ignore_ascii_case("!doctype html") {
            let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            assert!(!name.is_empty(), "a sign that is not escaped before {tag}");
            let attributes = attributes(tag[name.len()..].trim_end_matches('/'));
            tree += &format!("{}{name}{attributes}\n", " ".repeat(open.len()));
            if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    is_escaped(rest);
    assert_eq!(open, Vec::<String>::new(), "elements without an end");
    tree
}

fn is_escaped(text: &str) {
    assert!(!text.contains('>'), "a sign that is not escaped in {text}");
    for after in text.split('&').skip(1) {
        let name = after.split_once(';').map_or("", |(name, _)| name);
        assert!(["amp", "lt", "gt", "quot", "nbsp", "#39"].contains(&name), "an entity that is none: &{after}");
    }
}

/// Where a tag ends, outside of its quotes.
fn end_of(tag: &str) -> usize {
    let mut quoted = false;
    for (at, c) in tag.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return at,
            _ => {}
        }
    }
    panic!("a tag without an end: {tag}");
}

fn attributes(mut rest: &str) -> String {
    let mut said = String::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return said;
        }
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:".contains(*c)).collect();
        assert!(!name.is_empty() && !name.starts_with("on"), "no attribute of a page of ours: {rest}");
        rest = &rest[name.len()..];
        said += &format!(" {name}");
        let Some(value) = rest.strip_prefix("=\"") else {
            assert!(!rest.starts_with('='), "a value without quotes: {name}{rest}");
            continue;
        };
        let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("a value without an end: {value}"));
        is_escaped(value);
        assert!(!value.contains('<'), "a sign that is not escaped in {value}");
        let is_script = ["href", "src", "action"].contains(&name.as_str())
            && value.trim_start().to_ascii_lowercase().starts_with("javascript:");
        assert!(!is_script, "an address that is a program: {value}");
        if OWN.contains(&name.as_str()) {
            said += &format!("={value}");
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::skeleton;

    #[test]
    fn a_tree_is_told_without_what_people_wrote() {
        let page = "<!DOCTYPE html><p class=\"a\" title=\"&lt;b&gt;\">x &amp; y<br><i hidden>z</i></p>";
        assert_eq!(skeleton(page), "p class=a title\n br\n i hidden\n");
    }

    #[test]
    fn whatever_is_not_quoted_closed_and_escaped_is_no_page_of_ours() {
        for page in [
            "<p>",
            "</p>",
            "<p></i>",
            "<p>a > b</p>",
            "<p>a & b</p>",
            "<p>a < b</p>",
            "<p class=a></p>",
            "<p title=\"a<b\"></p>",
            "<p onclick=\"a\"></p>",
            "<a href=\"JavaScript:a\"></a>",
            "<p title=\"a></p>",
            "<p>&copy;</p>",
        ] {
            assert!(std::panic::catch_unwind(|| skeleton(page)).is_err(), "{page}");
        }
    }
}
