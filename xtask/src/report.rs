//! What a run found: counts, the names of what failed, and the closing summary line.

use std::env;

/// Collects outcomes; `close` prints them.
#[derive(Default)]
pub struct Report {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Counts `count` outcomes that were fine.
    pub fn pass(&mut self, count: usize) {
        self.passed += count;
    }

    /// Counts one failure under the name people should look for.
    pub fn fail(&mut self, name: impl Into<String>) {
        let name = name.into();
        println!("FAILED {name}");
        self.failed.push(name);
    }

    /// Counts something that could not run here. With `CI=true` that is a failure.
    pub fn skip(&mut self, name: &str, reason: &str) {
        let line = format!("{name}: {reason}");
        if is_ci() {
            self.fail(format!("{line} (a skip is a failure under CI=true)"));
        } else {
            println!("SKIPPED {line}");
            self.skipped.push(line);
        }
    }

    /// Counts one step by its outcome.
    pub fn step(&mut self, name: &str, succeeded: bool) {
        if succeeded {
            println!("ok     {name}");
            self.pass(1);
        } else {
            self.fail(name);
        }
    }

    /// Prints what failed and was skipped and, last and alone on its line, the counts.
    pub fn close(self) -> bool {
        println!();
        for line in &self.skipped {
            println!("skipped: {line}");
        }
        for name in &self.failed {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failed.len());
        self.failed.is_empty()
    }
}

/// Whether this is an unattended run, where nothing may be left out.
pub fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}
