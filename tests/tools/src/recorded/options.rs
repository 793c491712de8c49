//! Every option that the help of Kafka's tools names: ours take the same ones, with and without values alike.
//!
//! `UPDATE=kafka` asks Kafka's tools for their help; names alone are written down.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use testkit::prepared;

use super::folder;
use super::player::{KafkasTools, our_tool, tools_of_kafka};

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Value {
    Nothing,
    Needed,
    Possible,
}

/// A tool, or one of its verbs, with its options by spelling.
type Options = BTreeMap<String, BTreeMap<String, Value>>;

/// joptsimple's table: spellings and the value's name stand in the first column, wrapped.
fn of_joptsimple(help: &str) -> BTreeMap<String, Value> {
    let Some(width) = help.lines().find_map(|line| line.find(" Description")) else { return BTreeMap::new() };
    let mut entries: Vec<String> = Vec::new();
    for line in help.lines().skip_while(|line| !line.starts_with("------")).skip(1) {
        let column: String = line.chars().take(width).collect();
        if line.starts_with('-') {
            entries.push(column);
        } else if let Some(entry) = entries.last_mut() {
            *entry += &column;
        }
    }
    let mut options = BTreeMap::new();
    for entry in entries {
        let end = entry.find(['<', '[']).unwrap_or(entry.len());
        let value = match entry.get(end..end + 1) {
            Some("<") => Value::Needed,
            Some(_) => Value::Possible,
            None => Value::Nothing,
        };
        let names = entry[..end].split([',', ' ']).filter(|word| word.starts_with('-'));
        options.extend(names.map(|name| (name.to_owned(), value)));
    }
    options
}

/// argparse4j's list: an option per paragraph, `--id ID, -i ID`, and its words behind two blanks.
fn of_argparse(help: &str) -> BTreeMap<String, Value> {
    let mut options = BTreeMap::new();
    for line in help.lines() {
        let Some(entry) = line.strip_prefix("  ").filter(|rest| rest.starts_with('-')) else { continue };
        let entry = entry.split("  ").next().unwrap_or_default();
        let words: Vec<_> = entry.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        let (names, values): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.starts_with('-'));
        let value = if values.is_empty() { Value::Nothing } else { Value::Needed };
        options.extend(names.into_iter().map(|name| (name.to_owned(), value)));
    }
    options
}

/// The verbs in an argparse help, `{list,describe}`.
fn verbs(help: &str) -> Vec<String> {
    let words = help.split_whitespace().find_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
    let listed = words.map(|verbs| verbs.split(',').map(str::to_owned).collect());
    // One tool gives its verbs a paragraph each.
    listed.unwrap_or_else(|| {
        let paragraphs = help.lines().skip_while(|line| *line != "commands:").skip(1);
        let names =
            paragraphs.filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with(' '));
        names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    })
}

fn ask_kafkas_tools() -> Result<Options> {
    let mut kafka = KafkasTools::start()?;
    let mut options = Options::new();
    let mut ask = |words: &[&str]| -> Result<Vec<String>> {
        // This one reads its words by their places unless an option comes first.
        let named: &[&str] =
            if words == ["e2e-latency"] { &["--topic", "one", "--help"] } else { &["--help"] };
        let line: Vec<String> = words.iter().chain(named).map(|word| (*word).to_owned()).collect();
        let answer = kafka.run(&line, "")?;
        let is_argparse = answer.out.trim_start().starts_with("usage:");
        let found = if is_argparse { of_argparse(&answer.out) } else { of_joptsimple(&answer.err) };
        ensure!(!found.is_empty(), "{words:?}: no options in {}{}", answer.out, answer.err);
        options.insert(words.join(" "), found);
        Ok(if is_argparse { verbs(&answer.out) } else { Vec::new() })
    };
    for tool in tools_of_kafka() {
        for verb in ask(&[tool])? {
            ask(&[tool, &verb])?;
        }
    }
    Ok(options)
}

fn written(options: &Options) -> String {
    let mut text = String::from("# The options that the help of Kafka's tools names: do not edit.\n");
    for (tool, options) in options {
        _ = writeln!(text, "\n== {tool}");
        for (name, value) in options {
            let value = match value {
                Value::Nothing => "",
                Value::Needed => " VALUE",
                Value::Possible => " [VALUE]",
            };
            _ = writeln!(text, "{name}{value}");
        }
    }
    text
}

fn read(text: &str) -> Result<Options> {
    let mut options = Options::new();
    let mut tool = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("== ") {
            name.clone_into(&mut tool);
            continue;
        }
        let (name, value) = match line.split_once(' ') {
            None => (line, Value::Nothing),
            Some((name, "VALUE")) => (name, Value::Needed),
            Some((name, _)) => (name, Value::Possible),
        };
        options.entry(tool.clone()).or_default().insert(name.to_owned(), value);
    }
    ensure!(options.len() > tools_of_kafka().count(), "the list of options is not whole");
    Ok(options)
}

/// Asks our tool for its help behind the option, or leaves out the value: it tells both from an option that it does not know.
fn takes(tool: &[String], name: &str, value: Value) -> Result<bool> {
    let run = |last: &[&str]| {
        let words: Vec<String> =
            tool.iter().cloned().chain(last.iter().map(|word| (*word).to_owned())).collect();
        our_tool(&words, "")
    };
    if matches!(name, "-h" | "--help") {
        return Ok(run(&[name])?.err.is_empty() || run(&[name])?.err == run(&["--help"])?.err);
    }
    let got = match value {
        Value::Nothing | Value::Possible => run(&[name, "--help"])?,
        Value::Needed => run(&[name])?,
    };
    if value == Value::Needed {
        let last =
            [format!("Option {} requires an argument", name.trim_start_matches('-')), "expected ".to_owned()];
        return Ok(got.exit == 1 && last.iter().any(|wanted| got.err.contains(wanted)));
    }
    let help = run(&["--help"])?;
    Ok(got.out == help.out && got.err == help.err)
}

#[test]
fn every_option_of_kafkas_is_one_of_ours() -> Result<()> {
    let path = folder().join("recorded/options.txt");
    if env::var("UPDATE").as_deref() == Ok("kafka") {
        if !prepared::is_ready(&["kafka-tools"]) {
            return Ok(());
        }
        fs::write(&path, written(&ask_kafkas_tools()?))?;
    }
    let options = read(&fs::read_to_string(&path).with_context(|| path.display().to_string())?)?;
    let (mut count, mut missing) = (0, Vec::new());
    for (tool, options) in &options {
        let words: Vec<String> = tool.split(' ').map(str::to_owned).collect();
        for (name, value) in options {
            count += 1;
            if !takes(&words, name, *value)? {
                missing.push(format!("{tool} {name} {value:?}"));
            }
        }
    }
    println!("note: options: {count} spellings of {} tools and verbs are taken", options.len());
    ensure!(missing.is_empty(), "not taken as Kafka's tools take them:\n{}", missing.join("\n"));
    Ok(())
}
