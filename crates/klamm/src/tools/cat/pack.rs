//! Binary keys and values as text, by kcat's pack strings such as `>iq` or `Hs`.

use std::io::Write;

use crate::command_line::Failure;

/// How the bytes of a key or a value are read.
pub struct Pack {
    what: &'static str,
    tokens: Vec<char>,
}

impl Pack {
    /// Reads a pack string for keys or values.
    pub fn parse(what: &'static str, text: &str) -> Result<Self, Failure> {
        if text.is_empty() {
            return Err(Failure::refused(format!("{what} pack-format must not be empty")));
        }
        if text == "avro" {
            return Err(Failure::refused("there is no Avro deserializer: -s takes a pack string"));
        }
        match text.chars().find(|letter| !"<> bBhHiIqQcs$".contains(*letter)) {
            None => Ok(Self { what, tokens: text.chars().collect() }),
            Some(wrong) => {
                Err(Failure::refused(format!("Invalid token '{wrong}' in {what} pack-format, see -s usage.")))
            }
        }
    }

    /// Writes the bytes' numbers and texts one after the other; fails where they do not suffice.
    pub fn write(&self, out: &mut impl Write, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        let mut is_little = false;
        for token in &self.tokens {
            let size = match token {
                'b' | 'B' | 'c' => 1,
                'h' | 'H' => 2,
                'i' | 'I' => 4,
                'q' | 'Q' => 8,
                _ => 0,
            };
            let Some((piece, left)) = rest.split_at_checked(size) else {
                return Err(format!(
                    "{} truncated, expected {size} bytes to unpack {token} but only {} bytes remaining",
                    self.what,
                    rest.len()
                ));
            };
            rest = left;
            let told = match token {
                '<' => {
                    is_little = true;
                    continue;
                }
                '>' => {
                    is_little = false;
                    continue;
                }
                '$' if rest.is_empty() => continue,
                '$' => {
                    return Err(format!(
                        "expected {} end-of-input, but {} bytes remaining",
                        self.what,
                        rest.len()
                    ));
                }
                's' => out.write_all(std::mem::take(&mut rest)),
                'c' => out.write_all(piece),
                ' ' => out.write_all(b" "),
                token => write!(out, "{}", number(*token, piece, is_little)),
            };
            told.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// The number that these bytes are; capitals stand for those without a sign.
fn number(token: char, piece: &[u8], is_little: bool) -> i128 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match is_little {
        true => piece.iter().rev().fold(0, fold),
        false => piece.iter().fold(0, fold),
    };
    let bits = piece.len() * 8;
    let is_negative = token.is_ascii_lowercase() && bits > 0 && value >> (bits - 1) & 1 == 1;
    if is_negative { i128::from(value) - (1 << bits) } else { i128::from(value) }
}

#[cfg(test)]
mod tests {
    use super::Pack;

    fn show(pack: &str, bytes: &[u8]) -> Result<String, String> {
        let mut out = Vec::new();
        let pack = Pack::parse("value", pack).unwrap_or_else(|_| panic!("{pack} is a pack string"));
        pack.write(&mut out, bytes)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn numbers_and_texts_are_unpacked() {
        assert_eq!(show("H h B", &[0, 1, 0xff, 0xfe, 7]), Ok("1 -2 7".to_owned()));
        assert_eq!(show("<H", &[1, 0]), Ok("1".to_owned()));
        assert_eq!(show("q$", &[0xff; 8]), Ok("-1".to_owned()));
        assert_eq!(show("Q", &[0xff; 8]), Ok(u64::MAX.to_string()));
        assert_eq!(show("cs", b"abc"), Ok("abc".to_owned()));
        assert!(show("i", b"abc").is_err_and(|error| error.contains("only 3 bytes remaining")));
        assert!(show("b$", b"ab").is_err_and(|error| error.contains("1 bytes remaining")));
    }
}
