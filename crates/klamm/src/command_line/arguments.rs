//! What was given on a command line, by the options' present names.

use std::str::FromStr;

use super::table::{Kind, Opt, Tool, Verb};
use super::{Failure, Grammar};

/// A parsed command line.
pub struct Arguments {
    /// The tool it is for.
    pub tool: &'static Tool,
    /// The verb, for tools that have verbs.
    pub verb: Option<&'static Verb>,
    /// The words that belong to no option.
    pub words: Vec<String>,
    /// The command line as it was, without the tool's name.
    pub line: Vec<String>,
    given: Vec<(&'static Opt, Option<String>)>,
}

impl Arguments {
    pub(super) fn new(tool: &'static Tool, line: &[String]) -> Self {
        Self { tool, verb: None, words: Vec::new(), line: line.to_vec(), given: Vec::new() }
    }

    pub(super) fn push(&mut self, option: &'static Opt, value: Option<String>) {
        self.given.push((option, value));
    }

    /// The verb's name, or an empty text.
    pub fn verb_name(&self) -> &'static str {
        self.verb.map_or("", |verb| verb.name)
    }

    /// Whether an option is given, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(option, _)| option.name == name)
    }

    /// The values of an option in the order given.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let given = self.given.iter().filter(|(option, _)| option.name == name);
        given.filter_map(|(_, value)| value.as_deref()).collect()
    }

    /// All options in the order given, by their present names.
    pub fn in_order(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.given.iter().map(|(option, value)| (option.name, value.as_deref()))
    }

    /// The value of an option that may be given once.
    pub fn value(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.values(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            // argparse4j and getopt let the last one win.
            [.., value] if self.tool.grammar != Grammar::Joptsimple => Ok(Some(value)),
            _ => Err(self.misunderstood(format!(
                "Found multiple arguments for option {name}, but you asked for only one"
            ))),
        }
    }

    /// The value of an option without which nothing can be done.
    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.value(name)?
            .ok_or_else(|| Failure::Usage(format!("Missing required argument \"[{}]\"", self.spelling(name))))
    }

    /// The number that an option gives.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let parsed = value.parse().map_err(|_| self.no_number(name, value))?;
        Ok(Some(parsed))
    }

    /// Whether results are wanted as JSON.
    pub fn json(&self) -> bool {
        self.values("output").last().is_some_and(|value| *value == "json")
    }

    /// Tells a person that something is done: beside the results where those are JSON.
    pub fn say(&self, sentence: impl std::fmt::Display) {
        match self.json() {
            true => eprintln!("{sentence}"),
            false => println!("{sentence}"),
        }
    }

    /// Fails with the usage unless all of the options are given.
    pub fn require(&self, names: &[&str]) -> Result<(), Failure> {
        match names.iter().find(|name| !self.has(name)) {
            None => Ok(()),
            Some(name) => {
                Err(Failure::Usage(format!("Missing required argument \"[{}]\"", self.spelling(name))))
            }
        }
    }

    /// Fails with the usage if `used` is given together with one of the others.
    pub fn forbid(&self, used: &str, others: &[&str]) -> Result<(), Failure> {
        if !self.has(used) {
            return Ok(());
        }
        match others.iter().find(|other| self.has(other)) {
            None => Ok(()),
            Some(other) => Err(Failure::Usage(format!(
                "Option \"[{}]\" can't be used with option \"[{}]\"",
                self.spelling(used),
                self.spelling(other)
            ))),
        }
    }

    /// Fails with the usage unless exactly one of the options is given.
    pub fn require_one(&self, names: &[&str]) -> Result<(), Failure> {
        if names.iter().filter(|name| self.has(name)).count() == 1 {
            return Ok(());
        }
        let names: Vec<_> = names.iter().map(|name| format!("[{}]", self.spelling(name))).collect();
        Err(Failure::Usage(format!(
            "Exactly one of the following arguments is required: {}",
            names.join(", ")
        )))
    }

    /// A failure about an option, told the way this tool does.
    pub fn misunderstood(&self, message: String) -> Failure {
        match self.tool.refusals.option_prefix {
            None => Failure::Usage(message),
            Some(prefix) => Failure::Bare(format!("{prefix}{message}")),
        }
    }

    fn no_number(&self, name: &str, value: &str) -> Failure {
        if self.tool.grammar == Grammar::Argparse {
            let kind = match self.tool.option(self.verb, name).map(|option| option.kind) {
                Some(Kind::Long) => "Long",
                _ => "Integer",
            };
            let name = self.dashed(name);
            return Failure::Usage(format!(
                "argument {name}: could not convert '{value}' to {kind} ({} value expected)",
                if kind == "Long" { "64 bit signed integer" } else { "32 bit signed integer" }
            ));
        }
        self.misunderstood(format!("Cannot parse argument '{value}' of option {name}"))
    }

    /// `--id/-i`, as argparse4j names an option.
    pub fn dashed(&self, name: &str) -> String {
        let Some(option) = self.tool.option(self.verb, name) else { return format!("--{name}") };
        dashed(option)
    }

    /// joptsimple names all spellings of an option, sorted.
    fn spelling(&self, name: &str) -> String {
        match self.tool.option(self.verb, name) {
            Some(option)
                if !option.others.is_empty() && option.others.iter().all(|other| other.len() > 1) =>
            {
                let mut names = vec![option.name];
                names.extend(option.others);
                names.sort_unstable();
                names.join(", ")
            }
            _ => name.to_owned(),
        }
    }
}

/// `--id/-i`.
pub fn dashed(option: &Opt) -> String {
    let mut text = format!("--{}", option.name);
    for other in option.others {
        text += if other.len() == 1 { "/-" } else { "/--" };
        text += other;
    }
    text
}
