//! Instructions of a debug build, counted by valgrind's callgrind: the same on every run, so growth is a regression.

use std::collections::BTreeMap;
use std::env;
use std::hint::black_box;
use std::process::Command;

use super::paths;

/// Calls of each path.
const CALLS: usize = 50;
/// Instructions of one call at most: a tenth more than were counted when the limit was written.
const LIMITS: &[(&str, u64)] = &[
    ("decodes_a_produce", 21_900),
    ("validates_a_batch", 598_000),
    ("answers_a_produce", 12_700),
    ("decodes_a_fetch", 26_600),
    ("answers_a_fetch", 16_200),
    ("answers_metadata", 487_000),
];

/// What runs under callgrind; by itself it shows that the paths work.
#[test]
fn paths_run() {
    let (produce, fetch, cluster) = (paths::produce_frame(100), paths::fetch_frame(), paths::cluster());
    let batch = paths::batch(100);
    for _ in 0..CALLS {
        black_box(paths::decodes_a_produce(black_box(&produce)));
        black_box(paths::validates_a_batch(black_box(&batch)));
        black_box(paths::answers_a_produce());
        black_box(paths::decodes_a_fetch(black_box(&fetch)));
        black_box(paths::answers_a_fetch(black_box(&batch)));
        black_box(paths::answers_metadata(black_box(&cluster)));
    }
}

#[test]
fn no_path_takes_more_instructions() {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(env::current_exe().expect("this test")).args(["--exact", "instructions::paths_run"]);
    valgrind.arg("--test-threads=1");
    let run = match valgrind.output() {
        Ok(run) => run,
        Err(error) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "skipped under CI=true: valgrind: {error}");
            return eprintln!("skipped: valgrind: {error}");
        }
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let counted = inclusive(&std::fs::read_to_string(&profile).expect("callgrind's profile"));
    let mut over = Vec::new();
    for (path, limit) in LIMITS {
        let (calls, instructions) = counted.get(*path).copied().unwrap_or_default();
        assert_eq!(calls, CALLS as u64, "{path} is not in the profile as often as it was called");
        let each = instructions / calls;
        println!("{path}: {each} instructions, at most {limit}");
        if each > *limit {
            over.push(format!("{path}: {each} instructions where at most {limit} are allowed"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

/// Calls of each path and the instructions inside of them, from callgrind's format: a callee's name, how often it was called, and
/// in the line after that what the calls cost.
fn inclusive(profile: &str) -> BTreeMap<&'static str, (u64, u64)> {
    let mut counted = BTreeMap::new();
    let mut callee = None;
    let mut calls = None;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            let is = |path: &&str| name.contains("paths") && name.contains(*path);
            callee = LIMITS.iter().map(|(path, _)| *path).find(is);
        } else if let Some(count) = line.strip_prefix("calls=") {
            calls = count.split_whitespace().next().and_then(|count| count.parse::<u64>().ok());
        } else if let Some(count) = calls.take() {
            let cost = line.split_whitespace().last().and_then(|cost| cost.parse::<u64>().ok());
            if let (Some(path), Some(cost)) = (callee, cost) {
                let (calls, instructions): &mut (u64, u64) = counted.entry(path).or_default();
                *calls += count;
                *instructions += cost;
            }
        }
    }
    counted
}
