//! Frames that came together and are handled together: order, outcomes, and when it does not come to that.

use std::io::Write;

use crate::fixture::{Fixture, framed, pattern};

/// Frames that the server finds in its socket at once.
fn at_once(frames: &[&[u8]]) -> Vec<u8> {
    frames.iter().flat_map(|frame| framed(frame)).collect()
}

#[test]
fn frames_that_came_together_are_handled_together() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.0.write_all(&at_once(&[b"ja", b"jb", b"jnone", b"jc", b"ed", b"je", b"ef"])).unwrap();
    let answers: Vec<Vec<u8>> = (0..6).map(|_| client.receive()).collect();
    assert_eq!(answers, [b"\x04a".as_slice(), b"\x04b", b"\x04c", b"d", b"\x01e", b"f"]);
}

#[test]
fn one_that_cannot_be_joined_has_all_handled_alone() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.0.write_all(&at_once(&[b"ja", b"Jb", b"jc"])).unwrap();
    let answers: Vec<Vec<u8>> = (0..3).map(|_| client.receive()).collect();
    assert_eq!(answers, [b"a", b"b", b"c"]);
}

#[test]
fn a_close_among_them_lets_earlier_answers_out_and_no_later_ones() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.0.write_all(&at_once(&[b"ja", b"jclose", b"jb"])).unwrap();
    assert_eq!(client.receive(), b"\x03a");
    client.expect_close();
}

#[test]
fn no_more_are_joined_than_may_be_under_way() {
    let fixture = Fixture::start(|settings| settings.pipeline_depth = 2);
    let mut client = fixture.connect();
    client.0.write_all(&at_once(&[b"ja".as_slice(); 7])).unwrap();
    let joined: Vec<u8> = (0..7).map(|_| client.receive()[0]).collect();
    assert!(joined.iter().all(|count| *count <= 2), "{joined:?}");
}

#[test]
fn large_ones_come_whole_wherever_the_receive_buffer_ends() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    let lengths =
        [60_000, 70_000, 100_000, 17_000, 17_000, 300_000, 5, 65_000, 65_000, 65_000, 65_000, 65_000];
    let frames: Vec<Vec<u8>> =
        lengths.iter().map(|length| [b"j".as_slice(), &pattern(*length)].concat()).collect();
    let stream: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    let mut writer = client.0.try_clone().unwrap();
    let sender = std::thread::spawn(move || (0..3).for_each(|_| writer.write_all(&stream).unwrap()));
    for frame in frames.iter().cycle().take(3 * frames.len()) {
        assert_eq!(client.receive()[1..], frame[1..]);
    }
    sender.join().unwrap();
}
