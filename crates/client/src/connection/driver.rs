//! The task of a connection: one loop writes, one reads, and both end together.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parking_lot::Mutex;
use protocol::{ApiKey, Encoded, Part};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::connection::frames::FrameReader;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::transport::BoxedStream;

/// Most buffers in one vectored write.
const SLICES_MAX: usize = 64;

/// A request on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) encoded: Encoded,
    pub(super) waiting: Option<Waiting>,
    /// Is told that the last byte has left, where no answer will come.
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// An answer that is due.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) correlation_id: i32,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) reply: oneshot::Sender<Result<Bytes, ClientError>>,
}

/// What the task and the handles of a connection share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) state: Mutex<State>,
    pub(super) close_asked: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    waiting: VecDeque<Waiting>,
    closed: Option<Arc<str>>,
}

impl Shared {
    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Ends the connection; the first reason given stays.
    pub(super) fn close(&self, reason: Arc<str>) {
        self.state.lock().closed.get_or_insert(reason);
        self.close_asked.notify_one();
    }

    /// What to tell those whose request was lost with the connection.
    pub(super) fn failure(&self) -> ClientError {
        let reason = self.state.lock().closed.clone().unwrap_or_else(|| "it was closed".into());
        ClientError::Disconnected { broker: Arc::clone(&self.endpoint), reason }
    }

    fn push(&self, waiting: Waiting) {
        self.state.lock().waiting.push_back(waiting);
    }

    /// Hands an answer to the oldest who waits. Brokers answer in order, so anybody else's answer is a fault.
    fn answer(&self, frame: Bytes) -> Result<(), Arc<str>> {
        let Some(head) = frame.first_chunk::<4>() else {
            return Err("it sent a frame without a header".into());
        };
        let correlation_id = i32::from_be_bytes(*head);
        let Some(waiting) = self.state.lock().waiting.pop_front() else {
            return Err("it sent an answer that nobody asked for".into());
        };
        if waiting.correlation_id != correlation_id {
            let reason = format!(
                "it answered {correlation_id} where {} was due ({} version {})",
                waiting.correlation_id, waiting.api, waiting.version
            );
            let failed = ClientError::Disconnected {
                broker: Arc::clone(&self.endpoint),
                reason: reason.as_str().into(),
            };
            // Whoever gave the answer up needs no failure either.
            let _ = waiting.reply.send(Err(failed));
            return Err(reason.into());
        }
        let _ = waiting.reply.send(Ok(frame));
        Ok(())
    }
}

/// Runs the connection to its end, then fails all that is still due.
pub(super) async fn run(
    stream: BoxedStream,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: Arc<Shared>,
    response_bytes_max: usize,
) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut frames = FrameReader::new(reader, response_bytes_max);
    let reason: Arc<str> = tokio::select! {
        biased;
        () = shared.close_asked.notified() => "it was closed".into(),
        reason = read_all(&mut frames, &shared) => reason,
        reason = write_all(&mut writer, &mut queue, &shared) => reason,
    };
    shared.close(reason);
    queue.close();
    let left = std::mem::take(&mut shared.state.lock().waiting);
    for waiting in left {
        let _ = waiting.reply.send(Err(shared.failure()));
    }
    while let Ok(outgoing) = queue.try_recv() {
        if let Some(waiting) = outgoing.waiting {
            let _ = waiting.reply.send(Err(shared.failure()));
        }
    }
    // The other side may be gone already.
    let _ = writer.shutdown().await;
}

async fn read_all<S: tokio::io::AsyncRead + Unpin>(frames: &mut FrameReader<S>, shared: &Shared) -> Arc<str> {
    loop {
        match frames.next().await {
            Ok(Some(frame)) => {
                if let Err(reason) = shared.answer(frame) {
                    return reason;
                }
            }
            Ok(None) => return "the broker closed it".into(),
            Err(error) => return error.to_string().into(),
        }
    }
}

async fn write_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    queue: &mut mpsc::UnboundedReceiver<Outgoing>,
    shared: &Shared,
) -> Arc<str> {
    let (mut parts, mut written) = (VecDeque::new(), Vec::new());
    while let Some(outgoing) = queue.recv().await {
        written.extend(take(outgoing, &mut parts, shared));
        while let Ok(more) = queue.try_recv() {
            written.extend(take(more, &mut parts, shared));
        }
        if let Err(error) = write_parts(writer, &mut parts).await {
            return error.to_string().into();
        }
        for sender in written.drain(..) {
            // Whoever does not wait any more need not know.
            let _ = sender.send(());
        }
    }
    "nobody uses it any more".into()
}

/// An answer may come as soon as the request is written, so who waits is known before.
fn take(outgoing: Outgoing, parts: &mut VecDeque<Bytes>, shared: &Shared) -> Option<oneshot::Sender<()>> {
    if let Some(waiting) = outgoing.waiting {
        shared.push(waiting);
    }
    for part in outgoing.encoded.parts {
        match part {
            Part::Bytes(bytes) => parts.push_back(bytes),
            Part::Region(_) => unreachable!("requests of a client are encoded from memory"),
        }
    }
    outgoing.written
}

async fn write_parts<W: AsyncWrite + Unpin>(writer: &mut W, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
    while !parts.is_empty() {
        let slices: Vec<IoSlice<'_>> = parts.iter().take(SLICES_MAX).map(|part| IoSlice::new(part)).collect();
        let mut written = writer.write_vectored(&slices).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = parts.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            parts.pop_front();
        }
    }
    writer.flush().await
}
