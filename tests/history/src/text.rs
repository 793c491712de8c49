//! Histories as lines of text: one when an operation begins and one when it ends, so that a killed client leaves the first.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::history::{Action, Function, Isolation, Key, Operation, Outcome, Polled};

/// The line for an operation that is about to begin; `operation` has what it will send.
pub fn beginning(operation: &Operation) -> String {
    let function = match operation.function {
        Function::Plain => 'P',
        Function::Transaction => 'T',
        Function::Assign => 'A',
        Function::Subscribe => 'S',
    };
    let isolation = match operation.isolation {
        Isolation::Committed => 'c',
        Isolation::Uncommitted => 'u',
    };
    let mut line = format!("+ {} {} {function} {isolation}", operation.process, operation.invoked_ns);
    if let Some(group) = operation.group {
        let _ = write!(line, " g {group}");
    }
    push_actions(&mut line, &operation.actions);
    line + "\n"
}

/// The line for its end.
pub fn ending(operation: &Operation) -> String {
    let outcome = match operation.outcome {
        Outcome::Ok => 'o',
        Outcome::Fail => 'f',
        Outcome::Info => 'i',
    };
    let mut line = format!("{outcome} {} {}", operation.process, operation.completed_ns.unwrap_or_default());
    push_actions(&mut line, &operation.actions);
    if !operation.rebalanced.is_empty() {
        line.push_str(" r");
        for key in &operation.rebalanced {
            let _ = write!(line, " {key}");
        }
    }
    line + "\n"
}

fn push_actions(line: &mut String, actions: &[Action]) {
    for action in actions {
        match action {
            Action::Send { key, value, offset } => {
                let _ = write!(line, " s {key} {value} {}", offset.unwrap_or(-1));
            }
            Action::Poll(records) => {
                line.push_str(" p");
                for Polled { key, offset, value } in records {
                    let _ = write!(line, " {key} {offset} {value}");
                }
            }
        }
    }
}

/// Where clients write their lines: each goes out whole, before what it announces.
#[derive(Debug)]
pub struct Recorder(File);

impl Recorder {
    /// A file that there was not before.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Recorder(File::create_new(path).with_context(|| path.display().to_string())?))
    }

    /// The operation begins.
    ///
    /// # Errors
    /// The file system's.
    pub fn begin(&self, operation: &Operation) -> Result<()> {
        Ok((&self.0).write_all(beginning(operation).as_bytes())?)
    }

    /// The operation has ended.
    ///
    /// # Errors
    /// The file system's.
    pub fn end(&self, operation: &Operation) -> Result<()> {
        Ok((&self.0).write_all(ending(operation).as_bytes())?)
    }
}

/// The operations of one file. What has no end is `Info`; a last line that is torn does not count.
///
/// # Errors
/// A file that cannot be read, or a line that nobody wrote.
pub fn read(path: &Path) -> Result<Vec<Operation>> {
    let mut file = BufReader::new(File::open(path).with_context(|| path.display().to_string())?);
    let (mut operations, mut open): (Vec<Operation>, HashMap<u32, usize>) = (Vec::new(), HashMap::new());
    let mut line = String::new();
    loop {
        line.clear();
        file.read_line(&mut line)?;
        let Some(text) = line.strip_suffix('\n') else { return Ok(operations) };
        read_line(text, &mut operations, &mut open).with_context(|| text.to_owned())?;
    }
}

fn read_line(line: &str, operations: &mut Vec<Operation>, open: &mut HashMap<u32, usize>) -> Result<()> {
    let mut words = line.split(' ').peekable();
    let kind = words.next().context("a kind")?;
    let process = number(words.next())?;
    let time_ns = number(words.next())?;
    if kind == "+" {
        let function = match words.next() {
            Some("P") => Function::Plain,
            Some("T") => Function::Transaction,
            Some("A") => Function::Assign,
            Some("S") => Function::Subscribe,
            other => bail!("{other:?}"),
        };
        let mut operation = Operation::new(process, function, time_ns, time_ns);
        operation.isolation = match words.next() {
            Some("c") => Isolation::Committed,
            Some("u") => Isolation::Uncommitted,
            other => bail!("{other:?}"),
        };
        (operation.outcome, operation.completed_ns) = (Outcome::Info, None);
        read_rest(&mut words, &mut operation)?;
        open.insert(process, operations.len());
        operations.push(operation);
        return Ok(());
    }
    let index = open.remove(&process).context("it has not begun")?;
    let operation = operations.get_mut(index).context("it has begun")?;
    operation.outcome = match kind {
        "o" => Outcome::Ok,
        "f" => Outcome::Fail,
        "i" => Outcome::Info,
        other => bail!("{other:?}"),
    };
    operation.completed_ns = Some(time_ns);
    operation.actions.clear();
    read_rest(&mut words, operation)
}

fn read_rest<'a>(
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    operation: &mut Operation,
) -> Result<()> {
    while let Some(word) = words.next() {
        match word {
            "g" => operation.group = Some(number(words.next())?),
            "s" => {
                let (key, value) = (number(words.next())?, number(words.next())?);
                let offset: i64 = number(words.next())?;
                let offset = (offset >= 0).then_some(offset);
                operation.actions.push(Action::Send { key, value, offset });
            }
            "p" => {
                let mut records = Vec::new();
                while let Some(key) = words.next_if(|word| is_number(word)) {
                    let (key, offset) = (number(Some(key))?, number(words.next())?);
                    records.push(Polled { key, offset, value: number(words.next())? });
                }
                operation.actions.push(Action::Poll(records));
            }
            "r" => {
                while let Some(key) = words.next_if(|word| is_number(word)) {
                    operation.rebalanced.push(number::<Key>(Some(key))?);
                }
            }
            other => bail!("{other:?}"),
        }
    }
    Ok(())
}

fn is_number(word: &str) -> bool {
    word.bytes().next().is_some_and(|first| first.is_ascii_digit())
}

fn number<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    word: Option<&str>,
) -> Result<T> {
    word.context("a number is due")?.parse().context("a number is due")
}
