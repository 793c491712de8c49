//! Requests of a connection are handled and answered in order, whatever becomes ready first.

use std::io::Write;

use crate::fixture::{Client, Fixture, framed};

#[test]
fn replies_go_out_in_request_order() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    for id in [1, 2, 3] {
        client.send(&[b'a', id]);
        assert_eq!(fixture.next_handled(), id);
    }
    client.send(b"elast");
    fixture.shared.answer(3);
    fixture.shared.answer(2);
    fixture.shared.answer(1);
    for expected in [&[1u8][..], &[2], &[3], b"last"] {
        assert_eq!(client.receive(), expected);
    }
}

#[test]
fn replies_do_not_wait_for_a_later_request_that_waits() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.0.write_all(&[framed(b"efirst"), framed(&[b's', 1])].concat()).unwrap();
    assert_eq!(client.receive(), b"first");
    assert_eq!(fixture.next_handled(), 1);
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);

    client.0.write_all(&[framed(&[b'a', 2]), framed(&[b's', 3])].concat()).unwrap();
    assert_eq!([fixture.next_handled(), fixture.next_handled()], [2, 3]);
    fixture.shared.answer(2);
    assert_eq!(client.receive(), [2]);
    fixture.shared.answer(3);
    assert_eq!(client.receive(), [3]);
}

#[test]
fn a_request_that_admits_no_next_one_holds_it_back() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.0.write_all(&[framed(&[b'a', 1]), framed(&[b'w', 2]), framed(&[b'a', 3])].concat()).unwrap();
    assert_eq!((fixture.next_handled(), fixture.next_handled()), (1, 2));
    // A second connection makes a full turn on the same core: request 3 would have been handled by then.
    let mut others = [fixture.connect(), fixture.connect()];
    assert!(others.iter_mut().all(|other| other.call(b"ex") == b"x"));
    assert!(fixture.handled.try_recv().is_err());
    fixture.shared.answer(1);
    fixture.shared.answer(2);
    assert_eq!(fixture.next_handled(), 3);
    fixture.shared.answer(3);
    assert_eq!([client.receive(), client.receive(), client.receive()].concat(), [1, 2, 3]);
}

#[test]
fn what_may_not_overtake_waits_for_all_replies_before_it() {
    let fixture = Fixture::start(|settings| settings.cores = 1);
    let mut client = fixture.connect();
    client.0.write_all(&[framed(&[b'a', 1]), framed(&[b'a', 2]), framed(&[b'o', 3])].concat()).unwrap();
    assert_eq!([fixture.next_handled(), fixture.next_handled()], [1, 2]);
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);
    assert_eq!(fixture.connect().call(b"ex"), b"x");
    assert!(fixture.handled.try_recv().is_err());
    fixture.shared.answer(2);
    assert_eq!(client.receive(), [2]);
    assert_eq!(fixture.next_handled(), 3);
    fixture.shared.answer(3);
    assert_eq!(client.receive(), [3]);
}

#[test]
fn replies_that_cannot_leave_yet_are_not_piled_up() {
    let fixture = Fixture::start(|settings| settings.cores = 1);
    let mut client = fixture.connect();
    client.send(&[b'a', 1]);
    assert_eq!(fixture.next_handled(), 1);
    let mut echo = vec![b'x'; 60_000];
    echo[0] = b'e';
    (0..8).for_each(|_| client.send(&echo));
    client.send(&[b'n', 9]);
    let mut other = fixture.connect();
    (0..20).for_each(|_| assert_eq!(other.call(b"ex"), b"x"));
    assert!(fixture.handled.try_recv().is_err());
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);
    (0..8).for_each(|_| assert_eq!(client.receive().len(), 59_999));
    assert_eq!(fixture.next_handled(), 9);
}

#[test]
fn pipelining_is_bounded_by_depth() {
    let fixture = Fixture::start(|settings| {
        settings.pipeline_depth = 3;
        settings.cores = 1;
    });
    let mut client = fixture.connect();
    client.0.write_all(&(1..=5).flat_map(|id| framed(&[b'a', id])).collect::<Vec<_>>()).unwrap();
    assert_eq!([fixture.next_handled(), fixture.next_handled(), fixture.next_handled()], [1, 2, 3]);
    assert_eq!(fixture.connect().call(b"ex"), b"x");
    assert!(fixture.handled.try_recv().is_err());
    for id in 1..=5 {
        fixture.shared.answer(id);
        assert_eq!(client.receive(), [id]);
        if id <= 2 {
            assert_eq!(fixture.next_handled(), id + 3);
        }
    }
}

#[test]
fn requests_beyond_the_depth_are_kept_while_more_arrive() {
    let fixture = Fixture::start(|settings| {
        settings.pipeline_depth = 1;
        settings.cores = 1;
    });
    let mut client = fixture.connect();
    client.0.write_all(&[framed(&[b'a', 1]), framed(b"esecond")].concat()).unwrap();
    assert_eq!(fixture.next_handled(), 1);
    client.send(b"ethird");
    // The core has seen the third one when it has answered another connection.
    assert_eq!(fixture.connect().call(b"ex"), b"x");
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);
    assert_eq!(client.receive(), b"second");
    assert_eq!(client.receive(), b"third");
}

#[test]
fn thousands_of_pipelined_requests_come_back_in_order() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    let mut writer = Client(client.0.try_clone().unwrap());
    let sender = std::thread::spawn(move || {
        for number in 0..20_000u32 {
            writer.send(&[b"e".as_slice(), &number.to_be_bytes()].concat());
        }
    });
    for number in 0..20_000u32 {
        assert_eq!(client.receive(), number.to_be_bytes());
    }
    sender.join().unwrap();
}

#[test]
fn a_request_without_reply_leaves_no_gap() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.send(&[b'n', 7]);
    assert_eq!(client.call(b"enext"), b"next");
    assert_eq!(fixture.next_handled(), 7);
}

#[test]
fn a_close_lets_earlier_replies_out_first() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.send(&[b'a', 1]);
    client.send(b"c9");
    assert_eq!(fixture.next_handled(), 1);
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);
    client.expect_close();
    fixture.wait_for_connections(0);
    assert_eq!(crate::fixture::log_lines(client.local()).len(), 1);
}

#[test]
fn a_reply_that_fails_closes_without_later_replies() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.send(&[b'a', 1]);
    client.send(&[b'a', 2]);
    assert_eq!((fixture.next_handled(), fixture.next_handled()), (1, 2));
    fixture.shared.answer(2);
    fixture.shared.finish(1, Err(network::Close::new("failed")));
    client.expect_close();
}

#[test]
fn a_half_closed_client_still_gets_its_replies() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    client.send(&[b'a', 1]);
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(fixture.next_handled(), 1);
    fixture.shared.answer(1);
    assert_eq!(client.receive(), [1]);
    client.expect_close();
}

#[test]
fn a_panic_closes_its_connection_only() {
    let fixture = Fixture::start(|settings| settings.cores = 1);
    let mut undisturbed = fixture.connect();
    let mut client = fixture.connect();
    client.send(b"p5");
    client.expect_close();
    assert_eq!(undisturbed.call(b"estill here"), b"still here");
    fixture.wait_for_connections(1);
    let lines = crate::fixture::log_lines(client.local());
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("told to panic"), "{lines:?}");
}
