//! Which broker coordinates a group, a transactional id or a share partition.

use std::collections::HashMap;

use parking_lot::Mutex;
use protocol::messages::FindCoordinatorRequest;
use protocol::{ApiKey, CoordinatorType, ErrorCode};

use crate::client::{Client, Lane, SendOptions};
use crate::error::ClientError;

/// Coordinators found so far.
#[derive(Debug, Default)]
pub(crate) struct Coordinators {
    found: Mutex<HashMap<(CoordinatorType, String), i32>>,
}

/// Since this version several keys are asked for at once.
const MANY_KEYS_SINCE: i16 = 4;

impl Client {
    /// The broker that coordinates `key`, asked for if it is not known, until `default.api.timeout.ms` is over.
    ///
    /// # Errors
    /// There is none within that time, or none may be known to this client.
    pub async fn coordinator(&self, kind: CoordinatorType, key: &str) -> Result<i32, ClientError> {
        let found = self.inner.coordinators.found.lock().get(&(kind, key.to_owned())).copied();
        match found {
            Some(broker) if self.inner.metadata.load().broker(broker).is_some() => Ok(broker),
            _ => self.with_retries("FindCoordinator", || self.find_coordinator(kind, key)).await,
        }
    }

    /// Forgets a coordinator that turned out to be none any more.
    pub fn forget_coordinator(&self, kind: CoordinatorType, key: &str) {
        self.inner.coordinators.found.lock().remove(&(kind, key.to_owned()));
    }

    /// Whether the failure means that the coordinator is to be looked for again.
    pub fn is_coordinator_moved(error: &ClientError) -> bool {
        match error {
            ClientError::Refused { code, .. } => {
                matches!(code, ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable)
            }
            ClientError::Connect { .. } | ClientError::Disconnected { .. } | ClientError::TimedOut { .. } => {
                true
            }
            _ => false,
        }
    }

    /// The same error, said by this broker.
    pub(crate) fn said_by(&self, broker: i32, error: ClientError) -> ClientError {
        match self.inner.metadata.load().broker(broker) {
            Some(endpoint) => error.by(endpoint),
            None => error,
        }
    }

    /// The same error, said by the coordinator of `key`.
    pub(crate) fn said_by_coordinator(
        &self,
        kind: CoordinatorType,
        key: &str,
        error: ClientError,
    ) -> ClientError {
        let found = self.inner.coordinators.found.lock().get(&(kind, key.to_owned())).copied();
        found.map_or(error.clone(), |broker| self.said_by(broker, error))
    }

    async fn find_coordinator(&self, kind: CoordinatorType, key: &str) -> Result<i32, ClientError> {
        let api = ApiKey::FindCoordinator;
        let connection = self.any_connection(Lane::Main).await?;
        let version = connection.version(api, i16::MAX)?;
        let mut request =
            FindCoordinatorRequest { key_type: kind.as_i8(), ..FindCoordinatorRequest::default() };
        match version {
            MANY_KEYS_SINCE.. => request.coordinator_keys = vec![key.to_owned()],
            _ => request.key = key.to_owned(),
        }
        let mut response = self.exchange(&connection, &request, SendOptions::default()).await?;
        let (code, message, broker) = match response.coordinators.pop() {
            Some(found) if version >= MANY_KEYS_SINCE => {
                (found.error_code, found.error_message, found.node_id)
            }
            _ => (response.error_code, response.error_message, response.node_id),
        };
        ClientError::check(api, code, message.as_deref())
            .map_err(|error| error.by(&connection.endpoint()))?;
        if self.inner.metadata.load().broker(broker).is_none() {
            self.refresh_brokers().await?;
        }
        self.inner.coordinators.found.lock().insert((kind, key.to_owned()), broker);
        Ok(broker)
    }
}
