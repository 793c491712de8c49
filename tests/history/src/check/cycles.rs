//! Cycles of dependencies between operations: who wrote before whom, who read from whom, who came after whom.

use std::collections::HashMap;

use super::graph::Graph;
use super::{Anomaly, Report};
use crate::history::{Function, History, Isolation, Outcome};
use crate::order::Orders;

type Edges = Vec<(u32, u32)>;

/// A kind of cycle and the edges that it may go along.
type Kind<'a> = (Anomaly, &'a [&'a [(u32, u32)]]);

/// Looks for each kind of cycle, the plainest first; a kind is not reported if a plainer one explains it.
pub(super) fn find(history: &History, orders: &Orders, report: &mut Report) {
    let (ww, wr) = (write_write(orders), write_read(history, orders));
    let process = of_processes(history);
    let (time, nodes) = of_time(history);
    let mut search = |kinds: &[Kind<'_>]| {
        for (anomaly, edges) in kinds {
            if let Some(text) = cycle(history, nodes, edges) {
                report.add(*anomaly, || text);
                return true;
            }
        }
        false
    };
    let has_writes = search(&[
        (Anomaly::G0, &[&ww]),
        (Anomaly::G0Process, &[&ww, &process]),
        (Anomaly::G0Realtime, &[&ww, &time]),
    ]);
    let has_reads = search(&[
        (Anomaly::G1c, &[&wr]),
        (Anomaly::G1cProcess, &[&wr, &process]),
        (Anomaly::G1cRealtime, &[&wr, &time]),
    ]);
    if !has_writes && !has_reads {
        search(&[(Anomaly::G1cWithWrites, &[&wr, &ww, &time])]);
    }
}

/// A value stands directly before another's.
fn write_write(orders: &Orders) -> Edges {
    let mut edges = Edges::new();
    for (key, order) in &orders.committed {
        for pair in order.entries.windows(2) {
            let writer =
                |value| orders.writers.get(&(*key, value)).filter(|writer| orders.is_committed[**writer]);
            if let (Some(first), Some(second)) = (writer(pair[0].1), writer(pair[1].1))
                && first != second
            {
                edges.push((*first as u32, *second as u32));
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// One polled what the other sent, and should only have if the other was certain by then.
fn write_read(history: &History, orders: &Orders) -> Edges {
    let mut edges = Edges::new();
    for (reader, operation) in history.operations.iter().enumerate() {
        if operation.outcome == Outcome::Fail {
            continue;
        }
        for polled in operation.polled() {
            let Some(writer) = orders.writers.get(&(polled.key, polled.value)) else { continue };
            let is_plain = history.operations[*writer].function == Function::Plain;
            if *writer != reader && (operation.isolation == Isolation::Committed || is_plain) {
                edges.push((*writer as u32, reader as u32));
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Operations that have happened, and what the same process did next.
fn of_processes(history: &History) -> Edges {
    let (mut edges, mut last) = (Edges::new(), HashMap::new());
    for (index, operation) in history.operations.iter().enumerate() {
        if let Some(before) = last.remove(&operation.process) {
            edges.push((before, index as u32));
        }
        if operation.outcome == Outcome::Ok {
            last.insert(operation.process, index as u32);
        }
    }
    edges
}

/// What had happened before another began: over a chain of moments, each a node of its own. Also the number of all nodes.
fn of_time(history: &History) -> (Edges, usize) {
    let count = history.operations.len() as u32;
    let mut moments: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * history.operations.len());
    for (index, operation) in history.operations.iter().enumerate() {
        // At the same moment a beginning comes first: then nothing is said of the two.
        moments.push((operation.invoked_ns, false, index as u32));
        if let Some(completed_ns) = operation.completed_ns.filter(|_| operation.outcome == Outcome::Ok) {
            moments.push((completed_ns, true, index as u32));
        }
    }
    moments.sort_unstable();
    let (mut edges, mut chain) = (Edges::new(), count);
    for (_, is_end, index) in moments {
        if is_end {
            chain += 1;
            edges.push((index, chain));
            edges.push((chain - 1, chain));
        } else {
            // The newest moment so far: everything that led to it is before this one.
            edges.push((chain, index));
        }
    }
    (edges, chain as usize + 1)
}

fn cycle(history: &History, nodes: usize, edges: &[&[(u32, u32)]]) -> Option<String> {
    let (component, sizes) = Graph::new(nodes, edges).components();
    // A cycle has at least two operations; moments alone do not run in a circle.
    let largest = sizes.iter().position(|size| *size > 1)?;
    let members = (0..history.operations.len()).filter(|node| component[*node] == largest as u32);
    let named: Vec<String> = members
        .take(4)
        .map(|node| {
            let operation = &history.operations[node];
            format!("process {} at {} ns", operation.process, operation.invoked_ns)
        })
        .collect();
    Some(format!("{} in a cycle: {}", sizes[largest], named.join(", ")))
}
