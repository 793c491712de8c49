//! Scenario files: `$` a command, `<` its input, `=` a file, `#` a comment. Before a command: `~` why our tool's output differs from
//! that of Kafka's, `^` why the two servers' answers differ (`~ !`, `^ !`: not compared at all), `%` why numbers are masked.

use anyhow::{Context, Result, bail};

/// A line of a scenario.
pub enum Step {
    File { name: String, content: String },
    Command(Command),
}

/// A command line of a tool.
pub struct Command {
    /// As it stands in the file.
    pub line: String,
    /// Its words; the first names the tool.
    pub words: Vec<String>,
    /// What it reads.
    pub input: String,
    /// Why our tool's output is another one, if it is meant to be.
    pub difference: Option<String>,
    /// Why the two servers give the tool other answers, if they are meant to.
    pub servers_differ: Option<String>,
    /// Whether each run has numbers of its own.
    pub masks_numbers: bool,
}

impl Step {
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) => Some(command),
            Self::File { .. } => None,
        }
    }
}

/// Reads a scenario.
pub fn parse(text: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut difference, mut servers_differ, mut masks_numbers) = (None, None, false);
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", _) | ("#", _) => {}
            ("=", rest) => {
                let (name, content) = rest.split_once(' ').context("a file has a name and a content")?;
                steps.push(Step::File { name: name.to_owned(), content: unescaped(content) });
            }
            ("~", reason) => difference = Some(reason.to_owned()),
            ("^", reason) => servers_differ = Some(reason.to_owned()),
            ("%", _) => masks_numbers = true,
            ("<", input) => match steps.last_mut() {
                Some(Step::Command(command)) => command.input = unescaped(input),
                _ => bail!("no command takes this input: {line}"),
            },
            ("$", rest) => steps.push(Step::Command(Command {
                line: rest.to_owned(),
                words: words(rest),
                input: String::new(),
                difference: difference.take(),
                servers_differ: servers_differ.take(),
                masks_numbers: std::mem::take(&mut masks_numbers),
            })),
            _ => bail!("not understood: {line}"),
        }
    }
    Ok(steps)
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t")
}

/// Words parted by blanks; single quotes keep blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().expect("there is a first word").push(other),
        }
    }
    words
}
