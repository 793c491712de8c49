//! Group coordinator shards as pure state machines: groups of every kind and committed offsets.
//!
//! A [`GroupShard`] holds every group whose id maps to one partition of `__consumer_offsets`
//! ([`coordinator_key_partition`]). It is stepped with [`Event`]s and answers with [`Effects`]: records to append to
//! that partition, and replies to send once everything appended so far is committed. It owns no clock, socket, file or
//! random number: time and entropy come in as values, so a run is decided by its events alone.
//!
//! | module      | what it holds                                                                     |
//! |-------------|-----------------------------------------------------------------------------------|
//! | `shard`     | the one door: `step`, `replay`, `next_deadline`                                   |
//! | `classic`   | the classic group protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup)          |
//! | `consumer`  | the consumer group protocol (KIP-848), `assignor` who gets which partitions       |
//! | `streams`   | streams groups (KIP-1071): topologies and tasks                                  |
//! | `share`     | share groups (KIP-932): members and assignments; what is shared lies in crate `share` |
//! | `cluster`   | the metadata that a shard goes by                                                 |
//! | `offsets`   | committed and pending transactional offsets, their expiry                         |
//! | `event`     | everything that can happen to a shard                                             |
//! | `effects`   | everything a shard can ask for                                                    |
//! | `record`    | `__consumer_offsets` records, as Kafka 4.4 writes them                            |
//!
//! The kinds of groups stand beside each other as variants of `group::Group`.

mod assignor;
mod classic;
mod cluster;
mod config;
mod consumer;
mod coordinator_shard;
mod deadlines;
mod effects;
mod event;
mod group;
mod offsets;
mod record;
mod refusal;
mod replay;
mod shard;
mod share;
mod streams;

pub use coordinator::coordinator_key_partition;

pub use cluster::MetadataUpdate;
pub use config::{
    BoundedSetting, ConsumerGroupConfig, GroupCoordinatorConfig, MigrationPolicy, ShareGroupConfig,
    StreamsGroupConfig,
};
pub use coordinator_shard::{GroupNotice, GroupShardConfig};
pub use effects::{Action, CoordinatorRecord, Effects, Reply, TransactionalWrite};
pub use event::{DeletedTopic, Event, Request, RequestContext, RequestId};
pub use offsets::fetch::{offset_fetch_request_groups, offset_fetch_response};
pub use replay::{RecordPosition, ReplayWarning};
pub use shard::GroupShard;
pub use share::{
    InitializeShareState, ShareReply, ShareRequest, ShareTopicPartitions, StartOffset, TopicStateToDelete,
};
