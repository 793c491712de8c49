//! Groups of members of both kinds, by every assignor that both know and by KIP-848, whoever comes first.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use klamm_client::{AssignorName, Consumer, ConsumerConfig, ConsumerHandle, GroupProtocol};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Table;
use crate::peer::Peer;

const PARTITIONS: usize = 6;
const LIMIT: Duration = Duration::from_secs(40);

/// A member of ours, polled in the background.
struct Member {
    handle: ConsumerHandle,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Member {
    fn join(table: &Table, group: &str, topic: &str, assignor: &str) -> Result<Self> {
        let _runtime = table.runtime.enter();
        let config = ConsumerConfig::new(group).heartbeat_interval_ms(300).session_timeout_ms(6_000);
        let config = match assignor {
            "consumer" => config.group_protocol(GroupProtocol::Consumer),
            name => {
                let known = [
                    AssignorName::Range,
                    AssignorName::RoundRobin,
                    AssignorName::Sticky,
                    AssignorName::CooperativeSticky,
                ];
                let assignor = known.into_iter().find(|known| known.name() == name);
                config.assignors(vec![assignor.with_context(|| name.to_owned())?])
            }
        };
        let mut consumer = Consumer::new(&table.client, config)?;
        consumer.subscribe([topic])?;
        let handle = consumer.handle();
        let (leave, mut leaving) = oneshot::channel();
        let task = table.runtime.spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = &mut leaving => break,
                    // There are no records; what matters is that somebody asks.
                    _ = consumer.poll(Duration::from_millis(100)) => {}
                }
            }
            consumer.close().await;
        });
        Ok(Self { handle, leave, task })
    }

    fn leave(self, table: &Table) -> Result<()> {
        // It listens as long as it runs.
        let _ = self.leave.send(());
        Ok(table.runtime.block_on(self.task)?)
    }
}

pub fn mixed(table: &Table, peer: &mut Peer) -> Result<()> {
    for assignor in peer.assignors {
        for are_we_first in [true, false] {
            one_group(table, peer, assignor, are_we_first)
                .with_context(|| format!("{assignor}, {} first", if are_we_first { "we" } else { "they" }))?;
        }
    }
    println!("{}: mixed groups by {:?}", peer.name, peer.assignors);
    Ok(())
}

fn one_group(table: &Table, peer: &mut Peer, assignor: &str, are_we_first: bool) -> Result<()> {
    let group = format!("{assignor}-{are_we_first}");
    let topic = format!("topic-{group}");
    table.topic(&topic, PARTITIONS as i32)?;
    let join = |peer: &mut Peer| peer.tell(&format!("join {group} {topic} {assignor}"));
    let us;
    if are_we_first {
        us = Member::join(table, &group, &topic, assignor)?;
        wait_for(&us.handle, peer, PARTITIONS, 0)?;
        join(peer)?;
    } else {
        join(peer)?;
        wait_until(|| Ok(theirs(peer)?.len() == PARTITIONS), "they have all")?;
        us = Member::join(table, &group, &topic, assignor)?;
    }
    wait_for(&us.handle, peer, PARTITIONS / 2, PARTITIONS / 2)?;
    let mut all = theirs(peer)?;
    all.extend(us.handle.assignment().iter().map(ToString::to_string));
    all.sort();
    all.dedup();
    ensure!(all.len() == PARTITIONS, "not each partition has one reader: {all:?}");
    if are_we_first {
        us.leave(table)?;
        wait_until(|| Ok(theirs(peer)?.len() == PARTITIONS), "they have all again")?;
        peer.tell("leave")
    } else {
        peer.tell("leave")?;
        wait_for(&us.handle, peer, PARTITIONS, 0)?;
        us.leave(table)
    }
}

fn theirs(peer: &mut Peer) -> Result<Vec<String>> {
    let answer = peer.ask("assignment")?;
    Ok(answer.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn wait_for(us: &ConsumerHandle, peer: &mut Peer, ours: usize, others: usize) -> Result<()> {
    let what = format!("we have {ours} and they {others}");
    wait_until(|| Ok(us.assignment().len() == ours && theirs(peer)?.len() == others), &what)
}

fn wait_until(mut is_so: impl FnMut() -> Result<bool>, what: &str) -> Result<()> {
    let until = Instant::now() + LIMIT;
    while !is_so()? {
        ensure!(Instant::now() < until, "it never comes that {what}");
        std::thread::yield_now();
    }
    Ok(())
}
