//! The arithmetic of reassignments: what is added and removed, when one is done, how one is undone.

use metadata::PartitionRegistration;

/// A reassignment from one list of replicas to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reassignment {
    /// To be taken away, ascending.
    pub removing: Vec<i32>,
    /// To be added, ascending.
    pub adding: Vec<i32>,
    /// While it goes on: the target's replicas, then those being removed.
    pub replicas: Vec<i32>,
}

fn difference(a: &[i32], b: &[i32]) -> Vec<i32> {
    let mut ids: Vec<i32> = a.iter().copied().filter(|id| !b.contains(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl Reassignment {
    pub fn between(current: &[i32], target: &[i32]) -> Self {
        let removing = difference(current, target);
        let adding = difference(target, current);
        let replicas = [target, &removing].concat();
        Self { removing, adding, replicas }
    }
}

/// Replicas and ISR after a reassignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompletedReassignment {
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
}

/// The end of a reassignment whose remaining replicas are all in sync; `None` if there is none, or it goes on.
pub(crate) fn completed(
    removing: &[i32],
    adding: &[i32],
    replicas: &[i32],
    isr: &[i32],
) -> Option<CompletedReassignment> {
    if removing.is_empty() && adding.is_empty() {
        return None;
    }
    let without =
        |ids: &[i32]| -> Vec<i32> { ids.iter().copied().filter(|id| !removing.contains(id)).collect() };
    let (replicas, isr) = (without(replicas), without(isr));
    let nothing_left = !removing.is_empty() && (replicas.is_empty() || isr.is_empty());
    let all_in_sync = replicas.iter().all(|id| isr.contains(id));
    (!nothing_left && all_in_sync).then_some(CompletedReassignment { replicas, isr })
}

/// A partition as before its reassignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revert {
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    /// Nobody of the old replicas is in sync: going back loses records.
    pub unclean: bool,
}

impl Revert {
    /// `None` if nothing of the old assignment is left to go back to.
    pub fn of(partition: &PartitionRegistration) -> Option<Self> {
        let without_added = |ids: &[i32]| -> Vec<i32> {
            ids.iter().copied().filter(|id| !partition.adding_replicas.contains(id)).collect()
        };
        let replicas = without_added(&partition.replicas);
        let isr = without_added(&partition.isr);
        if !isr.is_empty() {
            return Some(Self { replicas, isr, unclean: false });
        }
        let isr = vec![*replicas.first()?];
        Some(Self { replicas, isr, unclean: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reassignment_keeps_old_replicas_until_it_is_done() {
        let reassignment = Reassignment::between(&[3, 2, 1], &[4, 2, 5]);
        assert_eq!(reassignment.removing, [1, 3]);
        assert_eq!(reassignment.adding, [4, 5]);
        assert_eq!(reassignment.replicas, [4, 2, 5, 1, 3]);
    }

    #[test]
    fn is_done_when_all_that_stay_are_in_sync() {
        let done = completed(&[1, 3], &[4, 5], &[4, 2, 5, 1, 3], &[1, 2, 3, 4, 5]).unwrap();
        assert_eq!(done, CompletedReassignment { replicas: vec![4, 2, 5], isr: vec![2, 4, 5] });
        assert_eq!(completed(&[1, 3], &[4, 5], &[4, 2, 5, 1, 3], &[1, 2, 3, 4]), None);
        assert_eq!(completed(&[], &[], &[1, 2], &[1, 2]), None);
        assert_eq!(completed(&[1], &[2], &[2, 1], &[1]), None);
    }

    #[test]
    fn going_back_is_unclean_without_an_old_replica_in_sync() {
        let mut partition = PartitionRegistration {
            replicas: [4, 2, 1].into(),
            isr: [4, 2].into(),
            adding_replicas: [4].into(),
            removing_replicas: [1].into(),
            ..Default::default()
        };
        let revert = Revert::of(&partition).unwrap();
        assert_eq!(revert, Revert { replicas: vec![2, 1], isr: vec![2], unclean: false });
        partition.isr = [4].into();
        let revert = Revert::of(&partition).unwrap();
        assert_eq!(revert, Revert { replicas: vec![2, 1], isr: vec![2], unclean: true });
    }
}
