//! What the set-up step has prepared, and running its Java program.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the set-up step, or none if it has not run: then a note says so, and with `CI=true` the test fails.
pub fn folder() -> Option<PathBuf> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.setup");
    let status = std::fs::read_to_string(setup.join("status/records")).unwrap_or("not set up".into());
    if status == "ready" {
        return Some(setup.join("records"));
    }
    let reason = format!("comparison with Kafka's records: {status} (cargo xtask setup)");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "skipped under CI=true: {reason}");
    println!("note: skipped: {reason}");
    None
}

/// What the Java program prints.
pub fn java(folder: &Path, command: &str, argument: &Path) -> String {
    let class_path = format!("{0}/target/classes:{0}/lib/*", folder.display());
    let output = Command::new("java")
        .args(["-Xmx1g", "-cp", &class_path, "records.Main", command])
        .arg(argument)
        .output()
        .expect("java runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("its output is text")
}
