//! Turns words into [`Arguments`] the way joptsimple and argparse4j do.

use super::arguments::dashed;
use super::table::{Kind, Opt, Tool, Verb};
use super::{Arguments, Failure, Grammar, nearest, short_options};

/// Parses what follows the tool's name.
pub fn parse(tool: &'static Tool, line: &[String]) -> Result<Arguments, Failure> {
    let mut arguments = Arguments::new(tool, line);
    match tool.grammar {
        Grammar::Joptsimple => joptsimple(&mut arguments, line)?,
        Grammar::Argparse => argparse(&mut arguments, line)?,
        Grammar::Getopt => short_options::parse(&mut arguments, line)?,
    }
    if let Some(other) = arguments.values("output").last().filter(|value| !["text", "json"].contains(value)) {
        let near = nearest(other, ["text", "json"]).map(|near| format!("\nhint: did you mean {near}?"));
        let near = near.unwrap_or_default();
        return Err(Failure::Usage(format!("--output is text or json, not {other}{near}")));
    }
    for option in tool.options(arguments.verb) {
        if let Some(instead) = option.replaced_by
            && arguments.has(option.name)
            && !arguments.has(instead)
        {
            let warning = deprecation(tool.name, option.name, instead);
            match arguments.json() {
                true => eprintln!("{warning}"),
                false => println!("{warning}"),
            }
        }
    }
    Ok(arguments)
}

/// Kafka's tools word it differently.
fn deprecation(tool: &str, old: &str, new: &str) -> String {
    match tool {
        "console-consumer" | "console-share-consumer" => {
            format!(
                "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            )
        }
        "producer-perf-test" => {
            format!(
                "Option --{old} has been deprecated and will be removed in a future version. Use --{new} instead."
            )
        }
        "consumer-perf-test" | "share-consumer-perf-test" => {
            format!("Warning: --{old} is deprecated. Use --{new} instead.")
        }
        _ => format!(
            "Warning: --{old} is deprecated and will be removed in a future version. Use --{new} instead."
        ),
    }
}

fn joptsimple(arguments: &mut Arguments, line: &[String]) -> Result<(), Failure> {
    let tool = arguments.tool;
    let mut words = line.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            arguments.words.extend(words.cloned());
            break;
        }
        let Some(name) = option_name(word) else {
            arguments.words.push(word.clone());
            continue;
        };
        let (name, attached) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let Some(option) = tool.option(None, name) else {
            return Err(unrecognized(arguments, word, name));
        };
        let value = match option.kind {
            Kind::Flag => None,
            Kind::Optional => match attached {
                Some(value) => Some(value),
                // A negative number is a value.
                None => {
                    words.next_if(|next| option_name(next).is_none() || next.parse::<i64>().is_ok()).cloned()
                }
            },
            _ => match attached.filter(|value| !value.is_empty()).or_else(|| words.next().cloned()) {
                Some(value) => Some(value),
                None => {
                    return Err(arguments.misunderstood(format!("Option {name} requires an argument")));
                }
            },
        };
        arguments.push(option, value);
    }
    Ok(())
}

/// The word without its dashes, if it looks like an option: a dash alone does not.
fn option_name(word: &str) -> Option<&str> {
    word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|name| !name.is_empty())
}

fn unrecognized(arguments: &Arguments, word: &str, name: &str) -> Failure {
    // A single dash begins a cluster of short options, and the first letter is none.
    let shown =
        if word.starts_with("--") { name } else { &name[..name.chars().next().map_or(0, char::len_utf8)] };
    let hint = replacement(name).map(str::to_owned).or_else(|| {
        let names = arguments.tool.options(arguments.verb).map(|option| option.name);
        nearest(name, names).map(|near| format!("did you mean --{near}?"))
    });
    let message = format!("{shown} is not a recognized option");
    match hint {
        None => arguments.misunderstood(message),
        Some(hint) => arguments.misunderstood(format!("{message}\nhint: {hint}")),
    }
}

/// What took the place of options that tutorials still name.
fn replacement(name: &str) -> Option<&'static str> {
    match name {
        "zookeeper" => Some("there is no ZooKeeper any more; use --bootstrap-server HOST:PORT"),
        "new-consumer" => Some("leave it out: there is no other consumer"),
        "broker-list" => Some("use --bootstrap-server HOST:PORT"),
        "whitelist" => Some("use --include REGEX"),
        "blacklist" => Some("there is no such filter; use --include REGEX"),
        "authorizer" | "authorizer-properties" => Some("use --bootstrap-server HOST:PORT"),
        _ => None,
    }
}

fn argparse(arguments: &mut Arguments, line: &[String]) -> Result<(), Failure> {
    let tool = arguments.tool;
    let mut words = line.iter().peekable();
    let mut unknown = Vec::new();
    while let Some(word) = words.next() {
        let Some(name) = option_name(word).filter(|_| word.parse::<f64>().is_err()) else {
            match (arguments.verb, tool.verbs) {
                (None, [_, ..]) => arguments.verb = Some(verb(tool, word)?),
                (Some(verb), _) => match tool.options(Some(verb)).find(|option| option.takes_words) {
                    Some(option) => arguments.push(option, Some(word.clone())),
                    None => unknown.push(word.clone()),
                },
                (None, []) => arguments.words.push(word.clone()),
            }
            continue;
        };
        if !word.starts_with("--") {
            if !cluster(arguments, name, &mut words)? {
                unknown.push(word.clone());
            }
            continue;
        }
        let (name, attached) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let Some(option) = option(arguments, name)? else {
            unknown.push(word.clone());
            continue;
        };
        take(arguments, option, attached, &mut words)?;
    }
    if let Some(word) = unknown.first() {
        let names = tool.options(arguments.verb).map(|option| option.name);
        let name = word.trim_start_matches('-');
        let near = nearest(name, names).map(|near| format!("\nhint: did you mean --{near}?"));
        return Err(Failure::Usage(format!("unrecognized arguments: '{word}'{}", near.unwrap_or_default())));
    }
    let asks_for_help = arguments.has("help") || arguments.has("version");
    if arguments.verb.is_none() && !tool.verbs.is_empty() && !asks_for_help {
        return Err(Failure::usage("too few arguments"));
    }
    let missing = tool.options(arguments.verb).find(|option| option.required && !arguments.has(option.name));
    match missing {
        Some(option) if !asks_for_help => {
            Err(Failure::Usage(format!("argument {} is required", dashed(option))))
        }
        _ => Ok(()),
    }
}

/// The option of this name, or the only one whose name begins so.
fn option(arguments: &Arguments, name: &str) -> Result<Option<&'static Opt>, Failure> {
    let tool = arguments.tool;
    if let Some(option) = tool.option(arguments.verb, name) {
        return Ok(Some(option));
    }
    let called = |option: &'static Opt| [option.name].into_iter().chain(option.others.iter().copied());
    let all = tool.options(arguments.verb).flat_map(|option| called(option).map(move |name| (name, option)));
    let mut near: Vec<_> = all.filter(|(full, _)| full.len() > 1 && full.starts_with(name)).collect();
    near.sort_by_key(|(full, _)| *full);
    match near[..] {
        [] => Ok(None),
        [(_, option)] => Ok(Some(option)),
        _ => {
            let names: Vec<_> = near.iter().map(|(full, _)| format!("--{full}")).collect();
            let names = names.join(", ");
            Err(Failure::Usage(format!("ambiguous option: --{name} could match {names}")))
        }
    }
}

/// Options of one letter behind one dash, the last perhaps with its value: `-g`, `-gs`, `-cFILE`. Says whether all are known.
fn cluster<'a>(
    arguments: &mut Arguments,
    letters: &str,
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>,
) -> Result<bool, Failure> {
    for (index, letter) in letters.char_indices() {
        let Some(option) = arguments.tool.option(arguments.verb, letter.encode_utf8(&mut [0; 4])) else {
            return Ok(false);
        };
        let rest = &letters[index + letter.len_utf8()..];
        if option.kind != Kind::Flag {
            let rest = rest.strip_prefix('=').unwrap_or(rest);
            let attached = (!rest.is_empty()).then(|| rest.to_owned());
            take(arguments, option, attached, words)?;
            break;
        }
        take(arguments, option, None, words)?;
    }
    Ok(true)
}

/// The verb of this name, or the only one whose name begins so.
fn verb(tool: &'static Tool, word: &str) -> Result<&'static Verb, Failure> {
    if let Some(verb) = tool.verbs.iter().find(|verb| verb.name == word) {
        return Ok(verb);
    }
    let near: Vec<_> = tool.verbs.iter().filter(|verb| verb.name.starts_with(word)).collect();
    match near[..] {
        [] => {}
        [verb] => return Ok(verb),
        _ => {
            let names: Vec<_> = near.iter().map(|verb| verb.name).collect();
            let names = names.join(", ");
            return Err(Failure::Usage(format!("ambiguous command: {word} could match {names}")));
        }
    }
    let names: Vec<_> = tool.verbs.iter().map(|verb| verb.name).collect();
    let quoted: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    let near = nearest(word, names).map(|near| format!("\nhint: did you mean {near}?")).unwrap_or_default();
    Err(Failure::Usage(format!("invalid choice: '{word}' (choose from {}){near}", quoted.join(", "))))
}

fn take<'a>(
    arguments: &mut Arguments,
    option: &'static Opt,
    attached: Option<String>,
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a String>>,
) -> Result<(), Failure> {
    if option.kind == Kind::Flag {
        arguments.push(option, None);
        return Ok(());
    }
    let is_value = |word: &&String| option_name(word).is_none() || word.parse::<f64>().is_ok();
    match attached.or_else(|| words.next_if(is_value).cloned()) {
        Some(value) => arguments.push(option, Some(value)),
        None => {
            let wanted = if option.many { "at least one argument" } else { "one argument" };
            return Err(Failure::Usage(format!("argument {}: expected {wanted}", dashed(option))));
        }
    }
    if option.many {
        while let Some(value) = words.next_if(is_value) {
            arguments.push(option, Some(value.clone()));
        }
    }
    Ok(())
}
