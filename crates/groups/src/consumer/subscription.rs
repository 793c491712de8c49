//! What a group's members are subscribed to, by name and by regular expression.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Uuid;

use super::ConsumerGroup;
use super::member::ConsumerMember;
use crate::cluster::Cluster;

/// How a topic is subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SubscriptionCount {
    /// By how many members by its name.
    pub(crate) by_name: usize,
    /// By how many regular expressions.
    pub(crate) by_regex: usize,
}

/// The topics that match a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResolvedRegex {
    pub(crate) topics: BTreeSet<String>,
    /// The metadata offset it was resolved at.
    pub(crate) version: i64,
    pub(crate) timestamp_ms: i64,
}

impl ConsumerGroup {
    pub(super) fn count_name(&mut self, topic: &str, is_added: bool) {
        self.count(topic, |count| count.by_name = step(count.by_name, is_added));
    }

    pub(super) fn count_resolved(&mut self, resolved: &ResolvedRegex, is_added: bool) {
        for topic in &resolved.topics {
            self.count(topic, |count| count.by_regex = step(count.by_regex, is_added));
        }
    }

    fn count(&mut self, topic: &str, change: impl FnOnce(&mut SubscriptionCount)) {
        let mut count = self.subscribed_topics.get(topic).copied().unwrap_or_default();
        change(&mut count);
        if count == SubscriptionCount::default() {
            self.subscribed_topics.remove(topic);
        } else {
            self.subscribed_topics.insert(topic.to_owned(), count);
        }
    }

    /// How many members are subscribed to this regular expression.
    pub(super) fn regex_subscriber_count(&self, regex: &str) -> usize {
        self.subscribed_regexes.get(regex).copied().unwrap_or(0)
    }

    /// Whether every member is subscribed to the same topics.
    pub(super) fn is_homogeneous(&self) -> bool {
        let member_count = self.members.len();
        match self.subscribed_regexes.values().next() {
            None => self.subscribed_topics.values().all(|count| count.by_name == member_count),
            Some(count) if *count == member_count => {
                self.subscribed_topics.values().all(|count| count.by_regex == 1 && count.by_name == 0)
            }
            Some(_) => false,
        }
    }

    /// The ids of the topics a member is subscribed to, by name or by a resolved regular expression, that exist.
    pub(super) fn subscribed_topic_ids(&self, cluster: &Cluster, member: &ConsumerMember) -> BTreeSet<Uuid> {
        let resolved = member.regex().and_then(|regex| self.resolved_regexes.get(regex));
        let by_regex = resolved.into_iter().flat_map(|resolved| &resolved.topics);
        cluster.topic_ids(member.subscribed_topic_names.iter().chain(by_regex).map(String::as_str))
    }

    /// The hash of all that the group is subscribed to.
    pub(super) fn compute_metadata_hash(&self, cluster: &mut Cluster) -> i64 {
        cluster.metadata_hash(self.subscribed_topics.keys().map(String::as_str))
    }
}

fn step(count: usize, is_added: bool) -> usize {
    if is_added { count + 1 } else { count.saturating_sub(1) }
}

/// Counts a key of a map up or down; what comes to nothing is taken out.
pub(super) fn count_key(counts: &mut BTreeMap<String, usize>, key: &str, is_added: bool) {
    let count = step(counts.get(key).copied().unwrap_or(0), is_added);
    if count == 0 {
        counts.remove(key);
    } else {
        counts.insert(key.to_owned(), count);
    }
}
