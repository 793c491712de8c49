//! Rule `purity`: pure crates get time, randomness and bytes as values; they never reach for them.

use super::source::Tree;
use super::{Finding, Rule};

const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
    "async fn",
    "println!(",
];

/// `crates`: folder names below `crates/`.
pub fn check(tree: &Tree, crates: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let mut parts = file.path.split('/');
        let in_source = parts.next() == Some("crates")
            && parts.next().is_some_and(|name| crates.contains(&name))
            && parts.next() == Some("src");
        if !in_source || file.is_test() {
            continue;
        }
        for (number, line) in file.lines_before_tests() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                findings.push(Finding {
                    rule: Rule::Purity,
                    path: file.path.clone(),
                    line: Some(number),
                    message: format!("`{word}` in a pure crate: take it as a value from the edge"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn a_clock_in_a_pure_crate_is_found_but_not_in_its_tests() {
        let text = "//! Header.\n// SystemTime stays outside.\nlet now = SystemTime::now();\n\
                    #[cfg(test)]\nmod tests {\nuse std::fs;\n}\n";
        let tree = tree(&[
            ("crates/groups/src/a.rs", text),
            ("crates/groups/tests/a.rs", text),
            ("crates/storage/src/a.rs", text),
        ]);
        let found = check(&tree, &["groups"]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].path.as_str(), found[0].line), ("crates/groups/src/a.rs", Some(3)));
    }
}
