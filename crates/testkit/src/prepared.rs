//! What `cargo xtask setup` has prepared for the tests, and whether a test can do without.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The git-ignored folder that the steps of `tests/setup.toml` fill.
pub fn folder() -> PathBuf {
    repository().join("tests/.setup")
}

/// Whether the named steps of `tests/setup.toml` are done. A test returns early where they are not; xtask has
/// reported the step as skipped by then.
///
/// # Panics
/// With `CI=true`, where nothing may be skipped.
pub fn is_ready(steps: &[&str]) -> bool {
    for step in steps {
        let status = fs::read_to_string(folder().join("status").join(step));
        let status = status.unwrap_or_else(|_| "run `cargo xtask setup` first".to_owned());
        if status != "ready" {
            let line = format!("{step}: {status}");
            assert!(env::var("CI").as_deref() != Ok("true"), "skipped under CI=true: {line}");
            println!("note: skipped: {line}");
            return false;
        }
    }
    true
}
