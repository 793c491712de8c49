//! Connections that stall, hoard, crowd, or never take their answers.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use protocol::encode_request;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use testkit::calls::{batch, create_topic, produce, receive_produce, send_produce};

use crate::server_under_attack::ServerUnderAttack;

/// Few enough for any machine, far more than a thread each would bear.
const CROWD: usize = 1_500;

fn is_closed(mut connection: TcpStream) -> Result<()> {
    let mut rest = Vec::new();
    match connection.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error).context("the server does not close"),
    }
    ensure!(rest.is_empty(), "nothing was asked, {rest:?} was answered");
    Ok(())
}

#[test]
fn a_crowd_that_says_nothing_costs_little_and_is_sent_away() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let crowd: Vec<TcpStream> = (0..CROWD).map(|_| server.connect()).collect::<Result<_>>()?;
    server.good_client_goes_on()?;
    crowd.into_iter().try_for_each(is_closed)?;
    server.end()
}

#[test]
fn requests_that_drip_are_cut_off_with_one_line_each() -> Result<()> {
    const COUNT: usize = 50;
    let server = ServerUnderAttack::start()?;
    let mut dripping = Vec::new();
    for index in 0..COUNT {
        let mut connection = server.connect()?;
        // A length alone, half a length, half a header: each stops at another place.
        connection.write_all(&[0, 0, 1, 0, 0, 3, 0, 11][..1 + index % 8])?;
        dripping.push(connection);
    }
    server.good_client_goes_on()?;
    dripping.into_iter().try_for_each(is_closed)?;
    server.log_lines("arrives too slowly", COUNT)?;
    server.log_lines("closing connection", COUNT)?;
    server.end()
}

#[test]
fn promised_bytes_are_not_reserved_before_they_come() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let promise = (100_i32 * 1024 * 1024).to_be_bytes();
    let mut hoarders = Vec::new();
    for index in 0..200 {
        let mut connection = server.connect()?;
        connection.write_all(&promise)?;
        // Every tenth sends enough to ask for its share of the memory that all requests have together.
        let _ = connection.write_all(&vec![0; if index % 10 == 0 { 128 * 1024 } else { 1024 }]);
        hoarders.push(connection);
    }
    server.good_client_goes_on()?;
    server.memory_is_bounded()?;
    drop(hoarders);
    let mut client = server.client()?;
    create_topic(&mut client, "large", 1, &[])?;
    let large = "x".repeat(900_000);
    ensure!(produce(&mut client, "large", &[&large])? == 0, "no room was given back");
    server.end()
}

#[test]
fn who_never_reads_is_cut_off_and_costs_little() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let mut client = server.client()?;
    create_topic(&mut client, "large", 1, &[])?;
    let large = "x".repeat(900_000);
    for _ in 0..4 {
        send_produce(&mut client, "large", batch(&[&large]), 1, 30_000)?;
        ensure!(receive_produce(&mut client)?.error_code == 0, "the large topic was not filled");
    }
    let partition = FetchPartition { partition_max_bytes: 4 << 20, ..Default::default() };
    let topic = FetchTopic { topic: "large".to_owned(), partitions: vec![partition], ..Default::default() };
    let request = FetchRequest {
        replica_id: -1,
        max_bytes: 4 << 20,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    let frame = encode_request(12, 1, Some("greedy"), &request)?.to_bytes().context("in memory")?;
    let mut greedy = Vec::new();
    for _ in 0..20 {
        let mut connection = server.connect()?;
        connection.set_nonblocking(true)?;
        // As many as the sockets take: the server must stop reading from a connection that does not read.
        for _ in 0..50_000 {
            if connection.write_all(&frame).is_err() {
                break;
            }
        }
        greedy.push(connection);
    }
    server.good_client_goes_on()?;
    server.log_lines("does not take its reply", greedy.len())?;
    server.log_lines("closing connection", greedy.len())?;
    server.end()
}
