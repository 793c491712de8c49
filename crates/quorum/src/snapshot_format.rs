//! The content of a `.checkpoint` file: Kafka's snapshot of metadata records, between a header and a footer.
//!
//! Kafka's header says neither which raft entry the snapshot ends with nor when the voters were decided; both go
//! along as a tagged field of ours, so that a snapshot is complete in one file.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use protocol::{
    Message, Reader,
    control_records::{SnapshotFooterRecord, SnapshotHeaderRecord},
    metadata_records::MetadataRecord,
};
use records::{Batch, ControlRecordType, LOG_OVERHEAD};
use storage::disk::{DiskFile, read_full_at, write_all_at};

use crate::{
    control_batches::{
        self, Place, control_batch, control_records, encode, kraft_version_of, metadata_batch, record_values,
        voters_of,
    },
    error::QuorumError,
    membership::{PRIVATE_TAG, private_field},
    type_config::{Membership, SnapshotMeta, epoch_of},
};

/// Records of one batch, as in Kafka's snapshots.
const BATCH_RECORDS: usize = 1024;
/// Bytes of records after which a batch is closed.
const BATCH_BYTES: usize = 1024 * 1024;

/// Writes a snapshot from its header to its footer and makes its content durable.
pub(crate) fn write(
    file: &dyn DiskFile,
    path: &Path,
    meta: &SnapshotMeta,
    last_contained_log_timestamp: i64,
    now_ms: i64,
    records: impl Iterator<Item = MetadataRecord>,
) -> Result<u64, QuorumError> {
    let epoch = meta.last_log_id.as_ref().map(epoch_of).unwrap_or_default();
    let mut writer = Writer { file, path, epoch, now_ms, position: 0, next_offset: 0 };
    let header = SnapshotHeaderRecord {
        version: 0,
        last_contained_log_timestamp,
        unknown_tagged_fields: vec![private_field(meta)],
    };
    writer.control(&[
        (ControlRecordType::SnapshotHeader, encode(&header, 0)?),
        (ControlRecordType::KraftVersion, control_batches::kraft_version_record()?),
        (ControlRecordType::KraftVoters, control_batches::voters_record(meta.last_membership.membership())?),
    ])?;
    let mut batch = Vec::new();
    let mut batch_bytes = 0;
    for record in records {
        let record = record.encode_framed()?;
        batch_bytes += record.len();
        batch.push(record);
        if batch.len() >= BATCH_RECORDS || batch_bytes >= BATCH_BYTES {
            writer.records(&std::mem::take(&mut batch))?;
            batch_bytes = 0;
        }
    }
    if !batch.is_empty() {
        writer.records(&batch)?;
    }
    writer.control(&[(ControlRecordType::SnapshotFooter, encode(&SnapshotFooterRecord::default(), 0)?)])?;
    file.sync_data().map_err(|error| QuorumError::io("sync", path, &error))?;
    Ok(writer.position)
}

struct Writer<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    epoch: i32,
    now_ms: i64,
    position: u64,
    /// Offsets count the records of the snapshot, control records included.
    next_offset: i64,
}

impl Writer<'_> {
    fn control(&mut self, records: &[(ControlRecordType, Bytes)]) -> Result<(), QuorumError> {
        let place = Place { base_offset: self.next_offset, epoch: self.epoch, now_ms: self.now_ms };
        self.append(&control_batch(place, records)?, records.len())
    }

    fn records(&mut self, records: &[Bytes]) -> Result<(), QuorumError> {
        let batch = metadata_batch(self.next_offset, self.epoch, self.now_ms, records);
        self.append(&batch, records.len())
    }

    fn append(&mut self, batch: &Bytes, count: usize) -> Result<(), QuorumError> {
        write_all_at(self.file, self.position, &[batch])
            .map_err(|failure| QuorumError::io("write", self.path, &failure.source))?;
        self.position += batch.len() as u64;
        self.next_offset += count as i64;
        Ok(())
    }
}

/// What the first batch of a snapshot says about it.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// Timestamp of the last record the snapshot covers, ms.
    pub last_contained_log_timestamp: i64,
    /// Absent in a snapshot that Kafka wrote.
    pub meta: Option<SnapshotMeta>,
}

/// Reads only the header, for a list of what there is.
pub(crate) fn read_header(file: &dyn DiskFile, path: &Path) -> Result<Header, QuorumError> {
    let io = |error| QuorumError::io("read", path, &error);
    let mut head = [0; LOG_OVERHEAD];
    let read = read_full_at(file, 0, &mut head).map_err(io)?;
    let size = head.last_chunk().map_or(0, |size| i32::from_be_bytes(*size));
    let end = u64::try_from(size).unwrap_or_default() + LOG_OVERHEAD as u64;
    if read < LOG_OVERHEAD || end > file.length().map_err(io)? {
        return Err(damaged(path, "it is cut short"));
    }
    let mut bytes = vec![0; end as usize];
    read_full_at(file, 0, &mut bytes).map_err(io)?;
    let first =
        records::batches(&Bytes::from(bytes)).next().ok_or_else(|| damaged(path, "it is empty"))??;
    header_of(&first, path)
}

fn header_of(batch: &Batch, path: &Path) -> Result<Header, QuorumError> {
    batch.verify_crc()?;
    let records = if batch.header.is_control() { control_records(batch)? } else { Vec::new() };
    let Some((ControlRecordType::SnapshotHeader, value)) = records.into_iter().next() else {
        return Err(damaged(path, "it does not begin with a header"));
    };
    let header = SnapshotHeaderRecord::decode(&mut Reader::new(value), 0)?;
    let field = header.unknown_tagged_fields.iter().find(|field| field.tag == PRIVATE_TAG);
    let meta = field
        .map(|field| serde_json::from_slice(&field.data))
        .transpose()
        .map_err(|error| damaged(path, &error.to_string()))?;
    Ok(Header { last_contained_log_timestamp: header.last_contained_log_timestamp, meta })
}

/// A whole snapshot.
#[derive(Debug)]
pub(crate) struct Content {
    pub header: Header,
    pub records: Vec<MetadataRecord>,
    /// `kraft.version`, if the snapshot says it.
    pub kraft_version: Option<i16>,
    /// The voters, if the snapshot names them.
    pub voters: Option<Membership>,
}

/// Reads a whole snapshot, checking every batch.
pub(crate) fn read(
    file: &Arc<dyn DiskFile>,
    path: &Path,
) -> Result<(Header, Vec<MetadataRecord>), QuorumError> {
    read_content(file, path).map(|content| (content.header, content.records))
}

/// The same, with what the control records say.
pub(crate) fn read_content(file: &Arc<dyn DiskFile>, path: &Path) -> Result<Content, QuorumError> {
    let io = |error| QuorumError::io("read", path, &error);
    let length = usize::try_from(file.length().map_err(io)?).map_err(|_| damaged(path, "it is too large"))?;
    let mut bytes = vec![0; length];
    read_full_at(&**file, 0, &mut bytes).map_err(io)?;
    let bytes = Bytes::from(bytes);
    let mut batches = records::batches(&bytes);
    let first = batches.next().ok_or_else(|| damaged(path, "it is empty"))??;
    let header = header_of(&first, path)?;
    let mut content = Content { header, records: Vec::new(), kraft_version: None, voters: None };
    content.note_control(&first)?;
    let mut is_complete = false;
    for batch in &mut batches {
        let batch = batch?;
        batch.verify_crc()?;
        if is_complete {
            return Err(damaged(path, "there is more behind its footer"));
        }
        if batch.header.is_control() {
            let records = control_records(&batch)?;
            content.note_control(&batch)?;
            is_complete = records.iter().any(|(kind, _)| *kind == ControlRecordType::SnapshotFooter);
            continue;
        }
        for value in record_values(&batch)? {
            content.records.push(MetadataRecord::decode_framed(value)?);
        }
    }
    if !is_complete || !batches.rest().is_empty() {
        return Err(damaged(path, "it does not end with a footer"));
    }
    Ok(content)
}

impl Content {
    fn note_control(&mut self, batch: &Batch) -> Result<(), QuorumError> {
        self.kraft_version = kraft_version_of(batch)?.or(self.kraft_version);
        if let Some(voters) = voters_of(batch)? {
            self.voters = Some(voters);
        }
        Ok(())
    }
}

fn damaged(path: &Path, how: &str) -> QuorumError {
    QuorumError::corrupt(format!("snapshot {} is damaged: {how}", path.display()))
}
