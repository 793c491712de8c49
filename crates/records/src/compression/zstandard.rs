//! Zstandard, with contexts kept per thread: making one costs more than a small batch.

use std::cell::Cell;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, get_error_name};

use super::{Codec, failed};
use crate::error::RecordsError;

const PIECE_BYTES: usize = 32 * 1024;
/// A context that has grown past this, by a large window, is not kept.
const KEPT_CONTEXT_BYTES: usize = 8 * 1024 * 1024;

thread_local! {
    static DECOMPRESSION: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
    static COMPRESSION: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
}

/// Reads zstd frames piece by piece. Windows are bounded by libzstd's default of 128 MiB, as in Kafka.
pub(super) struct ZstdSource<'a> {
    context: Option<DCtx<'static>>,
    input: &'a [u8],
    inside_frame: bool,
}

impl<'a> ZstdSource<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { context: None, input, inside_frame: true }
    }

    pub(super) fn fill(&mut self, piece: &mut Vec<u8>) -> Result<bool, RecordsError> {
        if self.context.is_none() {
            self.context = Some(decompression_context()?);
        }
        let Some(context) = &mut self.context else { return Ok(false) };
        piece.clear();
        piece.reserve(PIECE_BYTES);
        loop {
            let mut source = InBuffer::around(self.input);
            let mut target = OutBuffer::around(&mut *piece);
            let hint = context
                .decompress_stream(&mut target, &mut source)
                .map_err(|code| failed(Codec::Zstd, get_error_name(code)))?;
            let (written, consumed) = (target.pos(), source.pos());
            self.input = &self.input[consumed..];
            if consumed > 0 || written > 0 {
                self.inside_frame = hint != 0;
            }
            if written > 0 {
                return Ok(true);
            }
            if self.input.is_empty() {
                return if self.inside_frame {
                    Err(failed(Codec::Zstd, "the data is cut off"))
                } else {
                    Ok(false)
                };
            }
        }
    }
}

impl Drop for ZstdSource<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.context.take().filter(|context| context.sizeof() <= KEPT_CONTEXT_BYTES) {
            DECOMPRESSION.set(Some(context));
        }
    }
}

fn decompression_context() -> Result<DCtx<'static>, RecordsError> {
    let kept = DECOMPRESSION.take().or_else(DCtx::try_create);
    let mut context = kept.ok_or_else(|| failed(Codec::Zstd, "no memory for a context"))?;
    context.reset(ResetDirective::SessionOnly).map_err(|code| failed(Codec::Zstd, get_error_name(code)))?;
    Ok(context)
}

/// Writes one zstd frame.
pub(super) struct ZstdSink {
    context: Option<CCtx<'static>>,
    out: Vec<u8>,
}

impl ZstdSink {
    pub(super) fn new(level: i32) -> Result<Self, RecordsError> {
        let kept = COMPRESSION.take().or_else(CCtx::try_create);
        let mut context = kept.ok_or_else(|| failed(Codec::Zstd, "no memory for a context"))?;
        context
            .reset(ResetDirective::SessionAndParameters)
            .and_then(|_| context.set_parameter(CParameter::CompressionLevel(level)))
            .map_err(|code| failed(Codec::Zstd, get_error_name(code)))?;
        Ok(Self { context: Some(context), out: Vec::new() })
    }

    pub(super) fn written(&self) -> usize {
        self.out.len()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), RecordsError> {
        let mut source = InBuffer::around(bytes);
        while source.pos() < bytes.len() {
            self.out.reserve(PIECE_BYTES);
            let Some(context) = &mut self.context else { return Ok(()) };
            let position = self.out.len();
            let mut target = OutBuffer::around_pos(&mut self.out, position);
            context
                .compress_stream(&mut target, &mut source)
                .map_err(|code| failed(Codec::Zstd, get_error_name(code)))?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>, RecordsError> {
        let mut left = 1;
        while left > 0 {
            self.out.reserve(PIECE_BYTES);
            let Some(context) = &mut self.context else { break };
            let position = self.out.len();
            let mut target = OutBuffer::around_pos(&mut self.out, position);
            left =
                context.end_stream(&mut target).map_err(|code| failed(Codec::Zstd, get_error_name(code)))?;
        }
        Ok(std::mem::take(&mut self.out))
    }
}

impl Drop for ZstdSink {
    fn drop(&mut self) {
        if let Some(context) = self.context.take().filter(|context| context.sizeof() <= KEPT_CONTEXT_BYTES) {
            COMPRESSION.set(Some(context));
        }
    }
}
