//! FindCoordinator.

use anyhow::Result;
use protocol::messages::FindCoordinatorRequest;

use crate::session::Session;

const GROUP: i8 = 0;
const SHARE: i8 = 2;

pub fn ask(session: &mut Session) -> Result<()> {
    let many = |key_type: i8, keys: &[&str]| FindCoordinatorRequest {
        key_type,
        coordinator_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..Default::default()
    };
    session.ask("the first one ever", 4, many(GROUP, &["early"]))?;
    session.ask_until("once the offsets topic is there", 4, many(GROUP, &["early"]), |response| {
        response.coordinators.iter().all(|coordinator| coordinator.error_code == 0)
    })?;
    for version in 0..=3 {
        let request = FindCoordinatorRequest { key: "some-group".to_owned(), ..Default::default() };
        session.ask(&format!("one group, version {version}"), version, request)?;
    }
    for version in 4..=6 {
        session.ask(
            &format!("two groups, version {version}"),
            version,
            many(GROUP, &["some-group", "other"]),
        )?;
    }
    session.ask("an empty group id", 4, many(GROUP, &[""]))?;
    session.ask("no groups", 4, many(GROUP, &[]))?;
    session.ask("the same group twice", 4, many(GROUP, &["twin", "twin"]))?;
    session.ask("an unknown key type", 4, many(9, &["x"]))?;
    let old = FindCoordinatorRequest { key: "x".to_owned(), key_type: 9, ..Default::default() };
    session.ask("an unknown key type, version 3", 3, old)?;
    session.ask(
        "a share coordinator before version 6",
        5,
        many(SHARE, &["group:AAAAAAAAAAAAAAAAAAAAAQ:0"]),
    )?;
    session.ask("a share coordinator's key that is none", 6, many(SHARE, &["nonsense"]))?;
    Ok(())
}
