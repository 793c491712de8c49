//! Frames of all sizes, whole, in pieces, and lying about their length.

use std::{io::Write, sync::atomic::Ordering, time::Duration};

use crate::fixture::{Fixture, framed, log_lines, pattern};

#[test]
fn frames_of_all_sizes_arrive_whole() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    let edges =
        [1usize, 2, 3, 100, 4_092, 16_384, 16_385, 32_763, 32_764, 32_765, 65_536, 69_627, 69_628, 69_629];
    let large = [262_144, 1_048_576, 1_048_576, 1_050_000, 5_000_000, 1_000, 1_000, 70_000, 70_000];
    for length in edges.iter().chain(&large).chain(&edges) {
        let mut frame = pattern(*length);
        frame[0] = b'e';
        assert_eq!(client.call(&frame), frame[1..], "{length}");
    }
}

#[test]
fn frames_may_come_in_any_pieces() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    let lengths = [5usize, 40_000, 3, 80_000, 17_000, 17_000, 1, 200_000, 17_000];
    let frames: Vec<Vec<u8>> =
        lengths.iter().map(|length| [b"e".as_slice(), &pattern(*length)].concat()).collect();
    let stream: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    for piece in [1_usize, 7, 1_000, 33_000, 70_001, stream.len()] {
        let mut writer = client.0.try_clone().unwrap();
        // One byte at a time over the start is enough to cut every prefix.
        let stream = if piece == 1 { stream[..framed(&frames[0]).len()].to_vec() } else { stream.clone() };
        let expected = if piece == 1 { 1 } else { frames.len() };
        let sender = std::thread::spawn(move || {
            for piece in stream.chunks(piece) {
                writer.write_all(piece).unwrap();
            }
        });
        for frame in &frames[..expected] {
            assert_eq!(client.receive(), frame[1..]);
        }
        sender.join().unwrap();
    }
}

#[test]
fn many_small_frames_at_once_cost_no_more_each_than_few() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    let stream: Vec<u8> =
        (0..40_000_u32).flat_map(|number| framed(&[b"e", &number.to_be_bytes()[..]].concat())).collect();
    let mut writer = client.0.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&stream).unwrap());
    for number in 0..40_000_u32 {
        assert_eq!(client.receive(), number.to_be_bytes());
    }
    sender.join().unwrap();
}

#[test]
fn lying_lengths_close_with_one_log_line() {
    let fixture = Fixture::start(|settings| settings.request_max_bytes = 1_000);
    let mut undisturbed = fixture.connect();
    for prefix in [0u32, 1_001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, u32::from_be_bytes(*b"GET ")] {
        let mut client = fixture.connect();
        client.0.write_all(&prefix.to_be_bytes()).unwrap();
        client.expect_close();
        fixture.wait_for_connections(1);
        let lines = log_lines(client.local());
        assert_eq!(lines.len(), 1, "{prefix:#x}: {lines:?}");
    }
    let mut largest = vec![b'l'; 1_000];
    assert_eq!(undisturbed.call(&largest), 1_000u64.to_be_bytes());
    largest.push(0);
    undisturbed.send(&largest);
    undisturbed.expect_close();
}

#[test]
fn the_limit_is_smaller_before_authentication() {
    let fixture = Fixture::start(|settings| settings.unauthenticated_request_max_bytes = 100);
    fixture.shared.unauthenticated.store(true, Ordering::Relaxed);
    let mut stranger = fixture.connect();
    assert_eq!(stranger.call(&[b'l'; 100]), 100u64.to_be_bytes());
    stranger.send(&[b'l'; 101]);
    stranger.expect_close();
    let mut guest = fixture.connect();
    assert_eq!(guest.call(b"g"), b"welcome");
    assert_eq!(guest.call(&[b'l'; 101]), 101u64.to_be_bytes());
}

#[test]
fn an_end_inside_a_frame_closes() {
    let fixture = Fixture::start(|_| {});
    for part in [2, 4, 10] {
        let mut client = fixture.connect();
        client.0.write_all(&framed(&[b'e'; 100])[..part]).unwrap();
        client.0.shutdown(std::net::Shutdown::Write).unwrap();
        client.expect_close();
    }
    fixture.wait_for_connections(0);
}

#[test]
fn a_frame_that_stops_arriving_is_closed_and_a_slow_one_is_not() {
    let fixture = Fixture::start(|settings| settings.frame_progress = Duration::from_millis(400));
    let mut stuck = fixture.connect();
    stuck.0.write_all(&framed(&[b'e'; 10_000])[..50]).unwrap();
    // Drops a byte now and then: each restarts nothing.
    let mut dripping = stuck.0.try_clone().unwrap();
    let dripper = std::thread::spawn(move || {
        let mut tick = fixture_tick();
        while dripping.write_all(b"e").is_ok() && tick() {}
    });
    stuck.expect_close();
    fixture.wait_for_connections(0);
    dripper.join().unwrap();
    assert_eq!(log_lines(stuck.local()).len(), 1);

    // A large frame that keeps growing by more than the least step stays, longer than the deadline in all.
    let mut slow = fixture.connect();
    let mut frame = pattern(640 * 1024);
    frame[0] = b'l';
    let mut tick = fixture_tick();
    for piece in framed(&frame).chunks(128 * 1024) {
        slow.0.write_all(piece).unwrap();
        for _ in 0..15 {
            tick();
        }
    }
    assert_eq!(slow.receive(), (frame.len() as u64).to_be_bytes());
}

/// Waits 10 ms a call, up to 1,000 times: the pace of a slow sender, which is the thing under test.
fn fixture_tick() -> impl FnMut() -> bool {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let mut left = 1_000;
    move || {
        let _ = (&_keep, never.recv_timeout(Duration::from_millis(10)));
        left -= 1;
        left > 0
    }
}
