//! Rule `name`: no file, folder or crate has a name that says nothing, and no module is called `mod.rs`.

use std::collections::BTreeSet;

use super::source::Tree;
use super::{Finding, Rule};

const EMPTY_WORDS: &[&str] = &["common", "utils", "util", "types", "core", "helpers", "helper", "misc"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.extension() == "rs") {
        if file.file_name() == "mod.rs" {
            findings.insert((file.path.clone(), "use `name.rs` beside the folder `name`".to_owned()));
        }
        for part in file.path.trim_end_matches(".rs").split('/') {
            if EMPTY_WORDS.contains(&part) {
                findings.insert((file.path.clone(), format!("`{part}` says nothing: name what it holds")));
            }
        }
    }
    findings
        .into_iter()
        .map(|(path, message)| Finding { rule: Rule::Name, path, line: None, message })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn empty_words_and_mod_files_are_found() {
        let tree = tree(&[
            ("crates/a/src/wire.rs", ""),
            ("crates/a/src/utils.rs", ""),
            ("crates/common/src/lib.rs", ""),
            ("crates/a/src/b/mod.rs", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["crates/a/src/b/mod.rs", "crates/a/src/utils.rs", "crates/common/src/lib.rs"]);
    }
}
