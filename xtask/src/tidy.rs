//! House rules that neither rustfmt nor clippy knows, checked over every file of the repository.
//!
//! A rule is a function from the `Tree` (paths and texts, no disk) to findings, so that its tests can show it
//! a tree that breaks it. `xtask/tidy-exceptions.toml` forgives single findings, each with a reason; an
//! exception that forgives nothing is itself a finding, so the list can only shrink.

mod dead_files;
mod dependencies;
mod exceptions;
mod headers;
mod layers;
mod leftovers;
mod lengths;
mod names;
mod purity;
mod source;

use std::fmt;
use std::fs;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
use source::Tree;

/// The rules, as `tidy-exceptions.toml` spells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// The first line of a file says what it is.
    Header,
    /// A file fits a head.
    FileLength,
    /// A function fits a screen.
    FunctionLength,
    /// Every Rust file is reached from its crate's root.
    DeadFile,
    /// Nothing half-done, and nothing that only works on one machine.
    Leftover,
    /// No file, folder or crate has a name that says nothing.
    Name,
    /// Each third-party crate has its reason in `docs/dependencies.md`.
    Dependency,
    /// Arrows between crates point down: `layers.toml`.
    Layer,
    /// Pure crates do not reach for the clock, the disk, the network or threads.
    Purity,
    /// Each exception still forgives something.
    Exception,
}

impl Rule {
    /// In the order in which they are reported.
    pub const ALL: [Rule; 10] = [
        Rule::Header,
        Rule::FileLength,
        Rule::FunctionLength,
        Rule::DeadFile,
        Rule::Leftover,
        Rule::Name,
        Rule::Dependency,
        Rule::Layer,
        Rule::Purity,
        Rule::Exception,
    ];

    /// The word used in reports and in the list of exceptions.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Header => "header",
            Rule::FileLength => "file-length",
            Rule::FunctionLength => "function-length",
            Rule::DeadFile => "dead-file",
            Rule::Leftover => "leftover",
            Rule::Name => "name",
            Rule::Dependency => "dependency",
            Rule::Layer => "layer",
            Rule::Purity => "purity",
            Rule::Exception => "exception",
        }
    }
}

/// One place that breaks a rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    pub rule: Rule,
    /// Relative to the root.
    pub path: String,
    /// Counted from 1.
    pub line: Option<usize>,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        write!(formatter, "{}{line}: {}: {}", self.path, self.rule.name(), self.message)
    }
}

/// All findings that no exception forgives.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let tree = Tree::read(workspace)?;
    let read = |path: &str| fs::read_to_string(workspace.root.join(path)).context(path.to_owned());
    let mut findings = Vec::new();
    findings.extend(headers::check(&tree));
    findings.extend(lengths::check(&tree));
    let mut roots = workspace.target_roots();
    // The fuzz targets and the comparison of clients are workspaces of their own.
    let is_root = |path: &str| path.starts_with("fuzz/fuzz_targets/") || path == "bench/client/src/main.rs";
    let others = tree.files.iter().filter(|file| is_root(&file.path));
    roots.extend(others.map(|file| file.path.clone()));
    findings.extend(dead_files::check(&tree, &roots));
    findings.extend(leftovers::check(&tree));
    findings.extend(names::check(&tree));
    findings.extend(dependencies::check(&read("Cargo.toml")?, &read("docs/dependencies.md")?)?);
    let layers = layers::Layers::parse(&read("layers.toml")?)?;
    findings.extend(layers.check(&workspace.packages));
    findings.extend(purity::check(&tree, &layers.pure_crates()));
    exceptions::apply(&read("xtask/tidy-exceptions.toml")?, findings)
}
