//! The core threads: one single-threaded runtime each, and everything that lives on it.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::Future,
    io,
    rc::Rc,
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use tokio::{
    runtime::Builder,
    sync::{
        Notify, Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::{AbortHandle, LocalSet, spawn_local},
};

use crate::{
    ServerSettings,
    deadlines::{self, Watched},
    receive_buffers::ReceiveBuffers,
};

/// Threads for cold reads, per core; they end when unused.
const BLOCKING_THREADS: usize = 4;

thread_local! {
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Index of the core whose thread this is, if it is one.
pub fn current_core() -> Option<usize> {
    CURRENT.get()
}

type Job = Box<dyn FnOnce(&Rc<Core>) + Send>;

enum Message {
    Run(Job),
    Drain { until: Instant },
}

/// A core, as seen from any thread.
#[derive(Clone)]
pub struct CoreHandle {
    index: usize,
    sender: UnboundedSender<Message>,
}

impl CoreHandle {
    /// Index of the core, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs a future on this core. `make` is called there, so the future need not be `Send`. Futures still
    /// running when the server has shut down are dropped. Returns false if the core has ended already.
    pub fn spawn<F, Fut>(&self, make: F) -> bool
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.run(Box::new(move |_| {
            spawn_local(make());
        }))
    }

    pub(crate) fn run(&self, job: Job) -> bool {
        self.sender.send(Message::Run(job)).is_ok()
    }

    pub(crate) fn drain(&self, until: Instant) {
        // A core that has ended has nothing left to drain.
        let _ = self.sender.send(Message::Drain { until });
    }
}

/// What the connections of one core share; never leaves its thread.
pub(crate) struct Core {
    pub index: usize,
    pub settings: Arc<ServerSettings>,
    pub budget: Arc<Semaphore>,
    pub receive_buffers: ReceiveBuffers,
    pub draining: Cell<bool>,
    connections: RefCell<HashMap<u64, Watched>>,
    /// The last connection has gone while draining.
    emptied: Notify,
    /// The first connection has come.
    populated: Notify,
}

impl Core {
    /// Puts a connection under the watch of the deadlines until the returned guard is dropped.
    pub fn watch(self: &Rc<Self>, id: u64, watched: Watched) {
        self.connections.borrow_mut().insert(id, watched);
        self.populated.notify_one();
    }

    pub fn unwatch(&self, id: u64) {
        let mut connections = self.connections.borrow_mut();
        connections.remove(&id);
        if connections.is_empty() && self.draining.get() {
            self.emptied.notify_one();
        }
    }

    /// Closes what is idle; what is busy sees `draining` once its replies are out.
    fn drain(&self) {
        self.draining.set(true);
        let idle: Vec<AbortHandle> = self
            .connections
            .borrow()
            .values()
            .filter(|watched| !watched.progress.owes_replies.get())
            .map(|watched| watched.abort.clone())
            .collect();
        idle.iter().for_each(AbortHandle::abort);
    }
}

/// Starts the thread of one core.
pub(crate) fn start(
    index: usize,
    settings: Arc<ServerSettings>,
    budget: Arc<Semaphore>,
) -> io::Result<(CoreHandle, JoinHandle<()>)> {
    let (sender, receiver) = unbounded_channel();
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    let thread = std::thread::Builder::new().name(format!("klamm-core-{index}")).spawn(move || {
        CURRENT.set(Some(index));
        let core = Rc::new(Core {
            index,
            settings,
            budget,
            receive_buffers: ReceiveBuffers::default(),
            draining: Cell::new(false),
            connections: RefCell::default(),
            emptied: Notify::new(),
            populated: Notify::new(),
        });
        let tasks = LocalSet::new();
        runtime.block_on(tasks.run_until(run(core, receiver)));
        // Tasks go before the runtime they are registered with.
        drop(tasks);
        runtime.shutdown_background();
    })?;
    Ok((CoreHandle { index, sender }, thread))
}

async fn run(core: Rc<Core>, mut receiver: UnboundedReceiver<Message>) {
    let sweeper = spawn_local(sweep(core.clone()));
    let mut until: Option<Instant> = None;
    while until.is_none() || !core.connections.borrow().is_empty() {
        let deadline = tokio::time::Instant::from_std(until.unwrap_or_else(Instant::now));
        tokio::select! {
            message = receiver.recv() => match message {
                Some(Message::Run(job)) => job(&core),
                Some(Message::Drain { until: at }) => {
                    core.drain();
                    until = Some(at);
                }
                None => break,
            },
            () = core.emptied.notified(), if until.is_some() => {}
            () = tokio::time::sleep_until(deadline), if until.is_some() => {
                let cut = core.connections.borrow().len();
                tracing::warn!(core = core.index, connections = cut, "requests unfinished at shutdown");
                break;
            }
        }
    }
    sweeper.abort();
}

/// Closes connections that are past a deadline; sleeps while there is none.
async fn sweep(core: Rc<Core>) {
    let interval = deadlines::interval(&core.settings);
    loop {
        while core.connections.borrow().is_empty() {
            core.populated.notified().await;
        }
        tokio::time::sleep(interval).await;
        let expired = deadlines::expired(core.connections.borrow().values(), &core.settings, Instant::now());
        expired.iter().for_each(AbortHandle::abort);
    }
}
