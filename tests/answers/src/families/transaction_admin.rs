//! DescribeTransactions, ListTransactions and DescribeProducers while transactions are under way.

use anyhow::Result;
use protocol::messages::describe_producers_request::TopicRequest;
use protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, ListTransactionsRequest, ListTransactionsResponse,
};

use super::group_membership::wait_for_coordinator;
use super::transactions::{Producer, ending, sending, take, wait_for_transactions};
use crate::session::Session;

pub fn ask(session: &mut Session) -> Result<()> {
    session.create_topic("plain", 2)?;
    wait_for_coordinator(session)?;
    wait_for_transactions(session)?;
    session.ask("nothing to list", 2, listing(&[], &[]))?;
    let open = take(session, "open")?;
    session.quietly(12, sending("open", open, 0))?;
    let done = take(session, "done")?;
    session.quietly(12, sending("done", done, 1))?;
    session.quietly(5, ending("done", done, true))?;
    session.until(0, describing(&["done"]), |response| {
        response.transaction_states.iter().all(|state| state.transaction_state == "CompleteCommit")
    })?;
    take(session, "empty")?;
    describe(session)?;
    list(session, open)?;
    producers(session)
}

fn describe(session: &mut Session) -> Result<()> {
    session.ask("describe an open one", 0, describing(&["open"]))?;
    session.ask("describe one that is done", 0, describing(&["done"]))?;
    session.ask("describe an empty one", 0, describing(&["empty"]))?;
    session.ask("describe one nobody knows", 0, describing(&["unknown"]))?;
    session.ask("describe one without a name", 0, describing(&[""]))?;
    session.ask("describe two", 0, describing(&["unknown", "open"]))?;
    session.ask("describe none", 0, describing(&[]))?;
    Ok(())
}

fn list(session: &mut Session, open: Producer) -> Result<()> {
    for version in 0..=2 {
        session.ask_showing(&format!("list all, version {version}"), version, listing(&[], &[]), show)?;
    }
    for (name, states) in [
        ("open ones", &["Ongoing"][..]),
        ("empty and done ones", &["Empty", "CompleteCommit"]),
        ("states in small letters", &["ongoing"]),
        ("a state nobody knows", &["Sleepy"]),
        ("a state nobody knows and one that is known", &["Sleepy", "Ongoing"]),
        ("dead ones", &["Dead"]),
    ] {
        session.ask_showing(&format!("list {name}"), 2, listing(states, &[]), show)?;
    }
    session.ask_showing("list a producer's", 0, listing(&[], &[open.id]), show)?;
    session.ask_showing("list an unknown producer's", 0, listing(&[], &[987_654]), show)?;
    session.ask_showing(
        "list a producer's that are done",
        2,
        listing(&["CompleteCommit"], &[open.id]),
        show,
    )?;
    let lasting = |duration_filter| ListTransactionsRequest { duration_filter, ..listing(&[], &[]) };
    session.ask_showing("list what lasts at all", 1, lasting(0), show)?;
    session.ask_showing("list what lasts for an hour", 1, lasting(3_600_000), show)?;
    session.ask_showing("list what lasts for less than nothing", 1, lasting(-5), show)?;
    let like = |pattern: &str| ListTransactionsRequest {
        transactional_id_pattern: Some(pattern.to_owned()),
        ..listing(&[], &[])
    };
    for pattern in ["op.*", "open", "pe", ".*e.*", "nothing.*", "", "(open|done)", "[", "a{2}{3}**"] {
        session.ask_showing(&format!("list those like {pattern:?}"), 2, like(pattern), show)?;
    }
    Ok(())
}

fn producers(session: &mut Session) -> Result<()> {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: "plain".to_owned(),
            partition_indexes: vec![0, 1],
            ..Default::default()
        }],
        ..Default::default()
    };
    session.ask("describe producers of transactions", 0, request)?;
    Ok(())
}

/// In the order of their ids.
fn show(response: &ListTransactionsResponse) -> String {
    let mut response = response.clone();
    response.transaction_states.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id));
    format!("{response:#?}")
}

fn listing(states: &[&str], producers: &[i64]) -> ListTransactionsRequest {
    ListTransactionsRequest {
        state_filters: states.iter().map(|state| (*state).to_owned()).collect(),
        producer_id_filters: producers.to_vec(),
        ..Default::default()
    }
}

fn describing(ids: &[&str]) -> DescribeTransactionsRequest {
    DescribeTransactionsRequest {
        transactional_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    }
}
