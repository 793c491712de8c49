//! The floor: a server that does for a produce or a fetch only what no server can leave out, to hold Klamm against.
//!
//! A produce is received, its CRC-32C computed, appended to a file and answered; a fetch is answered by sendfile from a file
//! that was filled before. Nothing is parsed beyond the frame's length and API key, nothing is checked, nothing survives.

mod appended;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use protocol::messages::{FetchResponse, ProduceResponse};
use protocol::{ApiKey, Records};
use rustix::event::epoll;

use self::appended::{Appended, Design};
use crate::connection::{FETCH_VERSION, PRODUCE_VERSION, batch};

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that one read takes at most where frames are gathered.
const GATHERED_BYTES: usize = 512 * 1024;
/// Bytes of the file that fetches read.
const FETCHED_BYTES: u64 = 256 << 20;
/// Where a frame's API key stands, and its correlation id, both behind the length.
const API_KEY: std::ops::Range<usize> = 4..6;
const CORRELATION_ID: std::ops::Range<usize> = 8..12;

/// What `bench floor` takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where to listen.
    #[arg(long)]
    pub address: String,
    /// The topic that answers name.
    #[arg(long)]
    pub topic: String,
    /// How much a fetch is answered with.
    #[arg(long, default_value_t = 65_536)]
    pub fetch_bytes: usize,
    /// How it appends.
    #[command(flatten)]
    pub design: Design,
    /// Answers fetches by a copy and one send instead of sendfile.
    #[arg(long)]
    pub copies: bool,
    /// Writes and answers together what has come together.
    #[arg(long)]
    pub gathers: bool,
}

struct Floor {
    appended: Appended,
    gathers: bool,
    answers: Vec<u8>,
    fetched: File,
    fetched_bytes: u64,
    fetch_position: u64,
    produce_answer: Vec<u8>,
    fetch_answer: Vec<u8>,
    fetch_bytes: usize,
    copies: bool,
}

struct Peer {
    stream: TcpStream,
    frame: Vec<u8>,
}

/// Serves until it is killed.
pub fn run(options: &Options) -> Result<()> {
    let listener = TcpListener::bind(&options.address)?;
    let mut floor = Floor::new(options)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listens = epoll::EventData::new_u64(u64::MAX);
    epoll::add(&poll, &listener, listens, epoll::EventFlags::IN)?;
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut ready = Vec::with_capacity(256);
    loop {
        ready.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut ready), None)?;
        for event in &ready {
            let Ok(index) = usize::try_from(event.data.u64()) else { continue };
            if event.data.u64() == listens.u64() {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let data = epoll::EventData::new_u64(peers.len() as u64);
                epoll::add(&poll, &stream, data, epoll::EventFlags::IN)?;
                peers.push(Some(Peer { stream, frame: Vec::new() }));
                continue;
            }
            let Some(slot) = peers.get_mut(index) else { continue };
            if let Some(peer) = slot.as_mut()
                && !floor.serve(peer)?
            {
                *slot = None;
            }
        }
    }
}

impl Floor {
    fn new(options: &Options) -> Result<Self> {
        let fetched = tempfile::tempfile()?;
        let (batch, _) = batch(options.fetch_bytes, 1024);
        let mut fetched_bytes = 0;
        while fetched_bytes < FETCHED_BYTES {
            fetched.write_all_at(&batch, fetched_bytes)?;
            fetched_bytes += batch.len() as u64;
        }
        Ok(Floor {
            appended: Appended::new(&options.design)?,
            gathers: options.gathers,
            answers: Vec::new(),
            fetched,
            fetched_bytes,
            fetch_position: 0,
            produce_answer: produce_answer(&options.topic)?,
            fetch_answer: fetch_answer(&options.topic, &batch)?,
            fetch_bytes: batch.len(),
            copies: options.copies,
        })
    }

    /// Serves the frames that have arrived; false when the peer has gone.
    fn serve(&mut self, peer: &mut Peer) -> Result<bool> {
        let most = if self.gathers { GATHERED_BYTES } else { READ_BYTES };
        loop {
            let filled = peer.frame.len();
            let target = most.max(wanted(&peer.frame));
            peer.frame.resize(target, 0);
            match peer.stream.read(&mut peer.frame[filled..]) {
                Ok(0) => return Ok(false),
                Ok(read) => {
                    peer.frame.truncate(filled + read);
                    let mut done = 0;
                    while let Some(end) = whole_frames(&peer.frame[done..], self.gathers) {
                        self.answer(&mut peer.stream, &peer.frame[done..done + end])?;
                        done += end;
                    }
                    peer.frame.drain(..done);
                    if filled + read < target {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    peer.frame.truncate(filled);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Answers whole frames: one fetch, or any number of produces.
    fn answer(&mut self, stream: &mut TcpStream, frames: &[u8]) -> Result<()> {
        let api_key = i16::from_be_bytes(frames[API_KEY].try_into()?);
        if api_key == ApiKey::Produce.as_i16() {
            self.appended.append(frames)?;
            self.answers.clear();
            let mut rest = frames;
            while !rest.is_empty() {
                let (frame, later) = rest.split_at(wanted(rest));
                std::hint::black_box(records::crc32c(frame));
                self.produce_answer[4..8].copy_from_slice(&frame[CORRELATION_ID]);
                self.answers.extend_from_slice(&self.produce_answer);
                rest = later;
            }
            return Ok(stream.write_all(&self.answers)?);
        }
        if api_key != ApiKey::Fetch.as_i16() {
            bail!("API key {api_key} has no floor");
        }
        self.fetch_answer[4..8].copy_from_slice(&frames[CORRELATION_ID]);
        stream.set_nonblocking(false)?;
        let mut position = self.fetch_position;
        let end = position + self.fetch_bytes as u64;
        if self.copies {
            let head = self.fetch_answer.len();
            self.answers.resize(head + self.fetch_bytes, 0);
            self.answers[..head].copy_from_slice(&self.fetch_answer);
            self.fetched.read_exact_at(&mut self.answers[head..], position)?;
            stream.write_all(&self.answers)?;
            position = end;
        } else {
            stream.write_all(&self.fetch_answer)?;
        }
        while position < end {
            let left = usize::try_from(end - position)?;
            rustix::fs::sendfile(stream.as_fd(), self.fetched.as_fd(), Some(&mut position), left)?;
        }
        stream.set_nonblocking(true)?;
        self.fetch_position = if end >= self.fetched_bytes { 0 } else { end };
        Ok(())
    }
}

/// The length of the whole frames at the beginning of `bytes` that are answered together, if there are any.
fn whole_frames(bytes: &[u8], together: bool) -> Option<usize> {
    let mut end = 0;
    while bytes.len() >= end + 4 && bytes.len() - end >= wanted(&bytes[end..]) {
        end += wanted(&bytes[end..]);
        if !together || bytes[API_KEY] != ApiKey::Produce.as_i16().to_be_bytes() {
            break;
        }
    }
    (end > 0).then_some(end)
}

/// How long the frame at the beginning of `bytes` is, with its length; 4 while that is not there.
fn wanted(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(4, |length| 4 + usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0))
}

fn produce_answer(topic: &str) -> Result<Vec<u8>> {
    let response = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: topic.to_string(),
            partition_responses: vec![PartitionProduceResponse::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let encoded = protocol::encode_response(ApiKey::Produce, PRODUCE_VERSION, 0, &response)?;
    Ok(encoded.to_bytes().context("an answer in memory")?.to_vec())
}

/// A fetch answer up to its records, behind which nothing follows in this version.
fn fetch_answer(topic: &str, batch: &Bytes) -> Result<Vec<u8>> {
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: topic.to_string(),
            partitions: vec![PartitionData {
                records: Some(Records::from(batch.clone())),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let encoded = protocol::encode_response(ApiKey::Fetch, FETCH_VERSION, 0, &response)?;
    let mut bytes = encoded.to_bytes().context("an answer in memory")?.to_vec();
    bytes.truncate(bytes.len() - batch.len());
    Ok(bytes)
}
