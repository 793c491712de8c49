//! Where replicas of new partitions go: striped over racks, and over brokers within a rack.
//!
//! The rules are those of Kafka's striped placer. Leaders are spread over racks and unfenced brokers in turn; a
//! partition's other replicas go to the following racks, one broker of each, unfenced ones first. After as many
//! partitions as there are unfenced brokers, racks and brokers are shuffled, so that the same brokers do not follow
//! each other for ever.

use std::collections::BTreeMap;

use crate::randomness::Randomness;

/// A broker that can be given replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableBroker {
    /// Its id.
    pub id: i32,
    /// Its rack.
    pub rack: Option<String>,
    /// It may hold replicas, but not the first one.
    pub fenced: bool,
}

#[derive(Debug, Default)]
struct BrokerList {
    brokers: Vec<i32>,
    index: usize,
    offset: usize,
    epoch: usize,
}

impl BrokerList {
    fn initialize(&mut self, randomness: &mut Randomness) {
        if !self.brokers.is_empty() {
            self.brokers.sort_unstable();
            self.offset = randomness.below(self.brokers.len());
        }
    }

    /// The next broker of this epoch, `None` once each was given. A new epoch begins one broker further on.
    fn next(&mut self, epoch: usize) -> Option<i32> {
        let count = self.brokers.len();
        if count == 0 {
            return None;
        }
        if self.epoch != epoch {
            self.epoch = epoch;
            self.index = 0;
            self.offset = (self.offset + 1) % count;
        }
        if self.index >= count {
            return None;
        }
        let broker = self.brokers.get((self.index + self.offset) % count).copied();
        self.index += 1;
        broker
    }
}

#[derive(Debug, Default)]
struct Rack {
    fenced: BrokerList,
    unfenced: BrokerList,
}

impl Rack {
    fn next(&mut self, epoch: usize) -> Option<i32> {
        self.unfenced.next(epoch).or_else(|| self.fenced.next(epoch))
    }
}

struct RackList {
    racks: Vec<Rack>,
    unfenced_count: usize,
    epoch: usize,
    offset: usize,
}

impl RackList {
    fn new(brokers: &[UsableBroker], randomness: &mut Randomness) -> Self {
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            list.brokers.push(broker.id);
        }
        let mut racks: Vec<Rack> = racks.into_values().collect();
        for rack in &mut racks {
            rack.fenced.initialize(randomness);
            rack.unfenced.initialize(randomness);
        }
        let unfenced_count = brokers.iter().filter(|broker| !broker.fenced).count();
        let offset = if racks.is_empty() { 0 } else { randomness.below(racks.len()) };
        Self { racks, unfenced_count, epoch: 0, offset }
    }

    fn shuffle(&mut self, randomness: &mut Randomness) {
        randomness.shuffle(&mut self.racks);
        for rack in &mut self.racks {
            randomness.shuffle(&mut rack.fenced.brokers);
            randomness.shuffle(&mut rack.unfenced.brokers);
        }
    }

    /// One partition's replicas. There must be an unfenced broker, and as many brokers as replicas.
    fn place(&mut self, replication_factor: usize, randomness: &mut Randomness) -> Vec<i32> {
        if self.epoch == self.unfenced_count && self.unfenced_count > 1 {
            self.shuffle(randomness);
            self.epoch = 0;
        }
        let rack_count = self.racks.len();
        self.offset %= rack_count;
        let in_turn = |from: usize| (0..rack_count).map(move |step| (from + step) % rack_count);
        let first = in_turn(self.offset)
            .find_map(|rack| self.racks[rack].unfenced.next(self.epoch).map(|broker| (rack, broker)));
        let (first_rack, first_broker) = first.expect("the caller checked that some broker is unfenced");
        let mut replicas = vec![first_broker];
        // The leader's rack is passed over once, then it takes its turn like the others.
        let mut skip = Some(first_rack);
        let mut rack = self.offset;
        while replicas.len() < replication_factor {
            if skip == Some(rack) {
                skip = None;
            } else {
                replicas.extend(self.racks[rack].next(self.epoch));
            }
            rack = (rack + 1) % rack_count;
        }
        self.epoch += 1;
        self.offset += 1;
        replicas
    }
}

/// The replicas of `partition_count` new partitions, leader first.
///
/// # Errors
/// Why this replication factor cannot be had, in Kafka's words.
pub fn place(
    partition_count: usize,
    replication_factor: i16,
    brokers: &[UsableBroker],
    randomness: &mut Randomness,
) -> Result<Vec<Vec<i32>>, String> {
    let Some(replica_count) = usize::try_from(replication_factor).ok().filter(|count| *count > 0) else {
        return Err(format!(
            "Invalid replication factor {replication_factor}: the replication factor must be positive."
        ));
    };
    let mut racks = RackList::new(brokers, randomness);
    if racks.unfenced_count == 0 {
        return Err(
            "All brokers are currently fenced, or have all their log directories cordoned.".to_owned()
        );
    }
    if replica_count > brokers.len() {
        return Err(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {} broker(s) \
             are registered or some brokers have all their log directories cordoned.",
            brokers.len()
        ));
    }
    Ok((0..partition_count).map(|_| racks.place(replica_count, randomness)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn broker(id: i32, rack: Option<&str>, fenced: bool) -> UsableBroker {
        UsableBroker { id, rack: rack.map(str::to_owned), fenced }
    }

    fn placed(count: usize, factor: i16, brokers: &[UsableBroker]) -> Vec<Vec<i32>> {
        place(count, factor, brokers, &mut Randomness::new(42)).unwrap()
    }

    #[test]
    fn one_broker_gets_everything() {
        assert_eq!(placed(3, 1, &[broker(7, None, false)]), [[7], [7], [7]]);
    }

    #[test]
    fn leaders_are_spread_evenly_and_no_replica_is_doubled() {
        let brokers: Vec<_> = (0..5).map(|id| broker(id, None, false)).collect();
        let mut leaders = BTreeMap::new();
        for replicas in placed(100, 3, &brokers) {
            *leaders.entry(replicas[0]).or_insert(0) += 1;
            assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), 3);
        }
        assert_eq!(leaders.into_values().collect::<Vec<_>>(), [20; 5]);
    }

    #[test]
    fn each_replica_is_in_another_rack() {
        let racks = ["a", "b", "c"];
        let brokers: Vec<_> = (0..9).map(|id| broker(id, Some(racks[id as usize % 3]), false)).collect();
        for replicas in placed(50, 3, &brokers) {
            let racks: BTreeSet<_> = replicas.iter().map(|id| id % 3).collect();
            assert_eq!(racks.len(), 3, "{replicas:?}");
        }
    }

    #[test]
    fn a_fenced_broker_never_comes_first_but_is_used_where_needed() {
        let brokers = [broker(0, None, false), broker(1, None, true), broker(2, None, false)];
        for replicas in placed(20, 3, &brokers) {
            assert_ne!(replicas[0], 1);
            assert!(replicas.contains(&1));
        }
        for replicas in placed(20, 2, &brokers) {
            assert!(!replicas.contains(&1), "unfenced brokers come first: {replicas:?}");
        }
    }

    #[test]
    fn says_why_it_cannot() {
        let fail = |factor, brokers: &[_]| place(1, factor, brokers, &mut Randomness::new(1)).unwrap_err();
        assert_eq!(
            fail(3, &[broker(0, None, false)]),
            "The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some \
             brokers have all their log directories cordoned."
        );
        assert_eq!(
            fail(1, &[broker(0, None, true)]),
            "All brokers are currently fenced, or have all their log directories cordoned."
        );
        assert_eq!(
            fail(0, &[broker(0, None, false)]),
            "Invalid replication factor 0: the replication factor must be positive."
        );
    }
}
