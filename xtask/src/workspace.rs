//! The workspace as cargo and git see it: the root folder, the packages, the files that belong to it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The root folder and what `cargo metadata` says about it.
pub struct Workspace {
    /// Absolute path of the folder that holds the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo puts what it builds.
    pub target_folder: PathBuf,
    /// The workspace's own packages.
    pub packages: Vec<Package>,
}

/// One package of the workspace, as far as the checks need it.
#[derive(Deserialize)]
pub struct Package {
    pub name: String,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

/// One line of a package's dependency tables.
#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

/// A library, binary, test, bench or example.
#[derive(Deserialize)]
pub struct Target {
    pub src_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub fn load() -> Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(manifest_folder())
            .output()
            .context("cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
        let Metadata { packages, workspace_root: root, target_directory: target_folder } = metadata;
        Ok(Self { root, target_folder, packages })
    }

    /// The folder, below the root and git-ignored, that holds what the tests need from package managers.
    pub fn setup_folder(&self) -> PathBuf {
        self.root.join("tests/.setup")
    }

    /// The main files of all targets, relative to the root.
    pub fn target_roots(&self) -> Vec<String> {
        let targets = self.packages.iter().flat_map(|package| &package.targets);
        targets.map(|target| self.relative(&target.src_path)).collect()
    }

    /// Paths, relative to the root, of all files that are tracked or would be with `git add`.
    pub fn files(&self) -> Result<Vec<String>> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .context("git ls-files")?;
        if !output.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        }
        let names = String::from_utf8(output.stdout)?;
        let exists = |name: &&str| !name.is_empty() && self.root.join(name).is_file();
        let mut files: Vec<String> = names.split('\0').filter(exists).map(str::to_owned).collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// `path` relative to the root, with `/` between its parts.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// The cargo that runs this program.
pub fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn manifest_folder() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}
