//! Rule `leftover`: nothing half-done, nothing switched off, nothing that only works on one machine.

use super::source::{Source, Tree};
use super::{Finding, Rule};

/// What must not stand in a file, and what to do instead. Spelled in halves, so that this table passes itself.
const BANNED: &[(&str, &str)] = &[
    (concat!("to", "do!("), "finish it"),
    (concat!("unimple", "mented!("), "finish it"),
    (concat!("db", "g!("), "log it or drop it"),
    (concat!("FIX", "ME"), "fix it or open an issue"),
    (concat!("TO", "DO"), "finish it or open an issue"),
    (concat!("XX", "X:"), "finish it or open an issue"),
    (concat!("#[igno", "re"), "a test that does not run proves nothing: repair or delete it"),
    (concat!("allow(dead_", "code)"), "delete the dead code"),
    (concat!("allow(unu", "sed"), "delete what is unused"),
    (concat!("thread::sl", "eep(Duration::from_secs"), "wait for the event itself"),
];

/// Traces of one machine or one network, in any file.
const MACHINE: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/opt/whe", "els"), "a path of one machine"),
    (concat!("/tmp/kaf", "ka"), "a path of one machine"),
    (concat!("registry.npm", "js.org"), "package managers know their registry"),
    (concat!("repo.maven.apa", "che.org"), "package managers know their registry"),
    (concat!("proxy.gol", "ang.org"), "package managers know their registry"),
    (concat!("pypi", ".org/simple"), "package managers know their registry"),
    (concat!("--index", "-url"), "package managers know their registry"),
];

/// Files that cargo writes.
const NOT_OURS: &[&str] = &["Cargo.lock", "LICENSE"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let ours = tree.files.iter().filter(|file| !NOT_OURS.contains(&file.file_name()));
    ours.flat_map(|file| {
        let words: &[_] = if file.is_code() { BANNED } else { &[] };
        find(file, words).chain(find(file, MACHINE)).collect::<Vec<_>>()
    })
    .collect()
}

impl Source {
    fn is_code(&self) -> bool {
        matches!(self.extension(), "rs" | "java" | "go" | "js" | "mjs" | "py" | "sh" | "toml")
    }
}

fn find<'a>(
    file: &'a Source,
    words: &'a [(&'static str, &'static str)],
) -> impl Iterator<Item = Finding> + 'a {
    file.text.lines().enumerate().flat_map(move |(index, line)| {
        words.iter().filter(|(word, _)| line.contains(word)).map(move |(word, instead)| Finding {
            rule: Rule::Leftover,
            path: file.path.clone(),
            line: Some(index + 1),
            message: format!("`{word}`: {instead}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::tree;
    use super::*;

    #[test]
    fn every_banned_word_is_found_in_code() {
        for (word, _) in BANNED.iter().chain(MACHINE) {
            let text = format!("//! A header.\nlet x = {word}1);\n");
            let found = check(&tree(&[("a.rs", &text)]));
            assert_eq!(found.len(), 1, "{word}: {found:?}");
            assert_eq!(found[0].line, Some(2));
        }
    }

    #[test]
    fn prose_may_name_what_code_may_not_hold_but_no_machine() {
        let text = format!("Write no {}.\nSee {}shared.\n", BANNED[3].0, MACHINE[0].0);
        let found = check(&tree(&[("CONTRIBUTING.md", &text)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, Some(2));
    }
}
