//! Sending to whoever is in charge: any broker, the controller, a leader, a coordinator.

use protocol::{ApiKey, CoordinatorType, ErrorCode, Request};

use crate::client::{Client, Lane, SendOptions};
use crate::error::ClientError;
use crate::topic_partition::TopicPartition;

impl Client {
    /// Sends to any broker; if one cannot be reached, to another, until `default.api.timeout.ms` is over.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_to_any<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.with_retries(R::API_KEY.name(), || async {
            let connection = self.any_connection(Lane::Main).await?;
            self.exchange(&connection, request, SendOptions::default()).await
        })
        .await
    }

    /// Sends to the broker that Metadata names as the controller; in KRaft any broker forwards to it.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_to_controller<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.with_retries(R::API_KEY.name(), || async {
            let known = self.inner.metadata.load().controller_id();
            let controller = match known {
                Some(id) => Some(id),
                None => self.refresh_brokers().await?.controller_id(),
            };
            match controller {
                Some(id) => self.send(id, request).await,
                None => Err(ClientError::refused(ApiKey::Metadata, ErrorCode::NotController)),
            }
        })
        .await
    }

    /// Sends to the leader of a partition as it is known now.
    ///
    /// # Errors
    /// As [`Self::send`]; a leader that is not known is `LeaderNotAvailable` or `UnknownTopicOrPartition`.
    pub async fn send_to_leader<R: Request>(
        &self,
        topic_partition: &TopicPartition,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let leader = self.leader(topic_partition).await?;
        self.send(leader, request).await
    }

    /// The leader of a partition, asked for if it is not known.
    ///
    /// # Errors
    /// `LeaderNotAvailable` or `UnknownTopicOrPartition` where there is none.
    pub async fn leader(&self, topic_partition: &TopicPartition) -> Result<i32, ClientError> {
        self.use_topic(&topic_partition.topic);
        if let Some((endpoint, _)) = self.inner.metadata.load().leader(topic_partition) {
            return Ok(endpoint.id);
        }
        let metadata = self.refresh_topics([&*topic_partition.topic], false).await?;
        if let Some((endpoint, _)) = metadata.leader(topic_partition) {
            return Ok(endpoint.id);
        }
        let code = match metadata.partition(&topic_partition.topic, topic_partition.partition) {
            Some(_) => ErrorCode::LeaderNotAvailable,
            None => match metadata.topic(&topic_partition.topic).map(|topic| topic.error) {
                Some(code) if !code.is_none() => code,
                _ => ErrorCode::UnknownTopicOrPartition,
            },
        };
        Err(ClientError::refused(ApiKey::Metadata, code).about(topic_partition))
    }

    /// Sends to the coordinator of `key`, which is looked for if need be. A coordinator that cannot be reached is
    /// forgotten; error codes inside the answer are the caller's affair, see [`Self::forget_coordinator`].
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_to_coordinator<R: Request>(
        &self,
        kind: CoordinatorType,
        key: &str,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let options = SendOptions { lane: Lane::Coordinator, ..SendOptions::default() };
        self.send_to_coordinator_with(kind, key, request, options).await
    }

    /// As [`Self::send_to_coordinator`], with options.
    ///
    /// # Errors
    /// As there.
    pub async fn send_to_coordinator_with<R: Request>(
        &self,
        kind: CoordinatorType,
        key: &str,
        request: &R,
        options: SendOptions,
    ) -> Result<R::Response, ClientError> {
        let broker = self.coordinator(kind, key).await?;
        let result = self.send_with(broker, request, options).await;
        if result.as_ref().is_err_and(Self::is_coordinator_moved) {
            self.forget_coordinator(kind, key);
        }
        result
    }
}
