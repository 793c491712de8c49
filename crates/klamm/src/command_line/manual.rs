//! Manual pages, from a tool's table.

use std::fmt::Write;

use super::help::usage;
use super::table::{Kind, Opt, Tool};

/// The page of one tool, in the `man` macros.
pub fn manual_page(tool: &Tool) -> String {
    let name = format!("kafka-{}", tool.name);
    let mut page = format!(".TH {} 1 \"\" \"klamm {}\"\n", name.to_uppercase(), env!("CARGO_PKG_VERSION"));
    _ = writeln!(page, ".SH NAME\n{name} \\- {}", escaped(tool.about));
    _ = writeln!(page, ".SH SYNOPSIS\n.B {}\n.br\n.B klamm {} ...", escaped(&usage(tool, None)), tool.name);
    _ = writeln!(page, ".SH DESCRIPTION\n{}", escaped(tool.about));
    page += ".SH OPTIONS\n";
    tool.options(None).for_each(|option| describe(&mut page, option));
    for verb in tool.verbs {
        _ = writeln!(page, ".SH {}\n{}", verb.name.to_uppercase(), escaped(verb.about));
        verb.options.iter().copied().flatten().for_each(|option| describe(&mut page, option));
    }
    page
}

fn describe(page: &mut String, option: &Opt) {
    let value = match option.kind {
        Kind::Flag => String::new(),
        Kind::Optional => format!(" [{}]", option.label),
        _ => format!(" {}", option.label),
    };
    _ = writeln!(page, ".TP\n.B \\-\\-{}{}", escaped(option.name), escaped(&value));
    match option.replaced_by {
        Some(instead) => _ = writeln!(page, "An old spelling of \\-\\-{}.", escaped(instead)),
        None => _ = writeln!(page, "{}", escaped(option.about)),
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
