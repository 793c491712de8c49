//! A message's table as data: the same text that the protocol crate is generated from.

/// A range of versions.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    first: i16,
    last: i16,
}

impl Versions {
    const NONE: Self = Self { first: 0, last: -1 };

    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Self { first: first.parse().ok()?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

/// One field.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// The type as it stands in the table: `int32`, `[]string`, `[]TopicPartition`.
    pub kind: String,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub tagged: Versions,
    pub default: Option<String>,
    pub never_flexible: bool,
    /// The fields of the struct that it holds, where they follow it.
    pub fields: Vec<Field>,
}

/// One message.
#[derive(Debug)]
pub struct Schema {
    pub kind: String,
    pub name: String,
    pub key: Option<i16>,
    pub coordinator: String,
    pub versions: Versions,
    pub flexible: Versions,
    pub fields: Vec<Field>,
    /// Structs used more than once.
    pub structs: Vec<(String, Vec<Field>)>,
}

impl Schema {
    /// Reads a table; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        let mut words = lines.next()?.split(' ');
        let mut schema = Self {
            kind: words.next()?.to_owned(),
            name: words.next()?.to_owned(),
            key: None,
            coordinator: String::new(),
            versions: Versions::NONE,
            flexible: Versions::NONE,
            fields: Vec::new(),
            structs: Vec::new(),
        };
        for word in words {
            match word.split_once('=')? {
                ("key", value) => schema.key = value.parse().ok(),
                ("versions", value) => schema.versions = Versions::parse(value)?,
                ("flexible", value) => schema.flexible = Versions::parse(value)?,
                ("coordinator", value) => schema.coordinator = value.to_owned(),
                _ => {}
            }
        }
        let lines: Vec<&str> = lines.collect();
        let mut rest = &lines[..];
        schema.fields = fields(&mut rest, 2)?;
        while let Some(head) = rest.first().and_then(|line| line.strip_prefix("struct ")) {
            rest = &rest[1..];
            let name = head.split(' ').next()?.to_owned();
            schema.structs.push((name, fields(&mut rest, 2)?));
        }
        Some(schema)
    }

    /// The fields of the struct that a field holds.
    pub fn struct_fields<'a>(&'a self, field: &'a Field, name: &str) -> &'a [Field] {
        if !field.fields.is_empty() {
            return &field.fields;
        }
        let shared = self.structs.iter().find(|(shared, _)| shared == name);
        shared.map_or(&[], |(_, fields)| fields)
    }
}

/// The lines at this indentation, with what is indented below them.
fn fields(lines: &mut &[&str], indentation: usize) -> Option<Vec<Field>> {
    let mut fields_here = Vec::new();
    while let Some(line) = lines.first() {
        let depth = line.len() - line.trim_start().len();
        if depth < indentation {
            break;
        }
        *lines = &lines[1..];
        let mut field = field(line.trim())?;
        field.fields = fields(lines, indentation + 2)?;
        fields_here.push(field);
    }
    Some(fields_here)
}

fn field(line: &str) -> Option<Field> {
    let (name, rest) = line.split_once(": ")?;
    let mut words = rest.split(' ');
    let mut field = Field {
        name: name.to_owned(),
        kind: words.next()?.to_owned(),
        versions: Versions::parse(words.next()?)?,
        nullable: Versions::NONE,
        tag: None,
        tagged: Versions::NONE,
        default: None,
        never_flexible: false,
        fields: Vec::new(),
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("nullable", value) => field.nullable = Versions::parse(value)?,
            ("tag", value) => field.tag = value.parse().ok(),
            ("tagged", value) => field.tagged = Versions::parse(value)?,
            ("default", value) => field.default = Some(value.to_owned()),
            ("flexible", _) => field.never_flexible = true,
            _ => {}
        }
    }
    Some(field)
}
