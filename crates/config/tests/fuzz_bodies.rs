//! Mutated properties files: the body of the fuzz target, run on stable Rust.

#[path = "../../../fuzz/decoders/mutation.rs"]
mod mutation;
#[path = "../../../fuzz/decoders/properties.rs"]
mod properties;

use mutation::Mutator;

const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 20_000;
const VALID: &[u8] = b"# a comment\nlisteners = PLAINTEXT://:9092,\\\n  SSL://:9093\nkey\\ with\\u0020blank: value\\t\\\\\r\n!x\n=\n";

#[test]
fn properties_survive_hostile_bytes() {
    let mut mutator = Mutator::new(SEED);
    for _ in 0..MUTATIONS {
        properties::properties(&mutator.mutated(VALID));
        properties::properties(&mutator.random(60));
    }
}
