//! Good and bad batches as clients might produce them, from a seeded generator.

use bytes::Bytes;
use records::{BATCH_OVERHEAD, BatchBuilder, BatchHeader, Codec, Compression, RecordHeader};

/// The time both validators are given.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// What was done to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing, or to fields and records: both sides must agree on the error.
    Content,
    /// To the compressed bytes: codecs notice at different points, so only whether it is refused is comparable.
    Compressed,
}

/// One input of a validator.
#[derive(Clone, Debug)]
pub struct Case {
    pub bytes: Bytes,
    pub options: u8,
    pub damage: Damage,
}

/// A small generator of numbers (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A case of any kind.
pub fn case(numbers: &mut Numbers) -> Case {
    let codec = numbers.pick(&Codec::ALL);
    let mut bytes = good(numbers, codec).to_vec();
    let mut damage = Damage::Content;
    match numbers.below(8) {
        0 => {}
        1 | 2 => change_header(numbers, &mut bytes),
        3 | 4 => change_records(numbers, codec, &mut bytes),
        5 => {
            let at = BATCH_OVERHEAD + numbers.below(bytes.len() - BATCH_OVERHEAD);
            bytes[at] ^= 1 << numbers.below(8);
            damage = if codec == Codec::None { Damage::Content } else { Damage::Compressed };
            reseal(&mut bytes);
        }
        6 => change_frame(numbers, &mut bytes),
        _ => {
            change_header(numbers, &mut bytes);
            change_records(numbers, codec, &mut bytes);
        }
    }
    let options = numbers.pick(&[0, 0, 1, 2, 4]) | (numbers.pick(&[0, 0, 1, 2, 3, 4, 5]) << 3);
    Case { bytes: bytes.into(), options, damage }
}

fn good(numbers: &mut Numbers, codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(0).compression(Compression::of(codec));
    match numbers.below(4) {
        0 => builder = builder.producer(9, 1, numbers.pick(&[0, 17, i32::MAX])),
        1 => builder = builder.producer(9, 1, 5).transactional(),
        _ => {}
    }
    for _ in 0..=numbers.below(5) {
        let timestamp =
            NOW_MS + numbers.pick(&[0, 1_000, -5_000, -2_000_000, 3_600_000, 3_600_001, -NOW_MS - 1]);
        let key = numbers.pick(&[None, Some(&b"key"[..]), Some(&b""[..]), Some(&b"a longer key"[..])]);
        let value = vec![b'v'; numbers.pick(&[0, 1, 20, 100, 200])];
        let value = numbers.pick(&[true, true, false]).then_some(&value[..]);
        let header = RecordHeader { key: Bytes::from_static(b"h"), value: Some(Bytes::from_static(b"1")) };
        let headers = vec![header; numbers.pick(&[0, 0, 1, 2])];
        builder.append(timestamp, key, value, &headers);
    }
    builder.build()
}

/// A field of the header becomes something else; the checksum is right again.
fn change_header(numbers: &mut Numbers, bytes: &mut [u8]) {
    let mut header = BatchHeader::parse(bytes).expect("built");
    let number = numbers.pick(&[-2_i64, -1, 0, 1, 2, 5, 1 << 20, i64::from(i32::MAX), i64::MAX]);
    match numbers.below(10) {
        0 => header.base_offset = number,
        1 => header.record_count = number as i32,
        2 => header.last_offset_delta = number as i32,
        3 => {
            header.record_count = header.record_count.wrapping_add(numbers.pick(&[-1, 1]));
            header.last_offset_delta = header.record_count.wrapping_sub(1);
        }
        4 => header.attributes ^= 1 << numbers.below(9),
        5 => header.attributes = numbers.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20, 0x40, 0x80, 0x7f00]),
        6 => (header.producer_id, header.base_sequence) = (number, numbers.pick(&[-1, 0, 5, -7])),
        7 => header.base_timestamp = number,
        8 => header.max_timestamp = number,
        _ => header.partition_leader_epoch = number as i32,
    }
    bytes[..BATCH_OVERHEAD].copy_from_slice(&header.to_bytes());
    reseal(bytes);
}

/// A byte of the uncompressed records becomes something else, or some go, or come.
fn change_records(numbers: &mut Numbers, codec: Codec, bytes: &mut Vec<u8>) {
    let tail = Bytes::copy_from_slice(&bytes[BATCH_OVERHEAD..]);
    let mut body = codec.decompress(&tail, 1 << 20).expect("built").to_vec();
    let at = numbers.below(body.len());
    match numbers.below(6) {
        0 | 1 => body[at] ^= 1 << numbers.below(8),
        2 => body[at] = numbers.pick(&[0, 1, 2, 0x7f, 0x80, 0xff]),
        3 => body.truncate(at),
        4 => body.push(0),
        _ => body.splice(at..at, [0xff; 6]).for_each(drop),
    }
    bytes.truncate(BATCH_OVERHEAD);
    bytes.extend_from_slice(&Compression::of(codec).compress(&body).expect("compresses"));
    reseal(bytes);
}

/// What surrounds the batch changes: its length, its magic, its checksum, its neighbours.
fn change_frame(numbers: &mut Numbers, bytes: &mut Vec<u8>) {
    let at = numbers.below(bytes.len());
    match numbers.below(7) {
        0 => bytes.truncate(at),
        1 => bytes[16] = numbers.pick(&[0, 1, 3, 0x7f, 0xff]),
        2 => bytes[17 + numbers.below(4)] ^= 1,
        3 => bytes.extend_from_slice(&bytes.clone()),
        4 => bytes.extend_from_slice(&[0; 30][..numbers.below(30)]),
        5 => bytes.extend_from_slice(&[1; 80][..numbers.below(80)]),
        _ => {
            let length = numbers.pick(&[-1_i32, 0, 13, 30, 48, i32::MAX]);
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
        }
    }
}

fn reseal(bytes: &mut [u8]) {
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = records::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}
