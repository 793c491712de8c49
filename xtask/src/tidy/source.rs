//! The files that tidy looks at, and what it can tell about a Rust file without parsing it.

use std::fs;

use anyhow::Result;

use crate::workspace::Workspace;

/// Every text file of the repository.
#[derive(Default)]
pub struct Tree {
    pub files: Vec<Source>,
}

/// One text file.
pub struct Source {
    /// Relative to the root, with `/` between its parts.
    pub path: String,
    pub text: String,
}

impl Tree {
    /// Reads the working tree; files that are not UTF-8 are no source and are left out.
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let mut files = Vec::new();
        for path in workspace.files()? {
            if let Ok(text) = fs::read_to_string(workspace.root.join(&path)) {
                files.push(Source { path, text });
            }
        }
        Ok(Self { files })
    }

    /// The hand-written Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.extension() == "rs" && !file.is_generated())
    }
}

impl Source {
    /// What follows the last dot of the file name, or nothing.
    pub fn extension(&self) -> &str {
        self.file_name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The last part of the path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether a program wrote it: it stands in a folder `generated`, or says so in its first lines.
    pub fn is_generated(&self) -> bool {
        self.path.split('/').any(|part| part == "generated")
            || self.text.lines().take(3).any(|line| line.contains("cargo xtask codegen"))
    }

    /// Whether it holds nothing but tests: it lies below a `tests` folder, or is a module called `tests`.
    pub fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "benches")
            || self.file_name() == "tests.rs"
    }

    /// Lines with their numbers, without the inline test module that ends the file.
    pub fn lines_before_tests(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let is_start = |pair: &[&str]| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        };
        let end = lines.windows(2).position(is_start).unwrap_or(lines.len());
        lines.into_iter().take(end).enumerate().map(|(index, line)| (index + 1, line)).collect()
    }
}

/// A tree of made-up files.
#[cfg(test)]
pub fn tree(files: &[(&str, &str)]) -> Tree {
    let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
    Tree { files: files.iter().map(source).collect() }
}
