//! The tables of message facts: the model and the parser of `crates/protocol/tables/**/*.table`.
//!
//! The first line names the message, then come its fields, two blanks deeper for each level of nesting, then structs used
//! more than once. A field is `Name: type versions` followed by `nullable=`, `tag=`, `tagged=`, `default=`,
//! `flexible=` and `ignorable` where they differ from the ordinary.

use anyhow::{Context, Result, bail, ensure};

/// A range of versions; the end is `i16::MAX` for `3+`. Empty when the start is above the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const NONE: Self = Self { first: 0, last: -1 };

    fn parse(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Ok(Self { first: first.parse()?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Ok(Self { first: first.parse()?, last: last.parse()? })
    }

    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    pub fn intersect(self, other: Self) -> Self {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        if both.is_empty() { Self::NONE } else { both }
    }

    pub fn text(self) -> String {
        match self {
            _ if self.is_empty() => "none".into(),
            Self { first, last: i16::MAX } => format!("{first}+"),
            Self { first, last } if first == last => format!("{first}"),
            Self { first, last } => format!("{first}-{last}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    /// A number, bool or uuid: the schema's name for it.
    Plain(&'static str),
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<FieldType>),
}

const PLAIN: [&str; 9] = ["bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64", "uuid"];

impl FieldType {
    fn parse(text: &str) -> Self {
        if let Some(element) = text.strip_prefix("[]") {
            return Self::Array(Box::new(Self::parse(element)));
        }
        if let Some(plain) = PLAIN.iter().find(|plain| **plain == text) {
            return Self::Plain(plain);
        }
        match text {
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            name => Self::Struct(name.into()),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::Plain(name) => (*name).into(),
            Self::String => "string".into(),
            Self::Bytes => "bytes".into(),
            Self::Records => "records".into(),
            Self::Struct(name) => name.clone(),
            Self::Array(element) => format!("array of {}", element.text()),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub field_type: FieldType,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub tagged: Versions,
    pub default: Option<String>,
    pub ignorable: bool,
    /// Never written the flexible way, whatever the message does.
    pub never_flexible: bool,
}

#[derive(Clone, Debug)]
pub struct Struct {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

/// One message: its first struct is the message itself.
#[derive(Clone, Debug)]
pub struct Table {
    /// `request`, `response`, `header`, `metadata`, `coordinator-key`, `coordinator-value` or `data`.
    pub kind: String,
    pub name: String,
    pub key: Option<i16>,
    pub versions: Versions,
    pub flexible: Versions,
    pub coordinator: Option<String>,
    pub listeners: Vec<String>,
    pub latest_unstable: bool,
    pub structs: Vec<Struct>,
}

impl Table {
    pub fn find(&self, name: &str) -> Result<&Struct> {
        self.structs
            .iter()
            .find(|s| s.name == name)
            .with_context(|| format!("{}: no struct {name}", self.name))
    }

    /// Parses one table.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let mut table = Self::parse_head(lines.next().context("empty table")?)?;
        // The struct that a field of each depth belongs to.
        let mut owners = vec![0];
        for line in lines {
            if let Some(rest) = line.strip_prefix("struct ") {
                let (name, versions) = rest.split_once(' ').context("struct without versions")?;
                owners = vec![table.structs.len()];
                table.add_struct(name, Versions::parse(versions)?.intersect(table.versions));
                continue;
            }
            let depth = line.bytes().take_while(|byte| *byte == b' ').count() / 2;
            ensure!((1..=owners.len()).contains(&depth), "{}: bad indentation: {line}", table.name);
            owners.truncate(depth);
            let field = parse_field(line.trim()).with_context(|| format!("{}: {line}", table.name))?;
            let owner = owners[depth - 1];
            let versions = field.versions.intersect(table.structs[owner].versions);
            if let Some(name) = struct_name(&field.field_type) {
                owners.push(table.structs.len());
                table.add_struct(name, versions);
            }
            table.structs[owner].fields.push(field);
        }
        table.drop_references()?;
        Ok(table)
    }

    fn add_struct(&mut self, name: &str, versions: Versions) {
        self.structs.push(Struct { name: name.into(), versions, fields: Vec::new() });
    }

    fn parse_head(line: &str) -> Result<Self> {
        let mut words = line.split(' ');
        let (kind, name) = (words.next().context("no kind")?, words.next().context("no name")?);
        let mut table = Self {
            kind: kind.into(),
            name: name.into(),
            key: None,
            versions: Versions::NONE,
            flexible: Versions::NONE,
            coordinator: None,
            listeners: Vec::new(),
            latest_unstable: false,
            structs: Vec::new(),
        };
        for word in words {
            match word.split_once('=').with_context(|| format!("{name}: {word}"))? {
                ("key", value) => table.key = Some(value.parse()?),
                ("versions", value) => table.versions = Versions::parse(value)?,
                ("flexible", value) => table.flexible = Versions::parse(value)?,
                ("coordinator", value) => table.coordinator = Some(value.into()),
                ("listeners", value) => table.listeners = value.split(',').map(Into::into).collect(),
                ("latest", "unstable") => table.latest_unstable = true,
                _ => bail!("{name}: unknown word {word}"),
            }
        }
        ensure!(!table.versions.is_empty(), "{name}: no versions");
        table.add_struct(name, table.versions);
        Ok(table)
    }

    /// Removes the empty structs left by fields that name a struct defined elsewhere in the table.
    fn drop_references(&mut self) -> Result<()> {
        let defined: Vec<Struct> =
            self.structs[1..].iter().filter(|s| !s.fields.is_empty()).cloned().collect();
        self.structs.truncate(1);
        for definition in defined {
            ensure!(self.find(&definition.name).is_err(), "{}: two structs {}", self.name, definition.name);
            self.structs.push(definition);
        }
        Ok(())
    }
}

/// The struct that a field holds, alone or in an array.
pub fn struct_name(field_type: &FieldType) -> Option<&str> {
    match field_type {
        FieldType::Struct(name) => Some(name),
        FieldType::Array(element) => struct_name(element),
        _ => None,
    }
}

fn parse_field(line: &str) -> Result<Field> {
    let (name, rest) = line.split_once(": ").context("no name")?;
    let mut words = rest.split(' ');
    let mut field = Field {
        name: name.into(),
        field_type: FieldType::parse(words.next().context("no type")?),
        versions: Versions::parse(words.next().context("no versions")?)?,
        nullable: Versions::NONE,
        tag: None,
        tagged: Versions::NONE,
        default: None,
        ignorable: false,
        never_flexible: false,
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("nullable", value) => field.nullable = Versions::parse(value)?,
            ("tag", value) => field.tag = Some(value.parse()?),
            ("tagged", value) => field.tagged = Versions::parse(value)?,
            ("default", value) => field.default = Some(value.into()),
            ("ignorable", "") => field.ignorable = true,
            ("flexible", "none") => field.never_flexible = true,
            _ => bail!("unknown word {word}"),
        }
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_and_words_are_read() {
        let text = "request XRequest key=7 versions=1-3 flexible=2+ listeners=broker\n  Topics: []T 0+ nullable=2+ default=null\n    \
                    Name: string 0-1 ignorable\n  Id: int8 3 tag=0 tagged=3+\n  Voters: []V 1+\nstruct V 1+\n  Id: int32 1+\n";
        let table = Table::parse(text).unwrap();
        assert_eq!(table.structs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["XRequest", "T", "V"]);
        let top = &table.structs[0];
        assert_eq!(top.fields[0].nullable, Versions { first: 2, last: i16::MAX });
        assert_eq!(top.fields[1].tag, Some(0));
        assert_eq!(table.find("T").unwrap().fields[0].versions.text(), "0-1");
        assert!(Table::parse("request XRequest versions=0 flexible=none\n  A: int8 0+ oddity\n").is_err());
    }
}
