//! Subscriptions by regular expression: Google RE2's language, matched in linear time.

use std::collections::BTreeSet;

use protocol::ErrorCode;
use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{self, ErrorKind, parse::ParserBuilder};

use super::ConsumerGroup;
use super::record;
use super::subscription::ResolvedRegex;
use crate::cluster::Cluster;
use crate::group::Step;
use crate::refusal::Refusal;

/// Shortest time between two looks at all topics for the same group.
const REFRESH_PAUSE_MS: i64 = 10_000;
/// The most memory that one compiled expression may take.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// How deep an expression may be nested.
const NESTING_MAX: u32 = 100;

/// Refuses an expression that cannot be understood.
pub(super) fn validate(pattern: &str) -> Result<(), Refusal> {
    compile(pattern).map(drop).map_err(|reason| {
        let message =
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {reason}.");
        Refusal::new(ErrorCode::InvalidRegularExpression, message)
    })
}

/// An expression that matches whole names only.
fn compile(pattern: &str) -> Result<Regex, String> {
    let pattern = without_quotes(pattern);
    let mut parser = ParserBuilder::new().nest_limit(NESTING_MAX).build();
    parser.parse(&pattern).map_err(|error| describe(&error))?;
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(COMPILED_BYTES_MAX)
        .nest_limit(NESTING_MAX + 2)
        .build()
        .map_err(|_| "expression too large".to_owned())
}

/// What lies between `\Q` and `\E` stands for itself in RE2.
fn without_quotes(pattern: &str) -> String {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(escape) = rest.find('\\') {
        let (before, from_escape) = rest.split_at(escape);
        plain.push_str(before);
        if let Some(quoted) = from_escape.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            plain.push_str(&regex_syntax::escape(literal));
            rest = after;
        } else {
            let escaped = from_escape.char_indices().nth(2).map_or(from_escape.len(), |(index, _)| index);
            let (pair, after) = from_escape.split_at(escaped);
            plain.push_str(pair);
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

/// The error in RE2's words, where it has some.
fn describe(error: &ast::Error) -> String {
    let text = match error.kind() {
        ErrorKind::ClassUnclosed => "missing closing ]",
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral | ErrorKind::ClassEscapeInvalid => {
            "invalid character class range"
        }
        ErrorKind::GroupUnclosed => "missing closing )",
        ErrorKind::GroupUnopened => "regexp/syntax: internal error",
        ErrorKind::GroupNameInvalid | ErrorKind::GroupNameUnexpectedEof | ErrorKind::GroupNameEmpty => {
            "invalid named capture"
        }
        ErrorKind::GroupNameDuplicate { .. } => "duplicate capture group name",
        ErrorKind::RepetitionMissing => "missing argument to repetition operator",
        ErrorKind::RepetitionCountInvalid
        | ErrorKind::RepetitionCountDecimalEmpty
        | ErrorKind::RepetitionCountUnclosed => "invalid repeat count",
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression",
        ErrorKind::EscapeUnrecognized
        | ErrorKind::UnsupportedBackreference
        | ErrorKind::EscapeHexEmpty
        | ErrorKind::EscapeHexInvalid
        | ErrorKind::EscapeHexInvalidDigit => "invalid escape sequence",
        ErrorKind::FlagUnrecognized
        | ErrorKind::FlagDanglingNegation
        | ErrorKind::FlagUnexpectedEof
        | ErrorKind::UnsupportedLookAround => "invalid or unsupported Perl syntax",
        ErrorKind::NestLimitExceeded(_) => "expression nests too deeply",
        other => return other.to_string(),
    };
    text.to_owned()
}

/// The topics of the cluster that match.
fn resolve(cluster: &Cluster, pattern: &str, now_ms: i64) -> ResolvedRegex {
    let names = cluster.image.topics.iter().map(|topic| topic.name());
    let topics: BTreeSet<String> = match compile(pattern) {
        Ok(regex) => names.filter(|name| regex.is_match(name)).map(str::to_owned).collect(),
        Err(_) => BTreeSet::new(),
    };
    ResolvedRegex { topics, version: cluster.offset(), timestamp_ms: now_ms }
}

impl ConsumerGroup {
    /// Looks up the topics of expressions that nobody has looked up yet, or, if it is time again, those of all. True if
    /// the group has other topics now.
    pub(super) fn refresh_regexes(&mut self, step: &mut Step<'_>) -> bool {
        if self.subscribed_regexes.is_empty() {
            return false;
        }
        let refreshes_all = self.is_refresh_due(step);
        let is_due = |regex: &&String| refreshes_all || !self.resolved_regexes.contains_key(*regex);
        let due: Vec<String> = self.subscribed_regexes.keys().filter(is_due).cloned().collect();
        let mut has_changed = false;
        for regex in due {
            let resolved = resolve(step.cluster, &regex, step.now_ms);
            let before = self.resolved_regexes.get(&regex).map(|before| &before.topics);
            has_changed |= before.is_none_or(|before| *before != resolved.topics);
            let record = record::regular_expression(&self.group_id, &regex, &resolved);
            self.write(step, record);
        }
        has_changed
    }

    fn is_refresh_due(&self, step: &Step<'_>) -> bool {
        let oldest_ms = self.resolved_regexes.values().map(|resolved| resolved.timestamp_ms).min();
        let Some(oldest_ms) = oldest_ms else { return true };
        let oldest_version = self.resolved_regexes.values().map(|resolved| resolved.version).min();
        let pause_over = step.now_ms > oldest_ms.saturating_add(REFRESH_PAUSE_MS);
        let has_new_topics = oldest_version < step.cluster.last_new_topics_offset;
        let interval_ms = step.config.consumer.regex_refresh_interval_ms;
        pause_over && (has_new_topics || step.now_ms > oldest_ms.saturating_add(interval_ms))
    }

    /// Forgets the topics of an expression.
    pub(super) fn drop_regex(&mut self, step: &mut Step<'_>, regex: &str) {
        let record = record::regular_expression_tombstone(&self.group_id, regex);
        self.write(step, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        compile(pattern).expect("a valid pattern").is_match(name)
    }

    #[test]
    fn whole_names_match() {
        assert!(matches("foo.*", "foobar"));
        assert!(!matches("foo", "foobar"));
        assert!(!matches("bar|foo", "foobar"));
        assert!(matches(r"\Qa.b\E.+", "a.bc"));
        assert!(!matches(r"\Qa.b\E.+", "axbc"));
        assert!(matches(r"a\.b\Q.", "a.b."));
    }

    /// Recorded from RE2/J 1.8.
    #[test]
    fn errors_are_in_the_words_of_re2() {
        let message = |pattern: &str| compile(pattern).map(drop).expect_err("an invalid pattern");
        assert_eq!(message("["), "missing closing ]");
        assert_eq!(message("(foo"), "missing closing )");
        assert_eq!(message("foo)"), "regexp/syntax: internal error");
        assert_eq!(message("*foo"), "missing argument to repetition operator");
        assert_eq!(message("foo\\"), "trailing backslash at end of expression");
        assert_eq!(message("[b-a]"), "invalid character class range");
        assert_eq!(message("(?=a)"), "invalid or unsupported Perl syntax");
        assert_eq!(message(r"\y"), "invalid escape sequence");
        assert!(compile("((a{1,1000}){1,1000}){1,1000}").is_err());
    }
}
