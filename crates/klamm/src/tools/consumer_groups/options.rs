//! The table of `kafka-consumer-groups`, and which of its options go together.

use crate::command_line::{
    Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, optional, text,
};

use super::super::session::{BOOTSTRAP, COMMAND_CONFIG};

const ACTIONS: &[&str] = &["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];

/// Ways to say where a group's offsets go.
pub const SCENARIOS: &[&str] = &[
    "by-duration",
    "to-latest",
    "to-current",
    "to-earliest",
    "to-offset",
    "shift-by",
    "from-file",
    "to-datetime",
];

/// Options of every tool that resets offsets.
pub const RESETS: &[Opt] = &[
    flag("dry-run", "Only shows the new offsets."),
    flag("execute", "Makes the new offsets."),
    flag("export", "Prints the new offsets as CSV."),
    long("to-offset", "offset", "To this offset."),
    text("from-file", "file", "To the offsets of a CSV file."),
    text("to-datetime", "YYYY-MM-DDTHH:mm:SS.sss", "To the first record at or after this time."),
    text("by-duration", "PnDTnHnMnS", "To the first record of this long ago."),
    flag("to-earliest", "To the first record."),
    flag("to-latest", "Behind the last record."),
    flag("to-current", "To where the group is."),
    long("shift-by", "number", "By so many records, forwards or backwards."),
];

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG,
    text("group", "group", "The group; may be repeated."),
    flag("all-groups", "All groups."),
    text("topic", "topic[:0,1]", "The topic, or some partitions of it; may be repeated."),
    flag("all-topics", "All topics that the group has offsets of."),
    flag("list", "Lists the groups."),
    flag("describe", "Shows the groups: their offsets and lag, members or state."),
    flag("delete", "Deletes groups that have no members."),
    flag("reset-offsets", "Changes where groups without members go on."),
    flag("delete-offsets", "Forgets a group's offsets of topics."),
    text("validate-regex", "regex", "Says whether a subscription's regular expression is valid RE2."),
    integer("timeout", "ms", "How long a request may take."),
    flag("members", "Shows the members of groups."),
    flag("offsets", "Shows the offsets of groups, which is what --describe does by itself."),
    optional("state", "states", "Shows the state of groups, or lists groups in these states."),
    optional("type", "types", "Lists the type of groups, or groups of these types: classic, consumer."),
    flag("verbose", "Shows more."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "consumer-groups",
    classes: &[
        "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka.admin.ConsumerGroupCommand",
    ],
    about: "This tool lists and describes consumer groups, deletes them, and resets their offsets.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS, RESETS],
    verbs: &[],
    refusals: Refusals {
        prefix: "",
        on_stdout: true,
        option_prefix: Some("Exception in thread \"main\" joptsimple.UnrecognizedOptionException: "),
    },
    run: super::run,
};

const WARNING: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this \
                       command will require either --dry-run or --execute to be specified. You should add the \
                       --dry-run option explicitly if you are scripting this command and want to keep the current \
                       default behavior.";

/// Fails with the usage where options do not fit.
pub fn check(arguments: &Arguments) -> Result<(), Failure> {
    if !ACTIONS.iter().any(|action| arguments.has(action)) {
        let actions: Vec<_> = ACTIONS.iter().map(|action| format!("--{action}")).collect();
        return Err(Failure::Usage(format!(
            "Command must include exactly one action: {}",
            actions.join(", ")
        )));
    }
    if !arguments.has("validate-regex") {
        arguments.require(&["bootstrap-server"])?;
    }
    let has_groups = arguments.has("group") || arguments.has("all-groups");
    let needs_groups = |action: &str| {
        Failure::Usage(format!("Option [{action}] takes one of these options: [group], [all-groups]"))
    };
    if arguments.has("describe") {
        if !has_groups {
            return Err(needs_groups("describe"));
        }
        if ["members", "offsets", "state"].iter().filter(|name| arguments.has(name)).count() > 1 {
            return Err(Failure::usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            ));
        }
        if !arguments.values("state").is_empty() {
            return Err(Failure::usage("Option [describe] does not take a value for [state]"));
        }
    }
    if arguments.has("delete") {
        if !has_groups {
            return Err(needs_groups("delete"));
        }
        if arguments.has("topic") {
            return Err(Failure::usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            ));
        }
    }
    if arguments.has("delete-offsets") && !(arguments.has("group") && arguments.has("topic")) {
        return Err(Failure::usage("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    if arguments.has("reset-offsets") {
        check_reset(arguments, has_groups)?;
    }
    arguments.forbid("group", &["all-groups"])?;
    arguments.forbid("group", &["list"])?;
    arguments.forbid("topic", &["list", "describe"])?;
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() > 1 {
        return Err(Failure::usage(
            "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, \
             --validate-regex",
        ));
    }
    Ok(())
}

fn check_reset(arguments: &Arguments, has_groups: bool) -> Result<(), Failure> {
    if arguments.has("dry-run") && arguments.has("execute") {
        return Err(Failure::usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]"));
    }
    if !arguments.has("dry-run") && !arguments.has("execute") {
        eprintln!("{WARNING}");
    }
    if !has_groups {
        return Err(Failure::usage(
            "Option [reset-offsets] takes one of these options: [group], [all-groups]",
        ));
    }
    check_scenarios(arguments)
}

/// One way to say where offsets go is enough.
pub fn check_scenarios(arguments: &Arguments) -> Result<(), Failure> {
    let order = [
        "to-offset",
        "to-datetime",
        "by-duration",
        "to-earliest",
        "to-latest",
        "to-current",
        "shift-by",
        "from-file",
    ];
    order.into_iter().try_for_each(|name| {
        let others: Vec<_> = SCENARIOS.iter().copied().filter(|other| *other != name).collect();
        arguments.forbid(name, &others)
    })
}

const STATES: &[&str] =
    &["Assigning", "Stable", "Empty", "Reconciling", "CompletingRebalance", "PreparingRebalance", "Dead"];

/// The states that `--state` names, as brokers spell them.
pub fn states(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let text = arguments.values("state").concat();
    named(&text, STATES).map_err(|()| {
        Failure::Usage(format!("Invalid state list '{text}'. Valid states are: {}", STATES.join(", ")))
    })
}

/// The types that `--type` names.
pub fn types(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let text = arguments.values("type").concat();
    named(&text, &["Consumer", "Classic"]).map_err(|()| {
        Failure::Usage(format!("Invalid types list '{text}'. Valid types are: Consumer, Classic"))
    })
}

/// Reads a list of words, in any case.
pub fn named(text: &str, valid: &[&str]) -> Result<Vec<String>, ()> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let word = valid.iter().find(|word| word.eq_ignore_ascii_case(part));
            word.map(|word| (*word).to_owned()).ok_or(())
        })
        .collect()
}
