//! `xtask/tidy-exceptions.toml`: findings that are forgiven, each with a reason, and only while they exist.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, Rule};

const PATH: &str = "xtask/tidy-exceptions.toml";

#[derive(Deserialize)]
struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    rule: String,
    path: String,
    /// A part of the finding's message; the whole file is meant without it.
    #[serde(default)]
    about: String,
    reason: String,
}

/// The findings that remain, and one for each exception that forgives nothing or gives no reason.
pub fn apply(text: &str, findings: Vec<Finding>) -> Result<Vec<Finding>> {
    let Exceptions { exception: exceptions } = toml::from_str(text).context(PATH)?;
    let mut used = vec![false; exceptions.len()];
    let mut remaining = Vec::new();
    for finding in findings {
        let position = exceptions.iter().position(|exception| exception.forgives(&finding));
        match position {
            Some(position) => used[position] = true,
            None => remaining.push(finding),
        }
    }
    for (exception, used) in exceptions.iter().zip(used) {
        let about = format!("{} {} {}", exception.rule, exception.path, exception.about);
        if !used {
            remaining
                .push(finding(format!("delete the exception `{}`: it forgives nothing", about.trim_end())));
        } else if exception.reason.trim().is_empty() {
            remaining.push(finding(format!("the exception `{}` gives no reason", about.trim_end())));
        }
    }
    Ok(remaining)
}

impl Exception {
    fn forgives(&self, finding: &Finding) -> bool {
        self.rule == finding.rule.name() && self.path == finding.path && finding.message.contains(&self.about)
    }
}

fn finding(message: String) -> Finding {
    Finding { rule: Rule::Exception, path: PATH.to_owned(), line: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(path: &str) -> Finding {
        Finding { rule: Rule::FileLength, path: path.to_owned(), line: None, message: "700 lines".to_owned() }
    }

    const TEXT: &str = "[[exception]]\nrule = \"file-length\"\npath = \"a.rs\"\nreason = \"one table\"\n";

    #[test]
    fn an_exception_forgives_its_own_file_only() {
        assert_eq!(apply(TEXT, vec![long("a.rs"), long("b.rs")]).unwrap(), [long("b.rs")]);
    }

    #[test]
    fn an_exception_that_is_not_needed_any_more_is_found() {
        let remaining = apply(TEXT, Vec::new()).unwrap();
        assert_eq!(remaining.len(), 1);
        assert_eq!(remaining[0].rule, Rule::Exception);
    }

    #[test]
    fn an_exception_needs_a_reason() {
        let text = TEXT.replace("one table", " ");
        assert_eq!(apply(&text, vec![long("a.rs")]).unwrap().len(), 1);
    }
}
