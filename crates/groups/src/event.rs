//! Everything that can happen to a shard.

pub use coordinator::RequestId;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, StreamsGroupHeartbeatRequest, SyncGroupRequest,
    TxnOffsetCommitRequest,
};
use protocol::{ErrorCode, Uuid};

use crate::cluster::MetadataUpdate;
use crate::effects::Reply;
use crate::refusal::refuse_request;
use crate::share::ShareRequest;

/// What a request brings along besides its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestContext {
    /// The version the request came in, and the version its answer is made for.
    pub api_version: i16,
    /// The client id of the request header; empty where the header has none.
    pub client_id: String,
    /// The client's address in Java's notation, for example `/127.0.0.1`: it is written into group records.
    pub client_host: String,
    /// 128 random bits: a member id made for this request ends in a UUID built from them.
    pub member_id_entropy: u128,
}

/// A request for this shard. Requests that name several groups are split by the caller, group by coordinator partition.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// JoinGroup v0-9.
    JoinGroup(JoinGroupRequest),
    /// SyncGroup v0-5.
    SyncGroup(SyncGroupRequest),
    /// Heartbeat v0-4.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup v0-5.
    LeaveGroup(LeaveGroupRequest),
    /// ConsumerGroupHeartbeat v0-1.
    ConsumerGroupHeartbeat(ConsumerGroupHeartbeatRequest),
    /// The groups of a ConsumerGroupDescribe v0-1 that belong to this shard.
    ConsumerGroupDescribe(Vec<String>),
    /// StreamsGroupHeartbeat v0-1.
    StreamsGroupHeartbeat(StreamsGroupHeartbeatRequest),
    /// The groups of a StreamsGroupDescribe that belong to this shard.
    StreamsGroupDescribe(Vec<String>),
    /// Something about share groups.
    Share(ShareRequest),
    /// OffsetCommit v2-10. From v10 on the caller has put the topic's name beside its id, and for older versions the
    /// topic's id beside its name; topics and partitions that do not exist are taken out and answered by the caller.
    OffsetCommit(OffsetCommitRequest),
    /// TxnOffsetCommit v0-6, names and ids resolved as for OffsetCommit. The caller has verified the transaction.
    TxnOffsetCommit(TxnOffsetCommitRequest),
    /// One group of an OffsetFetch v1-10 ([`crate::offset_fetch_request_groups`]), names resolved.
    OffsetFetch {
        /// The group and its topics; no topics at all asks for every committed offset.
        group: OffsetFetchRequestGroup,
        /// Whether offsets with a pending transaction are refused (KIP-447).
        require_stable: bool,
    },
    /// OffsetDelete v0; partitions that do not exist are taken out and answered by the caller.
    OffsetDelete(OffsetDeleteRequest),
    /// ListGroups v0-5: the groups of this shard.
    ListGroups(ListGroupsRequest),
    /// The groups of a DescribeGroups v0-6 that belong to this shard.
    DescribeGroups(Vec<String>),
    /// The groups of a DeleteGroups v0-3 that belong to this shard.
    DeleteGroups(Vec<String>),
}

impl Request {
    /// The answer that refuses the whole request, for callers that have no shard to ask.
    pub fn refused(self, error: ErrorCode, api_version: i16) -> Reply {
        refuse_request(self, error, api_version)
    }
}

/// A topic that was deleted from the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub name: String,
    /// Its id: offsets committed for another topic of the same name stay.
    pub id: Uuid,
}

/// Everything that can happen to a shard.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "events are handed over one by one and never kept")]
pub enum Event {
    /// Replay has reached the end of the partition: sessions of the members found there begin now.
    Loaded,
    /// A request.
    Request {
        /// Under which id it is answered.
        id: RequestId,
        /// What it brings along.
        context: RequestContext,
        /// Its body.
        request: Request,
    },
    /// Time has passed: to be given when [`crate::GroupShard::next_deadline`] is reached.
    Tick,
    /// The cluster's metadata is another one. The first comes before [`Event::Loaded`].
    MetadataChanged(MetadataUpdate),
    /// Topics were deleted: their offsets go too.
    TopicsDeleted(Vec<DeletedTopic>),
    /// An end-transaction marker was appended to this partition.
    TransactionCompleted {
        /// The transaction's producer id.
        producer_id: i64,
        /// Whether it was committed; an aborted one leaves nothing behind.
        committed: bool,
    },
    /// The partition is led elsewhere, or could not be written: parked requests are answered with NOT_COORDINATOR, and
    /// so is every later request to this shard.
    Unload,
}
