//! A partition of the simulated cluster: batches in order, judged by the producer states of the server's own engine.

use bytes::{Bytes, BytesMut};
use klamm_client::ErrorCode;
use klamm_client::protocol::messages::fetch_response::AbortedTransaction;
use klamm_client::records::{
    self, AppendOrigin, BatchBuilder, BatchHeader, ControlRecordType, EndTransactionMarker,
};
use replica::{AppendedBatch, PreparedAppend, ProducerError, ProducerStates, TransactionMarker};

const TRANSACTION_VERSION: i16 = 2;

/// One partition's log with its leader.
pub struct Log {
    pub leader: i32,
    pub leader_epoch: i32,
    batches: Vec<(BatchHeader, Bytes)>,
    end_offset: i64,
    producers: ProducerStates,
    aborted: Vec<AbortedTransaction>,
}

/// A record as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub offset: i64,
    pub value: String,
}

fn code(error: &ProducerError) -> ErrorCode {
    match error {
        ProducerError::OutOfOrderSequenceNumber { .. } => ErrorCode::OutOfOrderSequenceNumber,
        ProducerError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        ProducerError::InvalidTransactionState { .. } => ErrorCode::InvalidTxnState,
        _ => ErrorCode::UnknownServerError,
    }
}

impl Log {
    pub fn new(leader: i32) -> Self {
        Self {
            leader,
            leader_epoch: 0,
            batches: Vec::new(),
            end_offset: 0,
            producers: ProducerStates::default(),
            aborted: Vec::new(),
        }
    }

    /// Appends a client's batch; its first offset, the old one if it is there already.
    pub fn append(&mut self, bytes: &Bytes) -> Result<i64, ErrorCode> {
        let batch = records::batches(bytes).next().ok_or(ErrorCode::CorruptMessage)?;
        let batch = batch.map_err(|_| ErrorCode::CorruptMessage)?;
        batch.verify_crc().map_err(|_| ErrorCode::CorruptMessage)?;
        let (header, bytes) = self.placed(bytes);
        let appended = AppendedBatch { header: &header, marker: None };
        match self.producers.prepare([appended], AppendOrigin::Client, TRANSACTION_VERSION) {
            Ok(PreparedAppend::Duplicate(known)) => Ok(known.first_offset()),
            Ok(PreparedAppend::Append(update)) => {
                self.producers.apply(update);
                self.push(header, bytes);
                Ok(header.base_offset)
            }
            Err(error) => Err(code(&error)),
        }
    }

    /// Ends a producer's transaction here.
    pub fn end_transaction(&mut self, producer_id: i64, producer_epoch: i16, committed: bool) {
        let kind = if committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
        let mut builder =
            BatchBuilder::new(0).producer(producer_id, producer_epoch, -1).transactional().control();
        builder.append_control(0, kind, &marker.value());
        let (header, bytes) = self.placed(&builder.build());
        let marker = Some(TransactionMarker { marker, timestamp: 0 });
        let appended = AppendedBatch { header: &header, marker };
        let prepared = self.producers.prepare([appended], AppendOrigin::Coordinator, TRANSACTION_VERSION);
        let Ok(PreparedAppend::Append(update)) = prepared else {
            panic!("a marker is refused: {prepared:?}");
        };
        let completed = self.producers.apply(update);
        if !committed {
            self.aborted.extend(completed.iter().map(|one| AbortedTransaction {
                producer_id: one.producer_id,
                first_offset: one.first_offset,
                ..AbortedTransaction::default()
            }));
        }
        self.push(header, bytes);
    }

    fn placed(&self, bytes: &Bytes) -> (BatchHeader, Bytes) {
        let mut bytes = BytesMut::from(&bytes[..]);
        bytes[..8].copy_from_slice(&self.end_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        let bytes = bytes.freeze();
        (BatchHeader::parse(&bytes).expect("it was read before"), bytes)
    }

    fn push(&mut self, header: BatchHeader, bytes: Bytes) {
        self.end_offset = header.next_offset();
        self.batches.push((header, bytes));
    }

    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub fn last_stable_offset(&self) -> i64 {
        self.producers.first_undecided_offset().unwrap_or(self.end_offset)
    }

    /// Batches from an offset on, below `end`, with the aborted transactions that may be among them.
    pub fn read(&self, offset: i64, end: i64) -> (Bytes, Vec<AbortedTransaction>) {
        let wanted = self
            .batches
            .iter()
            .filter(|(header, _)| header.last_offset() >= offset && header.last_offset() < end);
        let bytes: Vec<&[u8]> = wanted.take(4).map(|(_, bytes)| &bytes[..]).collect();
        let aborted = self.aborted.iter().filter(|one| one.first_offset < end && self.ends(one) >= offset);
        (Bytes::from(bytes.concat()), aborted.cloned().collect())
    }

    /// Where the marker of an aborted transaction lies.
    fn ends(&self, aborted: &AbortedTransaction) -> i64 {
        let marker = self.batches.iter().find(|(header, _)| {
            header.is_control()
                && header.producer_id == aborted.producer_id
                && header.base_offset > aborted.first_offset
        });
        marker.map_or(i64::MAX, |(header, _)| header.base_offset)
    }

    /// The last epoch not above this one, and where it ends.
    pub fn epoch_end(&self, epoch: i32) -> (i32, i64) {
        let known = self.batches.iter().map(|(header, _)| header.partition_leader_epoch);
        let found = known.filter(|known| *known <= epoch).max().unwrap_or(-1);
        let later = self.batches.iter().find(|(header, _)| header.partition_leader_epoch > epoch);
        (found, later.map_or(self.end_offset, |(header, _)| header.base_offset))
    }

    /// What a reader comes to see in the end: with `is_committed` nothing of aborted transactions.
    pub fn visible(&self, is_committed: bool) -> Vec<Written> {
        let mut written = Vec::new();
        let end = if is_committed { self.last_stable_offset() } else { self.end_offset };
        let data = self.batches.iter().filter(|(header, _)| !header.is_control());
        for (header, bytes) in data.filter(|(header, _)| header.last_offset() < end) {
            let is_aborted = self.aborted.iter().any(|one| {
                one.producer_id == header.producer_id
                    && one.first_offset <= header.base_offset
                    && self.ends(one) > header.base_offset
            });
            if is_committed && header.is_transactional() && is_aborted {
                continue;
            }
            let batch = records::batches(bytes).next().expect("one batch").expect("a whole one");
            for record in batch.records(1 << 20).expect("it is read") {
                let record = record.expect("it is read");
                let value = String::from_utf8_lossy(&record.value.expect("it has one")).into_owned();
                written.push(Written { offset: record.offset, value });
            }
        }
        written
    }
}
