//! Mutated batches and compressed bytes: the bodies of the fuzz targets, run on stable Rust.

use records::{BatchBuilder, Codec, Compression};

#[path = "../../../fuzz/decoders/mutation.rs"]
mod mutation;
#[path = "../../../fuzz/decoders/record_batches.rs"]
mod record_batches;

use mutation::Mutator;

const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 1000;

#[test]
fn batches_and_codecs_survive_hostile_bytes() {
    let mut mutator = Mutator::new(SEED);
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(5).compression(Compression::of(codec));
        for index in 0..20u8 {
            builder.append(1_700_000_000_000, Some(&[index]), Some(&[index; 50]), &[]);
        }
        let batch = builder.build();
        let compressed = [&[codec.id()], &batch[records::BATCH_OVERHEAD..]].concat();
        for _ in 0..MUTATIONS {
            record_batches::record_batches(&mutator.mutated(&batch));
            record_batches::decompression(&mutator.mutated(&compressed));
            record_batches::decompression(&mutator.random(100));
        }
    }
}
