//! Rule `header`: the first line of a source file is one sentence that says what the file is.

use super::source::{Source, Tree};
use super::{Finding, Rule};

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().filter_map(check_file).collect()
}

fn check_file(file: &Source) -> Option<Finding> {
    let opening = match file.extension() {
        "rs" => "//! ",
        "java" | "go" | "js" | "mjs" => "// ",
        "py" | "sh" => "# ",
        _ => return None,
    };
    let first = file.text.lines().find(|line| !line.starts_with("#!/"))?;
    let is_sentence = first.strip_prefix(opening).is_some_and(|sentence| sentence.len() >= 10);
    let message = format!("the first line must be `{opening}` and a sentence that says what the file is");
    (!is_sentence).then_some(Finding { rule: Rule::Header, path: file.path.clone(), line: Some(1), message })
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn a_file_without_a_header_is_found() {
        let tree = tree(&[
            ("a.rs", "//! Says what it is.\n"),
            ("b.rs", "use std::fs;\n"),
            ("c.sh", "#!/usr/bin/env bash\n# Says what it is.\n"),
            ("d.py", "import os\n"),
            ("e.rs", "//! Short\n"),
        ]);
        let paths: Vec<_> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(paths, ["b.rs", "d.py", "e.rs"]);
    }
}
