//! What `cargo xtask setup` leaves for these tests.

use std::path::Path;

/// The contents of a file that the Java program in tests/vectors writes. `None` where it was not set up, which under
/// `CI=true` is a failure.
pub fn vectors_file(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/.setup/vectors").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            panic!("{}: {error}: `cargo xtask setup` writes it", path.display())
        }
        Err(error) => {
            println!("skipped: tests/.setup/vectors/{name}: {error}: `cargo xtask setup` writes it");
            None
        }
    }
}
