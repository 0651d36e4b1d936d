//! Which measurement is meant: `cargo bench -p benches -- NAME` starts every one of them with the same words.

/// All that there are.
const ALL: [&str; 9] = ["apply", "checkout", "copy", "flash", "hold", "opening", "reads", "seam", "throttle"];

/// Whether another measurement than `own` was asked for by its name.
pub fn is_other(given: &[String], own: &str) -> bool {
    given.first().is_some_and(|first| first != own && ALL.contains(&first.as_str()))
}
