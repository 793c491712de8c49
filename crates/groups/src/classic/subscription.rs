//! The topics in a consumer's subscription, as the embedded consumer protocol has them.

use crate::group::SubscribedTopics;

/// Adds the topics of one member's metadata to `topics`. None where the bytes are no subscription.
///
/// Every version of the embedded protocol begins with its version, the topics and the user data, so the rest is not
/// looked at. Nothing is allocated but the names found.
pub(super) fn add_topics_of(metadata: &[u8], topics: &mut SubscribedTopics) -> Option<()> {
    let mut rest = metadata;
    take::<2>(&mut rest)?;
    let topic_count = i32::from_be_bytes(take::<4>(&mut rest)?);
    for _ in 0..u32::try_from(topic_count).ok()? {
        let length = usize::try_from(i16::from_be_bytes(take::<2>(&mut rest)?)).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        topics.insert(String::from_utf8_lossy(name).into_owned());
        rest = after;
    }
    let user_data_length = i32::from_be_bytes(take::<4>(&mut rest)?);
    let fits = usize::try_from(user_data_length).map_or(true, |length| length <= rest.len());
    fits.then_some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics_of(metadata: &[u8]) -> Option<Vec<String>> {
        let mut topics = SubscribedTopics::new();
        add_topics_of(metadata, &mut topics).map(|()| topics.into_iter().collect())
    }

    #[test]
    fn topics_are_read_from_every_version() {
        let version_0 = b"\x00\x00\x00\x00\x00\x02\x00\x01b\x00\x02aa\xff\xff\xff\xff";
        assert_eq!(topics_of(version_0), Some(vec!["aa".to_owned(), "b".to_owned()]));
        let version_3 =
            b"\x00\x03\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01u\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff";
        assert_eq!(topics_of(version_3), Some(vec!["t".to_owned()]));
        assert_eq!(topics_of(b"\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"), Some(vec![]));
    }

    #[test]
    fn broken_metadata_says_nothing() {
        assert_eq!(topics_of(b""), None);
        assert_eq!(topics_of(b"\x00\x00\x7f\xff\xff\xff\x00\x01t"), None);
        assert_eq!(topics_of(b"\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(topics_of(b"\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(topics_of(b"\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x05u"), None);
    }
}
