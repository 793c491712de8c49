//! One connection: frames in, requests handled one after the other, replies out in the same order.
//!
//! A single task does it all. A frame is handled only if the last request admits a next one; replies that are ready
//! leave together, those to requests that have come already included; none waits for a later request that has to wait
//! itself; while replies wait for the peer to take them nothing is read, which is the back-pressure.

use std::{
    any::Any,
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use protocol::Encoded;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_local,
};

use crate::{
    Close, ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, LocalBoxFuture, Outcome,
    admission::Admitted,
    cores::Core,
    deadlines::{Phase, Progress, Watched},
    input::{FrameError, Input, UNRESERVED_BYTES},
    output::{Output, WriteError},
};

/// Bytes of frames that may await their replies while further ones are handled.
const PIPELINED_BYTES: usize = 1024 * 1024;
/// Bytes of replies that may be ready before further requests wait until the peer has taken some.
const UNSENT_BYTES: usize = 256 * 1024;
/// So many replies leave together if their requests have come already: waking the peer costs as much as a request, but
/// a peer that gets them all at once has nothing to do meanwhile.
const REPLIES_HELD: usize = 2;

/// Starts the task of an accepted connection on its core. Called on that core.
pub(crate) fn start<F: ConnectionHandlerFactory>(
    core: &Rc<Core>,
    stream: std::net::TcpStream,
    info: ConnectionInfo,
    admitted: Admitted,
    factory: Arc<F>,
) {
    if core.draining.get() {
        return;
    }
    let (id, peer) = (info.id, info.peer);
    let progress = Rc::new(Progress::new());
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let stream = TcpStream::from_std(stream)?;
        let handler = factory.connected(info);
        progress.authenticated.set(handler.authenticated());
        io::Result::Ok(Connection::new(stream, handler, core.clone(), progress.clone()))
    }));
    let mut connection = match opened {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::error!(%peer, %error, "cannot serve connection"),
        Err(panic) => return log_end(peer, Err(panic)),
    };
    let guard = Guard { core: core.clone(), id, _admitted: admitted };
    let task = spawn_local(async move {
        let _guard = guard;
        let mut running = pin!(connection.run());
        // Pinned here and only borrowed there: each move of a future doubles what an idle connection costs.
        let end = std::future::poll_fn(|context| {
            match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        });
        log_end(peer, end.await);
    });
    core.watch(id, Watched::new(progress, task.abort_handle(), peer));
}

/// The one line about how a connection ended; orderly ends are for debugging only.
fn log_end(peer: SocketAddr, end: Result<Result<(), End>, Box<dyn Any + Send>>) {
    match end {
        Ok(Ok(())) => tracing::debug!(%peer, "connection closed by the peer"),
        Ok(Err(End::Drained)) => tracing::debug!(%peer, "connection closed at shutdown"),
        Ok(Err(End::Socket(error))) => tracing::debug!(%peer, %error, "connection lost"),
        Ok(Err(end)) => tracing::warn!(%peer, "closing connection: {end}"),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            let text = text.unwrap_or("no message");
            tracing::error!(%peer, "closing connection: request handler panicked: {text}");
        }
    }
}

/// Takes a connection out of all lists, however its task ends.
struct Guard {
    core: Rc<Core>,
    id: u64,
    _admitted: Admitted,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.core.unwatch(self.id);
    }
}

/// Why a connection ended, other than by the peer's orderly close.
#[derive(Debug)]
enum End {
    Drained,
    Socket(io::Error),
    Write(WriteError),
    Frame(FrameError),
    Handler(Close),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("shutdown"),
            Self::Socket(error) => error.fmt(f),
            Self::Write(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Handler(close) => f.write_str(close.reason()),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

impl From<WriteError> for End {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Socket(error) => Self::Socket(error),
            error => Self::Write(error),
        }
    }
}

/// A request whose reply has not gone out.
struct Owed {
    reply: Reply,
    admits_next: bool,
    frame_bytes: usize,
    /// What the reply counts for in [`Replies::ready_bytes`].
    ready_bytes: usize,
}

enum Reply {
    Ready(Result<Encoded, Close>),
    Awaited(LocalBoxFuture<Result<Encoded, Close>>),
}

impl Reply {
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Self::Awaited(future) = self
            && let Poll::Ready(reply) = future.as_mut().poll(context)
        {
            *self = Self::Ready(reply);
        }
    }
}

enum Event {
    Read(usize),
    Replied,
    Reserved(OwnedSemaphorePermit),
}

/// What the peer has not got yet, in the order of its requests.
#[derive(Default)]
struct Replies {
    owed: VecDeque<Owed>,
    owed_bytes: usize,
    /// Of the replies owed, those that are there.
    ready_bytes: usize,
    output: Output,
}

impl Replies {
    fn push(&mut self, owed: Owed) {
        self.owed_bytes += owed.frame_bytes;
        self.ready_bytes += owed.ready_bytes;
        self.owed.push_back(owed);
    }

    /// Ready when the oldest reply is.
    fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(oldest) = self.owed.front_mut() else { return Poll::Pending };
        oldest.reply.poll(context);
        if matches!(oldest.reply, Reply::Ready(_)) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Moves replies that are ready, and whose turn it is, to the output.
    fn collect(&mut self) -> Result<(), Close> {
        while let Some(Owed { reply: Reply::Ready(_), .. }) = self.owed.front() {
            let Some(Owed { reply: Reply::Ready(reply), frame_bytes, ready_bytes, .. }) =
                self.owed.pop_front()
            else {
                break;
            };
            self.owed_bytes -= frame_bytes;
            self.ready_bytes -= ready_bytes;
            match reply {
                Ok(reply) => self.output.push(reply),
                Err(close) => {
                    // Later replies must not go out where this one is missing.
                    self.owed.clear();
                    self.owed_bytes = 0;
                    self.ready_bytes = 0;
                    return Err(close);
                }
            }
        }
        Ok(())
    }

    async fn flush(&mut self, stream: &mut TcpStream, progress: &Progress) -> Result<(), WriteError> {
        progress.enter(Phase::Replying);
        self.output.flush(stream, progress).await?;
        progress.enter(Phase::Busy);
        Ok(())
    }
}

struct Connection<H> {
    stream: TcpStream,
    handler: H,
    core: Rc<Core>,
    progress: Rc<Progress>,
    input: Input,
    replies: Replies,
    /// In line for the budget. Kept across waits, or the place in the line would be lost.
    reserving: Option<LocalBoxFuture<OwnedSemaphorePermit>>,
    /// No further request is taken; replies owed still go out.
    ending: Option<Result<(), End>>,
    /// A frame that has to wait for the replies owed.
    held: Option<Bytes>,
}

impl<H: ConnectionHandler> Connection<H> {
    fn new(stream: TcpStream, handler: H, core: Rc<Core>, progress: Rc<Progress>) -> Self {
        Self {
            stream,
            handler,
            core,
            progress,
            input: Input::default(),
            replies: Replies::default(),
            reserving: None,
            ending: None,
            held: None,
        }
    }

    async fn run(&mut self) -> Result<(), End> {
        loop {
            let mut wants_bytes = false;
            while !wants_bytes && self.admits() {
                let next = match self.held.take() {
                    Some(frame) => Ok(Some(frame)),
                    None => {
                        let limit = self.frame_limit();
                        self.input.next_frame(limit, |frame| self.handler.joins(frame))
                    }
                };
                match next {
                    Ok(Some(frame)) if self.must_wait(&frame) => self.held = Some(frame),
                    Ok(Some(frame)) if self.handler.joins(&frame) => self.handle_joined(frame).await?,
                    Ok(Some(frame)) => self.handle(frame).await?,
                    Ok(None) => wants_bytes = true,
                    Err(error) => self.ending = Some(Err(End::Frame(error))),
                }
            }
            self.collect_replies();
            if !self.replies.output.is_empty() {
                let may_wait = wants_bytes && self.replies.output.holds(REPLIES_HELD);
                if !may_wait || !self.read_now().await? {
                    self.replies.flush(&mut self.stream, &self.progress).await?;
                }
                continue;
            }
            if self.replies.owed.is_empty() {
                if let Some(end) = self.ending.take() {
                    return end;
                }
                if self.core.draining.get() {
                    return Err(End::Drained);
                }
                // Grown once by a deep pipeline, they would stay with an idle connection.
                self.replies.owed = VecDeque::new();
            }
            self.wait().await?;
        }
    }

    /// Whether the next frame may be handled (and read) before the replies owed are out.
    fn admits(&self) -> bool {
        self.ending.is_none()
            && !self.core.draining.get()
            && self.replies.owed.back().is_none_or(|last| last.admits_next)
            && self.replies.owed.len() < self.core.settings.pipeline_depth.max(1)
            && (self.replies.owed.is_empty() || self.replies.owed_bytes < PIPELINED_BYTES)
            && self.replies.ready_bytes < UNSENT_BYTES
            && (self.held.is_none() || self.replies.owed.is_empty())
    }

    /// Whether the request has to wait until those before it are answered.
    fn must_wait(&self, frame: &Bytes) -> bool {
        let awaits = |owed: &Owed| matches!(owed.reply, Reply::Awaited(_));
        !self.handler.may_overtake(frame) && self.replies.owed.iter().any(awaits)
    }

    fn frame_limit(&self) -> usize {
        let settings = &self.core.settings;
        if self.progress.authenticated.get() {
            settings.request_max_bytes
        } else {
            settings.unauthenticated_request_max_bytes.min(settings.request_max_bytes)
        }
    }

    /// Handles `first` and what joins it of the frames that have come.
    async fn handle_joined(&mut self, first: Bytes) -> Result<(), End> {
        let limit = self.frame_limit();
        let (mut bytes, mut frames) = (first.len(), vec![first]);
        while self.replies.owed.len() + frames.len() < self.core.settings.pipeline_depth
            && self.replies.owed_bytes + bytes < PIPELINED_BYTES
            && self.input.peek(limit).is_some_and(|frame| self.handler.joins(frame))
            && let Ok(Some(frame)) = self.input.next_frame(limit, |_| true)
        {
            bytes += frame.len();
            frames.push(frame);
        }
        self.progress.enter(Phase::Busy);
        let Some(outcomes) = self.handler.handle_together(&frames) else {
            for frame in frames {
                // A handler that waits must not hold what came with the frame.
                let shares = frame.len() <= UNRESERVED_BYTES;
                self.handle(if shares { Bytes::copy_from_slice(&frame) } else { frame }).await?;
                if self.ending.is_some() {
                    break;
                }
            }
            return Ok(());
        };
        self.progress.owes_replies.set(true);
        for (outcome, frame) in outcomes.into_iter().zip(&frames) {
            self.owe(outcome, frame.len()).await;
            if self.ending.is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn handle(&mut self, frame: Bytes) -> Result<(), End> {
        self.input.give_back();
        self.progress.enter(Phase::Busy);
        self.progress.owes_replies.set(true);
        let frame_bytes = frame.len();
        // Boxed: the largest state of any handler would otherwise be part of every idle connection.
        let mut handling = Box::pin(self.handler.handle(frame));
        let replies = &mut self.replies;
        let outcome = loop {
            let handled = std::future::poll_fn(|context| match handling.as_mut().poll(context) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                // It waits for something; what is owed to earlier requests must not wait with it.
                Poll::Pending if !replies.output.is_empty() => Poll::Ready(None),
                Poll::Pending => replies.poll_oldest(context).map(|()| None),
            });
            if let Some(outcome) = handled.await {
                break outcome;
            }
            if let Err(close) = replies.collect() {
                self.ending = Some(Err(End::Handler(close)));
                return Ok(());
            }
            replies.flush(&mut self.stream, &self.progress).await?;
        };
        drop(handling);
        self.progress.authenticated.set(self.handler.authenticated());
        self.owe(outcome, frame_bytes).await;
        Ok(())
    }

    /// Takes an outcome into the line of replies, or ends the connection.
    async fn owe(&mut self, outcome: Outcome, frame_bytes: usize) {
        let (reply, admits_next) = match outcome {
            Outcome::Reply(reply) => (Reply::Ready(Ok(reply)), true),
            Outcome::Pending { reply, admits_next } => (Reply::Awaited(reply), admits_next),
            Outcome::None => {
                self.progress.owes_replies.set(self.owes_replies());
                return;
            }
            Outcome::Close(close) => {
                self.ending = Some(Err(End::Handler(close)));
                return;
            }
        };
        let ready_bytes = match &reply {
            Reply::Ready(Ok(reply)) => reply.len(),
            _ => 0,
        };
        let mut owed = Owed { reply, admits_next, frame_bytes, ready_bytes };
        std::future::poll_fn(|context| {
            owed.reply.poll(context);
            Poll::Ready(())
        })
        .await;
        self.replies.push(owed);
    }

    fn owes_replies(&self) -> bool {
        !self.replies.owed.is_empty() || !self.replies.output.is_empty()
    }

    fn collect_replies(&mut self) {
        if let Err(close) = self.replies.collect() {
            self.ending = Some(Err(End::Handler(close)));
        }
        self.progress.owes_replies.set(self.owes_replies());
    }

    /// Reads what has come already; false if nothing has, or if nothing may be read. Only when no whole frame is left.
    async fn read_now(&mut self) -> Result<bool, End> {
        if !self.admits() || self.reserving.is_some() || self.input.wanted_reservation().is_some() {
            return Ok(false);
        }
        match std::future::poll_fn(|context| Poll::Ready(self.poll_read(context))).await {
            Poll::Ready(read) => {
                self.note_read(read?);
                Ok(true)
            }
            Poll::Pending => Ok(false),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.poll_read(&self.stream, &self.core.receive_buffers, context)
    }

    fn note_read(&mut self, read: usize) {
        if read == 0 {
            self.ending = Some(Ok(()));
        } else if self.input.progressed() {
            self.progress.step();
        }
    }

    /// Waits for the oldest reply, for bytes, or for room in the budget.
    async fn wait(&mut self) -> Result<(), End> {
        let reading = self.admits();
        if reading
            && self.reserving.is_none()
            && let Some(length) = self.input.wanted_reservation()
        {
            self.reserving = Some(reserve(&self.core, length));
        }
        self.progress.enter(match (reading && self.reserving.is_none(), self.input.is_empty()) {
            (false, _) => Phase::Busy,
            (true, true) if self.replies.owed.is_empty() => Phase::Idle,
            (true, true) => Phase::Busy,
            (true, false) => Phase::Receiving,
        });
        match std::future::poll_fn(|context| self.poll_event(reading, context)).await? {
            Event::Replied => {}
            Event::Reserved(permit) => {
                self.reserving = None;
                self.input.reserve(permit);
            }
            Event::Read(read) => self.note_read(read),
        }
        Ok(())
    }

    fn poll_event(&mut self, reading: bool, context: &mut Context<'_>) -> Poll<io::Result<Event>> {
        if self.replies.poll_oldest(context).is_ready() {
            return Poll::Ready(Ok(Event::Replied));
        }
        if let Some(reserving) = &mut self.reserving {
            return reserving.as_mut().poll(context).map(|permit| Ok(Event::Reserved(permit)));
        }
        if reading {
            return self.poll_read(context).map(|read| read.map(Event::Read));
        }
        Poll::Pending
    }
}

/// A place in the line for a frame's whole length.
fn reserve(core: &Core, length: usize) -> LocalBoxFuture<OwnedSemaphorePermit> {
    let budget: Arc<Semaphore> = core.budget.clone();
    // A frame larger than the whole budget waits until it is alone.
    let wanted = length.min(core.settings.in_flight_bytes);
    Box::pin(async move {
        let permits = u32::try_from(wanted).unwrap_or(u32::MAX);
        budget.acquire_many_owned(permits).await.expect("the budget is never closed")
    })
}
