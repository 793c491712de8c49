//! Transactional appends to a partition: records whose transaction is verified, and the markers that end it.

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use records::{BatchBuilder, EndTransactionMarker, NO_SEQUENCE};

use super::{AppendRefusal, Appended, Partition};
use crate::verification::{FirstBatch, NotVerified, VerificationGuard};

/// What ends a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The transaction's producer.
    pub producer_id: i64,
    /// Its epoch: under `transaction.version` 2 above that of the transaction's records.
    pub producer_epoch: i16,
    /// Commit or abort.
    pub committed: bool,
    /// The epoch of the coordinator that decided.
    pub coordinator_epoch: i32,
    /// The level of `transaction.version` that the transaction was ended by.
    pub transaction_version: i16,
}

impl Marker {
    /// The control batch that says so.
    fn batch(self, now_ms: i64) -> Bytes {
        let marker =
            EndTransactionMarker { committed: self.committed, coordinator_epoch: self.coordinator_epoch };
        let mut batch = BatchBuilder::new(0)
            .producer(self.producer_id, self.producer_epoch, NO_SEQUENCE)
            .transactional()
            .control();
        batch.append(now_ms, Some(&marker.key()), Some(&marker.value()), &[]);
        batch.build()
    }
}

impl Partition {
    /// Whether the producer has a transaction open here at this epoch: its records need no permission.
    pub fn has_ongoing_transaction(&self, producer_id: i64, producer_epoch: i16) -> bool {
        self.log.with_producer_states(|states| states.has_ongoing_transaction(producer_id, producer_epoch))
    }

    /// To be called before the coordinator is asked whether `batch` may open a transaction.
    pub fn begin_verification(
        &self,
        batch: FirstBatch,
        bumps_epochs: bool,
        now_ms: i64,
        expiration_ms: i64,
    ) -> VerificationGuard {
        self.verifications.lock().begin(batch, bumps_epochs, now_ms, expiration_ms)
    }

    /// Whether `batch` may be appended: its transaction is open here, or `guard` lets it open one. `verifications` is held
    /// until it is appended.
    fn check_verified(
        &self,
        verifications: &crate::verification::Verifications,
        batch: FirstBatch,
        guard: Option<VerificationGuard>,
    ) -> Result<(), ErrorCode> {
        let (is_ongoing, is_known) = self.log.with_producer_states(|states| {
            let state = states.get(batch.producer_id);
            let is_ongoing = states.has_ongoing_transaction(batch.producer_id, batch.producer_epoch);
            (is_ongoing, state.is_some_and(|state| !state.batches().is_empty()))
        });
        if is_ongoing {
            return Ok(());
        }
        verifications.check(batch, guard, is_known).map_err(|why| match why {
            NotVerified::Unknown => ErrorCode::InvalidTxnState,
            NotVerified::OutOfOrder => ErrorCode::OutOfOrderSequenceNumber,
        })
    }

    /// Appends a transactional producer's records. With `is_verified` false nobody is asked for permission
    /// (`transaction.partition.verification.enable`).
    ///
    /// # Errors
    /// As [`Self::append_from_client`]; INVALID_TXN_STATE for records outside of a verified transaction.
    pub fn append_transactional(
        self: &Arc<Self>,
        records: &Bytes,
        acks: i16,
        batch: FirstBatch,
        guard: Option<VerificationGuard>,
        is_verified: bool,
        now_ms: i64,
    ) -> Result<Appended, AppendRefusal> {
        // Held until the records are there: a marker in between would end what they open.
        let mut verifications = self.verifications.lock();
        if is_verified {
            self.check_verified(&verifications, batch, guard)?;
        }
        let appended = self.append_from_client(records, acks, now_ms)?;
        verifications.begun(batch.producer_id);
        Ok(appended)
    }

    /// Whether a coordinator may append transactional records of this producer now; the caller keeps markers away until it
    /// has.
    ///
    /// # Errors
    /// INVALID_TXN_STATE without permission, INVALID_PRODUCER_EPOCH for a producer that has been replaced.
    pub fn check_transactional(
        &self,
        batch: FirstBatch,
        guard: Option<VerificationGuard>,
        is_verified: bool,
    ) -> Result<(), ErrorCode> {
        let newest = self.log.with_producer_states(|states| {
            states.get(batch.producer_id).map_or(-1, |state| state.producer_epoch)
        });
        if batch.producer_epoch < newest {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        if is_verified {
            self.check_verified(&self.verifications.lock(), batch, guard)?;
        }
        Ok(())
    }

    /// Appends what ends a transaction.
    ///
    /// # Errors
    /// As [`Self::append_from_client`] with acks=all; INVALID_PRODUCER_EPOCH and TRANSACTION_COORDINATOR_FENCED for markers
    /// of a transaction that is over.
    pub fn append_marker(self: &Arc<Self>, marker: Marker, now_ms: i64) -> Result<Appended, ErrorCode> {
        let refused = |refusal: AppendRefusal| refusal.error_code;
        let mut verifications = self.verifications.lock();
        let (info, leader_epoch) = {
            let _tenure = self.tenure.read();
            let leader_epoch = self.epoch_to_append(-1).map_err(refused)?;
            let version = marker.transaction_version;
            let appended =
                self.log.append_markers_as_leader(&marker.batch(now_ms), leader_epoch, version, now_ms);
            (appended.map_err(|error| refused(error.into()))?, leader_epoch)
        };
        verifications.ended(marker.producer_id, marker.producer_epoch, marker.transaction_version >= 2);
        drop(verifications);
        Ok(self.appended(info, leader_epoch))
    }
}
