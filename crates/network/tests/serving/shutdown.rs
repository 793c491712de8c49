//! Shutdown: requests that were taken are answered, everything else closes.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::fixture::{Fixture, PATIENCE};

#[test]
fn requests_in_flight_are_answered_and_idle_connections_closed() {
    let fixture = Fixture::start(|_| {});
    let mut idle = fixture.connect();
    assert_eq!(idle.call(b"ex"), b"x");
    let mut busy = fixture.connect();
    busy.send(&[b'a', 1]);
    assert_eq!(fixture.next_handled(), 1);
    let Fixture { server, shared, address, .. } = fixture;
    let stopping = std::thread::spawn(move || {
        let start = Instant::now();
        server.shutdown(PATIENCE);
        start.elapsed()
    });
    idle.expect_close();
    // Not handled any more.
    busy.send(&[b'a', 2]);
    shared.answer(1);
    assert_eq!(busy.receive(), [1]);
    busy.expect_close();
    assert!(stopping.join().unwrap() < PATIENCE);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn patience_ends() {
    let fixture = Fixture::start(|_| {});
    let mut busy = fixture.connect();
    busy.send(&[b'a', 1]);
    assert_eq!(fixture.next_handled(), 1);
    let start = Instant::now();
    fixture.server.shutdown(Duration::from_millis(50));
    assert!(start.elapsed() >= Duration::from_millis(50) && start.elapsed() < PATIENCE);
    busy.expect_close();
}

#[test]
fn a_dropped_server_leaves_its_port() {
    let fixture = Fixture::start(|_| {});
    let mut client = fixture.connect();
    assert_eq!(client.call(b"ex"), b"x");
    let address = fixture.address;
    drop(fixture);
    client.expect_close();
    let again = Fixture::start(|settings| settings.listeners[0].port = address.port());
    assert_eq!(again.connect().call(b"ex"), b"x");
}
