//! One table per kind of client yields its struct, defaults, builder methods and property names.

/// Declares a configuration struct; each row is a field, its type, Kafka's name and the default.
macro_rules! settings {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $($(#[$doc:meta])* $field:ident: $kind:ty = $key:literal, $default:expr $(, min $min:expr)?;)*
        }
        beside { $($(#[$plain_doc:meta])* $plain:ident: $plain_kind:ty = $plain_default:expr;)* }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $(pub(crate) $field: $kind,)*
            $($(#[$plain_doc])* pub(crate) $plain: $plain_kind,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* $($plain: $plain_default,)* }
            }
        }

        impl $name {
            /// Kafka's names of these settings.
            pub const KEYS: &[&str] = &[$($key),*];

            $(
                $(#[$doc])*
                ///
                #[doc = concat!("Kafka's name: `", $key, "`.")]
                #[must_use]
                pub fn $field(mut self, value: impl Into<$kind>) -> Self {
                    self.$field = value.into();
                    self
                }
            )*

            /// Sets one by Kafka's name; false if there is none of that name here.
            ///
            /// # Errors
            /// The value is not valid.
            pub fn set(&mut self, key: &str, value: &str) -> Result<bool, $crate::error::ClientError> {
                match key {
                    $($key => {
                        let refused = |reason: String| $crate::error::ClientError::config(key, value, reason);
                        let parsed = <$kind as $crate::settings::Setting>::parse(value).map_err(refused)?;
                        $(
                            if parsed < $min {
                                return Err(refused(format!("at least {} is due", $min)));
                            }
                        )?
                        self.$field = parsed;
                    })*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            /// Sets those that are named; returns the keys that are not known here.
            ///
            /// # Errors
            /// A value is not valid.
            pub fn apply(
                &mut self,
                properties: &::config::Properties,
            ) -> Result<Vec<String>, $crate::error::ClientError> {
                let mut unknown = Vec::new();
                for (key, value) in properties {
                    if !self.set(key, value)? {
                        unknown.push(key.clone());
                    }
                }
                Ok(unknown)
            }
        }
    };
}
