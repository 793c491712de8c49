//! What the coming and going of brokers means for the partitions they hold.

use metadata::{MetadataImage, NO_LEADER, PartitionRegistration, TopicImage, directory_id};
use protocol::Uuid;
use protocol::metadata_records::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord, UnregisterBrokerRecord,
};

use crate::partition_change::{ChangeRules, Election, PartitionChange};
use crate::settings::Controller;

/// Which broker a change is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Affected {
    /// It goes: out of every ISR, and it may not lead.
    pub leaving: Option<i32>,
    /// It comes: it may lead although the image does not say so yet.
    pub coming: Option<i32>,
    /// It stopped without a clean shutdown: out of every ISR and ELR.
    pub unclean: Option<i32>,
}

/// BrokerRegistrationChangeRecord's codes.
pub(crate) const FENCE: i8 = 1;
pub(crate) const UNFENCE: i8 = -1;
const IN_CONTROLLED_SHUTDOWN: i8 = 1;

/// The directory of a new replica on a broker: its only one, else the broker chooses (KIP-858).
pub(crate) fn default_directory(image: &MetadataImage, broker_id: i32) -> Uuid {
    if !image.write_options().metadata_version.supports_directory_assignment() {
        return directory_id::MIGRATING;
    }
    match image.cluster.broker(broker_id).map(|broker| broker.directories.as_slice()) {
        Some([]) => directory_id::MIGRATING,
        Some([only]) => *only,
        _ => directory_id::UNASSIGNED,
    }
}

impl Controller {
    /// Prepares a change of a partition and lets `wish` say what is wanted.
    pub(crate) fn change_partition(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        (partition_id, partition): (i32, &PartitionRegistration),
        is_active: impl Fn(i32) -> bool,
        wish: impl FnOnce(&mut PartitionChange<'_>),
    ) -> Option<PartitionChangeRecord> {
        let is_acceptable_leader = |broker_id: i32| {
            is_active(broker_id)
                && partition.directory(broker_id).is_some_and(|directory| {
                    image.cluster.broker(broker_id).is_some_and(|b| b.has_online_directory(directory))
                })
        };
        let default_directory = |broker_id| default_directory(image, broker_id);
        let rules = ChangeRules {
            metadata_version: image.write_options().metadata_version,
            elr_enabled: image.is_elr_enabled(),
            min_isr: self.effective_min_isr(image, topic),
            is_acceptable_leader: &is_acceptable_leader,
            default_directory: &default_directory,
        };
        let mut change = PartitionChange::new(partition, rules);
        wish(&mut change);
        change.build(topic.id(), partition_id)
    }

    /// Takes brokers out of, or lets them into, every partition that `select` picks.
    pub(crate) fn leader_and_isr_updates(
        &self,
        image: &MetadataImage,
        affected: Affected,
        select: impl Fn(i32, &TopicImage, &PartitionRegistration) -> bool,
        records: &mut Vec<MetadataRecord>,
    ) {
        let Affected { leaving, coming, unclean } = affected;
        let goes = |broker_id: i32| leaving == Some(broker_id) || unclean == Some(broker_id);
        let is_active = |broker_id: i32| {
            !goes(broker_id) && (coming == Some(broker_id) || image.cluster.is_active(broker_id))
        };
        for topic in image.topics.iter() {
            let mut election = None;
            for (number, partition) in topic.partitions() {
                if !select(number, topic, partition) {
                    continue;
                }
                // Resolving the topic's settings costs more than the rest: once per topic.
                let election = *election.get_or_insert_with(|| self.election_of(image, topic.name()));
                let change = self.change_partition(image, topic, (number, partition), is_active, |change| {
                    change.election = election;
                    change.unclean_shutdown_replicas.extend(unclean);
                    change.target_isr.retain(|replica| !goes(*replica));
                });
                records.extend(change.map(MetadataRecord::PartitionChange));
            }
        }
    }

    /// Whether a topic lets anyone lead when nobody is in sync.
    pub(crate) fn election_of(&self, image: &MetadataImage, topic: &str) -> Election {
        if self.unclean_election_enabled(image, topic) { Election::Unclean } else { Election::Online }
    }

    /// A broker's session ended, or it asked for it: it leads nothing and is in no ISR.
    pub(crate) fn broker_fenced(
        &self,
        image: &MetadataImage,
        broker_id: i32,
        records: &mut Vec<MetadataRecord>,
    ) {
        let Some(broker) = image.cluster.broker(broker_id) else { return };
        let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
        self.leader_and_isr_updates(image, affected, |_, _, p| p.isr.contains(&broker_id), records);
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch: broker.epoch,
            fenced: FENCE,
            ..Default::default()
        }));
    }

    /// A broker is up and has caught up: partitions without a leader may get one.
    pub(crate) fn broker_unfenced(
        &self,
        image: &MetadataImage,
        (broker_id, broker_epoch): (i32, i64),
        records: &mut Vec<MetadataRecord>,
    ) {
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch,
            fenced: UNFENCE,
            ..Default::default()
        }));
        let affected = Affected { coming: Some(broker_id), ..Affected::default() };
        self.leader_and_isr_updates(image, affected, |_, _, p| p.leader == NO_LEADER, records);
    }

    /// A broker wants to stop: what it leads goes to others first.
    pub(crate) fn broker_in_controlled_shutdown(
        &self,
        image: &MetadataImage,
        (broker_id, broker_epoch): (i32, i64),
        records: &mut Vec<MetadataRecord>,
    ) {
        if !image.cluster.broker(broker_id).is_some_and(|broker| broker.in_controlled_shutdown) {
            records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                broker_id,
                broker_epoch,
                in_controlled_shutdown: IN_CONTROLLED_SHUTDOWN,
                ..Default::default()
            }));
        }
        let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
        self.leader_and_isr_updates(image, affected, |_, _, p| p.isr.contains(&broker_id), records);
    }

    /// A new incarnation of a broker registers. Each partition it led gets a new leader epoch, be it led by the same
    /// broker again: what the last incarnation appended and nobody synced is told apart by it.
    pub(crate) fn broker_restarted(
        &self,
        image: &MetadataImage,
        broker_id: i32,
        clean: bool,
        records: &mut Vec<MetadataRecord>,
    ) {
        if image.is_elr_enabled() && !clean {
            let affected = Affected { unclean: Some(broker_id), ..Affected::default() };
            let holds = |p: &PartitionRegistration| p.isr.contains(&broker_id) || p.elr.contains(&broker_id);
            self.leader_and_isr_updates(image, affected, |_, _, p| holds(p), records);
        } else {
            let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
            self.leader_and_isr_updates(image, affected, |_, _, p| p.isr.contains(&broker_id), records);
        }
    }

    /// An administrator removes a broker for good.
    pub(crate) fn broker_unregistered(
        &self,
        image: &MetadataImage,
        (broker_id, broker_epoch): (i32, i64),
        records: &mut Vec<MetadataRecord>,
    ) {
        let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
        let holds = |p: &PartitionRegistration| p.isr.contains(&broker_id) || p.elr.contains(&broker_id);
        self.leader_and_isr_updates(image, affected, |_, _, p| holds(p), records);
        records.push(MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
            broker_id,
            broker_epoch,
            ..Default::default()
        }));
    }

    /// Log directories of a broker failed: its replicas there can neither lead nor be in sync.
    pub(crate) fn directories_offline(
        &self,
        image: &MetadataImage,
        (broker_id, broker_epoch): (i32, i64),
        offline: &[Uuid],
        records: &mut Vec<MetadataRecord>,
    ) {
        let Some(broker) = image.cluster.broker(broker_id) else { return };
        let is_new = |directory: &Uuid| offline.contains(directory);
        if !broker.directories.iter().any(is_new) {
            return;
        }
        let affected = Affected { leaving: Some(broker_id), ..Affected::default() };
        let lies_there = |p: &PartitionRegistration| {
            p.directory(broker_id).is_some_and(|id| broker.directories.contains(&id) && is_new(&id))
        };
        self.leader_and_isr_updates(image, affected, |_, _, p| lies_there(p), records);
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch,
            log_dirs: broker.directories.iter().copied().filter(|id| !is_new(id)).collect(),
            ..Default::default()
        }));
    }
}
