//! Help, from a tool's table.

use std::fmt::Write;

use super::Grammar;
use super::table::{Kind, Opt, Tool, Verb};

const NAME_WIDTH: usize = 34;
const WIDTH: usize = 100;

/// The help of a tool, or of one of its verbs.
pub fn print_help(tool: &Tool, verb: Option<&Verb>) -> String {
    let mut text =
        format!("usage: {}\n\n{}\n", usage(tool, verb), verb.map_or(tool.about, |verb| verb.about));
    if verb.is_none() && !tool.verbs.is_empty() {
        text += "\nverbs:\n";
        for verb in tool.verbs {
            entry(&mut text, verb.name, verb.about);
        }
    }
    let (old, mut present): (Vec<_>, Vec<_>) =
        tool.options(verb).partition(|option| option.replaced_by.is_some());
    text += "\noptions:\n";
    present.sort_by_key(|option| (!option.required, option.name));
    for option in present {
        let need = if option.required { "Required. " } else { "" };
        entry(&mut text, &spelled(option), &format!("{need}{}", option.about));
    }
    if !old.is_empty() {
        text += "\nold spellings, which still work:\n";
        for option in old {
            let instead = option.replaced_by.unwrap_or_default();
            entry(&mut text, &spelled(option), &format!("Use --{instead}."));
        }
    }
    text
}

/// One line that shows how a tool is called.
pub fn usage(tool: &Tool, verb: Option<&Verb>) -> String {
    let mut line = format!("kafka-{}", tool.name);
    match verb {
        Some(verb) => _ = write!(line, " {}", verb.name),
        None if !tool.verbs.is_empty() => {
            let names: Vec<_> = tool.verbs.iter().map(|verb| verb.name).collect();
            _ = write!(line, " {{{}}}", names.join(","));
        }
        None => {}
    }
    for option in tool.options(verb).filter(|option| option.required) {
        _ = write!(line, " --{} {}", option.name, option.label);
    }
    line + " [options]"
}

/// All tools with a sentence each.
pub fn tool_list(tools: &[&Tool]) -> String {
    let mut text = String::new();
    for tool in tools {
        entry(&mut text, tool.name, tool.about);
    }
    text
}

fn spelled(option: &Opt) -> String {
    let mut text = String::new();
    for short in option.others.iter().filter(|other| other.len() == 1) {
        text += &format!("-{short}, ");
    }
    text += &format!("--{}", option.name);
    match option.kind {
        Kind::Flag => {}
        Kind::Optional => text += &format!(" [{}]", option.label),
        _ => text += &format!(" <{}>", option.label),
    }
    text
}

fn entry(text: &mut String, name: &str, about: &str) {
    let mut line = format!("  {name:NAME_WIDTH$}");
    if name.chars().count() >= NAME_WIDTH {
        *text += line.trim_end();
        *text += "\n";
        line = " ".repeat(NAME_WIDTH + 2);
    }
    for word in about.split(' ') {
        if line.chars().count() + word.chars().count() >= WIDTH {
            *text += line.trim_end();
            *text += "\n";
            line = " ".repeat(NAME_WIDTH + 2);
        }
        line += " ";
        line += word;
    }
    *text += line.trim_end();
    *text += "\n";
}

/// What stands before and behind a usage message: argparse4j puts the usage first.
pub fn usage_failure(tool: &Tool, verb: Option<&Verb>, message: &str) -> String {
    match tool.grammar {
        Grammar::Joptsimple => format!("{message}\n{}", print_help(tool, verb)),
        Grammar::Getopt => format!("Error: {message}\n\n{}", print_help(tool, verb)),
        Grammar::Argparse => format!("usage: {}\nkafka-{}: error: {message}\n", usage(tool, verb), tool.name),
    }
}
