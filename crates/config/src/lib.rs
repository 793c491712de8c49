//! The configuration tables and everything they yield: parsing, validation, descriptions.
