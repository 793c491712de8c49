//! A topology made concrete: how many tasks each subtopology has, and which internal topics are missing.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;
use protocol::coordinator_records::StreamsGroupTopologyValue;
use protocol::coordinator_records::streams_group_topology_value as stored;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::messages::streams_group_heartbeat_request as request;

use crate::cluster::Cluster;
use crate::refusal::Refusal;

/// `Status` codes of a heartbeat's answer.
pub(super) mod status {
    pub(in crate::streams) const STALE_TOPOLOGY: i8 = 0;
    pub(in crate::streams) const MISSING_SOURCE_TOPICS: i8 = 1;
    pub(in crate::streams) const INCORRECTLY_PARTITIONED_TOPICS: i8 = 2;
    pub(in crate::streams) const MISSING_INTERNAL_TOPICS: i8 = 3;
    pub(in crate::streams) const SHUTDOWN_APPLICATION: i8 = 4;
    pub(in crate::streams) const ASSIGNMENT_DELAYED: i8 = 5;
    pub(in crate::streams) const MISSING_CLIENT_TAGS: i8 = 6;
}

/// A subtopology with its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subtopology {
    pub(crate) task_count: i32,
    pub(crate) is_stateful: bool,
    /// What its tasks read: source and repartition topics.
    pub(crate) source_topics: BTreeSet<String>,
}

/// A topology that was checked against the cluster's topics.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Configured {
    /// Absent where the topics do not allow to tell.
    pub(crate) subtopologies: Option<BTreeMap<String, Subtopology>>,
    /// Partitions that internal topics have or are to have.
    pub(crate) partitions: BTreeMap<String, i32>,
    pub(crate) topics_to_create: Vec<CreatableTopic>,
    /// Why it cannot run yet: a status code and words.
    pub(crate) obstacle: Option<(i8, String)>,
}

impl Configured {
    pub(crate) fn is_ready(&self) -> bool {
        self.obstacle.is_none()
    }
}

/// Why a topology cannot be configured.
enum Failure {
    /// The cluster's topics do not fit; they may later.
    Topics(i8, String),
    /// It can never run.
    Invalid(String),
}

/// The topology of a heartbeat as its record has it.
pub(super) fn stored_topology(topology: &request::Topology) -> StreamsGroupTopologyValue {
    let topic = |topic: &request::TopicInfo| {
        let mut configs: Vec<stored::TopicConfig> = topic
            .topic_configs
            .iter()
            .map(|config| stored::TopicConfig {
                key: config.key.clone(),
                value: config.value.clone(),
                ..stored::TopicConfig::default()
            })
            .collect();
        configs.sort_by(|one, other| one.key.cmp(&other.key));
        stored::TopicInfo {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            topic_configs: configs,
            ..stored::TopicInfo::default()
        }
    };
    let topics = |topics: &[request::TopicInfo]| -> Vec<stored::TopicInfo> {
        let mut topics: Vec<stored::TopicInfo> = topics.iter().map(topic).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        topics
    };
    let copartition = |group: &request::CopartitionGroup| stored::CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_source_topics: group.repartition_source_topics.clone(),
        ..stored::CopartitionGroup::default()
    };
    let subtopologies = topology.subtopologies.iter().map(|subtopology| stored::Subtopology {
        subtopology_id: subtopology.subtopology_id.clone(),
        source_topics: subtopology.source_topics.clone(),
        source_topic_regex: subtopology.source_topic_regex.clone(),
        state_changelog_topics: topics(&subtopology.state_changelog_topics),
        repartition_sink_topics: subtopology.repartition_sink_topics.clone(),
        // Copartition groups name these by their place.
        repartition_source_topics: subtopology.repartition_source_topics.iter().map(topic).collect(),
        copartition_groups: subtopology.copartition_groups.iter().map(copartition).collect(),
        ..stored::Subtopology::default()
    });
    StreamsGroupTopologyValue {
        epoch: topology.epoch,
        subtopologies: subtopologies.collect(),
        ..StreamsGroupTopologyValue::default()
    }
}

/// Every topic that the topology needs.
pub(super) fn required_topics(topology: &StreamsGroupTopologyValue) -> BTreeSet<&str> {
    topology.subtopologies.iter().flat_map(topics_of).collect()
}

fn topics_of(subtopology: &stored::Subtopology) -> impl Iterator<Item = &str> {
    let internal = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
    subtopology.source_topics.iter().map(String::as_str).chain(internal.map(|topic| topic.name.as_str()))
}

/// What the subtopology's tasks read.
pub(super) fn sources_of(subtopology: &stored::Subtopology) -> impl Iterator<Item = &str> {
    let repartition = subtopology.repartition_source_topics.iter().map(|topic| topic.name.as_str());
    subtopology.source_topics.iter().map(String::as_str).chain(repartition)
}

/// Checks a topology against the cluster's topics.
///
/// # Errors
/// STREAMS_INVALID_TOPOLOGY for one that no topics would help.
pub(super) fn configure(
    topology: &StreamsGroupTopologyValue,
    cluster: &Cluster,
) -> Result<Configured, Refusal> {
    match (Configuring { topology, cluster, decided: BTreeMap::new() }).configure() {
        Ok(configured) => Ok(configured),
        Err(Failure::Topics(code, message)) => {
            Ok(Configured { obstacle: Some((code, message)), ..Configured::default() })
        }
        Err(Failure::Invalid(message)) => Err(Refusal::new(ErrorCode::StreamsInvalidTopology, message)),
    }
}

struct Configuring<'a> {
    topology: &'a StreamsGroupTopologyValue,
    cluster: &'a Cluster,
    /// Partitions of internal topics.
    decided: BTreeMap<String, i32>,
}

impl Configuring<'_> {
    fn configure(mut self) -> Result<Configured, Failure> {
        self.check_sources()?;
        self.decide_repartition_topics()?;
        self.enforce_copartitioning()?;
        for subtopology in &self.topology.subtopologies {
            let tasks = self.task_count(subtopology)?;
            let changelogs = subtopology.state_changelog_topics.iter();
            self.decided.extend(changelogs.map(|topic| (topic.name.clone(), tasks)));
        }
        let topics_to_create = self.missing_topics()?;
        let mut subtopologies = BTreeMap::new();
        for subtopology in &self.topology.subtopologies {
            let configured = Subtopology {
                task_count: self.task_count(subtopology)?,
                is_stateful: !subtopology.state_changelog_topics.is_empty(),
                source_topics: sources_of(subtopology).map(str::to_owned).collect(),
            };
            subtopologies.insert(subtopology.subtopology_id.clone(), configured);
        }
        let obstacle = (!topics_to_create.is_empty()).then(|| {
            let names = summary(topics_to_create.iter().map(|topic| topic.name.as_str()));
            (status::MISSING_INTERNAL_TOPICS, format!("Internal topics are missing: {names}"))
        });
        let partitions = self.decided;
        Ok(Configured { subtopologies: Some(subtopologies), partitions, topics_to_create, obstacle })
    }

    fn partition_count(&self, topic: &str) -> Option<i32> {
        let existing = self.cluster.topic_id(topic).and_then(|id| self.cluster.partition_count(id));
        existing.or_else(|| self.decided.get(topic).copied())
    }

    fn check_sources(&self) -> Result<(), Failure> {
        let sources = self.topology.subtopologies.iter().flat_map(|subtopology| &subtopology.source_topics);
        let missing: BTreeSet<&str> =
            sources.map(String::as_str).filter(|topic| self.cluster.topic_id(topic).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Source topics {} are missing.", summary(missing.into_iter()));
        Err(Failure::Topics(status::MISSING_SOURCE_TOPICS, message))
    }

    /// A repartition topic has as many partitions as the widest topic that what writes it reads.
    fn decide_repartition_topics(&mut self) -> Result<(), Failure> {
        let mut counts: BTreeMap<String, i32> = BTreeMap::new();
        let repartition =
            self.topology.subtopologies.iter().flat_map(|subtopology| &subtopology.repartition_source_topics);
        for topic in repartition.clone().filter(|topic| topic.partitions != 0) {
            counts.insert(topic.name.clone(), topic.partitions);
        }
        loop {
            let (mut is_open, mut has_progressed) = (false, false);
            for subtopology in &self.topology.subtopologies {
                for sink in &subtopology.repartition_sink_topics {
                    if counts.contains_key(sink) {
                        continue;
                    }
                    let repartition = subtopology.repartition_source_topics.iter();
                    let repartition = repartition.filter_map(|topic| counts.get(&topic.name).copied());
                    let sources = subtopology.source_topics.iter();
                    let sources = sources.filter_map(|topic| self.partition_count(topic));
                    match repartition.chain(sources).max() {
                        Some(count) => {
                            counts.insert(sink.clone(), count);
                            has_progressed = true;
                        }
                        None => is_open = true,
                    }
                }
            }
            if !is_open {
                break;
            }
            if !has_progressed {
                return Err(Failure::Invalid(
                    "Failed to compute number of partitions for all repartition topics. There may be loops in the \
                     topology that cannot be resolved."
                        .to_owned(),
                ));
            }
        }
        if repartition.into_iter().any(|topic| !counts.contains_key(&topic.name)) {
            return Err(Failure::Invalid(
                "Failed to compute number of partitions for all repartition topics, because a repartition source topic \
                 is never used as a sink topic."
                    .to_owned(),
            ));
        }
        self.decided = counts;
        Ok(())
    }

    fn enforce_copartitioning(&mut self) -> Result<(), Failure> {
        let all = || {
            self.topology.subtopologies.iter().flat_map(|subtopology| &subtopology.repartition_source_topics)
        };
        let fixed: BTreeSet<String> =
            all().filter(|topic| topic.partitions != 0).map(|topic| topic.name.clone()).collect();
        let repartition: BTreeSet<String> = all().map(|topic| topic.name.clone()).collect();
        for subtopology in &self.topology.subtopologies {
            for group in &subtopology.copartition_groups {
                let topics = copartitioned(subtopology, group)?;
                self.enforce(&topics, &fixed, &repartition)?;
            }
        }
        Ok(())
    }

    fn enforce(
        &mut self,
        topics: &BTreeSet<String>,
        fixed: &BTreeSet<String>,
        repartition: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let mut counts: BTreeMap<String, i32> = BTreeMap::new();
        for topic in topics {
            let count = self.partition_count(topic).ok_or_else(|| not_set(topic))?;
            counts.insert(topic.clone(), count);
        }
        let of_sources = counts.iter().filter(|(topic, _)| !repartition.contains(*topic));
        let of_sources: BTreeMap<&String, &i32> = of_sources.collect();
        let of_fixed: BTreeMap<&String, &i32> =
            counts.iter().filter(|(topic, _)| fixed.contains(*topic)).collect();
        let rule = if !of_sources.is_empty() { &of_sources } else { &of_fixed };
        let count = match rule.values().next() {
            Some(first) if rule.values().all(|count| count == first) => **first,
            Some(_) => {
                let shown: Vec<String> =
                    rule.iter().map(|(topic, count)| format!("{topic}={count}")).collect();
                let shown = shown.join(", ");
                let message =
                    format!("Following topics do not have the same number of partitions: [{{{shown}}}]");
                return Err(Failure::Topics(status::INCORRECTLY_PARTITIONED_TOPICS, message));
            }
            None => counts.values().copied().max().unwrap_or(0),
        };
        for topic in topics.iter().filter(|topic| repartition.contains(*topic)) {
            let own = counts.get(topic).copied().unwrap_or(count);
            if fixed.contains(topic) && own != count {
                let message = format!(
                    "Number of partitions [{own}] of repartition topic [{topic}] doesn't match number of partitions \
                     [{count}] of the source topic."
                );
                return Err(Failure::Topics(status::INCORRECTLY_PARTITIONED_TOPICS, message));
            }
            self.decided.insert(topic.clone(), count);
        }
        Ok(())
    }

    fn task_count(&self, subtopology: &stored::Subtopology) -> Result<i32, Failure> {
        let mut most = None;
        for topic in sources_of(subtopology) {
            let count = self.partition_count(topic).ok_or_else(|| not_set(topic))?;
            most = most.max(Some(count));
        }
        most.ok_or_else(|| {
            Failure::Invalid(format!("No source topics found for subtopology {}", subtopology.subtopology_id))
        })
    }

    fn missing_topics(&self) -> Result<Vec<CreatableTopic>, Failure> {
        let mut missing = BTreeMap::new();
        let subtopologies = self.topology.subtopologies.iter();
        let internal = subtopologies.flat_map(|subtopology| {
            subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics)
        });
        for topic in internal {
            let decided = self.decided.get(&topic.name).copied();
            let expected = if topic.partitions == 0 { decided } else { Some(topic.partitions) };
            let expected = expected.ok_or_else(|| not_set(&topic.name))?;
            match self.cluster.topic_id(&topic.name).and_then(|id| self.cluster.partition_count(id)) {
                Some(found) if found != expected => {
                    let name = &topic.name;
                    let message = format!(
                        "Existing topic {name} has different number of partitions: expected {expected}, found {found}"
                    );
                    return Err(Failure::Topics(status::INCORRECTLY_PARTITIONED_TOPICS, message));
                }
                Some(_) => {}
                None => drop(missing.insert(topic.name.clone(), creatable(topic, expected))),
            }
        }
        Ok(missing.into_values().collect())
    }
}

fn not_set(topic: &str) -> Failure {
    Failure::Invalid(format!("Number of partitions is not set for topic: {topic}"))
}

fn copartitioned(
    subtopology: &stored::Subtopology,
    group: &stored::CopartitionGroup,
) -> Result<BTreeSet<String>, Failure> {
    let at = |index: &i16| usize::try_from(*index).unwrap_or(usize::MAX);
    let sources = group.source_topics.iter().map(|index| subtopology.source_topics.get(at(index)));
    let repartition = group.repartition_source_topics.iter();
    let repartition = repartition
        .map(|index| subtopology.repartition_source_topics.get(at(index)).map(|topic| &topic.name));
    let topics: Option<BTreeSet<String>> = sources.chain(repartition).map(|topic| topic.cloned()).collect();
    topics.ok_or_else(|| Failure::Invalid("A copartition group names a topic that is not there.".to_owned()))
}

fn creatable(topic: &stored::TopicInfo, partitions: i32) -> CreatableTopic {
    let configs = topic.topic_configs.iter().map(|config| CreatableTopicConfig {
        name: config.key.clone(),
        value: Some(config.value.clone()),
        ..CreatableTopicConfig::default()
    });
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: partitions,
        replication_factor: if topic.replication_factor == 0 { -1 } else { topic.replication_factor },
        configs: configs.collect(),
        ..CreatableTopic::default()
    }
}

/// The first three names, and how many more there are.
fn summary<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown: Vec<&str> = names.iter().copied().take(3).collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} additional topics") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
