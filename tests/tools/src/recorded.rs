//! Our tools beside Kafka's: what Kafka's print is recorded once, ours are run against it every time.
//!
//! `scenarios/NAME.txt` holds command lines, `recorded/NAME.txt` what Kafka's tools answer to them on the same server.
//! `UPDATE=kafka cargo test -p tool-tests recorded` records anew. Ids, times and ports are masked; lines are compared in any
//! order, because Java's tools print what their hash tables give.

mod dumped;
mod masking;
mod player;
mod scenario;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use masking::Masks;
use player::{Answer, KafkasTools, our_tool};
use scenario::{Step, parse};

#[test]
fn topics_as_recorded() -> Result<()> {
    check("topics")
}

#[test]
fn configs_as_recorded() -> Result<()> {
    check("configs")
}

#[test]
fn console_as_recorded() -> Result<()> {
    check("console")
}

#[test]
fn groups_as_recorded() -> Result<()> {
    check("groups")
}

#[test]
fn cluster_as_recorded() -> Result<()> {
    check("cluster")
}

#[test]
fn transactions_as_recorded() -> Result<()> {
    check("transactions")
}

#[test]
fn offline_as_recorded() -> Result<()> {
    check("offline")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn check(name: &str) -> Result<()> {
    let steps = parse(&fs::read_to_string(folder().join(format!("scenarios/{name}.txt")))?)?;
    let path = folder().join(format!("recorded/{name}.txt"));
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let files = tempfile::tempdir()?;
    let masks =
        Masks::new(&server.bootstrap(), &files.path().to_string_lossy(), &server.data().to_string_lossy());
    if env::var("UPDATE").as_deref() == Ok("kafka") {
        ensure!(prepared::is_ready(&["kafka-tools"]), "cargo xtask setup prepares Kafka's tools");
        let mut kafka = KafkasTools::start()?;
        let text = record(&steps, &masks, files.path(), |words, input| kafka.run(words, input))?;
        fs::create_dir_all(folder().join("recorded"))?;
        return fs::write(&path, text).with_context(|| path.display().to_string());
    }
    let recorded = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let ours = record(&steps, &masks, files.path(), our_tool)?;
    let (recorded, ours) = (sections(&recorded), sections(&ours));
    ensure!(recorded.len() == ours.len(), "{} commands are recorded, not {}", recorded.len(), ours.len());
    let known: Vec<_> = steps.iter().filter_map(Step::command).collect();
    let mut report = String::new();
    let (mut equal, mut count) = (0, 0);
    for ((step, wanted), got) in known.iter().zip(&recorded).zip(&ours) {
        let (wanted, got) = match &step.difference {
            // The reason stands in the scenario; that both succeed or fail is compared all the same.
            Some(reason) if reason.starts_with('!') => continue,
            Some(_) => (exit_line(wanted).to_owned(), exit_line(got).to_owned()),
            None => (plain(wanted), plain(got)),
        };
        count += 1;
        if wanted == got {
            equal += 1;
        } else {
            report += &format!("{}\n--- Kafka's\n{wanted}\n--- ours\n{got}\n\n", step.line);
        }
    }
    println!("note: {name}: {equal} of {count} as recorded");
    ensure!(report.is_empty(), "{name}: {} differ\n{report}", count - equal);
    Ok(())
}

/// An answer without what only Java has to say: stack traces, and the order of its sets.
fn plain(section: &str) -> String {
    let is_trace = |line: &&str| {
        ["java.", "Caused by: ", "org.apache.kafka.tools.Admin", "org.apache.kafka.common.errors."]
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
                text += &format!("\n== {}\n{}\n", command.line, masks.show(&answer, &command.words));
            }
        }
    }
    Ok(text)
}
