//! Which coordinator partition a group, transactional id or share key belongs to.

/// Java's `String.hashCode`: over UTF-16 units, wrapping.
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of a coordinator topic with `partitions` partitions that holds `key`: the absolute Java hash modulo
/// the partition count, where the one hash without an absolute value counts as 0. A count below 1 gives partition 0.
pub fn coordinator_key_partition(key: &str, partitions: i32) -> i32 {
    let hash = java_string_hash(key);
    let absolute = if hash == i32::MIN { 0 } else { hash.abs() };
    absolute.checked_rem(partitions.max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(java_string_hash(""), 0);
        assert_eq!(java_string_hash("a"), 97);
        assert_eq!(java_string_hash("console-consumer-12345"), 158_455_506);
        assert_eq!(java_string_hash("grüße-𝄞"), 347_391_072);
        assert_eq!(java_string_hash("polygenelubricants"), i32::MIN);
    }

    #[test]
    fn partitions_follow_kafka() {
        assert_eq!(coordinator_key_partition("a", 50), 47);
        assert_eq!(coordinator_key_partition("console-consumer-12345", 50), 6);
        assert_eq!(coordinator_key_partition("polygenelubricants", 50), 0);
        assert_eq!(coordinator_key_partition("roundrobin", 50), 44);
        assert_eq!(coordinator_key_partition("anything", 1), 0);
        assert_eq!(coordinator_key_partition("anything", 0), 0);
    }
}
