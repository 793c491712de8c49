//! Command lines: one table per tool, from which parsing, help, completions and manual pages derive.

mod arguments;
mod completions;
mod failure;
pub mod help;
mod manual;
mod nearest;
mod parse;
mod short_options;
mod table;

pub use arguments::Arguments;
pub use completions::{Shell, completions};
pub use failure::Failure;
pub use help::{print_help, tool_list};
pub use manual::manual_page;
pub use nearest::nearest;
pub use parse::parse;
pub use table::{Grammar, Opt, Refusals, Tool, Verb, flag, integer, long, optional, text};
