//! The macro behind every table: a row becomes a typed field and a [`ConfigKey`](crate::ConfigKey).

/// Declares a table. A row reads
/// `/// documentation` `field: type = "kafka.name" => default, Importance, validator, refinement()…;`
/// where the default is text, `null` or `required` and a refinement is a method of `ConfigKey`.
macro_rules! config_table {
    ($(#[doc = $about:literal])+ $table:ident { $(
        $(#[doc = $doc:literal])*
        $field:ident: $type:ty = $name:literal => $default:tt, $importance:ident, $valid:expr
            $(, $refine:ident($($argument:expr),*))*;
    )* }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $table { $($(#[doc = $doc])* pub $field: $type,)* }

        impl $table {
            /// The rows.
            pub const KEYS: &'static [$crate::ConfigKey] = {
                use $crate::valid::Valid::*;
                &[$(
                    $crate::ConfigKey::new(
                        $name,
                        <$type as $crate::Setting>::KIND,
                        $crate::table::default_value!($default),
                        $crate::Importance::$importance,
                        $valid,
                        concat!($($doc),*),
                    )$(.$refine($($argument),*))*
                ),*]
            };

            /// The typed view; `text` gives what is set for a key. What is wrong goes to `errors`.
            pub(crate) fn read<'a>(
                text: impl Fn(&$crate::ConfigKey) -> Option<std::borrow::Cow<'a, str>>,
                errors: &mut Vec<$crate::ConfigError>,
            ) -> Option<Self> {
                let mut keys = Self::KEYS.iter();
                $(let $field: Option<$type> = keys.next().and_then(|key| {
                    $crate::table::typed(key, text(key).as_deref(), errors)
                });)*
                Some(Self { $($field: $field?,)* })
            }

            #[cfg(test)]
            pub(crate) const FIELDS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), $name)),*];
        }
    };
}

/// The default of a row: a literal, `null` or `required`.
macro_rules! default_value {
    (null) => {
        $crate::key::DefaultValue::Null
    };
    (required) => {
        $crate::key::DefaultValue::Required
    };
    ($text:literal) => {
        $crate::key::DefaultValue::Text($text)
    };
}

pub(crate) use {config_table, default_value};

use crate::error::ConfigError;
use crate::key::ConfigKey;
use crate::value::{Password, Setting};

/// A row's value in effect, typed; what is wrong with it goes to `errors`.
pub(crate) fn typed<T: Setting>(
    key: &ConfigKey,
    text: Option<&str>,
    errors: &mut Vec<ConfigError>,
) -> Option<T> {
    let value = match key.resolve(text) {
        Ok(value) => value,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    let typed = T::from_value(value.as_ref());
    if typed.is_none() {
        let shown = if key.sensitive() { Password::HIDDEN } else { text.unwrap_or("null") };
        errors.push(ConfigError::invalid(key.name, shown, "the value has the wrong type"));
    }
    typed
}
