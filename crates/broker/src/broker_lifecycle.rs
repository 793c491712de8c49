//! A broker's life in the cluster: it registers, reports that it is alive, and takes its leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest};
use protocol::{ApiKey, ErrorCode, Uuid};
use storage::LogManager;
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::controller_client::{ControllerClient, settle};
use crate::metadata_view::MetadataView;

/// How long a controller may take to let us in.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon a question that was answered with "not yet" is asked again.
const RETRY: Duration = Duration::from_millis(10);

/// Why the broker cannot be part of the cluster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LifecycleError {
    /// The controller says no.
    #[error("the controller refuses this broker: {0}")]
    Refused(String),
    /// The controller cannot be asked.
    #[error("no active controller: {}", .0.name())]
    NoController(ErrorCode),
}

/// Keeps one broker registered.
#[derive(Clone)]
pub struct BrokerLifecycle {
    node_id: i32,
    controller: ControllerClient,
    metadata: Arc<MetadataView>,
    logs: Arc<LogManager>,
    heartbeat_interval: Duration,
    /// Whether the broker has said that it wants to stop: reports that it is well would take that back.
    is_leaving: Arc<AtomicBool>,
}

impl BrokerLifecycle {
    /// The life of the broker `node_id`, reporting every `heartbeat_interval`.
    pub fn new(
        node_id: i32,
        controller: ControllerClient,
        metadata: Arc<MetadataView>,
        logs: Arc<LogManager>,
        heartbeat_interval: Duration,
    ) -> Self {
        BrokerLifecycle {
            node_id,
            controller,
            metadata,
            logs,
            heartbeat_interval,
            is_leaving: Arc::default(),
        }
    }

    /// Registers and waits until the broker may serve; returns its epoch.
    ///
    /// # Errors
    /// What the controller refuses it for.
    pub async fn join(&self, request: BrokerRegistrationRequest) -> Result<i64, LifecycleError> {
        let version = *ApiKey::BrokerRegistration.versions().end();
        let registered = self.controller.decide(move |deciding| {
            settle(deciding.controller.register_broker(
                deciding.image,
                deciding.heartbeats,
                &request,
                version,
                (deciding.next_offset, deciding.kraft_version),
                deciding.now_ms,
            ))
        });
        let registered = registered.await.map_err(LifecycleError::NoController)?;
        let epoch = registered.map_err(|refusal| LifecycleError::Refused(refusal.to_string()))?.broker_epoch;
        info!(broker = self.node_id, epoch, "registered");
        let joining = async {
            while self.heartbeat(epoch, false).await?.is_fenced {
                tokio::time::sleep(RETRY).await;
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, joining).await {
            Ok(joined) => joined.map(|()| epoch),
            Err(_) => Err(LifecycleError::Refused(format!("still fenced after {} s", PATIENCE.as_secs()))),
        }
    }

    /// Reports that the broker is alive, and at once when a log directory has failed or was cordoned, until the broker leaves.
    pub async fn run(&self, epoch: i64, mut directory_failures: watch::Receiver<usize>) {
        while !self.is_leaving.load(Ordering::Acquire) {
            if let Err(reason) = self.heartbeat(epoch, false).await {
                warn!(broker = self.node_id, %reason, "the controller did not take the heartbeat");
            }
            // Either way it is time for a report: the interval is over, or a directory has failed.
            let _ = tokio::time::timeout(self.heartbeat_interval, directory_failures.changed()).await;
        }
    }

    /// Hands leaderships over, for at most `patience`.
    pub async fn leave(&self, epoch: i64, patience: Duration) {
        self.is_leaving.store(true, Ordering::Release);
        let leaving = async {
            loop {
                match self.heartbeat(epoch, true).await {
                    Ok(answer) if answer.should_shut_down => return,
                    Ok(_) => tokio::time::sleep(RETRY).await,
                    Err(reason) => {
                        warn!(broker = self.node_id, %reason, "stopping without the controller's leave");
                        return;
                    }
                }
            }
        };
        if tokio::time::timeout(patience, leaving).await.is_err() {
            warn!(broker = self.node_id, "stopping although leaderships are still here");
        }
    }

    async fn heartbeat(
        &self,
        epoch: i64,
        want_shut_down: bool,
    ) -> Result<BrokerHeartbeatResponse, LifecycleError> {
        let request = BrokerHeartbeatRequest {
            broker_id: self.node_id,
            broker_epoch: epoch,
            current_metadata_offset: self.metadata.image().provenance.last_contained_offset,
            want_fence: false,
            want_shut_down,
            offline_log_dirs: self.offline_directories(),
            cordoned_log_dirs: Some(self.cordoned_directories()),
            ..Default::default()
        };
        let answered = self.controller.decide(move |deciding| {
            settle(deciding.controller.broker_heartbeat(
                deciding.image,
                deciding.heartbeats,
                &request,
                deciding.now_ms,
            ))
        });
        let answered = answered.await.map_err(LifecycleError::NoController)?;
        answered.map_err(|refusal| LifecycleError::Refused(refusal.to_string()))
    }

    fn cordoned_directories(&self) -> Vec<Uuid> {
        let cordoned = self.logs.directories().iter().filter(|directory| directory.is_cordoned());
        cordoned.map(|directory| directory.id()).filter(|id| *id != Uuid::ZERO).collect()
    }

    /// Those whose ids are known: a directory that could not be read at start was never reported as ours.
    fn offline_directories(&self) -> Vec<Uuid> {
        let offline = self.logs.directories().iter().filter(|directory| directory.is_offline());
        offline.map(|directory| directory.id()).filter(|id| *id != Uuid::ZERO).collect()
    }
}
