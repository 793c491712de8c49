//! Our tools beside Kafka's, and Klamm beside Apache Kafka: what Kafka's tools print on both is recorded once.
//!
//! `scenarios/NAME.txt` holds command lines, `recorded/NAME.txt` what Kafka's tools answer to them on Klamm. With
//! `KLAMM_TEST_SERVER=kafka` all of this is about Apache Kafka 4.4.0 and `recorded/kafka/NAME.txt`, and the two recordings are compared
//! with each other.
//! `UPDATE=kafka cargo test -p tool-tests recorded` records anew. Ids, times and ports are masked; lines are compared in any
//! order, because Java's tools print what their hash tables give.

mod dumped;
mod masking;
mod options;
pub mod player;
mod scenario;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use masking::{Masks, without_numbers};
use player::{Answer, KafkasTools, our_tool};
use scenario::{Command, Step, parse};

macro_rules! scenarios {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() -> Result<()> {
            check(stringify!($name), Product::under_test())
        }
    )*

        /// What Kafka's tools have answered on Klamm is what they have answered on Apache Kafka.
        #[test]
        fn kafkas_tools_on_both() -> Result<()> {
            [$(stringify!($name)),*].into_iter().try_for_each(compare_recordings)
        }
    };
}

scenarios!(topics configs console groups share cluster transactions offline perf mistakes);

/// One Apache Kafka at a time is enough for a small machine.
static ONE_KAFKA: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn steps(name: &str) -> Result<Vec<Step>> {
    parse(&fs::read_to_string(folder().join(format!("scenarios/{name}.txt")))?)
}

fn recording(name: &str, product: Product) -> PathBuf {
    folder().join("recorded").join(match product {
        Product::Klamm => format!("{name}.txt"),
        Product::Kafka => format!("kafka/{name}.txt"),
    })
}

fn recorded(name: &str, product: Product) -> Result<String> {
    let path = recording(name, product);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Plays a scenario with our tools and compares with what Kafka's have answered on this product.
fn check(name: &str, product: Product) -> Result<()> {
    let records = env::var("UPDATE").as_deref() == Ok("kafka");
    let mut needs = Vec::new();
    if product == Product::Kafka {
        needs.push("kafka-server");
    }
    if records {
        needs.push("kafka-tools");
    }
    if !prepared::is_ready(&needs) {
        return Ok(());
    }
    let _alone = (records || product == Product::Kafka)
        .then(|| ONE_KAFKA.lock().unwrap_or_else(PoisonError::into_inner));
    let steps = steps(name)?;
    let server = ServerProcess::start(product, &[])?;
    let files = tempfile::tempdir()?;
    let masks =
        Masks::new(&server.bootstrap(), &files.path().to_string_lossy(), &server.data().to_string_lossy());
    if records {
        let mut kafka = KafkasTools::start()?;
        let text = record(&steps, &masks, files.path(), |words, input| kafka.run(words, input))?;
        let path = recording(name, product);
        fs::create_dir_all(path.parent().context("a recording lies in a folder")?)?;
        return fs::write(&path, text).with_context(|| path.display().to_string());
    }
    let ours = record(&steps, &masks, files.path(), our_tool)?;
    let words = ["Kafka's tool", "ours"];
    compare(name, &steps, &recorded(name, product)?, &ours, words, |command| command.difference.as_ref())
}

/// Compares what Kafka's tools have answered on the two products.
fn compare_recordings(name: &str) -> Result<()> {
    let (kafka, klamm) = (recorded(name, Product::Kafka)?, recorded(name, Product::Klamm)?);
    let words = ["on Apache Kafka", "on Klamm"];
    compare(name, &steps(name)?, &kafka, &klamm, words, |command| command.servers_differ.as_ref())
}

fn compare(
    name: &str,
    steps: &[Step],
    wanted: &str,
    got: &str,
    words: [&str; 2],
    difference: impl Fn(&Command) -> Option<&String>,
) -> Result<()> {
    let (wanted, got) = (sections(wanted), sections(got));
    let known: Vec<_> = steps.iter().filter_map(Step::command).collect();
    ensure!(
        wanted.len() == got.len() && known.len() == got.len(),
        "{name}: {} commands, but {} and {} answers",
        known.len(),
        wanted.len(),
        got.len()
    );
    let mut report = String::new();
    let (mut equal, mut count, mut excused) = (0, 0, 0);
    for ((command, wanted), got) in known.iter().zip(&wanted).zip(&got) {
        let (wanted, got) = match difference(command) {
            // The reason stands in the scenario; that both succeed or fail is compared all the same.
            Some(reason) => {
                excused += 1;
                if reason.starts_with('!') {
                    continue;
                }
                (exit_line(wanted).to_owned(), exit_line(got).to_owned())
            }
            None if command.masks_numbers => (plain(&without_numbers(wanted)), plain(&without_numbers(got))),
            None => (plain(wanted), plain(got)),
        };
        count += 1;
        if wanted == got {
            equal += 1;
        } else {
            let [left, right] = words;
            report += &format!("{}\n--- {left}\n{wanted}\n--- {right}\n{got}\n\n", command.line);
        }
    }
    println!("note: {name}: {equal} of {count} as recorded; {excused} by exit code only, with a reason");
    if report.is_empty() {
        return Ok(());
    }
    bail!("{name}: {} differ\n{report}", count - equal)
}

/// An answer without what only Java has to say: stack traces, and the order of its sets.
fn plain(section: &str) -> String {
    let is_trace = |line: &&str| {
        [
            "java.",
            "Caused by: ",
            "\t... ",
            "org.apache.kafka.tools.Admin",
            "org.apache.kafka.common.errors.",
            "org.apache.kafka.common.KafkaException: Failed to create",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    let in_order = |line: &str| match line.contains('[') || line.contains("Valid states are") {
        false => line.to_owned(),
        true => {
            let mut words: Vec<_> =
                line.split([' ', ',', '[', ']', '"']).filter(|word| !word.is_empty()).collect();
            words.sort_unstable();
            words.join(" ")
        }
    };
    let lines = section.lines().filter(|line| !is_trace(line)).map(in_order);
    lines.collect::<Vec<_>>().join("\n").trim_end_matches("\n-- err").trim_end().to_owned()
}

fn exit_line(section: &str) -> &str {
    section.lines().find(|line| line.starts_with("-- exit")).unwrap_or_default()
}

/// The answers of a recording, without their headings.
fn sections(text: &str) -> Vec<&str> {
    text.split("\n== ")
        .skip(1)
        .map(|section| section.split_once('\n').map_or("", |(_, rest)| rest).trim_end())
        .collect()
}

/// Plays a scenario and writes down the masked answers.
fn record(
    steps: &[Step],
    masks: &Masks,
    files: &Path,
    mut run: impl FnMut(&[String], &str) -> Result<Answer>,
) -> Result<String> {
    let mut text = String::from("# Recorded from Apache Kafka's own tools: do not edit.\n");
    for step in steps {
        match step {
            Step::File { name, content } => fs::write(files.join(name), masks.fill(content))?,
            Step::Command(command) => {
                let words: Vec<String> = command.words.iter().map(|word| masks.fill(word)).collect();
                let answer = run(&words, &command.input).with_context(|| command.line.clone())?;
                text += &format!("\n== {}\n{}\n", command.line, masks.show(&answer, command));
            }
        }
    }
    Ok(text)
}
