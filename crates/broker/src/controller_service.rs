//! The controller's own loop: a decision in, its records to the quorum, the answer when they are committed.
//!
//! One decision at a time: the next one sees the image that the one before has made. It runs beside the quorum on a thread that
//! no connection lives on.

use std::sync::Arc;
use std::time::Duration;

use controller::{BrokerHeartbeats, Controller, PeriodicTasks, Randomness};
use protocol::ErrorCode;
use protocol::metadata_records::MetadataRecord;
use quorum::{QuorumError, QuorumHandle};
use storage::LogDirectory;
use tokio::sync::mpsc;
use tracing::{error, info};

use crate::clock::Clock;
use crate::controller_client::{Decided, Deciding, Decision};
use crate::metadata_view::MetadataView;

/// The level of `kraft.version` until voters can come and go.
const KRAFT_VERSION: i16 = 0;

/// Free bytes of its volume below which the metadata log takes no more. A record that does not fit would end the quorum, and with
/// it the node; refused before, it only fails whoever wanted it, and the node goes on serving.
const FREE_BYTES_MIN: u64 = 1024 * 1024;

/// The active controller of this node.
pub struct ControllerService {
    controller: Controller,
    heartbeats: BrokerHeartbeats,
    same_process: Option<i32>,
    periodic: PeriodicTasks,
    randomness: Randomness,
    quorum: QuorumHandle,
    directory: Arc<LogDirectory>,
    metadata: Arc<MetadataView>,
    clock: Arc<dyn Clock>,
}

impl ControllerService {
    /// A controller that decides on `metadata` and writes to `quorum`. The broker of this node, if there is one, runs in the
    /// same process. `directory` is that of the metadata log.
    pub fn new(
        controller: Controller,
        same_process: Option<i32>,
        randomness: Randomness,
        quorum: QuorumHandle,
        directory: Arc<LogDirectory>,
        metadata: Arc<MetadataView>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let session_timeout_ms = controller.settings().config.node.broker_session_timeout_ms.into();
        let heartbeats =
            BrokerHeartbeats::new(&metadata.image(), session_timeout_ms, same_process, clock.now_ms());
        let periodic = PeriodicTasks::new(&controller, clock.now_ms());
        ControllerService {
            controller,
            heartbeats,
            same_process,
            periodic,
            randomness,
            quorum,
            directory,
            metadata,
            clock,
        }
    }

    /// Takes decisions until nobody is left who could send one.
    pub(crate) async fn run(
        mut self,
        open_transaction: Option<i64>,
        mut decisions: mpsc::UnboundedReceiver<Decision>,
    ) {
        self.activate(open_transaction).await;
        loop {
            let wait = self.do_what_is_due().await;
            match tokio::time::timeout(wait, decisions.recv()).await {
                Ok(Some(decision)) => self.decide(decision).await,
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    /// Periodic duties; returns how long there are none.
    async fn do_what_is_due(&mut self) -> Duration {
        loop {
            let now_ms = self.clock.now_ms();
            let image = self.metadata.image();
            if let Some(broker_id) = self.same_process {
                self.heartbeats.renew(broker_id, now_ms);
            }
            let records = self.periodic.step(&self.controller, &image, &mut self.heartbeats, now_ms);
            if records.is_empty() || self.write(records).await.is_err() {
                let idle_ms = self.periodic.next_deadline_ms().saturating_sub(now_ms);
                return Duration::from_millis(u64::try_from(idle_ms).unwrap_or(0).max(1));
            }
        }
    }

    async fn activate(&mut self, open_transaction: Option<i64>) {
        let image = self.metadata.image();
        let records = self.controller.activation_records(&image, open_transaction);
        if records.is_empty() {
            return;
        }
        info!(records = records.len(), "writing the first records of the metadata log");
        // What fails here has been said, and fails again with the first decision.
        let _ = self.write(records).await;
    }

    async fn decide(&mut self, decision: Decision) {
        let image = self.metadata.image();
        let Decided { records, answer } = decision(Deciding {
            controller: &self.controller,
            image: &image,
            heartbeats: &mut self.heartbeats,
            randomness: &mut self.randomness,
            next_offset: self.quorum.log_end_offset(),
            kraft_version: KRAFT_VERSION,
            now_ms: self.clock.now_ms(),
        });
        answer(self.write(records).await);
    }

    async fn write(&mut self, records: Vec<MetadataRecord>) -> Result<(), ErrorCode> {
        if records.is_empty() {
            return Ok(());
        }
        self.check_space()?;
        self.quorum.propose(records).await.map_err(|refusal| {
            error!(error = %refusal, "metadata records were not written");
            match refusal {
                QuorumError::TooLarge { .. } => ErrorCode::PolicyViolation,
                QuorumError::Encode(_) => ErrorCode::UnknownServerError,
                _ => ErrorCode::NotController,
            }
        })?;
        self.periodic.appended(&self.controller, self.clock.now_ms());
        Ok(())
    }

    fn check_space(&self) -> Result<(), ErrorCode> {
        match self.directory.space() {
            Ok(space) if space.usable_bytes < FREE_BYTES_MIN => {
                error!(
                    directory = %self.directory.path().display(),
                    free_bytes = space.usable_bytes,
                    "the disk is full: metadata cannot change until there is room"
                );
                Err(ErrorCode::KafkaStorageError)
            }
            // A file system that cannot tell is not full for that.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
