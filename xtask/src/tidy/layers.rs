//! Rule `layer`: arrows between crates point down, as `layers.toml` says.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, Rule};
use crate::workspace::Package;

/// `layers.toml`, lowest layer first.
#[derive(Deserialize)]
pub struct Layers {
    forbidden_in_pure: Vec<String>,
    layer: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    name: String,
    crates: Vec<String>,
    /// Whether a crate may use those before it in the same layer.
    #[serde(default)]
    ordered: bool,
    #[serde(default)]
    pure: bool,
}

impl Layers {
    /// Reads the text of `layers.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("layers.toml")
    }

    /// Names of the crates that do no I/O and know no clock, randomness, threads or async.
    pub fn pure_crates(&self) -> Vec<&str> {
        self.layer
            .iter()
            .filter(|layer| layer.pure)
            .flat_map(|layer| &layer.crates)
            .map(String::as_str)
            .collect()
    }

    /// Looks at every normal and build dependency.
    pub fn check(&self, packages: &[Package]) -> Vec<Finding> {
        let places: HashMap<&str, (usize, usize)> = self
            .layer
            .iter()
            .enumerate()
            .flat_map(|(height, layer)| {
                layer.crates.iter().enumerate().map(move |(index, name)| (name.as_str(), (height, index)))
            })
            .collect();
        let mut findings = Vec::new();
        for package in packages {
            let Some(&place) = places.get(package.name.as_str()) else {
                findings.push(finding(format!("crate `{}` has no layer", package.name)));
                continue;
            };
            for dependency in &package.dependencies {
                if dependency.kind.as_deref() != Some("dev") {
                    findings.extend(self.check_arrow(&package.name, place, &places, &dependency.name));
                }
            }
        }
        for name in places.keys().filter(|name| !packages.iter().any(|package| package.name == **name)) {
            findings.push(finding(format!("there is no crate `{name}`")));
        }
        findings
    }

    fn check_arrow(
        &self,
        from: &str,
        (height, index): (usize, usize),
        places: &HashMap<&str, (usize, usize)>,
        to: &str,
    ) -> Option<Finding> {
        let layer = &self.layer[height];
        let Some(&(to_height, to_index)) = places.get(to) else {
            let forbidden = layer.pure && self.forbidden_in_pure.iter().any(|name| name == to);
            return forbidden.then(|| finding(format!("`{from}` is pure and may not use `{to}`")));
        };
        let points_down = to_height < height || (to_height == height && layer.ordered && to_index < index);
        (!points_down).then(|| {
            finding(format!("`{from}` ({}) may not use `{to}` ({})", layer.name, self.layer[to_height].name))
        })
    }
}

fn finding(message: String) -> Finding {
    Finding { rule: Rule::Layer, path: "layers.toml".to_owned(), line: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    const LAYERS: &str = r#"
        forbidden_in_pure = ["tokio"]
        [[layer]]
        name = "low"
        crates = ["a", "b"]
        ordered = true
        pure = true
        [[layer]]
        name = "high"
        crates = ["c", "d"]
    "#;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned(), kind: None };
        Package {
            name: name.to_owned(),
            dependencies: dependencies.iter().map(dependency).collect(),
            targets: Vec::new(),
        }
    }

    fn messages(packages: &[Package]) -> Vec<String> {
        let findings = Layers::parse(LAYERS).unwrap().check(packages);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn arrows_down_are_fine() {
        let packages = [
            package("a", &["bytes"]),
            package("b", &["a"]),
            package("c", &["a", "b", "tokio"]),
            package("d", &[]),
        ];
        assert_eq!(messages(&packages), [""; 0]);
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        let packages = [package("a", &["b"]), package("b", &["c"]), package("c", &["d"]), package("d", &[])];
        assert_eq!(
            messages(&packages),
            [
                "`a` (low) may not use `b` (low)",
                "`b` (low) may not use `c` (high)",
                "`c` (high) may not use `d` (high)"
            ]
        );
    }

    #[test]
    fn a_pure_crate_may_not_bring_in_a_runtime() {
        let packages = [package("a", &["tokio"]), package("b", &[]), package("c", &[]), package("d", &[])];
        assert_eq!(messages(&packages), ["`a` is pure and may not use `tokio`"]);
    }

    #[test]
    fn crates_and_layers_must_agree() {
        let packages = [package("a", &[]), package("b", &[]), package("c", &[]), package("e", &[])];
        assert_eq!(messages(&packages), ["crate `e` has no layer", "there is no crate `d`"]);
    }
}
