//! All loads by all clients on one Klamm server, one after another, as a table: `client-bench compare KLAMM TOOLS`.
//!
//! KLAMM is the server's binary, TOOLS a folder with the jars of Kafka's command line tools.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::load::PRODUCER;

const CLIENTS: [&str; 3] = ["klamm", "librdkafka", "java"];
/// CPU time in /proc is counted in these.
const TICKS_PER_SECOND: f64 = 100.0;
const START_LIMIT: Duration = Duration::from_secs(30);

/// What one process took.
struct Measured {
    cpu_seconds: f64,
    resident_mib: f64,
    output: String,
}

struct Server {
    child: Child,
    folder: PathBuf,
    bootstrap: String,
}

impl Server {
    fn start(klamm: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("client-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let bootstrap = format!("127.0.0.1:{port}");
        let settings = format!(
            "node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\nlog.dirs={}\n\
             listeners=PLAINTEXT://{bootstrap}\nnum.partitions=3\noffsets.topic.replication.factor=1\n",
            folder.join("data").display()
        );
        let file = folder.join("server.properties");
        fs::write(&file, settings)?;
        let log = fs::File::create(folder.join("log"))?;
        let mut child =
            Command::new(klamm).arg("server").arg(&file).stdout(log.try_clone()?).stderr(log).spawn()?;
        let until = Instant::now() + START_LIMIT;
        while TcpStream::connect(&bootstrap).is_err() {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            ensure!(child.try_wait()?.is_none() && Instant::now() < until, "no server: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { child, folder, bootstrap })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is not needed any more, however it ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One row of the table.
struct Row {
    what: &'static str,
    action: &'static str,
    records: u64,
    bytes: usize,
    rate: u64,
}

/// How many times less CPU than librdkafka and than Java is to be taken.
const GOALS: [(&str, f64); 2] = [("librdkafka", 1.5), ("java", 3.0)];

/// `scale` multiplies the number of records.
pub fn run(klamm: &Path, tools: &Path, scale: f64) -> Result<()> {
    let row = |what, action, records: u64, bytes, rate| Row {
        what,
        action,
        records: (records as f64 * scale) as u64,
        bytes,
        rate,
    };
    let rows = [
        row("produce 1 KB", "produce", 1_000_000, 1_000, 0),
        row("consume 1 KB", "consume", 1_000_000, 1_000, 0),
        row("produce 100 B", "produce", 5_000_000, 100, 0),
        row("consume 100 B", "consume", 5_000_000, 100, 0),
        row("10,000/s of 1 KB", "latency", 100_000, 1_000, 10_000),
        row("1,000/s of 100 B", "latency", 10_000, 100, 1_000),
    ];
    let server = Server::start(klamm)?;
    let mut starts = BTreeMap::new();
    println!(
        "| load | client | CPU s | of it start | CPU s per GB | records per CPU s | p99 ms | memory MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for row in &rows {
        let mut net = BTreeMap::new();
        for client in CLIENTS {
            let measured = measure_row(client, row, &server, tools)?;
            let start = match starts.get(&(client, row.is_produced())) {
                Some(start) => *start,
                None => {
                    let start = measure_start(client, row, &server, tools)?;
                    starts.insert((client, row.is_produced()), start);
                    start
                }
            };
            // What is left is never less than the clock can tell.
            let cpu = (measured.cpu_seconds - start).max(1.0 / TICKS_PER_SECOND);
            let records = row.records as f64;
            let p99 = match row.rate {
                0 => String::new(),
                _ => p99(&measured.output).context("no percentile in what it printed")?,
            };
            println!(
                "| {} | {client} | {:.2} | {start:.2} | {:.2} | {:.0} | {p99} | {:.0} |",
                row.what,
                measured.cpu_seconds,
                cpu / (records * row.bytes as f64 / 1e9),
                records / cpu,
                measured.resident_mib,
            );
            net.insert(client, cpu);
        }
        let ratio = |client: &str| net.get(client).zip(net.get("klamm")).map(|(theirs, ours)| theirs / ours);
        ratios.push((row.what, GOALS.map(|(client, goal)| (client, goal, ratio(client)))));
    }
    println!("\n| load | CPU of librdkafka to ours | CPU of Java to ours |\n|---|---|---|");
    for (what, goals) in ratios {
        let cells = goals.map(|(_, goal, ratio)| {
            let ratio = ratio.unwrap_or(0.0);
            format!("{ratio:.1} ({} {goal})", if ratio >= goal { "reached" } else { "missed" })
        });
        println!("| {what} | {} |", cells.join(" | "));
    }
    Ok(())
}

impl Row {
    fn is_produced(&self) -> bool {
        self.action != "consume"
    }
}

fn measure_row(client: &str, row: &Row, server: &Server, tools: &Path) -> Result<Measured> {
    measure(&mut command(client, row, &server.bootstrap, tools)?)
        .with_context(|| format!("{client}: {}", row.what))
}

/// The CPU time of a run with a single record: a process, a connection, metadata.
fn measure_start(client: &str, row: &Row, server: &Server, tools: &Path) -> Result<f64> {
    let action = if row.is_produced() { "produce" } else { "consume" };
    let single = Row { what: "start", action, records: 1, bytes: row.bytes, rate: 0 };
    Ok(measure_row(client, &single, server, tools)?.cpu_seconds)
}

/// Each client fills a topic of its own; all read the same one.
fn command(client: &str, row: &Row, bootstrap: &str, tools: &Path) -> Result<Command> {
    let (records, bytes) = (row.records.to_string(), row.bytes.to_string());
    let topic = match row.action {
        "consume" => format!("klamm-{bytes}"),
        "latency" => format!("{client}-latency-{bytes}"),
        _ => format!("{client}-{bytes}"),
    };
    if client != "java" {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([client, row.action, bootstrap, &topic, &records, &bytes, &row.rate.to_string()]);
        return Ok(command);
    }
    let mut command = Command::new("java");
    command.args(["-Xms256m", "-Xmx512m", "-cp"]).arg(tools.join("*"));
    if row.action == "consume" {
        command.args(["org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", bootstrap]);
        command.args(["--topic", &topic, "--messages", &records, "--timeout", "60000"]);
        return Ok(command);
    }
    let throughput = if row.rate == 0 { "-1".to_owned() } else { row.rate.to_string() };
    command.args(["org.apache.kafka.tools.ProducerPerformance", "--topic", &topic]);
    command.args(["--num-records", &records, "--record-size", &bytes, "--throughput", &throughput]);
    command.arg("--producer-props").arg(format!("bootstrap.servers={bootstrap}"));
    command.args(PRODUCER.iter().map(|(key, value)| format!("{key}={value}")));
    Ok(command)
}

/// Of our own output `p99_ms=1.5`, of Java's `1 ms 99th`.
fn p99(output: &str) -> Option<String> {
    if let Some((_, rest)) = output.rsplit_once("p99_ms=") {
        return rest.split_whitespace().next().map(str::to_owned);
    }
    let (before, _) = output.rsplit_once(" ms 99th")?;
    before.rsplit([' ', ',']).next().map(str::to_owned)
}

fn measure(command: &mut Command) -> Result<Measured> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().context("it was asked for")?;
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    });
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let mut resident_kib = 0_u64;
    // A process that has ended keeps its times until somebody waits for it.
    let cpu_seconds = loop {
        let stat = fs::read_to_string(process.join("stat"))?;
        let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        if fields.first() == Some(&"Z") {
            let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
            let both = ticks(11).zip(ticks(12)).context("a stat line")?;
            break (both.0 + both.1) / TICKS_PER_SECOND;
        }
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        resident_kib = resident_kib.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    };
    let status = child.wait()?;
    let output = reader.join().ok().context("the reader panicked")??;
    if !status.success() {
        bail!("it ended with {status}: {output}");
    }
    Ok(Measured { cpu_seconds, resident_mib: resident_kib as f64 / 1024.0, output })
}
