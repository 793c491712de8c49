//! The reference in `docs/` says what the tables say; `UPDATE=1` writes it anew.

use std::path::Path;

#[test]
fn the_reference_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    for (name, text) in config::reference::pages() {
        let path = folder.join(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).expect("a folder for the reference");
            std::fs::write(&path, &text).expect("a page of the reference");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == text,
            "docs/reference/{name} is stale: UPDATE=1 cargo test -p config --test reference"
        );
    }
}
