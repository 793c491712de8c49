//! When which group has to be looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::group::{Group, GroupTimers};

/// Group ids by the time they want to be looked at, at most one entry per group.
///
/// A group's entry may be early, never late: a heartbeat moves its member's own deadline and leaves the entry alone, so
/// that the usual request costs no queue operation; the group finds nothing due when the entry comes up and is entered
/// again at its real deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    queue: BTreeSet<(i64, Arc<str>)>,
}

impl Deadlines {
    /// Enters a group at the deadline it wants, unless it is entered at an earlier one.
    pub(crate) fn enter(&mut self, group: &mut Group) {
        if let Some(wanted_ms) = group.timers().wanted_ms.take() {
            let group_id = group.id().clone();
            self.bring_forward(&group_id, group.timers(), wanted_ms);
        }
    }

    /// Takes a group's entry out.
    pub(crate) fn forget(&mut self, group: &mut Group) {
        let group_id = group.id().clone();
        self.remove(&group_id, group.timers());
    }

    fn bring_forward(&mut self, group_id: &Arc<str>, timers: &mut GroupTimers, wanted_ms: i64) {
        if timers.scheduled_ms.is_some_and(|scheduled_ms| scheduled_ms <= wanted_ms) {
            return;
        }
        self.remove(group_id, timers);
        self.queue.insert((wanted_ms, group_id.clone()));
        timers.scheduled_ms = Some(wanted_ms);
    }

    fn remove(&mut self, group_id: &Arc<str>, timers: &mut GroupTimers) {
        if let Some(deadline_ms) = timers.scheduled_ms.take() {
            self.queue.remove(&(deadline_ms, group_id.clone()));
        }
    }

    /// Takes out every group due at `now_ms`, earliest first.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<Arc<str>> {
        let mut due = Vec::new();
        while self.next_ms().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            due.extend(self.queue.pop_first().map(|(_, group_id)| group_id));
        }
        due
    }

    /// The earliest deadline.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.queue.first().map(|(deadline_ms, _)| *deadline_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_one_entry_that_only_moves_forward() {
        let mut deadlines = Deadlines::default();
        let (group, other): (Arc<str>, Arc<str>) = ("g".into(), "h".into());
        let (mut timers, mut other_timers) = (GroupTimers::default(), GroupTimers::default());
        deadlines.bring_forward(&group, &mut timers, 50);
        deadlines.bring_forward(&group, &mut timers, 70);
        assert_eq!(deadlines.next_ms(), Some(50));
        deadlines.bring_forward(&group, &mut timers, 20);
        deadlines.bring_forward(&other, &mut other_timers, 10);
        assert_eq!(deadlines.take_due(9), Vec::<Arc<str>>::new());
        assert_eq!(deadlines.take_due(20), vec![other, group.clone()]);
        assert_eq!(deadlines.next_ms(), None);
        let mut timers = GroupTimers::default();
        deadlines.bring_forward(&group, &mut timers, 5);
        deadlines.remove(&group, &mut timers);
        assert_eq!((deadlines.next_ms(), timers.scheduled_ms), (None, None));
    }
}
