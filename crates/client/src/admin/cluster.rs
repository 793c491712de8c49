//! The cluster itself: its nodes, its quorum, what leaves it.

use protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use protocol::messages::{
    AddRaftVoterRequest, DescribeClusterRequest, DescribeQuorumRequest, DescribeQuorumResponse,
    RemoveRaftVoterRequest, UnregisterBrokerRequest,
};
use protocol::{ApiKey, Uuid};

use super::Admin;
use crate::error::ClientError;

/// A broker or controller as DescribeCluster tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNode {
    /// Its id.
    pub id: i32,
    /// The host it advertises.
    pub host: String,
    /// The port it advertises.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
    /// Whether it is fenced: registered, but not serving.
    pub is_fenced: bool,
}

/// The cluster's id and its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's id.
    pub cluster_id: String,
    /// The node that requests to the controller go to.
    pub controller_id: i32,
    /// Whether these are controllers, not brokers.
    pub are_controllers: bool,
    /// The nodes by id.
    pub nodes: Vec<ClusterNode>,
}

impl Admin {
    /// Who is in the cluster.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn describe_cluster(&self, include_fenced: bool) -> Result<ClusterDescription, ClientError> {
        let request = DescribeClusterRequest { include_fenced_brokers: include_fenced, ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        let message = response.error_message.as_deref();
        ClientError::check(ApiKey::DescribeCluster, response.error_code, message)?;
        let nodes = response.brokers.into_iter().map(|broker| ClusterNode {
            id: broker.broker_id,
            host: broker.host,
            port: broker.port,
            rack: broker.rack,
            is_fenced: broker.is_fenced,
        });
        let mut nodes: Vec<_> = nodes.collect();
        nodes.sort_by_key(|node| node.id);
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller_id: response.controller_id,
            are_controllers: response.endpoint_type == 2,
            nodes,
        })
    }

    /// Forgets a broker that is gone for good.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn unregister_broker(&self, broker_id: i32) -> Result<(), ClientError> {
        let request = UnregisterBrokerRequest { broker_id, ..Default::default() };
        let response = self.client().send_to_controller(&request).await?;
        ClientError::check(ApiKey::UnregisterBroker, response.error_code, response.error_message.as_deref())
    }

    /// The state of the metadata quorum.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn describe_quorum(&self) -> Result<DescribeQuorumResponse, ClientError> {
        let topic = TopicData {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![PartitionData::default()],
            ..Default::default()
        };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        let api = ApiKey::DescribeQuorum;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
            ClientError::check(api, partition.error_code, partition.error_message.as_deref())?;
        }
        Ok(response)
    }

    /// Adds a voter to the metadata quorum (KIP-853); listeners are name, host and port.
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn add_raft_voter(
        &self,
        voter_id: i32,
        voter_directory_id: Uuid,
        listeners: Vec<(String, String, u16)>,
    ) -> Result<(), ClientError> {
        use protocol::messages::add_raft_voter_request::Listener;
        let listener = |(name, host, port)| Listener { name, host, port, ..Default::default() };
        let request = AddRaftVoterRequest {
            timeout_ms: self.timeout_ms(),
            voter_id,
            voter_directory_id,
            listeners: listeners.into_iter().map(listener).collect(),
            ..Default::default()
        };
        let response = self.client().send_to_any(&request).await?;
        ClientError::check(ApiKey::AddRaftVoter, response.error_code, response.error_message.as_deref())
    }

    /// Removes a voter from the metadata quorum (KIP-853).
    ///
    /// # Errors
    /// What the controller says, or that it could not be asked.
    pub async fn remove_raft_voter(
        &self,
        voter_id: i32,
        voter_directory_id: Uuid,
    ) -> Result<(), ClientError> {
        let request = RemoveRaftVoterRequest { voter_id, voter_directory_id, ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        ClientError::check(ApiKey::RemoveRaftVoter, response.error_code, response.error_message.as_deref())
    }
}
