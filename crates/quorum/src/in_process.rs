//! Controllers in one process, connected by calls: for tests and for the simulator.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    QuorumHandle, VoterNode,
    transport::{QuorumRequest, QuorumResponse, QuorumTransport, TransportError},
};

#[derive(Default)]
struct Wires {
    nodes: BTreeMap<i32, QuorumHandle>,
    /// Nodes that nobody reaches and that reach nobody.
    isolated: BTreeSet<i32>,
}

/// The wires between the controllers of one process.
#[derive(Clone, Default)]
pub struct InProcessTransport {
    wires: Arc<Mutex<Wires>>,
}

impl InProcessTransport {
    /// The end of the wires that belongs to one controller.
    pub fn endpoint(&self, replica_id: i32) -> Arc<dyn QuorumTransport> {
        Arc::new(Endpoint { replica_id, wires: self.wires.clone() })
    }

    /// Makes a controller reachable; one that was started again takes the place of the old one.
    pub fn attach(&self, replica_id: i32, handle: QuorumHandle) {
        self.wires.lock().nodes.insert(replica_id, handle);
    }

    /// Takes a controller away.
    pub fn detach(&self, replica_id: i32) {
        self.wires.lock().nodes.remove(&replica_id);
    }

    /// Cuts a controller off, or connects it again.
    pub fn isolate(&self, replica_id: i32, isolated: bool) {
        let mut wires = self.wires.lock();
        if isolated {
            wires.isolated.insert(replica_id);
        } else {
            wires.isolated.remove(&replica_id);
        }
    }
}

struct Endpoint {
    replica_id: i32,
    wires: Arc<Mutex<Wires>>,
}

impl QuorumTransport for Endpoint {
    fn call(
        &self,
        replica_id: i32,
        _: &VoterNode,
        request: QuorumRequest,
    ) -> Pin<Box<dyn Future<Output = Result<QuorumResponse, TransportError>> + Send>> {
        let own_id = self.replica_id;
        let wires = self.wires.clone();
        let connected = move || {
            let wires = wires.lock();
            let is_cut = wires.isolated.contains(&own_id) || wires.isolated.contains(&replica_id);
            if is_cut { None } else { wires.nodes.get(&replica_id).cloned() }
        };
        Box::pin(async move {
            let unreachable = TransportError::Unreachable(replica_id);
            let target = connected().ok_or_else(|| unreachable.clone())?;
            let answer = target.handle(request).await;
            // The answer goes through the same wires.
            connected().map(|_| answer).ok_or(unreachable)
        })
    }
}
