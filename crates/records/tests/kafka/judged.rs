//! The same produced batches given to Kafka's validator and to ours.

use std::collections::BTreeMap;

use bytes::Bytes;
use records::{
    AppendOrigin, Codec, Compression, InvalidBatch, TargetCompression, TimestampType, ValidationRules,
    check_produced, validate,
};

use crate::cases::{Case, Damage, NOW_MS, Numbers, case};
use crate::description::describe;
use crate::prepared;

const CASES: usize = 20_000;
const FIRST_OFFSET: i64 = 1_000;
const LEADER_EPOCH: i32 = 6;

#[test]
fn both_validators_answer_alike() {
    let Some(folder) = prepared::folder() else { return };
    let mut numbers = Numbers(44);
    let cases: Vec<Case> = (0..CASES).map(|_| case(&mut numbers)).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut input = Vec::new();
    for case in &cases {
        input.extend_from_slice(&(case.bytes.len() as u32).to_be_bytes());
        input.push(case.options);
        input.extend_from_slice(&case.bytes);
    }
    std::fs::write(file.path(), input).expect("writable");
    let answers = prepared::java(&folder, "judge", file.path());
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    assert_eq!(answers.lines().count(), CASES);
    for (index, (case, theirs)) in cases.iter().zip(answers.lines()).enumerate() {
        let ours = answer(case).replace('\n', "|");
        if !is_alike(case, theirs, &ours) {
            differences.push(format!("case {index} {case:?}\nKafka {theirs:.600}\nours  {ours:.600}\n"));
        }
        *tally.entry(theirs.split(' ').next().unwrap_or_default()).or_default() += 1;
    }
    println!("note: {CASES} batches judged alike, by Kafka's answer: {tally:?}");
    for expected in ["NONE", "INVALID_RECORD", "CORRUPT_MESSAGE", "INVALID_TIMESTAMP", "MESSAGE_TOO_LARGE"] {
        assert!(
            tally.get(expected).is_some_and(|count| *count > 50),
            "too few cases of {expected}: {tally:?}"
        );
    }
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
}

/// Whether the answers agree, but for what we refuse or repair on purpose.
fn is_alike(case: &Case, theirs: &str, ours: &str) -> bool {
    if theirs == ours {
        return true;
    }
    let (is_theirs_accepted, is_ours_accepted) = (theirs.starts_with("NONE"), ours.starts_with("NONE"));
    // Kafka appends compressed records whose size field lies, and then nobody can read them.
    if ours == "INVALID_RECORD" && is_unreadable(&case.bytes) {
        return theirs == "NONE unreadable" || !is_theirs_accepted;
    }
    // A batch longer than 2 GiB overflows a number in Kafka; here it is an incomplete batch.
    let length = case.bytes.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    if length.is_some_and(|length| length > i32::MAX - 12) {
        return theirs == "UNKNOWN_SERVER_ERROR" && ours == "INVALID_RECORD";
    }
    // Kafka's rewriting replaces what is not UTF-8 in a header's name.
    if theirs.contains("efbfbd") {
        return is_ours_accepted;
    }
    // Kafka keeps the offset deltas of uncompressed records even where they do not count up.
    if is_theirs_accepted && is_ours_accepted {
        return !is_dense(theirs) && is_dense(ours);
    }
    // Codecs notice damage at different points. Java's also pass over reserved bits of gzip and matches of LZ4 that
    // point nowhere, which ours refuse.
    case.damage == Damage::Compressed
        && (is_theirs_accepted == is_ours_accepted || ours == "UNKNOWN_SERVER_ERROR")
}

/// Whether no consumer could read the records, though the batch is whole.
fn is_unreadable(bytes: &Bytes) -> bool {
    let Some(Ok(batch)) = records::batches(bytes).next() else { return false };
    batch.records(1 << 20).is_ok_and(|mut records| records.any(|record| record.is_err()))
}

fn is_dense(description: &str) -> bool {
    let offsets = description.split("record offset=").skip(1);
    offsets.enumerate().all(|(index, rest)| {
        rest.split(' ').next().and_then(|offset| offset.parse().ok()) == Some(FIRST_OFFSET + index as i64)
    })
}

fn answer(case: &Case) -> String {
    match append(case) {
        Ok(bytes) => format!("NONE {}", describe(&bytes).expect("what is accepted can be read")),
        Err(error) if error.record_errors.is_empty() => error.error_code.name().into(),
        Err(error) => {
            let at: Vec<String> =
                error.record_errors.iter().map(|error| error.batch_index.to_string()).collect();
            format!("{} {}", error.error_code.name(), at.join(","))
        }
    }
}

fn append(case: &Case) -> Result<Bytes, InvalidBatch> {
    let is_small = case.options & 4 != 0;
    let defaults = ValidationRules::defaults(AppendOrigin::Client, NOW_MS);
    let rules = ValidationRules {
        compacted: case.options & 1 != 0,
        timestamp_type: match case.options & 2 {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        },
        compression: match case.options >> 3 {
            0 => TargetCompression::Producer,
            target => TargetCompression::Fixed(Compression::of(Codec::from_id(target - 1).expect("a codec"))),
        },
        max_message_bytes: if is_small { 300 } else { 1 << 20 },
        timestamp_before_max_ms: if is_small { 1_000_000 } else { i64::MAX },
        max_decompressed_message_bytes: if is_small { 150 } else { defaults.max_decompressed_message_bytes },
        ..defaults
    };
    check_produced(&case.bytes, 9)?;
    let mut whole = Vec::new();
    for mut batch in validate(&case.bytes, &rules)? {
        batch.assign(FIRST_OFFSET, LEADER_EPOCH);
        whole.extend_from_slice(&batch.head);
        whole.extend_from_slice(&batch.tail);
    }
    Ok(whole.into())
}
