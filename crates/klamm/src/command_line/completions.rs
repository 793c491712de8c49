//! Completions for shells, from the tools' tables.

use std::fmt::Write;

use super::table::{Kind, Tool};

/// A shell that completions can be written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }
}

/// A script that the shell evaluates.
pub fn completions(shell: Shell, tools: &[&'static Tool]) -> String {
    match shell {
        Shell::Bash => bash(tools),
        Shell::Zsh => format!("autoload -U +X bashcompinit && bashcompinit\n{}", bash(tools)),
        Shell::Fish => fish(tools),
    }
}

fn words(tool: &'static Tool) -> Vec<String> {
    let mut words: Vec<String> = tool.verbs.iter().map(|verb| verb.name.to_owned()).collect();
    let verbs = tool.verbs.iter().map(Some).chain([None]);
    for option in verbs.flat_map(|verb| tool.options(verb)).filter(|option| option.replaced_by.is_none()) {
        words.push(format!("--{}", option.name));
    }
    words.sort();
    words.dedup();
    words
}

fn bash(tools: &[&'static Tool]) -> String {
    let mut text = String::from(
        "_klamm() {\n    local tool=${COMP_WORDS[0]##*/} words first=1\n    tool=${tool%.sh}; tool=${tool#kafka-}\n",
    );
    text += "    if [ \"$tool\" = klamm ]; then tool=${COMP_WORDS[1]}; first=2; fi\n    if [ \"$COMP_CWORD\" -lt \"$first\" ]; then\n        words='";
    text += &tools.iter().map(|tool| tool.name).collect::<Vec<_>>().join(" ");
    text += "'\n    else case \"$tool\" in\n";
    for tool in tools {
        _ = writeln!(text, "        {}) words='{}' ;;", tool.name, words(tool).join(" "));
    }
    text += "        *) words='' ;;\n    esac; fi\n    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n";
    text += "complete -o default -F _klamm klamm";
    for tool in tools.iter().filter(|tool| !tool.classes.is_empty()) {
        _ = write!(text, " kafka-{0} kafka-{0}.sh", tool.name);
    }
    text + "\n"
}

fn fish(tools: &[&'static Tool]) -> String {
    let mut text = String::new();
    for tool in tools {
        let about = quoted(tool.about);
        _ = writeln!(text, "complete -c klamm -f -n __fish_use_subcommand -a {} -d {about}", tool.name);
        let verbs = tool.verbs.iter().map(Some).chain([None]);
        let mut seen = Vec::new();
        for option in verbs.flat_map(|verb| tool.options(verb)) {
            if option.replaced_by.is_some() || seen.contains(&option.name) {
                continue;
            }
            seen.push(option.name);
            let value = if matches!(option.kind, Kind::Flag | Kind::Optional) { "" } else { " -r" };
            let about = quoted(option.about);
            let name = option.name;
            _ = writeln!(
                text,
                "complete -c klamm -n '__fish_seen_subcommand_from {}' -l {name}{value} -d {about}",
                tool.name
            );
            if !tool.classes.is_empty() {
                _ = writeln!(text, "complete -c kafka-{} -l {name}{value} -d {about}", tool.name);
            }
        }
    }
    text
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
