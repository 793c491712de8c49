//! All tools, and which of them a command line means.

mod acls;
mod broker_api_versions;
mod cat;
mod client_metrics;
mod cluster;
mod configs;
mod console_consumer;
mod console_producer;
mod console_share_consumer;
mod consumer_groups;
mod consumer_perf;
mod delete_records;
mod dump_log;
mod e2e_latency;
mod features;
mod features_tool;
mod fetching;
mod first_call;
mod formatters;
mod get_offsets;
mod groups;
mod groups_of_one_kind;
mod install_links;
mod java_errors;
mod json_files;
mod leader_election;
mod log_dirs;
mod metadata_quorum;
mod offset_plans;
mod own;
mod producer_perf;
mod reassign;
mod server_start;
mod session;
mod share_consumer_perf;
mod share_groups;
mod storage;
mod streams_groups;
mod topic_filter;
mod topics;
mod transactions;
mod value_hints;
mod verifiable_consumer;
mod verifiable_producer;

use std::path::Path;

use crate::command_line::{Failure, Tool, help, nearest, parse, print_help, tool_list};
use crate::server;

/// Kafka's version whose tools these stand in for.
pub const KAFKA_VERSION: &str = "4.4.0";

/// Every tool by subject, in the order of the help.
pub const ALL: &[&Tool] = &[
    &server::TOOL,
    &topics::TOOL,
    &configs::TOOL,
    &console_producer::TOOL,
    &console_consumer::TOOL,
    &console_share_consumer::TOOL,
    &consumer_groups::TOOL,
    &groups::TOOL,
    &share_groups::TOOL,
    &streams_groups::TOOL,
    &get_offsets::TOOL,
    &delete_records::TOOL,
    &log_dirs::TOOL,
    &broker_api_versions::TOOL,
    &cluster::TOOL,
    &features_tool::TOOL,
    &metadata_quorum::TOOL,
    &acls::TOOL,
    &leader_election::TOOL,
    &reassign::TOOL,
    &transactions::TOOL,
    &client_metrics::TOOL,
    &producer_perf::TOOL,
    &consumer_perf::TOOL,
    &share_consumer_perf::TOOL,
    &e2e_latency::TOOL,
    &verifiable_producer::TOOL,
    &verifiable_consumer::TOOL,
    &server_start::START,
    &server_start::STOP,
    &storage::TOOL,
    &dump_log::TOOL,
    &cat::TOOL,
    &install_links::TOOL,
    &own::COMPLETIONS,
    &own::MANUAL,
];

/// Runs what the program's name or the first word asks for; gives the exit code.
pub fn dispatch(program: &str, words: &[String]) -> u8 {
    let file =
        Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(tool) = linked_tool(&file) {
        return run(tool, words);
    }
    let Some((word, rest)) = words.split_first() else {
        print!("{}", overview());
        return 0;
    };
    match word.as_str() {
        "help" | "--help" | "-h" => match rest.first().and_then(|name| named_tool(name)) {
            Some(tool) => {
                print!("{}", print_help(tool, None));
                0
            }
            None => {
                print!("{}", overview());
                0
            }
        },
        "--version" | "-V" | "version" => {
            println!("klamm {} (Kafka {KAFKA_VERSION})", env!("CARGO_PKG_VERSION"));
            0
        }
        word => match named_tool(word) {
            Some(tool) => run(tool, rest),
            None => {
                eprintln!("klamm: there is no {word}{}", hint(word));
                eprintln!("`klamm help` lists what there is.");
                1
            }
        },
    }
}

/// The tool that a link's name stands for: `kafka-topics`, `kafka-topics.sh`.
fn linked_tool(file: &str) -> Option<&'static Tool> {
    let name = file.strip_suffix(".sh").unwrap_or(file);
    let name = name.strip_prefix("kafka-")?;
    ALL.iter().copied().find(|tool| tool.name == name && !tool.classes.is_empty())
}

/// The tool of this name, class or link name.
fn named_tool(word: &str) -> Option<&'static Tool> {
    let by_name = ALL.iter().copied().find(|tool| tool.name == word || tool.classes.contains(&word));
    by_name.or_else(|| linked_tool(word))
}

fn hint(word: &str) -> String {
    if word.starts_with("zookeeper") {
        return ": there is no ZooKeeper any more, and nothing to start beside `klamm server`".to_owned();
    }
    let plain = word.strip_prefix("kafka-").unwrap_or(word).trim_end_matches(".sh");
    match nearest(plain, ALL.iter().map(|tool| tool.name)) {
        Some(name) => format!("; did you mean `klamm {name}`?"),
        None => String::new(),
    }
}

fn overview() -> String {
    let mut text = String::from(
        "Klamm is an event streaming platform that speaks Apache Kafka's protocol.\n\n  klamm server           \
         runs a node here and now\n  klamm TOOL --help      says what a tool takes\n\nKafka's tools, with its flags and \
         output (`klamm install-links DIR` makes kafka-* links):\n\n",
    );
    let (kafka, own): (Vec<_>, Vec<_>) = ALL.iter().copied().partition(|tool| !tool.classes.is_empty());
    let names: Vec<_> = kafka.iter().map(|tool| tool.name).collect();
    for line in text_lines(&names, 92) {
        text += &format!("  {line}\n");
    }
    text += "\nOur own:\n\n";
    text + &tool_list(&own)
}

fn text_lines(words: &[&str], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is a first line");
        if line.len() + word.len() >= width {
            lines.push((*word).to_owned());
        } else {
            *line += if line.is_empty() { "" } else { "  " };
            *line += word;
        }
    }
    lines
}

/// Tools that take no words for a question, and answer it without complaint.
const HELPFUL: &[&str] = &["producer-perf-test", "verifiable-producer", "verifiable-consumer"];

/// Runs a tool and says what it has to say about failing.
fn run(tool: &'static Tool, words: &[String]) -> u8 {
    if tool.name != server::TOOL.name && tool.name != server_start::START.name {
        end_with_a_closed_pipe();
    }
    let shows_help = |words: &[String]| {
        let verb = words.iter().find_map(|word| tool.verbs.iter().find(|verb| verb.name == word));
        print_help(tool, verb)
    };
    if words.is_empty() && HELPFUL.contains(&tool.name) {
        print!("{}", shows_help(words));
        return 0;
    }
    let arguments = match parse(tool, words) {
        Ok(arguments) => arguments,
        Err(failure) => return tell(tool, None, &failure),
    };
    let is_argparse = tool.grammar != crate::command_line::Grammar::Joptsimple;
    if arguments.has("help") || (words.is_empty() && !tool.classes.is_empty() && !is_argparse) {
        // Tools with verbs and our own answer a question; joptsimple's tools treat it as a mistake.
        if is_argparse || tool.classes.is_empty() {
            print!("{}", shows_help(words));
            // Most of Kafka's tools of this kind end like a mistake after their help.
            return u8::from(is_argparse && !tool.classes.is_empty() && tool.name != "storage");
        }
        eprintln!("{}", tool.about);
        eprint!("{}", shows_help(words));
        return 1;
    }
    if arguments.has("version") {
        println!("{KAFKA_VERSION}");
        return 0;
    }
    first_call::remember(&arguments);
    let outcome = (tool.run)(&arguments);
    let code = match &outcome {
        Ok(()) => 0,
        Err(failure) => tell(tool, arguments.verb, failure),
    };
    // Kafka's tools take many a word that means nothing; the slip is told all the same.
    let said = first_call::take_hint().filter(|_| outcome.is_err());
    if let Some(hint) = value_hints::hint(&arguments).or(said) {
        eprintln!("hint: {hint}");
    }
    code
}

fn tell(tool: &Tool, verb: Option<&crate::command_line::Verb>, failure: &Failure) -> u8 {
    match failure {
        Failure::Usage(message) => eprint!("{}", help::usage_failure(tool, verb, message)),
        Failure::Bare(message) => eprintln!("{message}"),
        Failure::Refused(message) if tool.refusals.on_stdout => {
            println!("{}{message}", tool.refusals.prefix);
        }
        Failure::Refused(message) => eprintln!("{}{message}", tool.refusals.prefix),
        Failure::Ended(code) => return *code,
    }
    1
}

/// Output into `head` and its like ends the tool quietly, as users of pipes expect.
fn end_with_a_closed_pipe() {
    // SAFETY: nothing else runs yet, and the default action of SIGPIPE is to end the process.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
