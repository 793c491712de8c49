//! What must hold in the end, however often the server was killed.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};

use crate::producer::Acknowledged;
use crate::reader::Seen;

/// A record's producer, and its number among those that the producer sent to the topic.
fn name(value: &str) -> Result<(usize, u64)> {
    let mut parts = value.split('/');
    let producer = parts.next().context("a producer")?.parse()?;
    Ok((producer, parts.next().context("a number")?.parse()?))
}

/// Each acknowledged record stands where its acknowledgement said, and there is nothing else.
pub fn acknowledged_once<'a>(
    topic: usize,
    stored: &Seen,
    acknowledged: impl IntoIterator<Item = &'a Acknowledged>,
) -> Result<usize> {
    let mut count = 0;
    for batch in acknowledged.into_iter().filter(|batch| batch.topic == topic) {
        let base = usize::try_from(batch.base_offset)?;
        for (value, offset) in batch.values.iter().zip(base..) {
            let found = stored.get(offset);
            ensure!(
                found == Some(value),
                "topic {topic}, offset {offset}: acknowledged {value:?}, but there is {found:?}"
            );
            count += 1;
        }
    }
    ensure!(count == stored.len(), "topic {topic}: {} records stored, but {count} were sent", stored.len());
    Ok(count)
}

/// Each producer's records once, in the order of sending.
pub fn in_order_without_doubles(topic: usize, stored: &Seen) -> Result<()> {
    let mut next: HashMap<usize, u64> = HashMap::new();
    for (offset, value) in stored.iter().enumerate() {
        let (producer, number) = name(value)?;
        let expected = next.entry(producer).or_default();
        ensure!(
            number == *expected,
            "topic {topic}, offset {offset}: record {number} of producer {producer} instead of {expected}"
        );
        *expected += 1;
    }
    Ok(())
}

/// What a consumer saw once is there for good.
pub fn nothing_seen_has_changed(topic: usize, stored: &Seen, seen: &Seen) -> Result<()> {
    for (offset, value) in seen.iter().enumerate() {
        let now = stored.get(offset);
        ensure!(
            now == Some(value),
            "topic {topic}, offset {offset}: a reader saw {value:?}, and now there is {now:?}"
        );
    }
    Ok(())
}

#[test]
fn every_kind_of_loss_is_found() {
    let values = |names: &[&str]| names.iter().map(|name| format!("{name}/")).collect::<Vec<_>>();
    let sent = [
        Acknowledged { topic: 0, base_offset: 1, values: values(&["1/0", "1/1"]) },
        Acknowledged { topic: 0, base_offset: 0, values: values(&["2/0"]) },
    ];
    let good = values(&["2/0", "1/0", "1/1"]);
    assert_eq!(acknowledged_once(0, &good, &sent).expect("all there"), 3);
    assert!(in_order_without_doubles(0, &good).is_ok());
    assert!(acknowledged_once(0, &values(&["2/0", "1/0"]), &sent).is_err(), "one is missing");
    assert!(
        acknowledged_once(0, &values(&["2/0", "1/0", "1/1", "1/1"]), &sent).is_err(),
        "one is there twice"
    );
    assert!(acknowledged_once(0, &values(&["1/0", "2/0", "1/1"]), &sent).is_err(), "two have changed places");
    assert!(in_order_without_doubles(0, &values(&["2/0", "1/0", "1/0"])).is_err());
    assert!(nothing_seen_has_changed(0, &good, &values(&["2/0"])).is_ok());
    assert!(nothing_seen_has_changed(0, &good, &values(&["1/0"])).is_err());
    assert!(nothing_seen_has_changed(0, &values(&["2/0"]), &good).is_err());
}
