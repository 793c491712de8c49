//! Power cuts at every change of the disk: what was acknowledged is there afterwards.

use std::sync::Arc;

use storage::disk::{CrashStyle, SimDisk};

use crate::fixture::{Setup, crash_styles};

const PROPOSALS: usize = 25;

fn setup(disk: &SimDisk) -> Setup {
    let mut setup = Setup::sole(disk)
        .with("metadata.log.max.record.bytes.between.snapshots", 1_500)
        .with("metadata.max.retention.bytes", 4_000);
    setup.disk = Arc::new(disk.clone());
    setup
}

/// Runs until the power goes; returns the names that were acknowledged and all that were proposed.
fn run(disk: &SimDisk, round: usize) -> (Vec<String>, Vec<String>) {
    let (mut acknowledged, mut proposed) = (Vec::new(), Vec::new());
    let Ok(node) = setup(disk).start() else { return (acknowledged, proposed) };
    for number in 0..PROPOSALS {
        let name = format!("{round}-{number}-{}", "x".repeat(60));
        proposed.push(name.clone());
        if node.propose(&[&name]).is_err() {
            break;
        }
        acknowledged.push(name);
    }
    (acknowledged, proposed)
}

fn operations_of_a_whole_run() -> u64 {
    let disk = SimDisk::new();
    assert_eq!(run(&disk, 0).0.len(), PROPOSALS);
    disk.operations()
}

#[test]
fn acknowledged_proposals_survive_every_power_cut() {
    let operations = operations_of_a_whole_run();
    assert!(operations > 60, "{operations}");
    let mut images = 0;
    for cut in 0..operations {
        let disk = SimDisk::new();
        disk.power_off_at(cut);
        let (acknowledged, proposed) = run(&disk, 0);
        for style in crash_styles(cut) {
            let disk = disk.crash_image(style);
            let node = setup(&disk).start().unwrap_or_else(|error| panic!("cut {cut}, {style:?}: {error}"));
            let names = node.names();
            assert!(
                names.starts_with(&acknowledged),
                "cut {cut}, {style:?}: {} of {}",
                names.len(),
                acknowledged.len()
            );
            assert!(proposed.starts_with(&names), "cut {cut}, {style:?}: {names:?}");
            assert_eq!(node.propose(&["after"]).unwrap().epoch, node.handle.status().leader_epoch);
            images += 1;
        }
    }
    println!("{images} crash images of a metadata log with snapshots recovered");
}

#[test]
fn epochs_never_come_twice_over_many_power_cuts() {
    let mut disk = SimDisk::new();
    let mut acknowledged = Vec::new();
    let mut last_epoch = 0;
    for round in 0..30u64 {
        let node = setup(&disk).start().unwrap();
        let epoch = node.handle.status().leader_epoch;
        assert!(epoch > last_epoch, "round {round}: epoch {epoch} after {last_epoch}");
        last_epoch = epoch;
        assert!(node.names().iter().filter(|name| acknowledged.contains(*name)).eq(acknowledged.iter()));
        disk.power_off_at(disk.operations() + 10 + round * 3);
        for number in 0..PROPOSALS {
            let name = format!("{round}-{number}");
            if node.propose(&[&name]).is_err() {
                break;
            }
            acknowledged.push(name);
        }
        drop(node);
        disk = disk.crash_image(CrashStyle::Seeded(round));
    }
    assert!(acknowledged.len() > 30);
}
