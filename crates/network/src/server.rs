//! The server: its listeners and its cores, from bind to shutdown.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, watch},
    task::spawn_local,
};

use crate::{
    BoundListener, ConnectionHandlerFactory, CoreHandle, ListenerSettings, NetworkError, ServerSettings,
    accept::{Acceptor, Acceptors},
    admission::{Admission, CreationRate, ListenerCount},
    cores, listener,
};

/// Listeners and core threads. Dropping it closes everything at once; [`Server::shutdown`] lets requests finish.
pub struct Server {
    settings: Arc<ServerSettings>,
    listeners: Vec<BoundListener>,
    /// Taken by `serve`.
    unserved: Vec<(ListenerSettings, TcpListener)>,
    admission: Arc<Admission>,
    cores: Vec<CoreHandle>,
    threads: Vec<JoinHandle<()>>,
    /// Acceptors run while the sender lives.
    accepting: Option<watch::Sender<()>>,
}

impl Server {
    /// Claims all ports and starts the core threads. Clients may connect from now on, but nobody answers before
    /// [`Server::serve`].
    pub fn bind(settings: ServerSettings) -> Result<Self, NetworkError> {
        let mut listeners: Vec<BoundListener> = Vec::new();
        let mut unserved = Vec::new();
        for wanted in &settings.listeners {
            if listeners.iter().any(|bound| *bound.name == *wanted.name) {
                return Err(NetworkError::DuplicateListener(wanted.name.clone()));
            }
            let (socket, bound) = listener::bind(wanted, &settings)?;
            listeners.push(bound);
            unserved.push((wanted.clone(), socket));
        }
        let settings = Arc::new(settings);
        let mut server = Self {
            admission: Arc::new(Admission::new(&settings)),
            settings: settings.clone(),
            listeners,
            unserved,
            cores: Vec::new(),
            threads: Vec::new(),
            accepting: None,
        };
        let budget = Arc::new(Semaphore::new(settings.in_flight_bytes.min(Semaphore::MAX_PERMITS)));
        for core in 0..settings.cores.max(1) {
            let (handle, thread) = cores::start(core, settings.clone(), budget.clone())
                .map_err(|source| NetworkError::Thread { core, source })?;
            server.cores.push(handle);
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// The listeners in the order of the settings, with their real ports.
    pub fn listeners(&self) -> &[BoundListener] {
        &self.listeners
    }

    /// The cores, by index.
    pub fn cores(&self) -> &[CoreHandle] {
        &self.cores
    }

    /// How many connections are open.
    pub fn connection_count(&self) -> usize {
        self.admission.open()
    }

    /// Begins to accept connections on all listeners.
    pub fn serve<F: ConnectionHandlerFactory>(&mut self, factory: Arc<F>) -> Result<(), NetworkError> {
        if self.accepting.is_some() {
            return Err(NetworkError::AlreadyServing);
        }
        let now = Instant::now();
        let shared = Arc::new(Acceptors {
            settings: self.settings.clone(),
            admission: self.admission.clone(),
            cores: self.cores.clone(),
            factory,
            next_id: AtomicU64::new(0),
            creation_rate: Mutex::new(CreationRate::new(self.settings.max_connection_creation_rate, now)),
        });
        let (accepting, open) = watch::channel(());
        self.accepting = Some(accepting);
        let bound = self.listeners.iter().map(|bound| bound.name.clone());
        for (index, ((wanted, socket), name)) in self.unserved.drain(..).zip(bound).enumerate() {
            let acceptor = Acceptor {
                shared: shared.clone(),
                listener: name,
                count: Arc::new(ListenerCount { max: wanted.max_connections, open: AtomicUsize::new(0) }),
                creation_rate: CreationRate::new(wanted.max_connection_creation_rate, now),
            };
            let mut open = open.clone();
            // Listeners take turns on the cores; the connections they accept do not stay with them.
            self.cores[index % self.cores.len()].run(Box::new(move |_| {
                spawn_local(async move {
                    tokio::select! {
                        () = acceptor.run(socket) => {}
                        _ = open.changed() => {}
                    }
                });
            }));
        }
        Ok(())
    }

    /// Stops accepting, lets requests that have been taken finish and their replies go out for at most `patience`,
    /// closes all connections and ends the core threads. Blocks; not to be called on a core.
    pub fn shutdown(mut self, patience: Duration) {
        self.stop(patience);
    }

    fn stop(&mut self, patience: Duration) {
        self.unserved.clear();
        self.accepting = None;
        let until = Instant::now() + patience;
        self.cores.iter().for_each(|core| core.drain(until));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a core thread panicked");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
