//! Frames that are cut, lie about their length or their counts, or are noise.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use anyhow::{Context, Result, ensure};

use crate::corpus::{Numbers, framed, keys, requests, with_header};
use crate::server_under_attack::ServerUnderAttack;

/// Sends bytes and reads until the server closes; what it has answered before.
fn until_closed(mut connection: TcpStream, bytes: &[u8]) -> Result<Vec<u8>> {
    // The server may close while bytes are still on their way.
    let _ = connection.write_all(bytes);
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(answer),
        Err(error) => Err(error).context("the server does not close"),
    }
}

#[test]
fn lengths_that_lie_close_the_connection_with_one_line() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let lengths = [-1, i32::MIN, 0, 1, 7, i32::MAX, 100 * 1024 * 1024 + 1, 0x4745_5420, 0x1603_0100];
    for length in lengths {
        let bytes = [&length.to_be_bytes()[..], &[0; 7]].concat();
        let answer = until_closed(server.connect()?, &bytes)?;
        ensure!(answer.is_empty(), "a length of {length} was answered with {answer:?}");
    }
    server.log_lines("closing connection", lengths.len())?;
    server.end()
}

#[test]
fn a_body_that_ends_early_closes_the_connection_with_one_line() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let mut closed = 0;
    for request in requests()? {
        let content = &request[4..];
        for end in (0..content.len()).step_by(3) {
            let mut connection = server.connect()?;
            connection.write_all(&framed(&content[..end]))?;
            // Some cuts leave a whole request: then it is answered, and the next cut is what closes.
            connection.write_all(&framed(&[]))?;
            until_closed(connection, &[])?;
            closed += 1;
        }
    }
    ensure!(closed > 200, "only {closed} cuts");
    server.log_lines("closing connection", closed)?;
    server.end()
}

#[test]
fn a_connection_that_ends_within_a_frame_is_forgotten() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    for request in requests()? {
        for end in (1..request.len()).step_by(7) {
            let mut connection = server.connect()?;
            connection.write_all(&request[..end])?;
            connection.shutdown(Shutdown::Write)?;
            let answer = until_closed(connection, &[])?;
            ensure!(answer.is_empty(), "half a request was answered");
        }
    }
    server.end()
}

#[test]
fn unknown_keys_and_versions_are_closed_or_answered_as_kafka_does() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    for key in keys() {
        for version in [-1, 99, i16::MAX, i16::MIN] {
            let mut connection = server.connect()?;
            connection.write_all(&with_header(key, version, &[0; 16]))?;
            connection.shutdown(Shutdown::Write)?;
            let answer = until_closed(connection, &[])?;
            // ApiVersions of an unknown version is answered in the form of version 0 (KIP-511).
            let is_answered = key == 18;
            ensure!(answer.is_empty() != is_answered, "key {key} version {version}: {answer:?}");
        }
    }
    server.end()
}

#[test]
fn absurd_counts_cost_no_memory() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let absurd: [&[u8]; 4] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0x80, 0, 0, 0],
    ];
    for request in requests()? {
        for position in (12..request.len()).step_by(2) {
            let mut connection = server.connect()?;
            for lie in absurd {
                let mut spoiled = request.clone();
                let end = (position + lie.len()).min(spoiled.len());
                spoiled[position..end].copy_from_slice(&lie[..end - position]);
                // A connection that an earlier lie has closed takes no further one.
                if connection.write_all(&spoiled).is_err() {
                    connection = server.connect()?;
                }
            }
        }
    }
    server.end()
}

#[test]
fn noise_behind_every_header_disturbs_nobody() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let mut numbers = Numbers(0x6b6c_616d_6d21);
    for key in keys() {
        for version in 0..20 {
            let mut connection = server.connect()?;
            let mut body = vec![0; numbers.below(120)];
            body.iter_mut().for_each(|byte| *byte = u8::try_from(numbers.below(256)).unwrap_or(0));
            connection.write_all(&with_header(key, version, &body))?;
        }
    }
    server.end()
}

#[test]
fn mutated_requests_disturb_nobody() -> Result<()> {
    let server = ServerUnderAttack::start()?;
    let mut numbers = Numbers(0x0068_6f73_7469_6c65);
    let requests = requests()?;
    let mut connection = server.connect()?;
    for _ in 0..6_000 {
        let mut spoiled = requests[numbers.below(requests.len())].clone();
        for _ in 0..=numbers.below(3) {
            let position = 4 + numbers.below(spoiled.len() - 4);
            spoiled[position] = u8::try_from(numbers.below(256)).unwrap_or(0);
        }
        if numbers.below(4) == 0 || connection.write_all(&spoiled).is_err() {
            connection = server.connect()?;
        }
    }
    server.end()
}
