//! Rules `file-length` and `function-length`: a file fits a head, a function fits a screen.

use super::source::{Source, Tree};
use super::{Finding, Rule};

/// Without the inline tests.
const FILE_LINES_MAX: usize = 600;
/// For files that hold nothing but tests.
const TEST_FILE_LINES_MAX: usize = 1000;
/// From the line of the `fn` to its closing brace, tests excepted.
const FUNCTION_LINES_MAX: usize = 70;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        findings.extend(check_file(file));
        if !file.is_test() {
            findings.extend(check_functions(file));
        }
    }
    findings
}

fn check_file(file: &Source) -> Option<Finding> {
    let (lines, allowed) = if file.is_test() {
        (file.text.lines().count(), TEST_FILE_LINES_MAX)
    } else {
        (file.lines_before_tests().len(), FILE_LINES_MAX)
    };
    let message = format!("{lines} lines, at most {allowed} are allowed");
    let finding = Finding { rule: Rule::FileLength, path: file.path.clone(), line: None, message };
    (lines > allowed).then_some(finding)
}

/// Relies on rustfmt: a function's closing brace stands alone, as far in as its first line.
fn check_functions(file: &Source) -> Vec<Finding> {
    let lines = file.lines_before_tests();
    let mut findings = Vec::new();
    for (position, (number, line)) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        let body = &lines[position..];
        let Some(length) = body.iter().position(|(_, line)| *line == closing) else { continue };
        if length + 1 > FUNCTION_LINES_MAX {
            findings.push(Finding {
                rule: Rule::FunctionLength,
                path: file.path.clone(),
                line: Some(*number),
                message: format!(
                    "`{name}` has {} lines, at most {FUNCTION_LINES_MAX} are allowed",
                    length + 1
                ),
            });
        }
    }
    findings
}

fn function_name(line: &str) -> Option<&str> {
    // One-line functions and trait methods without a body end otherwise.
    if line.ends_with(';') || line.ends_with('}') {
        return None;
    }
    let mut words = line.trim_start();
    for word in ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        words = words.strip_prefix(word).unwrap_or(words);
    }
    let name = words.strip_prefix("fn ")?;
    Some(&name[..name.find(['(', '<']).unwrap_or(name.len())])
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn a_long_file_is_found_and_its_inline_tests_do_not_count() {
        let long = "//! Header line.\n".repeat(FILE_LINES_MAX + 1);
        let fine =
            format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "x\n".repeat(FILE_LINES_MAX), "y\n".repeat(500));
        let tree = tree(&[("long.rs", &long), ("fine.rs", &fine), ("x/generated/long.rs", &long)]);
        let found = check(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].rule, found[0].path.as_str()), (Rule::FileLength, "long.rs"));
    }

    #[test]
    fn a_long_function_is_found_by_name() {
        let body = |lines: usize| "        let x = {\n        };\n".repeat(lines / 2);
        let text = format!(
            "impl A {{\n    pub(crate) async fn long<T>(\n        a: T,\n    ) {{\n{}    }}\n    fn short() {{\n{}    }}\n}}\n",
            body(68),
            body(68)
        );
        let found = check(&tree(&[("a.rs", &text), ("tests/a.rs", &text)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.starts_with("`long` has 72 lines"), "{found:?}");
    }
}
