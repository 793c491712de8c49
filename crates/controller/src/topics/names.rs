//! Which names topics can have.

use metadata::{MetadataImage, TopicsImage};

/// Committed offsets and groups.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// Transactions.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// Share groups' positions.
pub const SHARE_GROUP_STATE: &str = "__share_group_state";
/// The metadata log, which is no topic.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

const LENGTH_MAX: usize = 249;

/// Whether the brokers keep their own state in the topic: clients read it, but do not write it.
pub fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

/// Checks a topic's name; the error is what Kafka answers.
pub fn check(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // Kafka counts UTF-16 units.
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > LENGTH_MAX {
        format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}")
    } else if !name.chars().all(legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// A topic that would share its metrics' names: they have `_` for each `.`.
pub(crate) fn colliding(image: &MetadataImage, name: &str) -> Option<String> {
    name.contains(LOOK_ALIKE).then(|| find_colliding(&image.topics, String::new(), name)).flatten()
}

const LOOK_ALIKE: [char; 2] = ['.', '_'];

/// Looks only where a topic begins with what has been spelled so far, so that it takes no longer among many topics.
fn find_colliding(topics: &TopicsImage, spelled: String, rest: &str) -> Option<String> {
    let Some((literal, after)) = rest.split_once(LOOK_ALIKE) else {
        let name = spelled + rest;
        return topics.by_name(&name).map(|topic| topic.name().to_owned());
    };
    LOOK_ALIKE.into_iter().find_map(|letter| {
        let spelled = format!("{spelled}{literal}{letter}");
        let next = topics.iter_from(&spelled).next()?;
        next.name().starts_with(&spelled).then(|| find_colliding(topics, spelled, after)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_rules_in_kafkas_words() {
        assert_eq!(check("orders.v1_eu-west"), Ok(()));
        assert_eq!(check(&"a".repeat(249)), Ok(()));
        let cases = [
            ("", "Topic name is invalid: the empty string is not allowed".to_owned()),
            (".", "Topic name is invalid: '.' is not allowed".to_owned()),
            ("..", "Topic name is invalid: '..' is not allowed".to_owned()),
            (
                "a b",
                "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', \
                 '_' and '-'"
                    .to_owned(),
            ),
            (
                "é",
                "Topic name is invalid: 'é' contains one or more characters other than ASCII alphanumerics, '.', '_' \
                 and '-'"
                    .to_owned(),
            ),
        ];
        for (name, message) in cases {
            assert_eq!(check(name), Err(message));
        }
        let long = "a".repeat(250);
        let message = format!(
            "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
        );
        assert_eq!(check(&long), Err(message));
    }
}
