//! What a tool is called and takes: data, declared once per tool.

use super::{Arguments, Failure};

/// Which of Kafka's two argument parsers a tool behaves like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grammar {
    /// Long options only; an action is an option.
    Joptsimple,
    /// Verbs and short options.
    Argparse,
    /// Letters that may stand together, as kcat has them.
    Getopt,
}

/// How a tool tells that it could not do its work, or did not understand its options.
#[derive(Clone, Copy, Debug)]
pub struct Refusals {
    /// Before the message of a failure.
    pub prefix: &'static str,
    /// Whether a failure goes to standard output, as several of Kafka's tools do.
    pub on_stdout: bool,
    /// Before the message about an option that is not understood; `None` where the usage follows that message.
    pub option_prefix: Option<&'static str>,
}

impl Refusals {
    /// Messages as they are, on standard error; mistakes in options come with the usage.
    pub const PLAIN: Self = Self { prefix: "", on_stdout: false, option_prefix: None };

    /// A prefix for everything, on standard error.
    pub const fn prefixed(prefix: &'static str) -> Self {
        Self { prefix, on_stdout: false, option_prefix: None }
    }
}

/// A tool of Kafka's `bin` folder, or one of our own.
pub struct Tool {
    /// `topics` for `klamm topics`, `kafka-topics` and `kafka-topics.sh`.
    pub name: &'static str,
    /// The classes that `kafka-run-class` would be given.
    pub classes: &'static [&'static str],
    /// One sentence.
    pub about: &'static str,
    /// Which parser it behaves like.
    pub grammar: Grammar,
    /// Options that hold for every verb, or all of them where there are no verbs.
    pub options: &'static [&'static [Opt]],
    /// Verbs; empty for tools that act by options.
    pub verbs: &'static [Verb],
    /// How it refuses.
    pub refusals: Refusals,
    /// Does the work.
    pub run: fn(&Arguments) -> Result<(), Failure>,
}

/// A verb of a tool.
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its options.
    pub options: &'static [&'static [Opt]],
}

/// What follows an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing.
    Flag,
    /// Any text.
    Text,
    /// A 32 bit number.
    Integer,
    /// A 64 bit number.
    Long,
    /// Text that may be left out.
    Optional,
}

/// One option.
pub struct Opt {
    /// The name that is used today, without dashes.
    pub name: &'static str,
    /// Other spellings; those of one letter take a single dash.
    pub others: &'static [&'static str],
    /// What follows.
    pub kind: Kind,
    /// What stands for the value in help.
    pub label: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether the tool cannot do without.
    pub required: bool,
    /// What to use instead, for spellings on their way out.
    pub replaced_by: Option<&'static str>,
    /// Whether each further value is taken too (argparse's `nargs="+"`).
    pub many: bool,
    /// Whether words that belong to no option are values of this one.
    pub takes_words: bool,
}

const fn option(name: &'static str, kind: Kind, label: &'static str, about: &'static str) -> Opt {
    Opt {
        name,
        others: &[],
        kind,
        label,
        about,
        required: false,
        replaced_by: None,
        many: false,
        takes_words: false,
    }
}

/// An option without a value.
pub const fn flag(name: &'static str, about: &'static str) -> Opt {
    option(name, Kind::Flag, "", about)
}

/// An option with a text.
pub const fn text(name: &'static str, label: &'static str, about: &'static str) -> Opt {
    option(name, Kind::Text, label, about)
}

/// An option with a 32 bit number.
pub const fn integer(name: &'static str, label: &'static str, about: &'static str) -> Opt {
    option(name, Kind::Integer, label, about)
}

/// An option with a 64 bit number.
pub const fn long(name: &'static str, label: &'static str, about: &'static str) -> Opt {
    option(name, Kind::Long, label, about)
}

/// An option whose value may be left out.
pub const fn optional(name: &'static str, label: &'static str, about: &'static str) -> Opt {
    option(name, Kind::Optional, label, about)
}

impl Opt {
    /// Other spellings.
    pub const fn or(mut self, others: &'static [&'static str]) -> Self {
        self.others = others;
        self
    }

    /// The tool cannot do without.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// An old spelling that still works, with a warning.
    pub const fn replaced_by(mut self, name: &'static str) -> Self {
        self.replaced_by = Some(name);
        self
    }

    /// The value may be left out, which is as if the option were not there.
    pub const fn value_may_miss(mut self) -> Self {
        self.kind = Kind::Optional;
        self
    }

    /// Takes every value up to the next option.
    pub const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Words that belong to no option are values of this one.
    pub const fn takes_words(mut self) -> Self {
        self.takes_words = true;
        self
    }

    /// Whether `name` is one of its spellings.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.others.contains(&name)
    }
}

/// Options that every tool takes.
pub const EVERYWHERE: &[Opt] = &[
    flag("help", "Shows this help.").or(&["h"]),
    flag("version", "Shows the version.").or(&["V"]),
    text("output", "text|json", "Prints results as text, as Kafka's tool does, or as JSON."),
];

impl Tool {
    /// The options that hold with this verb.
    pub fn options<'a>(&'a self, verb: Option<&'a Verb>) -> impl Iterator<Item = &'a Opt> {
        let of_verb = verb.map_or(&[][..], |verb| verb.options);
        let own = self.options.iter().chain(of_verb).copied().flatten();
        let is_own = {
            let own = own.clone();
            move |name| own.clone().any(|option| option.name == name)
        };
        own.chain(EVERYWHERE.iter().filter(move |option| !is_own(option.name)))
    }

    /// The option with this spelling.
    pub fn option<'a>(&'a self, verb: Option<&'a Verb>, name: &str) -> Option<&'a Opt> {
        self.options(verb).find(|option| option.is_called(name))
    }
}
