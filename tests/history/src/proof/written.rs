//! A history survives being written down; a client's death leaves what had begun.

use std::io::Write;

use history_tests::history::{Action, Function, Isolation, Operation, Outcome, Polled};
use history_tests::text::{self, Recorder};

#[test]
fn what_is_recorded_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let recorder = Recorder::create(&path).unwrap();
    let mut first = Operation::new(3, Function::Transaction, 5, 9);
    first.group = Some(7);
    first.actions = vec![
        Action::Poll(vec![Polled { key: 1, offset: 2, value: 3 }, Polled { key: 0, offset: 0, value: 9 }]),
        Action::Send { key: 4, value: 5, offset: None },
    ];
    let mut second = Operation::new(4, Function::Plain, 6, 8);
    second.isolation = Isolation::Uncommitted;
    recorder.begin(&first).unwrap();
    recorder.begin(&second).unwrap();
    second.actions = vec![Action::Poll(vec![])];
    second.rebalanced = vec![0, 2];
    recorder.end(&second).unwrap();
    let mut torn = std::fs::File::options().append(true).open(&path).unwrap();
    torn.write_all(b"o 3 9 s 4 5").unwrap();
    first.outcome = Outcome::Info;
    first.completed_ns = None;
    assert_eq!(text::read(&path).unwrap(), [first.clone(), second.clone()]);
    torn.write_all(b" 77\n").unwrap();
    first.outcome = Outcome::Ok;
    first.completed_ns = Some(9);
    first.actions = vec![Action::Send { key: 4, value: 5, offset: Some(77) }];
    assert_eq!(text::read(&path).unwrap(), [first, second]);
}

#[test]
fn a_line_that_nobody_wrote_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["x 1 2", "+ 1 2 T", "+ 1 2 Q c", "o 1 2", "+ 1 2 T c s 1 2", "+ 1 2 T c p 1", "+ a 2 T c"] {
        let path = folder.path().join("history");
        std::fs::write(&path, format!("{line}\n")).unwrap();
        assert!(text::read(&path).is_err(), "{line}");
    }
}
