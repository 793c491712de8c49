//! Three voters connected in process: replication, loss of a leader, restart, and a snapshot for one left behind.

use std::sync::Arc;

use quorum::{InProcessTransport, QuorumError};
use storage::disk::{OpenMode, SimDisk, read_full_at};

use crate::fixture::{Node, Setup, wait_until};

struct Cluster {
    setups: Vec<Setup>,
    nodes: Vec<Option<Node>>,
    wires: InProcessTransport,
}

impl Cluster {
    fn start(adjust: impl Fn(Setup) -> Setup) -> Self {
        let wires = InProcessTransport::default();
        let setup = |id| {
            let setup = Setup::of(id, &[1, 2, 3], Arc::new(SimDisk::new()), wires.clone());
            adjust(setup.with("controller.quorum.election.timeout.ms", 150))
        };
        let setups: Vec<_> = [1, 2, 3].into_iter().map(setup).collect();
        let nodes = setups.iter().map(|setup| Some(setup.start().unwrap())).collect();
        Self { setups, nodes, wires }
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    fn restart(&mut self, id: i32) {
        self.nodes[id as usize - 1] = Some(self.setups[id as usize - 1].start().unwrap());
    }

    fn stop(&mut self, id: i32) {
        self.nodes[id as usize - 1] = None;
    }

    /// Proposes at whoever leads, until it is committed.
    fn propose(&self, name: &str) -> i32 {
        let committed = std::cell::Cell::new(0);
        wait_until(&format!("{name} is committed"), || {
            let leader = self.running().find(|node| node.handle.leadership().borrow().is_active_here);
            let Some(leader) = leader else { return false };
            match leader.propose(&[name]) {
                Ok(_) => {
                    committed.set(leader.id);
                    true
                }
                Err(QuorumError::NotLeader { .. }) => false,
                Err(error) => panic!("{error}"),
            }
        });
        committed.get()
    }

    fn wait_for(&self, names: &[String]) {
        for node in self.running() {
            node.wait_until("has all records", |node| node.names() == names);
        }
    }

    fn log_bytes(&self, id: i32) -> Vec<u8> {
        let setup = &self.setups[id as usize - 1];
        let path = setup.metadata_directory().join("00000000000000000000.log");
        let file = setup.disk.open(&path, OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        read_full_at(&*file, 0, &mut bytes).unwrap();
        bytes
    }
}

#[test]
fn three_logs_are_equal_byte_for_byte_through_the_loss_of_leaders() {
    let mut cluster = Cluster::start(|setup| setup);
    let mut names = Vec::new();
    for round in 0..3 {
        for number in 0..10 {
            names.push(format!("{round}-{number}"));
            cluster.propose(names.last().unwrap());
        }
        names.push(format!("{round}-before the stop"));
        let leader = cluster.propose(names.last().unwrap());
        cluster.stop(leader);
        names.push(format!("{round}-without {leader}"));
        assert_ne!(cluster.propose(names.last().unwrap()), leader);
        cluster.restart(leader);
        cluster.wait_for(&names);
    }
    let follower = cluster.running().find(|node| !node.handle.leadership().borrow().is_active_here).unwrap();
    assert!(matches!(follower.propose(&["x"]), Err(QuorumError::NotLeader { .. })));
    let logs: Vec<_> = (1..=3).map(|id| cluster.log_bytes(id)).collect();
    wait_until("logs are of one length", || (1..=3).all(|id| cluster.log_bytes(id).len() >= logs[0].len()));
    let shortest = logs.iter().map(Vec::len).min().unwrap();
    assert!(logs.iter().all(|log| log[..shortest] == logs[0][..shortest]));
    let leader = cluster.running().find(|node| node.handle.leadership().borrow().is_active_here).unwrap();
    leader.wait_until("all voters are caught up", |leader| {
        let status = leader.handle.status();
        let ends = status.voters.iter().map(|voter| voter.log_end_offset);
        ends.eq([status.high_watermark; 3])
            && status.voters.iter().all(|voter| voter.last_caught_up_timestamp > 0)
    });
}

#[test]
fn a_leader_cut_off_commits_nothing_and_drops_what_it_appended() {
    let cluster = Cluster::start(|setup| setup);
    let mut names = vec!["first".to_owned()];
    let old = cluster.propose("first");
    cluster.wait_for(&names);
    cluster.wires.isolate(old, true);
    let old_node = cluster.nodes[old as usize - 1].as_ref().unwrap();
    std::thread::scope(|scope| {
        let lost = scope.spawn(|| old_node.propose(&["lost"]));
        let others = || cluster.running().filter(|node| node.id != old);
        wait_until("another leader", || {
            others().any(|node| node.handle.leadership().borrow().is_active_here)
        });
        let leader = others().find(|node| node.handle.leadership().borrow().is_active_here).unwrap();
        names.push("second".to_owned());
        leader.propose(&["second"]).unwrap();
        cluster.wires.isolate(old, false);
        assert!(lost.join().unwrap().is_err());
    });
    cluster.wait_for(&names);
}

#[test]
fn a_voter_left_behind_gets_a_snapshot_and_then_the_log() {
    let mut cluster = Cluster::start(|setup| {
        setup
            .with("metadata.log.max.record.bytes.between.snapshots", 3_000)
            .with("metadata.max.retention.bytes", 1)
    });
    let mut names = vec!["first".to_owned()];
    let leader = cluster.propose("first");
    cluster.wait_for(&names);
    let behind = leader % 3 + 1;
    cluster.stop(behind);
    for number in 0..200 {
        names.push(format!("{number}-{}", "x".repeat(100)));
        cluster.propose(names.last().unwrap());
    }
    for node in cluster.running() {
        let setup = &cluster.setups[node.id as usize - 1];
        let first_segment = setup.metadata_directory().join("00000000000000000000.log");
        node.wait_until("has purged its log", |_| setup.disk.entry(&first_segment).unwrap().is_none());
    }
    cluster.restart(behind);
    cluster.wait_for(&names);
    let caught_up = cluster.nodes[behind as usize - 1].as_ref().unwrap();
    assert!(!caught_up.seen.lock().unwrap().loaded.is_empty(), "a snapshot was installed");
    names.push("after".to_owned());
    cluster.propose("after");
    cluster.wait_for(&names);
    // It finds its way back from what was installed.
    cluster.stop(behind);
    cluster.restart(behind);
    names.push("again".to_owned());
    cluster.propose("again");
    cluster.wait_for(&names);
}
