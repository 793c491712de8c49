//! AlterClientQuotas and DescribeClientQuotas.

use anyhow::Result;
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::DescribeClientQuotasResponse;
use protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};

use crate::session::Session;

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub fn ask(session: &mut Session) -> Result<()> {
    alter(session)?;
    describe(session)
}

fn alter(session: &mut Session) -> Result<()> {
    let rate = [("producer_byte_rate", Some(1000.0))];
    session.ask("set a user's rate, version 0", 0, altering(&[("user", Some("ann"))], &rate))?;
    session.ask(
        "set a client's rate",
        1,
        altering(&[("client-id", Some("app"))], &[("consumer_byte_rate", Some(2000.0))]),
    )?;
    session.ask(
        "set a user's client's rate",
        1,
        altering(&[("user", Some("ann")), ("client-id", Some("app"))], &rate),
    )?;
    session.ask("set the default user's rate", 1, altering(&[("user", None)], &rate))?;
    session.ask(
        "set an address's rate",
        1,
        altering(&[("ip", Some("127.0.0.9"))], &[("connection_creation_rate", Some(5.0))]),
    )?;
    session.ask(
        "set two rates",
        1,
        altering(
            &[("user", Some("bob"))],
            &[("request_percentage", Some(12.5)), ("controller_mutation_rate", Some(3.0))],
        ),
    )?;
    for (name, entity, ops) in [
        ("an unknown key", ("user", Some("ann")), ("no_such_rate", Some(1.0))),
        ("an unknown entity", ("planet", Some("mars")), ("producer_byte_rate", Some(1.0))),
        ("an empty entity name", ("user", Some("")), ("producer_byte_rate", Some(1.0))),
        ("a negative rate", ("user", Some("ann")), ("producer_byte_rate", Some(-1.0))),
        ("a rate of zero", ("user", Some("ann")), ("producer_byte_rate", Some(0.0))),
        ("a rate with a fraction", ("user", Some("ann")), ("producer_byte_rate", Some(1.5))),
        ("an address that is none", ("ip", Some("not an address")), ("connection_creation_rate", Some(1.0))),
        ("an address's byte rate", ("ip", Some("127.0.0.8")), ("producer_byte_rate", Some(1.0))),
        ("a user's connection rate", ("user", Some("ann")), ("connection_creation_rate", Some(1.0))),
        ("remove what is not set", ("user", Some("zoe")), ("producer_byte_rate", None)),
    ] {
        session.ask(name, 1, altering(&[entity], &[ops]))?;
    }
    session.ask(
        "an address and a user",
        1,
        altering(&[("ip", Some("127.0.0.9")), ("user", Some("ann"))], &rate),
    )?;
    session.ask(
        "the same entity type twice",
        1,
        altering(&[("user", Some("ann")), ("user", Some("bob"))], &rate),
    )?;
    session.ask("no entity", 1, altering(&[], &rate))?;
    session.ask("no rates", 1, altering(&[("user", Some("ann"))], &[]))?;
    let validating =
        AlterClientQuotasRequest { validate_only: true, ..altering(&[("user", Some("eve"))], &rate) };
    session.ask("validate only", 1, validating)?;
    session.ask(
        "remove a rate",
        1,
        altering(&[("user", Some("bob"))], &[("controller_mutation_rate", None)]),
    )?;
    session.ask(
        "remove another rate",
        1,
        altering(&[("user", Some("bob"))], &[("request_percentage", None)]),
    )?;
    session.ask("nothing at all", 1, AlterClientQuotasRequest::default())?;
    Ok(())
}

fn describe(session: &mut Session) -> Result<()> {
    let request = describing(&[("user", EXACT, Some("bob"))], false);
    session.ask_until("one user", 1, request, |response| {
        response.entries.iter().flatten().all(|entry| entry.values.len() == 1)
    })?;
    for (name, components, strict) in [
        ("everything", vec![], false),
        ("everything, strictly", vec![], true),
        ("every user", vec![("user", ANY, None)], false),
        ("every user, strictly", vec![("user", ANY, None)], true),
        ("the default user", vec![("user", DEFAULT, None)], false),
        ("one user, one client", vec![("user", EXACT, Some("ann")), ("client-id", EXACT, Some("app"))], true),
        ("every address", vec![("ip", ANY, None)], true),
        ("an unknown user", vec![("user", EXACT, Some("zoe"))], false),
        ("an unknown entity", vec![("planet", ANY, None)], false),
        ("an empty entity", vec![("", ANY, None)], false),
        ("a user twice", vec![("user", ANY, None), ("user", ANY, None)], false),
        ("an address and a user", vec![("ip", ANY, None), ("user", ANY, None)], false),
        ("an unknown kind of match", vec![("user", 9, None)], false),
    ] {
        session.ask_showing(&format!("describe {name}"), 1, describing(&components, strict), show)?;
    }
    session.ask_showing("describe everything, version 0", 0, describing(&[], false), show)?;
    Ok(())
}

/// In a stable order.
fn show(response: &DescribeClientQuotasResponse) -> String {
    let mut response = response.clone();
    for entry in response.entries.iter_mut().flatten() {
        entry.values.sort_by(|a, b| a.key.cmp(&b.key));
        entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
    }
    if let Some(entries) = &mut response.entries {
        entries.sort_by_key(|entry| format!("{entry:?}"));
    }
    format!("{response:#?}")
}

fn altering(entity: &[(&str, Option<&str>)], ops: &[(&str, Option<f64>)]) -> AlterClientQuotasRequest {
    let entity = entity.iter().map(|(entity_type, name)| EntityData {
        entity_type: (*entity_type).to_owned(),
        entity_name: name.map(str::to_owned),
        ..Default::default()
    });
    let ops = ops.iter().map(|(key, value)| OpData {
        key: (*key).to_owned(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        ..Default::default()
    });
    let entry = EntryData { entity: entity.collect(), ops: ops.collect(), ..Default::default() };
    AlterClientQuotasRequest { entries: vec![entry], ..Default::default() }
}

fn describing(components: &[(&str, i8, Option<&str>)], strict: bool) -> DescribeClientQuotasRequest {
    let component = |(entity_type, match_type, name): &(&str, i8, Option<&str>)| ComponentData {
        entity_type: (*entity_type).to_owned(),
        match_type: *match_type,
        match_: name.map(str::to_owned),
        ..Default::default()
    };
    DescribeClientQuotasRequest {
        components: components.iter().map(component).collect(),
        strict,
        ..Default::default()
    }
}
