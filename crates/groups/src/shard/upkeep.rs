//! What happens to a shard without a request: loading, time, deleted topics, unloading.

use std::sync::Arc;

use super::GroupShard;
use crate::effects::Effects;
use crate::event::DeletedTopic;
use crate::group::{Group, Step};

impl GroupShard {
    pub(super) fn loaded(&mut self, now_ms: i64, effects: &mut Effects) {
        self.schedule_expiry_check(now_ms);
        for group_id in self.group_ids() {
            self.with_group(now_ms, effects, &group_id, Group::loaded);
        }
    }

    pub(super) fn tick(&mut self, now_ms: i64, effects: &mut Effects) {
        for group_id in self.deadlines.take_due(now_ms) {
            if let Some(group) = self.groups.get_mut(&group_id) {
                group.timers().scheduled_ms = None;
            }
            if let Some(Some(other)) = self.with_group(now_ms, effects, &group_id, Group::fire_due) {
                self.put_group(other);
            }
        }
        if self.next_expiry_check_ms.is_some_and(|check_ms| check_ms <= now_ms) {
            self.expire_offsets(now_ms, effects);
            self.schedule_expiry_check(now_ms);
        }
    }

    fn schedule_expiry_check(&mut self, now_ms: i64) {
        let interval_ms = self.config.offsets_retention_check_interval_ms.max(1);
        self.next_expiry_check_ms = Some(now_ms.saturating_add(interval_ms));
    }

    /// Forgets expired offsets, and empty groups that have none left.
    fn expire_offsets(&mut self, now_ms: i64, effects: &mut Effects) {
        for group_id in self.group_ids() {
            let Some(group) = self.groups.get(&group_id) else { continue };
            let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
            let has_nothing_left = self.offsets.expire(&mut step, group);
            if has_nothing_left && group.is_empty() && group.goes_by_itself() {
                group.write_tombstones(&mut step);
                self.remove_group(&group_id);
            }
        }
    }

    pub(super) fn topics_deleted(&mut self, now_ms: i64, effects: &mut Effects, topics: &[DeletedTopic]) {
        self.offsets.remove_topics(effects, topics);
        for group_id in self.group_ids() {
            self.with_share(now_ms, effects, &group_id, |group, step| {
                group.topics_deleted(step, |id| topics.iter().any(|topic| topic.id == *id));
            });
        }
    }

    pub(super) fn unload(&mut self, now_ms: i64, effects: &mut Effects) {
        for group_id in self.group_ids() {
            self.with_group(now_ms, effects, &group_id, Group::unload);
        }
        let config = self.config.clone();
        *self = Self { is_unloaded: true, ..Self::new(config) };
    }

    /// Lets a group act, and enters what it then waits for.
    fn with_group<T>(
        &mut self,
        now_ms: i64,
        effects: &mut Effects,
        group_id: &str,
        act: impl FnOnce(&mut Group, &mut Step<'_>) -> T,
    ) -> Option<T> {
        let group = self.groups.get_mut(group_id)?;
        let mut step = Step { now_ms, config: &self.config, cluster: &mut self.cluster, effects };
        let outcome = act(group, &mut step);
        self.deadlines.enter(group);
        Some(outcome)
    }

    fn group_ids(&self) -> Vec<Arc<str>> {
        self.groups.keys().cloned().collect()
    }
}
