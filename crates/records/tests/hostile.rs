//! Whatever bytes come: no panic, bounded memory, and what is accepted can be read. The bodies are those of the fuzz targets.

use bytes::Bytes;
use proptest::prelude::*;
use records::{BATCH_OVERHEAD, BatchBuilder, BatchHeader, Codec, Compression, RecordHeader, batches};

#[path = "../../../fuzz/decoders/record_batches.rs"]
mod decoders;
#[path = "../../../fuzz/decoders/mutation.rs"]
mod mutation;

use decoders::{decompression, record_batches};
use mutation::Mutator;

/// Most bytes that reading one batch may decompress to here.
const LIMIT: usize = 1 << 20;
const SEED: u64 = 20_261_121;
const MUTATIONS: usize = 1000;

#[test]
fn mutated_batches_and_compressed_bytes_are_survived() {
    let mut mutator = Mutator::new(SEED);
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(5).compression(Compression::of(codec));
        for index in 0..20u8 {
            builder.append(1_700_000_000_000, Some(&[index]), Some(&[index; 50]), &[]);
        }
        let batch = builder.build();
        let compressed = [&[codec.id()], &batch[BATCH_OVERHEAD..]].concat();
        for _ in 0..MUTATIONS {
            let options = mutator.below(256) as u8;
            record_batches(&[&[options], &mutator.mutated(&batch)[..]].concat());
            decompression(&mutator.mutated(&compressed));
            decompression(&mutator.random(100));
        }
    }
}

type Fields = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn fields() -> impl Strategy<Value = Fields> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    (any::<i64>(), prop::option::of(bytes()), prop::option::of(bytes()), headers)
}

fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(Codec::ALL.to_vec())
}

fn build(codec: Codec, records: &[Fields]) -> Bytes {
    let mut builder = BatchBuilder::new(0).compression(Compression::of(codec)).producer(4, 2, i32::MAX - 1);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key: key.clone().into(),
                value: value.clone().map(Bytes::from),
            })
            .collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build()
}

proptest! {
    #[test]
    fn what_is_built_is_read_again(codec in codec(), records in prop::collection::vec(fields(), 1..20)) {
        let bytes = build(codec, &records);
        let batch = batches(&bytes).next().expect("one").expect("readable");
        batch.verify_crc().expect("sealed");
        prop_assert_eq!(BatchHeader::parse(&batch.header.to_bytes()), Ok(batch.header));
        let read: Vec<_> = batch.records(LIMIT).expect("readable").map(|record| record.expect("readable")).collect();
        prop_assert_eq!(read.len(), records.len());
        for (index, (record, (timestamp, key, value, headers))) in read.iter().zip(&records).enumerate() {
            prop_assert_eq!(record.offset, index as i64);
            prop_assert_eq!(record.timestamp, *timestamp);
            prop_assert_eq!(record.key.as_deref(), key.as_deref());
            prop_assert_eq!(record.value.as_deref(), value.as_deref());
            prop_assert_eq!(record.headers.len(), headers.len());
        }
    }

    #[test]
    fn compression_is_undone(codec in codec(), data in prop::collection::vec(any::<u8>(), 0..5_000), times in 1..60usize) {
        let data = data.repeat(times);
        let compressed = Bytes::from(Compression::of(codec).compress(&data).expect("compresses"));
        if codec == Codec::Snappy && data.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(codec.decompress(&compressed, data.len()).expect("within the limit"), &data);
        if codec != Codec::None && !data.is_empty() {
            prop_assert!(codec.decompress(&compressed, data.len() - 1).is_err());
        }
    }

    #[test]
    fn noise_is_survived(data in prop::collection::vec(any::<u8>(), 0..300)) {
        record_batches(&data);
    }

    #[test]
    fn noise_in_place_of_compressed_records_is_survived(
        options in any::<u8>(), codec in codec(), body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = build(codec, &[(0, None, None, vec![])]).to_vec();
        bytes.truncate(BATCH_OVERHEAD);
        bytes.extend_from_slice(&body);
        record_batches(&resealed(options, bytes));
    }

    #[test]
    fn changed_batches_are_survived(
        options in any::<u8>(),
        codec in codec(),
        records in prop::collection::vec(fields(), 1..8),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = build(codec, &records).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut unsealed = vec![options];
        unsealed.extend_from_slice(&bytes);
        record_batches(&unsealed);
        record_batches(&resealed(options, bytes));
    }
}

/// The input with length and checksum that are right, so that what follows them is looked at.
fn resealed(options: u8, mut bytes: Vec<u8>) -> Vec<u8> {
    let length = (bytes.len() - 12) as u32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    let crc = records::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.insert(0, options);
    bytes
}
