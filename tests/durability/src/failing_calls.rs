//! System calls of a running server fail while clients are at work: errors are Kafka's, nothing acknowledged is lost.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use protocol::ErrorCode;
use testkit::server_process::{Product, ServerProcess};

use crate::failing_run::{LOG_DIRS, Run, at_work, dump};
use crate::kills::number;
use crate::producer::IN_FLIGHT_MAX;
use crate::random::Random;
use crate::strace::{Injection, Strace, is_ready};

const BEFORE: u64 = 60;
const AFTER: u64 = 60;
const SYNCS: &str = "fdatasync,fsync,syncfs";
const WRITES: &str = "pwritev,pwritev2,pwrite64,write,writev";
const RENAMES: &str = "rename,renameat,renameat2";

/// Where calls fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Segments and journal of the second log directory.
    Records,
    /// Everything in the second log directory.
    Second,
    /// The metadata log.
    Metadata,
}

/// What Kafka's broker does then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// The second log directory is offline until a restart.
    Offline,
    /// It ends.
    Ends,
    /// It refuses until the calls work again.
    Recovers,
}

struct Case {
    calls: &'static str,
    error: &'static str,
    when: &'static str,
    place: Place,
    outcome: Outcome,
}

const CASES: &[Case] = &[
    Case { calls: WRITES, error: "EIO", when: "1+", place: Place::Records, outcome: Outcome::Offline },
    Case { calls: SYNCS, error: "EIO", when: "1", place: Place::Records, outcome: Outcome::Offline },
    Case { calls: RENAMES, error: "EIO", when: "1+", place: Place::Second, outcome: Outcome::Offline },
    Case { calls: WRITES, error: "ENOSPC", when: "1+", place: Place::Records, outcome: Outcome::Recovers },
    Case { calls: SYNCS, error: "EIO", when: "1", place: Place::Metadata, outcome: Outcome::Ends },
];

fn server() -> Result<ServerProcess> {
    let log_dirs = LOG_DIRS.join(",");
    let configuration = [
        ("log.dirs", log_dirs.as_str()),
        ("log.flush.offset.checkpoint.interval.ms", "200"),
        ("log.flush.start.offset.checkpoint.interval.ms", "200"),
        ("replica.high.watermark.checkpoint.interval.ms", "200"),
    ];
    ServerProcess::start(Product::Klamm, &configuration)
}

fn files(run: &Run<'_>, place: Place) -> Result<Vec<PathBuf>> {
    let of_records = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.ends_with(".log") || name == ".klamm-journal" || path.is_dir()
    };
    match place {
        Place::Second => run.second_files(),
        Place::Records => Ok(run.second_files()?.into_iter().filter(of_records).collect()),
        Place::Metadata => {
            let folder = run.server.data().join("__cluster_metadata-0");
            let entries = std::fs::read_dir(&folder)?;
            let files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
            Ok(files.into_iter().filter(of_records).collect())
        }
    }
}

impl Case {
    fn play(&self, run: &mut Run<'_>) -> Result<()> {
        run.failing.wait_for_acknowledgements(run.failing.count() + BEFORE)?;
        let files = files(run, self.place)?;
        let injection = Injection { calls: self.calls, error: self.error, when: self.when, files: &files };
        let mut strace = Strace::attach(run.server.id().context("it runs")?, &injection)?;
        match self.outcome {
            Outcome::Ends => {
                // A change of the metadata is what meets the failure.
                change_metadata(run);
                strace.wait_for_end()?;
                run.healthy.set_up(false);
                run.failing.set_up(false);
            }
            Outcome::Recovers => {
                run.failing.wait_for_a_refusal()?;
                run.healthy.wait_for_acknowledgements(run.healthy.count() + AFTER)?;
                strace.detach()?;
                run.failing.wait_for_acknowledgements(run.failing.count() + AFTER)?;
                return run.check_refusals();
            }
            Outcome::Offline => {
                run.failing.wait_for_a_refusal()?;
                strace.detach()?;
                self.check_offline(run)?;
            }
        }
        self.start_again(run)
    }

    fn check_offline(&self, run: &Run<'_>) -> Result<()> {
        run.healthy.wait_for_acknowledgements(run.healthy.count() + AFTER)?;
        let errors = run.log_dir_errors()?;
        let wanted = [Some(ErrorCode::None), Some(ErrorCode::KafkaStorageError)];
        ensure!(errors.values().copied().eq(wanted), "{errors:?}");
        let error = run.fetch_error()?;
        ensure!(error == Some(ErrorCode::KafkaStorageError), "a fetch is answered {error:?}");
        // Calls work again, but nothing from before can be trusted.
        let before = run.failing.count();
        run.failing.wait_for_a_refusal()?;
        run.healthy.wait_for_acknowledgements(run.healthy.count() + AFTER)?;
        ensure!(run.failing.count() == before, "an offline log directory took something");
        run.check_refusals()
    }

    /// Without faults, and everybody goes on.
    fn start_again(&self, run: &mut Run<'_>) -> Result<()> {
        run.healthy.set_up(false);
        run.failing.set_up(false);
        run.server.kill()?;
        run.server.launch()?;
        for gate in [run.healthy, run.failing] {
            gate.set_up(true);
        }
        for gate in [run.healthy, run.failing] {
            gate.wait_for_acknowledgements(gate.count() + AFTER)?;
        }
        Ok(())
    }
}

/// Asks for a topic; whether there is an answer does not matter.
fn change_metadata(run: &Run<'_>) {
    let asked = testkit::raw_client::RawClient::connect(run.server.bootstrap(), "admin");
    let _ = asked.and_then(|mut client| testkit::calls::create_topic(&mut client, "one-more", 1, &[]));
}

#[test]
fn failing_calls_are_answered_as_by_kafka_and_lose_nothing() -> Result<()> {
    if !is_ready() {
        return Ok(());
    }
    for (seed, case) in CASES.iter().enumerate() {
        let what = format!("{} on {:?}, {}, {}", case.error, case.place, case.calls, case.when);
        let mut server = server()?;
        let in_flight_max = if case.outcome == Outcome::Ends { 1 } else { IN_FLIGHT_MAX };
        let outcome = at_work(&mut server, seed as u64, in_flight_max, |run| case.play(run));
        let told = outcome.with_context(|| format!("{what}: {}", server.log()))?;
        println!("note: {what}: {:?}; {told}", case.outcome);
        // In a short run once is enough, below.
        if number("KLAMM_FAULTS")?.is_some() {
            println!("note: {} files pass kafka-dump-log", dump(&mut server)?);
        }
    }
    Ok(())
}

/// `KLAMM_FAULTS` says how often calls anywhere fail at random; `KLAMM_SEED` which.
#[test]
fn calls_that_fail_at_random_lose_nothing() -> Result<()> {
    let rounds = number("KLAMM_FAULTS")?.unwrap_or(2);
    if !is_ready() {
        return Ok(());
    }
    let seed = number("KLAMM_SEED")?.unwrap_or_else(|| u64::from(std::process::id()));
    println!("note: {rounds} rounds, KLAMM_SEED={seed}");
    let mut random = Random::new(seed);
    let mut server = server()?;
    let outcome =
        at_work(&mut server, seed, 1, |run| (0..rounds).try_for_each(|_| fail_at_random(run, &mut random)));
    let told = outcome.with_context(|| format!("KLAMM_SEED={seed}: {}", server.log()))?;
    let files = dump(&mut server)?;
    println!(
        "note: {rounds} rounds of failing calls: {told}; all there, none twice; {files} files pass kafka-dump-log"
    );
    Ok(())
}

fn fail_at_random(run: &mut Run<'_>, random: &mut Random) -> Result<()> {
    let pick = |random: &mut Random, from: &[&'static str]| from[random.below(from.len() as u64) as usize];
    let calls = pick(
        random,
        &[SYNCS, "pwritev,pwritev2", RENAMES, "openat", "ftruncate", "fallocate", "unlink,unlinkat"],
    );
    let error = pick(random, &["EIO", "ENOSPC", "EROFS"]);
    let when = format!("{}{}", 1 + random.below(6), if random.below(2) == 0 { "" } else { "+" });
    let injection = Injection { calls, error, when: &when, files: &[] };
    println!("note: {calls} {error} {when}");
    let process = run.server.id().context("it runs")?;
    let strace = Strace::attach(process, &injection)?;
    if random.below(3) == 0 {
        change_metadata(run);
    }
    run.failing.pass(std::time::Duration::from_millis(100 + random.below(900)));
    drop(strace);
    for gate in [run.healthy, run.failing] {
        gate.set_up(false);
    }
    run.server.kill()?;
    run.server.launch()?;
    for gate in [run.healthy, run.failing] {
        gate.set_up(true);
    }
    for gate in [run.healthy, run.failing] {
        gate.wait_for_acknowledgements(gate.count() + BEFORE)?;
    }
    Ok(())
}
