//! What each codec's reader takes and refuses.

use super::*;

const LIMIT: usize = 1 << 26;

fn refused(codec: Codec, input: &[u8]) -> bool {
    matches!(codec.decompress(&Bytes::copy_from_slice(input), LIMIT), Err(RecordsError::Decompression { .. }))
}

#[test]
fn levels_have_kafkas_ranges() {
    for (codec, inside, outside) in [
        (Codec::Gzip, [-1, 1, 9], [0, 10, -2]),
        (Codec::Lz4, [1, 9, 17], [0, 18, -1]),
        (Codec::Zstd, [-131_072, 0, 22], [-131_073, 23, i32::MAX]),
    ] {
        for level in inside {
            let compression = Compression::with_level(codec, level).expect("inside");
            let compressed = Bytes::from(compression.compress(b"text").expect("compresses"));
            assert_eq!(codec.decompress(&compressed, LIMIT).expect("readable"), "text");
        }
        assert!(outside.iter().all(|level| Compression::with_level(codec, *level).is_none()));
    }
}

#[test]
fn numbers_and_names_are_kafkas() {
    let names: Vec<_> = Codec::ALL.iter().map(|codec| (codec.id(), codec.name())).collect();
    assert_eq!(names, [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")]);
    assert_eq!(Codec::from_id(5), Err(RecordsError::UnknownCompression(5)));
}

#[test]
fn cut_off_data_is_refused() {
    let text = b"some text that repeats, some text that repeats, some text that repeats".repeat(10);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let compressed = Compression::of(codec).compress(&text).expect("compresses");
        assert!(refused(codec, &compressed[..compressed.len() - 1]), "{codec:?}");
        assert!(refused(codec, &[]), "{codec:?}");
    }
}

#[test]
fn claimed_sizes_are_not_believed() {
    // A raw block of snappy that claims 2^32-1 bytes.
    assert!(refused(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0]));
    let mut framed = snappy::XERIAL_HEADER.to_vec();
    framed.extend_from_slice(&i32::MAX.to_be_bytes());
    assert!(refused(Codec::Snappy, &framed));
    // A zstd frame whose header claims 2^62 bytes of content.
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1100_0000, 0];
    zstd.extend_from_slice(&(1_u64 << 62).to_le_bytes());
    assert!(refused(Codec::Zstd, &zstd));
    // A zstd frame with a window of 2 GiB.
    assert!(refused(Codec::Zstd, &[0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3, 1, 0, 0]));
}

#[test]
fn snappy_is_read_raw_and_in_frames_one_after_another() {
    let raw = snap::raw::Encoder::new().compress_vec(b"raw").expect("compresses");
    assert_eq!(Codec::Snappy.decompress(&raw.into(), LIMIT).expect("readable"), "raw");
    let framed = Compression::of(Codec::Snappy).compress(b"once ").expect("compresses");
    let twice = Bytes::from([&framed[..], &framed].concat());
    assert_eq!(Codec::Snappy.decompress(&twice, LIMIT).expect("readable"), "once once ");
}

#[test]
fn gzip_members_follow_one_another_and_rubbish_after_them_is_ignored() {
    let member = Compression::of(Codec::Gzip).compress(b"once ").expect("compresses");
    let twice = Bytes::from([&member[..], &member, b"rubbish"].concat());
    assert_eq!(Codec::Gzip.decompress(&twice, LIMIT).expect("readable"), "once once ");
    let mut damaged = member.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    assert!(refused(Codec::Gzip, &damaged), "the checksum at the end");
}

#[test]
fn lz4_frames_are_as_strict_as_kafkas() {
    let frame = Compression::of(Codec::Lz4).compress(b"text").expect("compresses");
    assert_eq!(frame[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82], "the header Kafka writes");
    for (at, bit) in [(0, 1), (4, 0x20), (4, 0x80), (4, 0x01), (5, 0x80), (5, 0x01), (5, 0x40), (6, 1)] {
        let mut damaged = frame.clone();
        damaged[at] ^= bit;
        assert!(refused(Codec::Lz4, &damaged), "byte {at}, bit {bit}");
    }
    let after = Bytes::from([&frame[..], b"rubbish"].concat());
    assert_eq!(Codec::Lz4.decompress(&after, LIMIT).expect("readable"), "text");
}

#[test]
fn a_bomb_stops_at_the_limit() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bomb = Bytes::from(Compression::of(codec).compress(&vec![0; 20 << 20]).expect("compresses"));
        let error = codec.decompress(&bomb, 1 << 20).expect_err("a bomb");
        assert_eq!(error, RecordsError::DecompressedTooLarge { limit: 1 << 20 }, "{codec:?}");
    }
}
