//! Recorded answers as a text file, and how a run compares with it.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::Product;

use crate::differences::Differences;
use crate::session::Session;

/// One question's outcome.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// What is asked, in words; unique within a family.
    pub name: String,
    /// The API and its version.
    pub request: String,
    /// The masked answer.
    pub text: String,
}

const HEADING: &str = "# Answers of Apache Kafka 4.4.0, recorded with `UPDATE=kafka cargo test -p answer-tests`: do not edit.\n";

/// Runs a family and compares its answers with the recorded ones, or records them.
///
/// # Panics
/// When an answer is not the recorded one.
pub fn check_family(family: &str, ask: impl Fn(&mut Session) -> Result<()>) -> Result<()> {
    check_family_with(family, &[], ask)
}

/// The same on a server with these settings.
///
/// # Panics
/// When an answer is not the recorded one.
pub fn check_family_with(
    family: &str,
    settings: &[(&str, &str)],
    ask: impl Fn(&mut Session) -> Result<()>,
) -> Result<()> {
    let is_update = env::var("UPDATE").as_deref() == Ok("kafka");
    let product = if is_update { Product::Kafka } else { Product::under_test() };
    if product == Product::Kafka && !prepared::is_ready(&["kafka-server"]) {
        return Ok(());
    }
    let mut session = Session::start(product, settings)?;
    let outcome = ask(&mut session);
    let answers = session.into_answers();
    if let Some(twice) = first_duplicate(&answers) {
        panic!("{family}: two questions are called {twice:?}");
    }
    let path = folder().join(format!("recorded/{family}.txt"));
    if is_update {
        outcome?;
        fs::write(&path, write(&answers))?;
        return Ok(());
    }
    let recorded = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut differences = Differences::load(&folder().join("differences.toml"), family)?;
    let report = compare(&read(&recorded)?, &answers, &mut differences);
    println!("note: answers: {family}: {} of {} as recorded", report.equal, report.total);
    assert!(report.text.is_empty(), "{family}:\n{}", report.text);
    outcome?;
    let unused = differences.unused();
    ensure!(product == Product::Kafka || unused.is_empty(), "delete these differences: {unused:?}");
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn first_duplicate(answers: &[Answer]) -> Option<&str> {
    let is_twice =
        |(index, answer): &(usize, &Answer)| answers[..*index].iter().any(|other| other.name == answer.name);
    answers.iter().enumerate().find(is_twice).map(|(_, answer)| answer.name.as_str())
}

fn write(answers: &[Answer]) -> String {
    let mut text = HEADING.to_owned();
    for answer in answers {
        text += &format!("\n== {} | {}\n{}\n", answer.name, answer.request, answer.text);
    }
    text
}

fn read(text: &str) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for section in text.split("\n== ").skip(1) {
        let (heading, text) = section.split_once('\n').context("a section has a heading")?;
        let (name, request) = heading.rsplit_once(" | ").context("a heading names the request")?;
        let text = text.trim_end_matches('\n');
        answers.push(Answer { name: name.to_owned(), request: request.to_owned(), text: text.to_owned() });
    }
    Ok(answers)
}

#[derive(Default)]
struct Comparison {
    total: usize,
    equal: usize,
    text: String,
}

fn compare(recorded: &[Answer], answers: &[Answer], differences: &mut Differences) -> Comparison {
    let mut comparison = Comparison { total: recorded.len(), ..Comparison::default() };
    for expected in recorded {
        let Some(answer) = answers.iter().find(|answer| answer.name == expected.name) else {
            comparison.text += &format!("== {}: not answered\n", expected.name);
            continue;
        };
        let (wanted, got) = differences.strip(&expected.name, &expected.text, &answer.text);
        if wanted == got && expected.request == answer.request {
            comparison.equal += 1;
        } else {
            comparison.text += &format!("== {} | {}\n", answer.name, answer.request);
            comparison.text += &show_difference(&wanted, &got);
        }
    }
    for answer in answers {
        if !recorded.iter().any(|expected| expected.name == answer.name) {
            comparison.text += &format!("== {}: not recorded\n", answer.name);
        }
    }
    comparison
}

/// Common lines at both ends are left out, but for the nearest two.
fn show_difference(wanted: &[String], got: &[String]) -> String {
    let start = wanted.iter().zip(got).take_while(|(a, b)| a == b).count();
    let end = wanted[start..].iter().rev().zip(got[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    for line in &wanted[start.saturating_sub(2)..start] {
        let _ = writeln!(text, "    {line}");
    }
    for line in &wanted[start..wanted.len() - end] {
        let _ = writeln!(text, "  - {line}");
    }
    for line in &got[start..got.len() - end] {
        let _ = writeln!(text, "  + {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, text: &str) -> Answer {
        Answer { name: name.to_owned(), request: "Metadata v1".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_is_written_reads_back() {
        let answers = [answer("one", "A {\n    a: 1"), answer("two | more", "B")];
        assert_eq!(read(&write(&answers)).unwrap(), answers);
    }

    #[test]
    fn a_wrong_missing_or_new_answer_is_shown() {
        let recorded = [answer("one", "a\nb\nc"), answer("two", "a")];
        let comparison = compare(
            &recorded,
            &[answer("one", "a\nx\nc"), answer("three", "a")],
            &mut Differences::default(),
        );
        assert_eq!((comparison.total, comparison.equal), (2, 0));
        assert_eq!(
            comparison.text,
            "== one | Metadata v1\n    a\n  - b\n  + x\n== two: not answered\n== three: not recorded\n"
        );
    }
}
