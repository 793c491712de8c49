//! Mutated files of a log directory: the body of the fuzz target, run on stable Rust.

#[path = "../../../../fuzz/decoders/log_directory.rs"]
mod log_directory;
#[path = "../../../../fuzz/decoders/mutation.rs"]
mod mutation;

use storage::disk::read_small_file;

use log_directory::{LEFT_BEHIND, log_directory};
use mutation::Mutator;

const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 80;

#[test]
fn files_of_a_log_directory_survive_hostile_bytes() {
    let (disk, files) = &*LEFT_BEHIND;
    let mut mutator = Mutator::new(SEED);
    for (picked, path) in files.iter().enumerate() {
        let contents = read_small_file(disk, path, 1 << 20).expect("it is there");
        let picked = u8::try_from(picked).expect("few files");
        for _ in 0..MUTATIONS {
            log_directory(&[&[picked], &mutator.mutated(&contents)[..]].concat());
        }
        log_directory(&[&[picked], &mutator.random(200)[..]].concat());
    }
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    for name in ["meta.properties", "recovery-point-offset-checkpoint", "log-start-offset-checkpoint"] {
        assert!(names.contains(&name), "{name} is among {names:?}");
    }
    for name in [".kafka_cleanshutdown", "partition.metadata", "leader-epoch-checkpoint"] {
        assert!(names.contains(&name), "{name} is among {names:?}");
    }
    for kind in [".snapshot", ".log", ".index", ".timeindex"] {
        assert!(names.iter().any(|name| name.ends_with(kind)), "{kind} is among {names:?}");
    }
}
