//! Values of settings: Kafka's types, how text becomes a value and a value text again.

use std::fmt;

use crate::error::ConfigError;

/// The type of a key's values; the discriminant is DescribeConfigs' type code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i8)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl Kind {
    /// The code that DescribeConfigs answers.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// Kafka's name of the type, in upper case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// Reads `text` as a value of this type, by Kafka's rules: surrounding white space does not count.
    pub fn parse(self, name: &str, text: &str) -> Result<Value, ConfigError> {
        let trimmed = trim(text);
        let no_number = |_| ConfigError::invalid(name, text, format!("Not a number of type {}", self.name()));
        Ok(match self {
            Self::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Self::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Self::Boolean => {
                return Err(ConfigError::invalid(name, text, "Expected value to be either true or false"));
            }
            Self::String => Value::String(trimmed.to_owned()),
            Self::Int => Value::Int(trimmed.parse().map_err(|_| ()).map_err(no_number)?),
            Self::Short => Value::Short(trimmed.parse().map_err(|_| ()).map_err(no_number)?),
            Self::Long => Value::Long(trimmed.parse().map_err(|_| ()).map_err(no_number)?),
            Self::Double => Value::Double(parse_double(trimmed).ok_or(()).map_err(no_number)?),
            Self::List if trimmed.is_empty() => Value::List(Vec::new()),
            Self::List => Value::List(trimmed.split(',').map(|part| trim(part).to_owned()).collect()),
            Self::Class => Value::Class(Class(trimmed.to_owned())),
            Self::Password => Value::Password(Password(trimmed.to_owned())),
        })
    }
}

/// Java's `String.trim`: everything up to and including the space character goes.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Java's `Double.parseDouble`, less its hexadecimal form.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "NaN" || unsigned == "Infinity" {
        return text.parse().ok();
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Value {
    Boolean(bool),
    String(String),
    Int(i32),
    Short(i16),
    Long(i64),
    Double(f64),
    List(Vec<String>),
    Class(Class),
    Password(Password),
}

impl Value {
    /// The number, if it is one, widened as Kafka's range checks widen it.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(f64::from(*n)),
            Self::Short(n) => Some(f64::from(*n)),
            Self::Long(n) => Some(*n as f64),
            Self::Double(n) => Some(*n),
            _ => None,
        }
    }
}

/// As DescribeConfigs prints it; a list is joined by commas, a password is hidden.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Short(value) => value.fmt(f),
            Self::Long(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&java_double(*value)),
            Self::List(values) => f.write_str(&values.join(",")),
            Self::Class(class) => class.0.fmt(f),
            Self::Password(_) => f.write_str(Password::HIDDEN),
        }
    }
}

/// A double as Java prints it.
fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let scientific = format!("{value:E}");
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific,
    }
}

/// The name of a Java class; nothing is ever loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class(pub String);

/// A secret: never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(pub String);

impl Password {
    /// What stands for a secret in any output.
    pub const HIDDEN: &'static str = "[hidden]";
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

/// A Rust type that a row of a table can have.
pub trait Setting: Sized {
    /// Kafka's type for it.
    const KIND: Kind;
    /// Whether `null` is among its values.
    const NULLABLE: bool = false;
    /// The typed value; `None` if `value` is not of this type.
    fn from_value(value: Option<&Value>) -> Option<Self>;
}

macro_rules! settings {
    ($($type:ty: $kind:ident;)*) => { $(
        impl Setting for $type {
            const KIND: Kind = Kind::$kind;
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value {
                    Some(Value::$kind(value)) => Some(value.clone()),
                    _ => None,
                }
            }
        }
    )* };
}

settings! {
    bool: Boolean;
    String: String;
    i32: Int;
    i16: Short;
    i64: Long;
    f64: Double;
    Vec<String>: List;
    Class: Class;
    Password: Password;
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn from_value(value: Option<&Value>) -> Option<Self> {
        match value {
            None => Some(None),
            Some(_) => T::from_value(value).map(Some),
        }
    }
}

macro_rules! words {
    ($($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ })+) => { $(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// The words of the setting, in Kafka's order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl Setting for $name {
            const KIND: Kind = Kind::String;
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value {
                    $(Some(Value::String(word)) if word == $word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    )+ };
}

words! {
    /// How a log's batches are compressed.
    CompressionType {
        /// Not at all: the broker decompresses what producers compressed.
        Uncompressed = "uncompressed",
        /// Zstandard.
        Zstd = "zstd",
        /// LZ4 frames.
        Lz4 = "lz4",
        /// Snappy in xerial's framing.
        Snappy = "snappy",
        /// Gzip.
        Gzip = "gzip",
        /// As the producer did it.
        Producer = "producer",
    }

    /// Whose clock stamps a record.
    TimestampType {
        /// The producer's.
        CreateTime = "CreateTime",
        /// The broker's, on append.
        LogAppendTime = "LogAppendTime",
    }

    /// When a record counts as written.
    Durability {
        /// When the disk has it.
        Synced = "synced",
        /// When the operating system has it; a power cut may lose it.
        PageCache = "page-cache",
    }

    /// Which records of transactions a share group sees.
    IsolationLevel {
        /// Only those of committed transactions.
        ReadCommitted = "read_committed",
        /// All of them.
        ReadUncommitted = "read_uncommitted",
    }
}

/// Where a share group starts without an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoOffsetReset {
    /// At the end.
    Latest,
    /// At the beginning.
    Earliest,
    /// At the first record not older than this.
    ByDurationMs(i64),
}

impl Setting for AutoOffsetReset {
    const KIND: Kind = Kind::String;
    fn from_value(value: Option<&Value>) -> Option<Self> {
        match value {
            Some(Value::String(word)) => Self::parse(word),
            _ => None,
        }
    }
}

impl AutoOffsetReset {
    /// Reads `latest`, `earliest` or `by_duration:` with an ISO-8601 duration.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "latest" => Some(Self::Latest),
            "earliest" => Some(Self::Earliest),
            _ => iso_duration_ms(word.strip_prefix("by_duration:")?).map(Self::ByDurationMs),
        }
    }
}

/// `PnDTnHnMn.nS` in milliseconds, as Java's `Duration.parse` reads it; negative ones are refused.
fn iso_duration_ms(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let body = upper.strip_prefix('P')?;
    let (days, time) = match body.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None if body.is_empty() => return None,
        None => (body, ""),
    };
    let mut total = 0i64;
    let mut rest = days;
    if !rest.is_empty() {
        total = rest.strip_suffix('D')?.parse::<i64>().ok()?.checked_mul(86_400_000)?;
    }
    rest = time;
    for (letter, unit_ms) in [('H', 3_600_000), ('M', 60_000), ('S', 1_000)] {
        let Some((number, after)) = rest.split_once(letter) else { continue };
        let amount_ms = match number.split_once('.') {
            Some((whole, fraction)) if letter == 'S' => {
                let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
                let whole_ms = whole.parse::<i64>().ok()?.checked_mul(1_000)?;
                fraction.chars().all(|c| c.is_ascii_digit()).then_some(())?;
                whole_ms.checked_add(digits.parse::<i64>().ok()?)?
            }
            Some(_) => return None,
            None => number.parse::<i64>().ok()?.checked_mul(unit_ms)?,
        };
        total = total.checked_add(amount_ms)?;
        rest = after;
    }
    (rest.is_empty() && total >= 0).then_some(total)
}
