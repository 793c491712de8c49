//! Files of the one side read by the other.

use replica::{LeaderEpochs, ProducerStates};

use crate::prepared;

#[test]
fn producer_snapshots_are_kafkas_bytes() {
    let Some(folder) = prepared::folder() else { return };
    for name in ["empty", "some"] {
        let bytes = std::fs::read(folder.join(format!("written/{name}.snapshot"))).expect("written");
        let mut states = ProducerStates::default();
        states.load(ProducerStates::decode_snapshot(&bytes).expect("readable"), 90, 0, i64::MAX);
        assert_eq!(states.encode_snapshot(), bytes, "{name}");
        assert_eq!(states.len(), if name == "some" { 3 } else { 0 });
    }
}

#[test]
fn leader_epoch_checkpoints_are_kafkas_bytes() {
    let Some(folder) = prepared::folder() else { return };
    let path = folder.join("written/epochs/leader-epoch-checkpoint");
    let text = std::fs::read_to_string(path).expect("written");
    let epochs = LeaderEpochs::from_checkpoint(&text).expect("readable");
    assert_eq!(epochs.to_checkpoint(), text);
    let ours = tempfile::tempdir().expect("a folder");
    std::fs::write(ours.path().join("leader-epoch-checkpoint"), epochs.to_checkpoint()).expect("writable");
    let described = prepared::java(&folder, "epochs", ours.path());
    let expected: String =
        epochs.entries().map(|entry| format!("epoch {} {}\n", entry.epoch, entry.start_offset)).collect();
    assert_eq!(described, expected);
}
