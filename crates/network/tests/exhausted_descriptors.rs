//! Running out of descriptors pauses accepting and harms nobody who is connected.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use network::{
    ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, ListenerSettings, Outcome, Server,
    ServerSettings,
};
use protocol::{Encoded, Part};

struct Echo;

impl ConnectionHandlerFactory for Echo {
    type Handler = Echo;
    fn connected(&self, _: ConnectionInfo) -> Echo {
        Echo
    }
}

impl ConnectionHandler for Echo {
    async fn handle(&mut self, frame: Bytes) -> Outcome {
        let prefix = Bytes::copy_from_slice(&(frame.len() as u32).to_be_bytes());
        Outcome::Reply(Encoded { parts: vec![Part::Bytes(prefix), Part::Bytes(frame)] })
    }
}

fn call(client: &mut TcpStream) {
    client.write_all(b"\0\0\0\x01x").unwrap();
    let mut reply = [0; 5];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"\0\0\0\x01x");
}

#[test]
fn accepting_pauses_and_resumes() {
    let listeners = vec![ListenerSettings::new("PLAINTEXT", Some("127.0.0.1"), 0)];
    let mut server = Server::bind(ServerSettings { listeners, ..Default::default() }).unwrap();
    server.serve(Arc::new(Echo)).unwrap();
    let address = server.listeners()[0].address;
    let connect = || {
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    };
    let mut connected = connect();
    call(&mut connected);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let lowered = rustix::process::Rlimit { current: Some(64), maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, lowered).unwrap();
    // The client's socket takes the last descriptor, the server's side of it finds none.
    let mut hoard: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut waiting = connect();
    waiting.write_all(b"\0\0\0\x01x").unwrap();
    call(&mut connected);
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(waiting.read(&mut [0]).is_err(), "nobody can have accepted");
    call(&mut connected);
    drop(hoard);
    waiting.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut reply = [0; 5];
    waiting.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"\0\0\0\x01x");
}
