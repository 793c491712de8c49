//! How the text of a setting becomes its value.

use super::RecoveryStrategy;

/// A type that settings can have.
pub(crate) trait Setting: Sized {
    /// Reads the text, or says what is due instead.
    fn parse(text: &str) -> Result<Self, String>;
}

impl Setting for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }
}

impl Setting for Option<String> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

impl Setting for Vec<String> {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Ok(parts.map(str::to_owned).collect())
    }
}

impl Setting for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("true or false is due".to_owned()),
        }
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Setting for $number {
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| concat!("a number (", stringify!($number), ") is due").to_owned())
            }
        }
    )*};
}
numbers!(i16 i32 i64 usize);

impl Setting for RecoveryStrategy {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "rebootstrap" => Ok(Self::Rebootstrap),
            _ => Err("none or rebootstrap is due".to_owned()),
        }
    }
}
