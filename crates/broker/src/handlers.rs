//! One file per API; this table says which ones we serve.
//!
//! An API stands here when its semantics are complete: ApiVersions answers from this table.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_share_group_offsets;
mod alter_user_scram_credentials;
pub(crate) mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_share_group_offsets;
mod delete_share_group_state;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_share_group_offsets;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod initialize_share_group_state;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
pub(crate) mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(crate) mod produce;
mod read_share_group_state;
mod read_share_group_state_summary;
mod share_acknowledge;
pub(crate) mod share_fetch;
mod share_group_describe;
mod share_group_heartbeat;
mod streams_group_describe;
mod streams_group_heartbeat;
mod streams_group_topology_description_update;
mod sync_group;
mod txn_offset_commit;
mod update_features;
mod write_share_group_state;
mod write_txn_markers;

use network::Outcome;
use protocol::wire::Request;
use protocol::{ApiKey, RequestFrame};

use crate::context::RequestContext;
use crate::dispatch::{close, decode};

macro_rules! served {
    ($($key:ident => $module:ident,)*) => {
        /// The APIs whose handlers are asynchronous functions from a request to a response.
        const ANSWERED: &[ApiKey] = &[$(ApiKey::$key),*];

        /// Decodes the body, runs the handler of `key` and encodes its answer.
        pub(crate) async fn call(key: ApiKey, context: RequestContext, frame: RequestFrame) -> Outcome {
            match key {
                $(ApiKey::$key => answer(context, frame, $module::handle).await,)*
                _ => close(format!("{key} is not served here")),
            }
        }
    };
}

served! {
    AddOffsetsToTxn => add_offsets_to_txn,
    AddPartitionsToTxn => add_partitions_to_txn,
    AlterClientQuotas => alter_client_quotas,
    AlterConfigs => alter_configs,
    AlterPartitionReassignments => alter_partition_reassignments,
    AlterReplicaLogDirs => alter_replica_log_dirs,
    AlterShareGroupOffsets => alter_share_group_offsets,
    AlterUserScramCredentials => alter_user_scram_credentials,
    ConsumerGroupDescribe => consumer_group_describe,
    ConsumerGroupHeartbeat => consumer_group_heartbeat,
    CreateAcls => create_acls,
    CreatePartitions => create_partitions,
    CreateTopics => create_topics,
    DeleteAcls => delete_acls,
    DeleteGroups => delete_groups,
    DeleteRecords => delete_records,
    DeleteShareGroupOffsets => delete_share_group_offsets,
    DeleteShareGroupState => delete_share_group_state,
    DeleteTopics => delete_topics,
    DescribeAcls => describe_acls,
    DescribeClientQuotas => describe_client_quotas,
    DescribeCluster => describe_cluster,
    DescribeConfigs => describe_configs,
    DescribeGroups => describe_groups,
    DescribeLogDirs => describe_log_dirs,
    DescribeProducers => describe_producers,
    DescribeQuorum => describe_quorum,
    DescribeShareGroupOffsets => describe_share_group_offsets,
    DescribeTopicPartitions => describe_topic_partitions,
    DescribeTransactions => describe_transactions,
    DescribeUserScramCredentials => describe_user_scram_credentials,
    ElectLeaders => elect_leaders,
    EndTxn => end_txn,
    Fetch => fetch,
    FindCoordinator => find_coordinator,
    Heartbeat => heartbeat,
    IncrementalAlterConfigs => incremental_alter_configs,
    InitProducerId => init_producer_id,
    InitializeShareGroupState => initialize_share_group_state,
    JoinGroup => join_group,
    LeaveGroup => leave_group,
    ListConfigResources => list_config_resources,
    ListGroups => list_groups,
    ListOffsets => list_offsets,
    ListPartitionReassignments => list_partition_reassignments,
    ListTransactions => list_transactions,
    OffsetCommit => offset_commit,
    OffsetDelete => offset_delete,
    OffsetFetch => offset_fetch,
    OffsetForLeaderEpoch => offset_for_leader_epoch,
    ReadShareGroupState => read_share_group_state,
    ReadShareGroupStateSummary => read_share_group_state_summary,
    ShareAcknowledge => share_acknowledge,
    ShareFetch => share_fetch,
    ShareGroupDescribe => share_group_describe,
    ShareGroupHeartbeat => share_group_heartbeat,
    StreamsGroupDescribe => streams_group_describe,
    StreamsGroupHeartbeat => streams_group_heartbeat,
    StreamsGroupTopologyDescriptionUpdate => streams_group_topology_description_update,
    SyncGroup => sync_group,
    TxnOffsetCommit => txn_offset_commit,
    UpdateFeatures => update_features,
    WriteShareGroupState => write_share_group_state,
    WriteTxnMarkers => write_txn_markers,
}

async fn answer<R, H>(context: RequestContext, frame: RequestFrame, handle: H) -> Outcome
where
    R: Request,
    H: AsyncFnOnce(&RequestContext, R) -> R::Response,
{
    match decode::<R>(frame) {
        // Boxed so that an idle connection does not hold room for the largest handler.
        Ok(request) => {
            let response = Box::pin(handle(&context, request)).await;
            context.encode::<R>(&response)
        }
        Err(close) => close,
    }
}

/// Every API served, in the order of their keys.
pub fn served() -> impl Iterator<Item = ApiKey> {
    ApiKey::all().filter(|key| is_served(*key))
}

/// Whether `version` of `key` is served.
pub fn serves(key: ApiKey, version: i16) -> bool {
    is_served(key) && key.stable_versions().contains(&version)
}

fn is_served(key: ApiKey) -> bool {
    matches!(key, ApiKey::Produce | ApiKey::ApiVersions | ApiKey::Metadata) || ANSWERED.contains(&key)
}
