//! Requests about groups as a whole: ListGroups, DescribeGroups, DeleteGroups.

use std::collections::BTreeSet;

use protocol::ErrorCode;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use super::GroupShard;
use crate::classic::{describe_missing, describe_not_classic};
use crate::effects::{Effects, Reply};
use crate::group::{Group, Step};
use crate::refusal::delete_result;

impl GroupShard {
    /// The groups in one of the states and of one of the types asked for, whichever way they are capitalised; no filter
    /// lets all through, one with unknown names only matches none.
    pub(super) fn list(&self, request: &ListGroupsRequest) -> Reply {
        let lower_case = |names: &[String], trim: bool| -> BTreeSet<String> {
            names.iter().map(|name| if trim { name.trim() } else { name }).map(str::to_lowercase).collect()
        };
        let mut states = lower_case(&request.states_filter, true);
        // Kafka's own spelling in filters.
        if states.contains("not_ready") {
            states.insert("notready".to_owned());
        }
        let types = lower_case(&request.types_filter, false);
        let matches = |group: &&Group| {
            (states.is_empty() || states.contains(&group.state_name().to_lowercase()))
                && (types.is_empty() || types.contains(group.type_name()))
        };
        let groups = self.groups.values().filter(matches).map(Group::listed).collect();
        Reply::ListGroups(ListGroupsResponse { groups, ..ListGroupsResponse::default() })
    }

    pub(super) fn describe(&self, group_ids: Vec<String>, api_version: i16) -> Reply {
        let describe = |group_id: String| match self.groups.get(group_id.as_str()) {
            Some(Group::Classic(group)) => group.described(),
            Some(_) => describe_not_classic(group_id, api_version),
            None => describe_missing(group_id, api_version),
        };
        Reply::DescribeGroups(group_ids.into_iter().map(describe).collect())
    }

    /// Deletes empty groups with all their offsets.
    pub(super) fn delete_groups(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        group_ids: Vec<String>,
    ) -> Reply {
        let mut results = Vec::new();
        for group_id in group_ids {
            let deletable = match self.groups.get(group_id.as_str()) {
                None => Err(ErrorCode::GroupIdNotFound),
                Some(group) => group.validate_delete(),
            };
            if deletable.is_ok() {
                self.offsets.remove_group(effects, &group_id);
                let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
                if let Some(group) = self.groups.get(group_id.as_str()) {
                    group.write_tombstones(&mut step);
                }
                self.remove_group(&group_id);
            }
            results.push(delete_result(group_id, deletable.err().unwrap_or(ErrorCode::None)));
        }
        Reply::DeleteGroups(results)
    }

    /// Forgets a group, but not its offsets.
    pub(crate) fn remove_group(&mut self, group_id: &str) {
        if let Some(mut group) = self.groups.remove(group_id) {
            self.deadlines.forget(&mut group);
        }
    }
}
