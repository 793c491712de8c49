//! Administration: every admin API of Kafka as a typed call, with a result per key.
//!
//! A call fails as a whole only when nobody could be asked. What a broker says about one topic, group or partition is that
//! key's own result.

mod acls;
mod cluster;
mod configs;
mod features;
mod groups;
mod logs;
mod members;
mod offsets;
mod partitions;
mod quotas;
mod share_groups;
mod topics;
mod transactions;

use protocol::{ApiKey, CoordinatorType, ErrorCode, Request};

pub use acls::AclBinding;
pub use cluster::{ClusterDescription, ClusterNode};
pub use configs::{AlterConfigOp, ConfigResourceType};
pub use features::{FeatureDescription, FeatureUpgrade};
pub use groups::{CommittedOffset, GroupDescription, GroupMember};
pub use logs::{ClientErrorText, LogDirDescription};
pub use members::MemberToRemove;
pub use offsets::{IsolationLevel, ListedOffset, OffsetSpec};
pub use partitions::{ElectionType, Reassignment};
pub use quotas::{QuotaFilter, QuotaMatch};
pub use topics::{NewTopic, PartitionDescription, TopicDescription, TopicListing, validate_name};
pub use transactions::AbortTransaction;

use crate::client::{Client, Lane, SendOptions};
use crate::error::ClientError;
use crate::settings::ClientConfig;

/// The administrator's view of a cluster. Cheap to clone; shares its connections with the [`Client`] it is made from.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

/// One key with what became of it.
pub type PerKey<K, V> = Vec<(K, Result<V, ClientError>)>;

impl Admin {
    /// An administrator over an existing client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reaches a cluster.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect(config: ClientConfig) -> Result<Self, ClientError> {
        Ok(Self::new(Client::connect(config).await?))
    }

    /// The client below.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.client.config().request_timeout_ms).unwrap_or(i32::MAX)
    }

    /// Asks a coordinator, again where it has moved, is loading or has something to end before; `code` finds the
    /// answer's error code.
    async fn coordinated<R: Request>(
        &self,
        kind: CoordinatorType,
        key: &str,
        request: &R,
        version_max: Option<i16>,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let code = &code;
        self.client
            .with_retries(R::API_KEY.name(), || async move {
                let options = SendOptions { lane: Lane::Coordinator, version_max, ..SendOptions::default() };
                let response = self.client.send_to_coordinator_with(kind, key, request, options).await?;
                match ErrorCode::from_i16(code(&response)) {
                    Some(
                        code @ (ErrorCode::NotCoordinator
                        | ErrorCode::CoordinatorNotAvailable
                        | ErrorCode::CoordinatorLoadInProgress),
                    ) => {
                        self.client.forget_coordinator(kind, key);
                        Err(ClientError::refused(R::API_KEY, code))
                    }
                    // It ends what was open first, and is to be asked again.
                    Some(code @ ErrorCode::ConcurrentTransactions) => {
                        Err(ClientError::refused(R::API_KEY, code))
                    }
                    _ => Ok(response),
                }
            })
            .await
    }

    /// All broker ids, asked for anew.
    async fn broker_ids(&self) -> Result<Vec<i32>, ClientError> {
        let metadata = self.client.refresh_brokers().await?;
        Ok(metadata.brokers().map(|broker| broker.id).collect())
    }
}

/// The answer's message where there is one, else the code's.
fn checked<V>(api: ApiKey, code: i16, message: Option<&str>, value: V) -> Result<V, ClientError> {
    ClientError::check(api, code, message).map(|()| value)
}
