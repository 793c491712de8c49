//! Which topics a pattern means: Kafka's `IncludeList`.

use regex::Regex;

use crate::command_line::Failure;

/// Topics that Kafka keeps for itself.
pub const INTERNAL: &[&str] = &["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// A pattern over whole topic names; commas part alternatives.
pub struct IncludeList(Regex);

impl IncludeList {
    /// Reads a pattern.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let bare = text.trim().replace(',', "|").replace(' ', "");
        let bare = bare.trim_matches(['"', '\'']);
        let pattern = Regex::new(&format!("^(?:{bare})$"));
        pattern.map(Self).map_err(|_| Failure::refused(format!("{bare} is an invalid regex.")))
    }

    /// Whether a topic is meant.
    pub fn allows(&self, topic: &str, excludes_internal: bool) -> bool {
        self.0.is_match(topic) && !(excludes_internal && INTERNAL.contains(&topic))
    }
}
