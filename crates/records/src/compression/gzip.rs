//! gzip: members in a row, as Java's reader takes them.

use std::io::Read;

use flate2::bufread::GzDecoder;

use super::{Codec, failed};
use crate::error::RecordsError;

const PIECE_BYTES: usize = 16 * 1024;

/// Reads gzip data piece by piece.
pub(super) struct GzipSource<'a> {
    decoder: Option<GzDecoder<&'a [u8]>>,
    is_first_member: bool,
}

impl<'a> GzipSource<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { decoder: Some(GzDecoder::new(input)), is_first_member: true }
    }

    pub(super) fn fill(&mut self, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        while let Some(decoder) = &mut self.decoder {
            // KAFKA: what follows a member without being one is ignored by Java's reader.
            if !self.is_first_member && decoder.header().is_none() {
                break;
            }
            // What the piece holds already need not be zeroed again.
            piece.resize(PIECE_BYTES, 0);
            let read = decoder.read(piece).map_err(|error| failed(Codec::Gzip, error))?;
            if read > 0 {
                piece.truncate(read);
                return Ok(true);
            }
            let rest = *decoder.get_ref();
            self.is_first_member = false;
            self.decoder = (!rest.is_empty()).then(|| GzDecoder::new(rest));
        }
        self.decoder = None;
        piece.clear();
        Ok(false)
    }
}
