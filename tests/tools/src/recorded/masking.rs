//! What differs from run to run, made the same.

use super::player::Answer;
use super::scenario::Command;

/// Where nothing listens.
const NOBODY: &str = "127.0.0.1:1";

/// The names of one run.
pub struct Masks {
    bootstrap: String,
    files: String,
    data: String,
}

impl Masks {
    pub fn new(bootstrap: &str, files: &str, data: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned(), files: files.to_owned(), data: data.to_owned() }
    }

    /// A scenario's text with this run's names.
    pub fn fill(&self, text: &str) -> String {
        let text = text.replace("{bootstrap}", &self.bootstrap).replace("{folder}", &self.files);
        text.replace("{nobody}", NOBODY)
    }

    fn hide(&self, text: &str) -> String {
        let port = self.bootstrap.rsplit(':').next().unwrap_or_default();
        let text = text.replace(&self.bootstrap, "{bootstrap}").replace(&self.files, "{folder}");
        text.replace(&self.data, "{data}").replace(&format!(" {port} "), " {port} ")
    }

    /// An answer in its recorded form: exit code, sorted lines of standard output, first line of standard error.
    pub fn show(&self, answer: &Answer, command: &Command) -> String {
        let mut text = format!("-- exit {}\n", answer.exit);
        // Help is told in words of our own, and where argparse shows its usage the message comes last.
        let is_help = command.words.len() == 1 || command.words.iter().any(|word| word == "--help");
        if is_help {
            return text;
        }
        let masked = |line: &str| match command.masks_numbers {
            true => without_numbers(&masked_line(line)),
            false => masked_line(line),
        };
        let mut lines: Vec<_> = self.hide(&answer.out).lines().map(masked).collect();
        lines.retain(|line| !line.is_empty() && !line.starts_with("\tat ") && !line.starts_with("\t... "));
        lines.sort();
        for line in lines {
            text += &line;
            text.push('\n');
        }
        if let Some(line) = first_error(&self.hide(&answer.err)) {
            text += &format!("-- err\n{}\n", masked(&line));
        }
        text
    }
}

/// The message of argparse, which wraps it, or the first line that says something.
fn first_error(text: &str) -> Option<String> {
    let is_noise = |line: &str| {
        line.trim().is_empty()
            || line.contains("KIP-848")
            || line.starts_with("hint: ")
            || line.starts_with("WARN")
    };
    if text.trim_start().starts_with("usage:") {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let message = words.split_once("error: ").map(|(_, message)| message)?;
        let message = message.split(" hint: ").next().unwrap_or_default();
        // Wrapping parts words at their dashes.
        let head: String = message.chars().filter(|letter| !letter.is_whitespace()).take(24).collect();
        return Some(format!("error: {head}"));
    }
    text.lines().find(|line| !is_noise(line)).map(str::to_owned)
}

fn masked_line(line: &str) -> String {
    let line = match line.split_once("Configs: ") {
        // Java gives settings in the order of its hash table.
        Some((head, configs)) => {
            let mut configs: Vec<_> = configs.split(',').collect();
            configs.sort_unstable();
            format!("{head}Configs: {}", configs.join(","))
        }
        None => line.to_owned(),
    };
    let mut masked = String::new();
    let mut word = String::new();
    for letter in line.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' {
            word.push(letter);
        } else {
            masked += &masked_word(&word);
            word.clear();
            masked.push(letter);
        }
    }
    masked.trim_end().to_owned()
}

fn masked_word(word: &str) -> String {
    let is_time = word.len() == 13 && word.starts_with('1') && word.bytes().all(|byte| byte.is_ascii_digit());
    let has_mixture = word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'_' || byte == b'-')
        || (word.bytes().any(|byte| byte.is_ascii_uppercase()) && !word.ends_with("Exception"));
    if is_time {
        "TIME".to_owned()
    } else if word.len() == 22
        && has_mixture
        && !word.starts_with("--")
        && !word.bytes().all(|byte| byte.is_ascii_digit())
    {
        "ID".to_owned()
    } else {
        word.to_owned()
    }
}

/// Each number, with a fraction or without, becomes an N.
pub fn without_numbers(line: &str) -> String {
    let mut masked = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_ascii_digit() {
            masked.push(letter);
            continue;
        }
        masked.push('N');
        while letters.next_if(|next| next.is_ascii_digit() || *next == '.').is_some() {}
    }
    masked.replace("TIME", "N")
}
