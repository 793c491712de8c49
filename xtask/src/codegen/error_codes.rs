//! The generated table of error codes.

use std::fmt::Write;

use anyhow::{Context, Result};

/// The file made of the rows `code NAME retriable|final message`.
pub fn file(rows: &str) -> Result<String> {
    let (mut variants, mut table) = (String::new(), String::new());
    let mut count = 0;
    for row in rows.lines().filter(|row| !row.is_empty()) {
        let mut words = row.splitn(4, ' ');
        let mut word = || words.next().with_context(|| format!("short row: {row}"));
        let (code, name, retriable, message) = (word()?, word()?, word()? == "retriable", word()?);
        let variant: String =
            name.split('_').map(|part| part[..1].to_owned() + &part[1..].to_lowercase()).collect();
        writeln!(variants, "/// {message}\n{variant} = {code},")?;
        writeln!(
            table,
            "ErrorRow {{ code: ErrorCode::{variant}, name: {name:?}, retriable: {retriable}, message: {message:?} }},"
        )?;
        count += 1;
    }
    Ok(format!(
        "//! Kafka's error codes.\n\nuse crate::error_code::ErrorRow;\n\n\
         /// What a broker answers when it does not do what was asked; clients act on these numbers.\n\
         #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\npub enum ErrorCode {{ {variants} }}\n\n\
         /// Every code from -1 on, without a gap.\npub(crate) static ROWS: [ErrorRow; {count}] = [ {table} ];\n"
    )
    .replace("None = 0", "#[default]\nNone = 0"))
}
