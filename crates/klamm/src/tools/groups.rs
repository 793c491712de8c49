//! `kafka-groups`: groups of every kind.

use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, text};

use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "groups",
    classes: &["org.apache.kafka.tools.GroupsCommand"],
    about: "This tool lists groups of all types.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        BOOTSTRAP,
        COMMAND_CONFIG,
        flag("list", "Lists the groups."),
        text("group-type", "type", "Only groups of this type: classic, consumer, share or streams."),
        text("protocol", "protocol", "Only groups with this protocol type."),
        flag("consumer", "Only groups of consumers: consumer groups, and classic ones with their protocol."),
        flag("share", "Only share groups."),
        flag("streams", "Only streams groups."),
    ]],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error while executing groups command : ",
        on_stdout: true,
        option_prefix: Some(""),
    },
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.has("list") {
        return Err(Failure::usage("Command must include exactly one action: --list."));
    }
    if !arguments.has("bootstrap-server") {
        return Err(Failure::bare("Missing required option(s) [bootstrap-server]"));
    }
    arguments.forbid("consumer", &["group-type", "protocol", "share", "streams"])?;
    arguments.forbid("share", &["group-type", "protocol", "consumer", "streams"])?;
    arguments.forbid("streams", &["group-type", "protocol", "consumer", "share"])?;
    let group_type = arguments.value("group-type")?.map(str::to_ascii_lowercase);
    let types = ["classic", "consumer", "share", "streams"];
    if group_type.as_deref().is_some_and(|name| !types.contains(&name)) {
        return Err(Failure::bare("--group-type must be a valid group type."));
    }
    let protocol = arguments.value("protocol")?;
    with_admin(arguments, "adminclient-1", async |admin| {
        let mut groups = admin.list_groups(&[], &[]).await?;
        groups.retain(|group| {
            let kind = group.group_type.to_ascii_lowercase();
            let is_of_consumers =
                matches!(group.protocol_type.as_str(), "consumer" | "") && kind == "classic";
            group_type.as_ref().is_none_or(|wanted| kind == *wanted)
                && protocol.is_none_or(|wanted| group.protocol_type == wanted)
                && (!arguments.has("consumer") || kind == "consumer" || is_of_consumers)
                && (!arguments.has("share") || kind == "share")
                && (!arguments.has("streams") || kind == "streams")
        });
        if arguments.json() {
            let row = |group: &protocol::messages::list_groups_response::ListedGroup| json!({ "group": group.group_id, "type": group.group_type, "protocol": group.protocol_type, "state": group.group_state });
            println!("{}", Value::Array(groups.iter().map(row).collect()));
            return Ok(());
        }
        let width = |longest: usize| longest.max(20);
        let id = width(groups.iter().map(|group| group.group_id.len()).max().unwrap_or(0));
        let kind = width(groups.iter().map(|group| group.group_type.len()).max().unwrap_or(0));
        let protocol = width(groups.iter().map(|group| group.protocol_type.len()).max().unwrap_or(0));
        println!("{:id$} {:kind$} {:protocol$} ", "GROUP", "TYPE", "PROTOCOL");
        for group in groups {
            let capital = capitalized(&group.group_type);
            println!("{:id$} {capital:kind$} {:protocol$} ", group.group_id, group.protocol_type);
        }
        Ok(())
    })
}

/// `classic` -> `Classic`.
pub fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
