//! Zig-zag variable-length integers as records use them.

use crate::error::RecordsError;

const MALFORMED: RecordsError = RecordsError::InvalidRecord("a variable-length integer is malformed");

/// Bytes of the longest 32-bit integer in this form.
pub(crate) const MAX_VARINT_BYTES: usize = 5;
/// Bytes of the longest 64-bit integer in this form.
pub(crate) const MAX_VARLONG_BYTES: usize = 10;

/// A 32-bit integer and how many bytes it took.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<(i32, usize), RecordsError> {
    let mut value: u32 = 0;
    for (index, byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(((value >> 1) as i32 ^ -((value & 1) as i32), index + 1));
        }
    }
    Err(MALFORMED)
}

/// A 64-bit integer and how many bytes it took.
pub(crate) fn read_varlong(bytes: &[u8]) -> Result<(i64, usize), RecordsError> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(MAX_VARLONG_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(((value >> 1) as i64 ^ -((value & 1) as i64), index + 1));
        }
    }
    Err(MALFORMED)
}

/// Appends a 32-bit integer.
pub(crate) fn write_varint(out: &mut Vec<u8>, value: i32) {
    write_varlong(out, i64::from(value));
}

/// Appends a 64-bit integer.
pub(crate) fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Bytes `write_varlong` (and `write_varint`) takes.
pub(crate) fn size_of_varlong(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}
