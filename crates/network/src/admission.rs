//! How many connections there may be: in all, per listener, per address, and per second.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::ServerSettings;

/// Counts of open connections, shared by acceptors and connections.
#[derive(Debug)]
pub(crate) struct Admission {
    max: usize,
    max_per_ip: usize,
    overrides: HashMap<IpAddr, usize>,
    total: AtomicUsize,
    per_core: Vec<AtomicUsize>,
    per_ip: Mutex<HashMap<IpAddr, usize>>,
    closed: Notify,
}

/// The connections of one listener.
#[derive(Debug)]
pub(crate) struct ListenerCount {
    pub max: usize,
    pub open: AtomicUsize,
}

/// One open connection's places in the counts; given back when dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    listener: Arc<ListenerCount>,
    ip: IpAddr,
    pub core: usize,
}

impl Admission {
    pub fn new(settings: &ServerSettings) -> Self {
        Self {
            max: settings.max_connections,
            max_per_ip: settings.max_connections_per_ip,
            overrides: settings.max_connections_per_ip_overrides.clone(),
            total: AtomicUsize::new(0),
            per_core: (0..settings.cores.max(1)).map(|_| AtomicUsize::new(0)).collect(),
            per_ip: Mutex::default(),
            closed: Notify::new(),
        }
    }

    pub fn open(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Waits until there is room in the listener and in the server.
    pub async fn room(&self, listener: &ListenerCount) {
        loop {
            let closed = self.closed.notified();
            if self.open() < self.max && listener.open.load(Ordering::Relaxed) < listener.max {
                return;
            }
            closed.await;
        }
    }

    /// Counts a connection in and chooses the core with the fewest; `None` if its address has too many already.
    pub fn admit(self: &Arc<Self>, listener: &Arc<ListenerCount>, ip: IpAddr) -> Option<Admitted> {
        {
            let mut per_ip = self.per_ip.lock();
            let open = per_ip.entry(ip).or_insert(0);
            if *open >= self.overrides.get(&ip).copied().unwrap_or(self.max_per_ip) {
                if *open == 0 {
                    per_ip.remove(&ip);
                }
                return None;
            }
            *open += 1;
        }
        let counts = self.per_core.iter().map(|count| count.load(Ordering::Relaxed));
        let core = counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(core, _)| core);
        self.per_core[core].fetch_add(1, Ordering::Relaxed);
        listener.open.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
        Some(Admitted { admission: self.clone(), listener: listener.clone(), ip, core })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let admission = &self.admission;
        admission.per_core[self.core].fetch_sub(1, Ordering::Relaxed);
        self.listener.open.fetch_sub(1, Ordering::Relaxed);
        let mut per_ip = admission.per_ip.lock();
        if let Some(open) = per_ip.get_mut(&self.ip) {
            *open -= 1;
            if *open == 0 {
                per_ip.remove(&self.ip);
            }
        }
        drop(per_ip);
        admission.total.fetch_sub(1, Ordering::Relaxed);
        admission.closed.notify_waiters();
    }
}

/// Spreads connections over time: at most `rate` per second, after a burst of one second's worth (KIP-612).
#[derive(Debug)]
pub(crate) struct CreationRate {
    per_connection: Duration,
    burst: Duration,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl CreationRate {
    pub fn new(rate: Option<u32>, now: Instant) -> Option<Self> {
        let per_connection = Duration::from_secs(1) / rate?.max(1);
        Some(Self { per_connection, burst: Duration::from_secs(1), full_at: now })
    }

    /// Counts one connection and returns how long to wait before the next may be accepted.
    pub fn record(&mut self, now: Instant) -> Duration {
        self.full_at = self.full_at.max(now) + self.per_connection;
        self.full_at.saturating_duration_since(now + self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_spread_over_cores_and_are_refused_beyond_the_limit_of_an_address() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let settings = ServerSettings {
            cores: 3,
            max_connections_per_ip: 7,
            max_connections_per_ip_overrides: HashMap::from([(IpAddr::from([10, 0, 0, 1]), 0)]),
            ..Default::default()
        };
        let admission = Arc::new(Admission::new(&settings));
        let listener = Arc::new(ListenerCount { max: 10, open: AtomicUsize::new(0) });
        let admitted: Vec<_> =
            (0..7).map(|_| admission.admit(&listener, ip).expect("below the limit")).collect();
        assert_eq!(admitted.iter().map(|one| one.core).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0]);
        assert!(admission.admit(&listener, ip).is_none());
        assert!(admission.admit(&listener, IpAddr::from([10, 0, 0, 1])).is_none());
        drop(admitted);
        assert_eq!(admission.open(), 0);
        assert!(admission.per_ip.lock().is_empty());
        assert!(admission.admit(&listener, ip).is_some());
    }

    #[test]
    fn a_rate_lets_a_burst_pass_and_then_delays() {
        let start = Instant::now();
        let mut rate = CreationRate::new(Some(10), start).expect("a rate is set");
        for _ in 0..10 {
            assert_eq!(rate.record(start), Duration::ZERO);
        }
        assert_eq!(rate.record(start), Duration::from_millis(100));
        assert_eq!(rate.record(start + Duration::from_secs(5)), Duration::ZERO);
        assert!(CreationRate::new(None, start).is_none());
    }
}
