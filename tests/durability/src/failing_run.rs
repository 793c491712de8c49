//! A server with two log directories, clients at work on both, and what must hold of them in the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use protocol::ErrorCode;
use protocol::messages::DescribeLogDirsRequest;
use testkit::calls::{create_topic, receive_fetch, send_fetch};
use testkit::raw_client::RawClient;
use testkit::server_process::ServerProcess;

use crate::gate::Gate;
use crate::kafka_reads::dump_log;
use crate::producer::{self, Acknowledged, Order};
use crate::{reader, verify};

/// Relative to the folder in which the server runs.
pub const LOG_DIRS: [&str; 2] = ["data", "second"];
const TOPICS: usize = 6;
const CHECKPOINTS: [&str; 3] = ["recovery-point-offset", "log-start-offset", "replication-offset"];
/// Segments are rolled, and checkpoints written, while calls fail.
const SMALL: &[(&str, &str)] = &[("segment.bytes", "1048576"), ("index.interval.bytes", "512")];
/// What Kafka answers while a partition's log directory does not take appends, and while it starts or stops.
const REFUSALS: &[ErrorCode] = &[ErrorCode::KafkaStorageError, ErrorCode::NotLeaderOrFollower];

/// Clients at work, until the scope ends.
pub struct Run<'a> {
    /// The server under test.
    pub server: &'a mut ServerProcess,
    /// Who produces to partitions of the first log directory.
    pub healthy: &'a Gate,
    /// Who produces to those of the second one.
    pub failing: &'a Gate,
    /// A topic of the second log directory.
    pub failing_topic: String,
}

impl Run<'_> {
    /// Every file of the second log directory, the directories themselves, and the names of its next checkpoints.
    pub fn second_files(&self) -> Result<Vec<PathBuf>> {
        let root = second(self.server);
        let mut files = vec![root.clone()];
        // They may not be there yet: the names are compared with those that the server uses.
        files.extend(CHECKPOINTS.iter().map(|name| root.join(format!("{name}-checkpoint.tmp"))));
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            if path.is_dir() {
                files
                    .extend(fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?);
            }
            files.push(path);
        }
        Ok(files)
    }

    /// So far nobody was answered anything but that the storage fails, and nobody outside of the second log directory.
    pub fn check_refusals(&self) -> Result<()> {
        let (healthy, failing) = (self.healthy.refusals(), self.failing.refusals());
        ensure!(healthy.is_empty(), "healthy partitions: {healthy:?}");
        let storage_error = ErrorCode::KafkaStorageError.as_i16();
        ensure!(failing.keys().eq([&storage_error]), "failing partitions: {failing:?}");
        Ok(())
    }

    /// The error that a consumer of the failing topic gets.
    pub fn fetch_error(&self) -> Result<Option<ErrorCode>> {
        let mut client = RawClient::connect(self.server.bootstrap(), "reader")?;
        send_fetch(&mut client, &self.failing_topic, 0, 100)?;
        Ok(ErrorCode::from_i16(receive_fetch(&mut client)?.error_code))
    }

    /// What `DescribeLogDirs` says of the two, by the last component of their paths.
    pub fn log_dir_errors(&self) -> Result<BTreeMap<String, Option<ErrorCode>>> {
        let mut client = RawClient::connect(self.server.bootstrap(), "admin")?;
        let response = client.call(4, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
        let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        let row = |row: &protocol::messages::describe_log_dirs_response::DescribeLogDirsResult| {
            (name(&row.log_dir).unwrap_or_default(), ErrorCode::from_i16(row.error_code))
        };
        Ok(response.results.iter().map(row).collect())
    }
}

/// Stops the server and lets Kafka's tool look at every file in both log directories.
pub fn dump(server: &mut ServerProcess) -> Result<usize> {
    server.stop()?;
    let folders = [server.data(), second(server)];
    dump_log(&folders.into_iter().filter(|folder| folder.is_dir()).collect::<Vec<_>>())
}

/// The log directory whose calls fail, or whose volume is full.
pub fn second(server: &ServerProcess) -> PathBuf {
    server.data().with_file_name(LOG_DIRS[1])
}

/// Topics of one partition each, by the log directory they came to lie in.
fn place_topics(server: &ServerProcess) -> Result<[Vec<String>; 2]> {
    let mut client = RawClient::connect(server.bootstrap(), "admin")?;
    for number in 0..TOPICS {
        create_topic(&mut client, &format!("topic-{number}"), 1, SMALL)?;
    }
    let response = client.call(4, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
    let mut placed = [Vec::new(), Vec::new()];
    let is_only = response.results.len() == 1;
    for directory in response.results {
        let is_second = Path::new(&directory.log_dir).ends_with(LOG_DIRS[1]);
        for topic in directory.topics.into_iter().filter(|topic| topic.name.starts_with("topic-")) {
            // Where there is no second one, half of them stand for it.
            let is_second = is_second || is_only && placed[0].len() > placed[1].len();
            placed[usize::from(is_second)].push(topic.name);
        }
    }
    ensure!(placed.iter().all(|topics| topics.len() >= 2), "{placed:?}");
    Ok(placed)
}

/// Lets producers work on both log directories while `during` runs. It leaves a server that takes appends everywhere,
/// and then nothing that was acknowledged may be missing, nothing be there twice, and nothing that was read be another.
pub fn at_work(
    server: &mut ServerProcess,
    seed: u64,
    in_flight_max: usize,
    during: impl FnOnce(&mut Run<'_>) -> Result<()>,
) -> Result<String> {
    let placed = place_topics(server)?;
    let address = server.bootstrap();
    let gates = [Gate::default(), Gate::default()];
    gates.iter().for_each(|gate| gate.set_up(true));
    let (outcome, written) = thread::scope(|scope| {
        let mut workers = Vec::new();
        for (place, (topics, gate)) in placed.iter().zip(&gates).enumerate() {
            for acks in [-1, 1, -1] {
                let (name, address) = (workers.len(), &address);
                let seed = seed.wrapping_add(name as u64 + 1);
                let worker = scope.spawn(move || {
                    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                    let (topics, refusals) = (&topics[..], REFUSALS);
                    let order = Order { name, address, topics, acks, seed, refusals, in_flight_max };
                    producer::run(&order, gate).inspect_err(|reason| gate.fail(format!("{reason:#}")))
                });
                workers.push((place, worker));
            }
        }
        let failing_topic = placed[1][0].clone();
        let mut run = Run { server, healthy: &gates[0], failing: &gates[1], failing_topic };
        let outcome = during(&mut run);
        for gate in &gates {
            // Whoever waits for a server that will not come ends as well.
            match &outcome {
                Ok(()) => gate.end(),
                Err(reason) => gate.fail(format!("{reason:#}")),
            }
        }
        let join = |(place, worker): (usize, thread::ScopedJoinHandle<'_, Result<Vec<Acknowledged>>>)| {
            Ok((place, worker.join().map_err(|_| anyhow!("a producer panicked"))??))
        };
        (outcome, workers.into_iter().map(join).collect::<Result<Vec<_>>>())
    });
    outcome?;
    check(server, &placed, &written?)?;
    let refused: u64 = gates.iter().flat_map(|gate| gate.refusals().into_values()).sum();
    Ok(format!("{} acknowledged, {refused} refused", gates.iter().map(Gate::count).sum::<u64>()))
}

/// Reads everything, once from the server as it is and once after a kill.
fn check(
    server: &mut ServerProcess,
    placed: &[Vec<String>; 2],
    written: &[(usize, Vec<Acknowledged>)],
) -> Result<()> {
    ensure!(!server.whole_log().contains("panicked"), "a panic");
    for is_killed in [false, true] {
        if is_killed {
            server.kill()?;
            server.launch()?;
        }
        for (place, topics) in placed.iter().enumerate() {
            let here = written.iter().filter(|(other, _)| *other == place);
            let acknowledged: Vec<&Acknowledged> = here.flat_map(|(_, batches)| batches).collect();
            for (index, topic) in topics.iter().enumerate() {
                let what = || format!("{topic}, killed {is_killed}");
                let stored = reader::read_all(&server.bootstrap(), topic).with_context(what)?;
                verify::in_order_without_doubles(index, &stored).with_context(what)?;
                verify::acknowledged_once(index, &stored, acknowledged.iter().copied()).with_context(what)?;
            }
        }
    }
    Ok(())
}
