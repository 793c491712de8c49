//! `quorum-state`: term and vote, in the file Kafka keeps them in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::Uuid;
use serde::{Deserialize, Serialize};
use storage::disk::{Disk, read_small_file, replace_file};

use crate::{error::QuorumError, type_config::Vote};

const FILE_NAME: &str = "quorum-state";
const BYTES_MAX: u64 = 64 * 1024;
const NOBODY: i32 = -1;

/// The file's content, version 1; version 0 has fields that nobody reads any more.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumStateFile {
    leader_id: i32,
    leader_epoch: i32,
    voted_id: i32,
    #[serde(default = "no_directory")]
    voted_directory_id: String,
    #[serde(rename = "data_version")]
    data_version: i16,
    /// Ours: that Klamm wrote the file. Kafka passes over it and drops it with its first election, so that its absence
    /// says whose metadata log this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    klamm: Option<i16>,
}

/// The mark in a file of ours.
const MARK: i16 = 1;

fn no_directory() -> String {
    Uuid::ZERO.to_string()
}

/// The one writer of the file.
#[derive(Debug)]
pub(crate) struct VoteFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl VoteFile {
    pub fn new(disk: Arc<dyn Disk>, directory: &Path) -> Self {
        Self { disk, path: directory.join(FILE_NAME) }
    }

    /// The content, if there is a file.
    fn read(&self) -> Result<Option<QuorumStateFile>, QuorumError> {
        let io = |error| QuorumError::io("read", &self.path, &error);
        if self.disk.entry(&self.path).map_err(io)?.is_none() {
            return Ok(None);
        }
        let bytes = read_small_file(&*self.disk, &self.path, BYTES_MAX).map_err(io)?;
        let state = serde_json::from_slice(&bytes)
            .map_err(|error| QuorumError::corrupt(format!("{}: {error}", self.path.display())))?;
        Ok(Some(state))
    }

    fn write(&self, state: &QuorumStateFile) -> Result<(), QuorumError> {
        let bytes = serde_json::to_vec(state).expect("plain values have a JSON form");
        replace_file(&*self.disk, &self.path, &bytes)
            .map_err(|error| QuorumError::io("write", &self.path, &error))
    }

    /// Whether the file is ours; `None` where there is none.
    pub fn is_ours(&self) -> Result<Option<bool>, QuorumError> {
        Ok(self.read()?.map(|state| state.klamm.is_some()))
    }

    /// The epoch in the file.
    pub fn epoch(&self) -> Result<Option<i32>, QuorumError> {
        Ok(self.read()?.map(|state| state.leader_epoch))
    }

    /// Makes the file ours, or Kafka's, with nobody leading `epoch`.
    pub fn hand_over(&self, epoch: i32, to_us: bool) -> Result<(), QuorumError> {
        self.write(&QuorumStateFile {
            leader_id: NOBODY,
            leader_epoch: epoch,
            voted_id: NOBODY,
            voted_directory_id: no_directory(),
            data_version: 1,
            klamm: to_us.then_some(MARK),
        })
    }

    /// The vote of the last run. Leadership does not outlive a process: who led comes back as a candidate of that
    /// epoch, and leads again in a new one.
    pub fn load(&self, replica_id: i32) -> Result<Option<Vote>, QuorumError> {
        let Some(state) = self.read()? else { return Ok(None) };
        let term = u64::try_from(state.leader_epoch).unwrap_or_default();
        let voted_for = if state.leader_id == NOBODY { state.voted_id } else { state.leader_id };
        let mut vote = Vote::new(term, voted_for);
        if voted_for == NOBODY {
            vote.leader_id.voted_for = None;
        } else if state.leader_id != NOBODY && state.leader_id != replica_id {
            vote.commit();
        }
        Ok(Some(vote))
    }

    /// Makes a vote durable.
    pub fn save(&self, vote: &Vote, directory_of: impl Fn(i32) -> Uuid) -> Result<(), QuorumError> {
        let voted_for = vote.leader_id.voted_for.unwrap_or(NOBODY);
        let (leader_id, voted_id) = if vote.committed { (voted_for, NOBODY) } else { (NOBODY, voted_for) };
        let voted_directory_id = if voted_id == NOBODY { Uuid::ZERO } else { directory_of(voted_id) };
        self.write(&QuorumStateFile {
            leader_id,
            leader_epoch: i32::try_from(vote.leader_id.term).unwrap_or(i32::MAX),
            voted_id,
            voted_directory_id: voted_directory_id.to_string(),
            data_version: 1,
            klamm: Some(MARK),
        })
    }
}

#[cfg(test)]
mod tests {
    use storage::disk::SimDisk;

    use super::*;

    fn file() -> VoteFile {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir_all(Path::new("/m")).unwrap();
        VoteFile::new(disk, Path::new("/m"))
    }

    #[test]
    fn votes_and_leaders_survive() {
        let file = file();
        assert_eq!(file.load(1).unwrap(), None);
        let vote = Vote::new(7, 2);
        file.save(&vote, |id| Uuid([id as u8; 16])).unwrap();
        assert_eq!(file.load(1).unwrap(), Some(vote));
        let leader = Vote::new_committed(8, 2);
        file.save(&leader, |_| Uuid::ZERO).unwrap();
        assert_eq!(file.load(1).unwrap(), Some(leader));
        // Our own leadership ends with the process.
        assert_eq!(file.load(2).unwrap(), Some(Vote::new(8, 2)));
    }

    #[test]
    fn the_file_is_kafkas() {
        let file = file();
        file.save(&Vote::new_committed(1, 1), |_| Uuid::ZERO).unwrap();
        let text = read_small_file(&*file.disk, &file.path, BYTES_MAX).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1,"klamm":1}"#
        );
        assert_eq!(file.is_ours().unwrap(), Some(true));
        file.hand_over(3, false).unwrap();
        assert_eq!((file.is_ours().unwrap(), file.epoch().unwrap()), (Some(false), Some(3)));
        let older = br#"{"clusterId":"","leaderId":-1,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
        replace_file(&*file.disk, &file.path, older).unwrap();
        let vote = file.load(1).unwrap().expect("a vote");
        assert_eq!((vote.leader_id.term, vote.leader_id.voted_for, vote.committed), (4, None, false));
    }
}
