//! What was promised to clients, and must hold from then on.

use std::collections::BTreeMap;

use groups::{Reply, Request};
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::world::GROUPS;

/// Length of a dash and a UUID: what follows the instance id in a static member's id.
const UUID_SUFFIX: usize = 37;

#[derive(Default)]
pub struct Promises {
    /// Who leads each generation, by the shard's life, the group and the generation.
    leaders: BTreeMap<(u32, String, i32), String>,
    generations: BTreeMap<(u32, String), i32>,
    /// The number of the assignment that was given out in a generation of a group.
    assignments: BTreeMap<(String, i32), String>,
    /// Offsets by group and topic in the order the shard took them, and how many of them up to the last one that a
    /// client was told of.
    commits: BTreeMap<(String, String), (Vec<i64>, usize)>,
}

impl Promises {
    /// Looks at an answer when the shard gives it; it may never be sent.
    pub fn given(&mut self, life: u32, request: &Request, reply: &Reply) {
        match (request, reply) {
            (Request::JoinGroup(request), Reply::JoinGroup(response))
                if response.error_code == 0 && is_kept(&request.group_id) =>
            {
                self.joined(life, request, response);
            }
            (Request::OffsetCommit(request), Reply::OffsetCommit(response)) if is_kept(&request.group_id) => {
                for (topic, answer) in request.topics.iter().zip(&response.topics) {
                    if answer.partitions[0].error_code == 0 {
                        let commits =
                            self.commits.entry((request.group_id.clone(), topic.name.clone())).or_default();
                        commits.0.push(topic.partitions[0].committed_offset);
                    }
                }
            }
            (Request::OffsetFetch { group, .. }, Reply::OffsetFetch(answer)) => {
                for topic in &answer.topics {
                    self.fetched(&group.group_id, &topic.name, topic.partitions[0].committed_offset);
                }
            }
            _ => {}
        }
    }

    fn joined(&mut self, life: u32, request: &JoinGroupRequest, response: &JoinGroupResponse) {
        let is_static = response.leader.starts_with("instance");
        let stable_part = response.leader.len().saturating_sub(if is_static { UUID_SUFFIX } else { 0 });
        let leader = &response.leader[..stable_part];
        let generation = (life, request.group_id.clone(), response.generation_id);
        let known = self.leaders.entry(generation).or_insert_with(|| leader.to_owned());
        assert_eq!(known, leader, "two leaders in one generation");
        let latest = self.generations.entry((life, request.group_id.clone())).or_insert(0);
        assert!(response.generation_id >= *latest, "the generation went back");
        *latest = response.generation_id;
        if !response.members.is_empty() {
            assert_eq!(response.leader, response.member_id, "only leaders see members");
            let itself = response.members.iter().filter(|member| member.member_id == response.member_id);
            assert_eq!(itself.count(), 1, "a leader is a member");
        }
    }

    pub fn fetched(&self, group_id: &str, topic: &str, offset: i64) {
        let Some((commits, told)) = self.commits.get(&(group_id.to_owned(), topic.to_owned())) else {
            return;
        };
        let possible = &commits[told.saturating_sub(1)..];
        let may_be_missing = *told == 0 && offset == -1;
        assert!(
            possible.contains(&offset) || may_be_missing,
            "{group_id} {topic}: {offset} of {commits:?} from {told}"
        );
    }

    /// Every topic a group has committed offsets for.
    pub fn topics(&self, group_id: &str) -> Vec<String> {
        self.commits.keys().filter(|(group, _)| group == group_id).map(|(_, topic)| topic.clone()).collect()
    }

    /// Looks at an answer on its way to a client: from now on it can never be taken back.
    pub fn told(&mut self, request: &Request, reply: &Reply) {
        match (request, reply) {
            (Request::SyncGroup(request), Reply::SyncGroup(response))
                if response.error_code == 0 && !response.assignment.is_empty() =>
            {
                let text = String::from_utf8_lossy(&response.assignment);
                let (number, _) = text.split_once(':').expect("our own assignments");
                let generation = (request.group_id.clone(), request.generation_id);
                let known = self.assignments.entry(generation).or_insert_with(|| number.to_owned());
                assert_eq!(known, number, "two assignments in one generation of {}", request.group_id);
            }
            (Request::OffsetCommit(request), Reply::OffsetCommit(response)) => {
                for (topic, answer) in request.topics.iter().zip(&response.topics) {
                    let key = (request.group_id.clone(), topic.name.clone());
                    let offset = topic.partitions[0].committed_offset;
                    if let Some((commits, told)) =
                        self.commits.get_mut(&key).filter(|_| answer.partitions[0].error_code == 0)
                    {
                        let position =
                            commits.iter().position(|taken| *taken == offset).expect("it was taken");
                        *told = (*told).max(position + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether nobody deletes this group and its offsets.
fn is_kept(group_id: &str) -> bool {
    GROUPS.contains(&group_id)
}
