//! Any file of the metadata log is damaged in any way: it is told, or what was committed is served as it was.
//!
//! `KLAMM_DAMAGE_TRIALS` says how many trials, `KLAMM_DAMAGE_SEED` the first of them (without a number, it alone).

#[path = "../../../storage/tests/log/damage/dice.rs"]
mod dice;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use storage::disk::{CrashStyle, Disk, OpenMode, SimDisk, read_small_file, write_all_at};

use self::dice::{Dice, damaged};
use crate::fixture::Setup;

const TRIALS: u64 = 100;
const PROPOSALS: usize = 24;

/// A node's directory, its files, and the names in its state.
struct Image {
    disk: SimDisk,
    files: Vec<(PathBuf, Vec<u8>)>,
    names: Vec<String>,
}

fn setup(disk: &SimDisk) -> Setup {
    Setup::sole(disk)
        .with("metadata.log.max.record.bytes.between.snapshots", 1_500)
        .with("metadata.max.retention.bytes", 4_000)
}

fn image() -> Image {
    let disk = SimDisk::new();
    let node = setup(&disk).start().unwrap();
    let names: Vec<String> = (0..PROPOSALS).map(|number| format!("{number}-{}", "x".repeat(60))).collect();
    for name in &names {
        node.propose(&[name]).unwrap();
    }
    drop(node);
    let disk = disk.crash_image(CrashStyle::KeepAll);
    let mut files = Vec::new();
    let directory = setup(&disk).metadata_directory();
    for entry in disk.list(&directory).unwrap() {
        let path = directory.join(&entry.name);
        files.push((path.clone(), read_small_file(&disk, &path, 1 << 20).unwrap()));
    }
    Image { disk, files, names }
}

fn put(disk: &SimDisk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, OpenMode::Truncate).unwrap();
    write_all_at(file.as_ref(), 0, &[bytes]).unwrap();
    file.sync_data().unwrap();
}

/// The kind of the file, and what became of it.
fn run_trial(image: &Image, seed: u64) -> (String, &'static str) {
    let mut dice = Dice(seed);
    let (path, bytes) = &image.files[dice.below(image.files.len())];
    let (after, how) = damaged(bytes, &mut dice);
    let what = format!("seed {seed}, {}: {how}", path.display());
    let disk = image.disk.crash_image(CrashStyle::KeepAll);
    put(&disk, path, &after);
    let name = path.file_name().unwrap().to_str().unwrap();
    let kind = name.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
    let is_changed = after != *bytes;
    let Ok(node) = setup(&disk).start() else {
        assert!(is_changed, "{what}: what is whole is refused");
        return (kind, "told");
    };
    let names = node.names();
    if names != image.names {
        // Behind the last snapshot a damaged batch is where a crash may have torn the log.
        assert!(name.ends_with(".log") && image.names.starts_with(&names), "{what}: {names:?}");
        return (kind, "cut");
    }
    assert!(node.propose(&["after"]).is_ok(), "{what}");
    drop(node);
    let node = setup(&disk).start().unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert_eq!(node.names().len(), image.names.len() + 1, "{what}, again");
    (kind, if is_changed { "harmless" } else { "unchanged" })
}

#[test]
fn damage_of_the_metadata_log_is_told_or_does_no_harm() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let image = image();
    let (first, count) = match number("KLAMM_DAMAGE_SEED") {
        Some(seed) => (seed, number("KLAMM_DAMAGE_TRIALS").unwrap_or(1)),
        None => (0, number("KLAMM_DAMAGE_TRIALS").unwrap_or(TRIALS)),
    };
    let mut counts: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for seed in first..first + count {
        *counts.entry(run_trial(&image, seed)).or_default() += 1;
    }
    for ((kind, outcome), count) in &counts {
        println!("{kind}: {outcome} {count}");
    }
    println!("{count} trials over {} files", image.files.len());
}
