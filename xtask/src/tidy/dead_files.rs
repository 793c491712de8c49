//! Rule `dead-file`: every Rust file is reached from a crate's root by `mod` lines.

use std::collections::{BTreeSet, HashMap};

use super::source::Tree;
use super::{Finding, Rule};

/// `roots`: the main files of all targets, relative to the repository's root.
pub fn check(tree: &Tree, roots: &[String]) -> Vec<Finding> {
    let texts: HashMap<&str, &str> = tree
        .files
        .iter()
        .filter(|file| file.extension() == "rs")
        .map(|file| (file.path.as_str(), file.text.as_str()))
        .collect();
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<(String, bool)> = roots.iter().map(|root| (root.clone(), true)).collect();
    while let Some((path, is_root)) = waiting.pop() {
        let Some(text) = texts.get(path.as_str()) else { continue };
        if reached.insert(path.clone()) {
            waiting.extend(children(&path, is_root, text).into_iter().map(|child| (child, false)));
        }
    }
    let mut dead: Vec<&str> = texts.into_keys().filter(|path| !reached.contains(*path)).collect();
    dead.sort_unstable();
    let message = "no `mod` line leads here from a crate's root";
    dead.into_iter()
        .map(|path| Finding {
            rule: Rule::DeadFile,
            path: path.to_owned(),
            line: None,
            message: message.to_owned(),
        })
        .collect()
}

fn children(path: &str, is_root: bool, text: &str) -> Vec<String> {
    let (folder, file_name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file_name.strip_suffix(".rs").unwrap_or(file_name);
    let modules = if is_root { folder.to_owned() } else { join(folder, stem) };
    let mut children = Vec::new();
    let mut path_attribute = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            path_attribute = rest.split('"').next().map(|relative| join(folder, relative));
        } else if let Some(name) = declared_module(line) {
            children.push(path_attribute.take().unwrap_or_else(|| join(&modules, &format!("{name}.rs"))));
        }
    }
    children
}

fn declared_module(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    line.strip_prefix("mod ")
}

/// Joins and resolves `..`.
fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn a_file_that_no_module_declares_is_found() {
        let tree = tree(&[
            ("crates/a/src/lib.rs", "mod one;\npub(crate) mod two;\n"),
            ("crates/a/src/one.rs", "#[path = \"../odd/place.rs\"]\nmod place;\n"),
            ("crates/a/src/two.rs", "pub mod inner;\n"),
            ("crates/a/src/two/inner.rs", ""),
            ("crates/a/odd/place.rs", ""),
            ("crates/a/src/forgotten.rs", "mod inner;"),
            ("crates/a/src/inner.rs", ""),
        ]);
        let found: Vec<_> =
            check(&tree, &["crates/a/src/lib.rs".to_owned()]).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["crates/a/src/forgotten.rs", "crates/a/src/inner.rs"]);
    }
}
