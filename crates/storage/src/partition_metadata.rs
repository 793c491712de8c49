//! `partition.metadata`: the topic id a partition's directory belongs to.

use protocol::Uuid;

/// More than is ever in one.
pub const BYTES_MAX: u64 = 4096;

/// The text Kafka writes, without a final line break.
pub fn encode(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Reads the topic id. A file without text is one whose content a crash has taken: `None`.
pub fn decode(text: &str) -> Result<Option<Uuid>, String> {
    if text.trim_matches(['\0', '\n', ' ']).is_empty() {
        return Ok(None);
    }
    let mut lines = text.lines();
    let mut field = |name: &str| -> Result<&str, String> {
        let line = lines.next().ok_or_else(|| format!("no {name} line"))?;
        let value = line.split_once(':').filter(|(key, _)| key.trim() == name);
        value.map(|(_, value)| value.trim()).ok_or_else(|| format!("{line:?} where {name} is due"))
    };
    let version = field("version")?;
    if version != "0" {
        return Err(format!("version {version:?}, expected 0"));
    }
    let topic_id: Uuid = field("topic_id")?.parse().map_err(|_| "the topic id is not one".to_owned())?;
    if topic_id.is_zero() {
        return Err("the topic id is zero".to_owned());
    }
    Ok(Some(topic_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(encode(id), "version: 0\ntopic_id: ASNFZ4mrze_-3LqYdlQyEA");
        assert_eq!(decode(&encode(id)), Ok(Some(id)));
        assert_eq!(decode(""), Ok(None));
        assert_eq!(decode("\0\0\0"), Ok(None));
        let zero = format!("version: 0\ntopic_id: {}", Uuid::ZERO);
        for damaged in
            ["version: 1\ntopic_id: x", "version: 0", "version: 0\ntopic_id: x", "topic_id: x", &zero]
        {
            assert!(decode(damaged).is_err(), "{damaged:?}");
        }
    }
}
