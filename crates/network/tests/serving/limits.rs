//! Listeners, and how many connections they take.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use network::{ListenerSettings, NetworkError, Server, ServerSettings};

use crate::fixture::{Client, Fixture, PATIENCE, log_lines};

#[test]
fn a_listener_without_a_host_serves_ipv4_and_ipv6() {
    let fixture = Fixture::start(|settings| {
        settings.listeners =
            vec![ListenerSettings::new("ANY", None, 0), ListenerSettings::new("LOCAL", Some("localhost"), 0)];
    });
    let port = fixture.address.port();
    assert_ne!(port, 0);
    let mut by_ipv4 = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(by_ipv4.call(b"e4"), b"4");
    if fixture.address.is_ipv6() {
        let mut by_ipv6 = Client::connect((std::net::Ipv6Addr::LOCALHOST, port).into());
        assert_eq!(by_ipv6.call(b"e6"), b"6");
    }
    let mut by_name = Client::connect(fixture.server.listeners()[1].address);
    assert_eq!(by_name.call(b"en"), b"n");
    let connections = fixture.shared.connections.lock().unwrap();
    let first = connections.iter().find(|info| info.peer == by_ipv4.local()).expect("seen as IPv4");
    assert_eq!((first.local, &*first.listener), (([127, 0, 0, 1], port).into(), "ANY"));
    assert!(connections.iter().any(|info| &*info.listener == "LOCAL" && info.peer == by_name.local()));
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for host in [Some("127.0.0.1"), None] {
        let listeners = vec![ListenerSettings::new("PLAINTEXT", host, port)];
        let error = Server::bind(ServerSettings { listeners, ..Default::default() })
            .err()
            .expect("the port is taken");
        assert!(
            matches!(&error, NetworkError::AddressInUse { address, .. } if address.port() == port),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("port {port}")), "{error}");
    }
    let listeners = vec![ListenerSettings::new("A", Some("192.0.2.1"), 0)];
    let error =
        Server::bind(ServerSettings { listeners, ..Default::default() }).err().expect("not our address");
    assert!(matches!(error, NetworkError::Listen { .. }), "{error}");
    let listeners = vec![ListenerSettings::new("A", None, 0), ListenerSettings::new("A", None, 0)];
    assert!(matches!(
        Server::bind(ServerSettings { listeners, ..Default::default() }),
        Err(NetworkError::DuplicateListener(_))
    ));
}

#[test]
fn connections_live_on_all_cores() {
    let fixture = Fixture::start(|settings| settings.cores = 3);
    let mut clients: Vec<_> = (0..300).map(|_| fixture.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.call(format!("e{number}").as_bytes()), number.to_string().as_bytes());
    }
    let mut per_core = [0; 3];
    let mut ids = HashSet::new();
    for info in fixture.shared.connections.lock().unwrap().iter() {
        per_core[info.core] += 1;
        assert!(ids.insert(info.id));
    }
    assert_eq!(per_core, [100, 100, 100]);
    drop(clients);
    fixture.wait_for_connections(0);
}

#[test]
fn work_can_be_put_on_any_core() {
    let fixture = Fixture::start(|settings| settings.cores = 3);
    let (sender, receiver) = mpsc::channel();
    for core in fixture.server.cores() {
        let (sender, index) = (sender.clone(), core.index());
        assert!(core.spawn(move || {
            let local = std::rc::Rc::new(index);
            async move {
                tokio::task::yield_now().await;
                sender.send((*local, network::current_core())).unwrap();
            }
        }));
    }
    for _ in 0..3 {
        let (index, current) = receiver.recv_timeout(PATIENCE).unwrap();
        assert_eq!(current, Some(index));
    }
    let handle = fixture.server.cores()[0].clone();
    drop(fixture);
    assert!(!handle.spawn(|| async {}));
    assert_eq!(network::current_core(), None);
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    for per_listener in [false, true] {
        let fixture = Fixture::start(|settings| {
            if per_listener {
                settings.listeners[0].max_connections = 2
            } else {
                settings.max_connections = 2
            }
        });
        let mut first = [fixture.connect(), fixture.connect()];
        assert!(first.iter_mut().all(|client| client.call(b"ex") == b"x"));
        let mut third = fixture.connect();
        third.send(b"ewaiting");
        assert!(first.iter_mut().all(|client| client.call(b"ey") == b"y"));
        assert_eq!(fixture.server.connection_count(), 2);
        drop(first);
        assert_eq!(third.receive(), b"waiting");
    }
}

#[test]
fn connections_of_one_address_are_refused_beyond_its_limit() {
    let fixture = Fixture::start(|settings| {
        settings.max_connections_per_ip = 100;
        settings.max_connections_per_ip_overrides = HashMap::from([(IpAddr::from([127, 0, 0, 1]), 1)]);
    });
    let mut first = fixture.connect();
    assert_eq!(first.call(b"ex"), b"x");
    let mut second = fixture.connect();
    second.expect_close();
    assert_eq!(log_lines(second.local()).len(), 1);
    drop(first);
    fixture.wait_for_connections(0);
    assert_eq!(fixture.connect().call(b"ex"), b"x");
}

#[test]
fn the_rate_of_new_connections_is_limited() {
    let fixture = Fixture::start(|settings| settings.max_connection_creation_rate = Some(10));
    let start = Instant::now();
    for _ in 0..14 {
        assert_eq!(fixture.connect().call(b"ex"), b"x");
    }
    // Ten at once, the rest one each tenth of a second.
    assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
}

#[test]
fn idle_connections_are_closed_and_waiting_ones_are_not() {
    let fixture = Fixture::start(|settings| settings.idle = Duration::from_millis(200));
    let mut waiting = fixture.connect();
    waiting.send(&[b'a', 1]);
    assert_eq!(fixture.next_handled(), 1);
    // Never sends a byte.
    let silent = TcpStream::connect(fixture.address).unwrap();
    let mut idle = fixture.connect();
    assert_eq!(idle.call(b"ex"), b"x");
    Client(silent).expect_close();
    idle.expect_close();
    fixture.wait_for_connections(1);
    fixture.shared.answer(1);
    assert_eq!(waiting.receive(), [1]);
    waiting.expect_close();
}

#[test]
fn a_connection_must_authenticate_in_time() {
    let fixture = Fixture::start(|settings| settings.authentication = Duration::from_millis(300));
    fixture.shared.unauthenticated.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut guest = fixture.connect();
    assert_eq!(guest.call(b"g"), b"welcome");
    let mut stranger = fixture.connect();
    // Busy, but never authenticated.
    while stranger.0.peer_addr().is_ok() {
        use std::io::Write;
        if stranger.0.write_all(&crate::fixture::framed(b"ex")).is_err() || stranger.try_receive().is_err() {
            break;
        }
    }
    assert_eq!(log_lines(stranger.local()).len(), 1);
    assert_eq!(guest.call(b"ex"), b"x");
    drop(Arc::new(guest));
}
