//! Share sessions: what each member of a share group reads from this broker, told once and changed by differences.
//!
//! A member has one session with each broker. Epoch 0 begins it, each request counts one up, -1 ends it. Sessions also end
//! when their connection does; what the member held is then released.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexSet;
use protocol::{ErrorCode, Uuid};

/// The epoch that begins a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch that ends one.
const FINAL_EPOCH: i32 = -1;

/// A partition by its topic's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SharedPartition {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    /// The group.
    pub group_id: Arc<str>,
    /// The member.
    pub member_id: Arc<str>,
}

/// What a session reads.
#[derive(Debug)]
pub struct Session {
    /// The epoch that the next request has to carry.
    epoch: i32,
    connection: u64,
    partitions: IndexSet<SharedPartition>,
}

/// What a ShareFetch says of its session.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionRequest<'a> {
    /// Partitions that come into it.
    pub wanted: &'a [SharedPartition],
    /// Partitions that leave it.
    pub forgotten: &'a [SharedPartition],
    /// Whether the request acknowledges records.
    pub acknowledges: bool,
}

/// What a ShareFetch comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionFetch {
    /// Read these, in this order.
    Read(Vec<SharedPartition>),
    /// The session ends after this request; these were in it.
    End(Vec<SharedPartition>),
}

/// The sessions of one broker.
#[derive(Debug, Default)]
pub struct ShareSessions {
    sessions: HashMap<SessionKey, Session>,
    by_connection: HashMap<u64, SessionKey>,
}

fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

impl ShareSessions {
    /// No sessions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Takes a ShareFetch: begins, goes on with or ends a session. `sessions_max` is how many there may be
    /// (`group.share.max.share.sessions`).
    ///
    /// # Errors
    /// SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED; INVALID_REQUEST for a first request
    /// that acknowledges something.
    pub fn fetch(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        connection: u64,
        asked: SessionRequest<'_>,
        sessions_max: usize,
    ) -> Result<SessionFetch, ErrorCode> {
        match epoch {
            FINAL_EPOCH => {
                let session = self.sessions.get(key).ok_or(ErrorCode::ShareSessionNotFound)?;
                Ok(SessionFetch::End(session.partitions.iter().copied().collect()))
            }
            INITIAL_EPOCH => {
                if asked.acknowledges {
                    return Err(ErrorCode::InvalidRequest);
                }
                self.remove(key);
                if self.sessions.len() >= sessions_max {
                    return Err(ErrorCode::ShareSessionLimitReached);
                }
                let partitions: IndexSet<SharedPartition> = asked.wanted.iter().copied().collect();
                let read = partitions.iter().copied().collect();
                let session = Session { epoch: next_epoch(INITIAL_EPOCH), connection, partitions };
                self.sessions.insert(key.clone(), session);
                self.by_connection.insert(connection, key.clone());
                Ok(SessionFetch::Read(read))
            }
            _ => {
                let session = self.go_on(key, epoch)?;
                session.partitions.extend(asked.wanted);
                for partition in asked.forgotten {
                    session.partitions.shift_remove(partition);
                }
                Ok(SessionFetch::Read(session.partitions.iter().copied().collect()))
            }
        }
    }

    /// Takes a ShareAcknowledge. Returns whether it ends the session.
    ///
    /// # Errors
    /// SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH: it cannot begin one either.
    pub fn acknowledge(&mut self, key: &SessionKey, epoch: i32) -> Result<bool, ErrorCode> {
        match epoch {
            INITIAL_EPOCH => Err(ErrorCode::InvalidShareSessionEpoch),
            FINAL_EPOCH if self.sessions.contains_key(key) => Ok(true),
            FINAL_EPOCH => Err(ErrorCode::ShareSessionNotFound),
            _ => self.go_on(key, epoch).map(|_| false),
        }
    }

    fn go_on(&mut self, key: &SessionKey, epoch: i32) -> Result<&mut Session, ErrorCode> {
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.epoch = next_epoch(epoch);
        Ok(session)
    }

    /// What was read from last goes to the end, so that the others have their turn first.
    pub fn found_records(&mut self, key: &SessionKey, partitions: &[SharedPartition]) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        for partition in partitions {
            if session.partitions.shift_remove(partition) {
                session.partitions.insert(*partition);
            }
        }
    }

    /// Ends a session; returns what was in it.
    pub fn remove(&mut self, key: &SessionKey) -> Option<Vec<SharedPartition>> {
        let session = self.sessions.remove(key)?;
        if self.by_connection.get(&session.connection) == Some(key) {
            self.by_connection.remove(&session.connection);
        }
        Some(session.partitions.into_iter().collect())
    }

    /// Ends the session that was begun over this connection, which is closed.
    pub fn disconnected(&mut self, connection: u64) -> Option<(SessionKey, Vec<SharedPartition>)> {
        let key = self.by_connection.remove(&connection)?;
        let partitions = self.remove(&key)?;
        Some((key, partitions))
    }

    /// Whether a group has no session here.
    pub fn is_group_gone(&self, group_id: &str) -> bool {
        self.sessions.keys().all(|key| &*key.group_id != group_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(member: &str) -> SessionKey {
        SessionKey { group_id: "g".into(), member_id: member.into() }
    }

    fn partition(partition: i32) -> SharedPartition {
        SharedPartition { topic_id: Uuid::from_u128(7), partition }
    }

    fn read(partitions: &[i32]) -> Result<SessionFetch, ErrorCode> {
        Ok(SessionFetch::Read(partitions.iter().map(|index| partition(*index)).collect()))
    }

    fn fetch(
        sessions: &mut ShareSessions,
        key: &SessionKey,
        epoch: i32,
        wanted: &[SharedPartition],
        forgotten: &[SharedPartition],
        acknowledges: bool,
    ) -> Result<SessionFetch, ErrorCode> {
        sessions.fetch(key, epoch, 1, SessionRequest { wanted, forgotten, acknowledges }, 9)
    }

    /// Where there may be one session only.
    fn fetch_of(
        sessions: &mut ShareSessions,
        key: &SessionKey,
        epoch: i32,
        connection: u64,
        wanted: &[SharedPartition],
    ) -> Result<SessionFetch, ErrorCode> {
        sessions.fetch(key, epoch, connection, SessionRequest { wanted, ..Default::default() }, 1)
    }

    #[test]
    fn a_session_is_told_differences() {
        let mut sessions = ShareSessions::new();
        let one = key("one");
        assert_eq!(fetch(&mut sessions, &one, 1, &[], &[], false), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(fetch(&mut sessions, &one, 0, &[partition(0)], &[], false), read(&[0]));
        assert_eq!(fetch(&mut sessions, &one, 1, &[partition(1)], &[], true), read(&[0, 1]));
        assert_eq!(fetch(&mut sessions, &one, 1, &[], &[], false), Err(ErrorCode::InvalidShareSessionEpoch));
        sessions.found_records(&one, &[partition(0)]);
        assert_eq!(fetch(&mut sessions, &one, 2, &[], &[], false), read(&[1, 0]));
        assert_eq!(fetch(&mut sessions, &one, 3, &[], &[partition(1)], false), read(&[0]));
        let ended = fetch(&mut sessions, &one, -1, &[], &[], true);
        assert_eq!(ended, Ok(SessionFetch::End(vec![partition(0)])));
        assert_eq!(sessions.remove(&one), Some(vec![partition(0)]));
        assert_eq!(fetch(&mut sessions, &one, -1, &[], &[], false), Err(ErrorCode::ShareSessionNotFound));
    }

    #[test]
    fn an_acknowledgement_counts_the_epoch_but_begins_nothing() {
        let mut sessions = ShareSessions::new();
        let one = key("one");
        assert_eq!(sessions.acknowledge(&one, 0), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&one, 1), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(sessions.acknowledge(&one, -1), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(fetch(&mut sessions, &one, 0, &[], &[], true), Err(ErrorCode::InvalidRequest));
        assert_eq!(fetch(&mut sessions, &one, 0, &[], &[], false), read(&[]));
        assert_eq!(sessions.acknowledge(&one, 1), Ok(false));
        assert_eq!(sessions.acknowledge(&one, 1), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&one, -1), Ok(true));
    }

    #[test]
    fn there_are_so_many_sessions_and_they_end_with_their_connections() {
        let mut sessions = ShareSessions::new();
        let (one, two) = (key("one"), key("two"));
        assert_eq!(fetch_of(&mut sessions, &one, 0, 1, &[partition(3)]), read(&[3]));
        assert_eq!(fetch_of(&mut sessions, &two, 0, 2, &[]), Err(ErrorCode::ShareSessionLimitReached));
        assert_eq!(fetch_of(&mut sessions, &one, 0, 4, &[partition(3)]), read(&[3]), "begun anew elsewhere");
        assert_eq!(sessions.disconnected(1), None, "the old connection has none any more");
        assert_eq!(sessions.disconnected(4), Some((one, vec![partition(3)])));
        assert!(sessions.is_group_gone("g"));
        assert_eq!(fetch_of(&mut sessions, &two, 0, 2, &[]), read(&[]));
    }
}
