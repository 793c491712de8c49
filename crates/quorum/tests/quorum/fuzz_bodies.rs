//! Mutated files of the metadata log's directory: the body of the fuzz target, run on stable Rust.

#[path = "../../../../fuzz/decoders/metadata_directory.rs"]
mod metadata_directory;
#[path = "../../../../fuzz/decoders/mutation.rs"]
mod mutation;

use storage::disk::read_small_file;

use metadata_directory::{LEFT_BEHIND, metadata_directory};
use mutation::Mutator;

const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 60;

#[test]
fn files_of_the_metadata_log_survive_hostile_bytes() {
    let (disk, files) = &*LEFT_BEHIND;
    let mut mutator = Mutator::new(SEED);
    for (picked, path) in files.iter().enumerate() {
        let contents = read_small_file(disk, path, 1 << 20).unwrap();
        let picked = u8::try_from(picked).unwrap();
        for _ in 0..MUTATIONS {
            metadata_directory(&[&[picked], &mutator.mutated(&contents)[..]].concat());
        }
    }
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    for kind in ["quorum-state", "partition.metadata", ".checkpoint", ".log"] {
        assert!(names.iter().any(|name| name.ends_with(kind)), "{kind} is among {names:?}");
    }
}
