//! AlterUserScramCredentials and DescribeUserScramCredentials.

use anyhow::Result;
use bytes::Bytes;
use protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use protocol::messages::describe_user_scram_credentials_request::UserName;
use protocol::messages::{
    AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};

use crate::session::Session;

const SHA_256: i8 = 1;
const SHA_512: i8 = 2;

pub fn ask(session: &mut Session) -> Result<()> {
    session.ask("nobody yet", 0, describing(None))?;
    session.ask("somebody unknown", 0, describing(Some(&["ann"])))?;
    session.ask("store one", 0, storing(&[upsertion("ann", SHA_256, 4096)]))?;
    session.ask(
        "store two mechanisms at once",
        0,
        storing(&[upsertion("bob", SHA_256, 8192), upsertion("bob", SHA_512, 4096)]),
    )?;
    session.ask("store one mechanism", 0, storing(&[upsertion("bob", SHA_256, 8192)]))?;
    session.ask("store another mechanism", 0, storing(&[upsertion("bob", SHA_512, 4096)]))?;
    session.ask("too few iterations", 0, storing(&[upsertion("cat", SHA_256, 4095)]))?;
    session.ask("too many iterations", 0, storing(&[upsertion("cat", SHA_256, 16_385)]))?;
    session.ask("an unknown mechanism", 0, storing(&[upsertion("cat", 9, 4096)]))?;
    session.ask("the mechanism zero", 0, storing(&[upsertion("cat", 0, 4096)]))?;
    session.ask("an empty name", 0, storing(&[upsertion("", SHA_256, 4096)]))?;
    session.ask(
        "the same one twice",
        0,
        storing(&[upsertion("cat", SHA_256, 4096), upsertion("cat", SHA_256, 5000)]),
    )?;
    session.ask(
        "store and delete the same one",
        0,
        AlterUserScramCredentialsRequest {
            deletions: vec![deletion("ann", SHA_256)],
            ..storing(&[upsertion("ann", SHA_256, 5000)])
        },
    )?;
    session.ask("delete what is not there", 0, deleting(&[deletion("zoe", SHA_256)]))?;
    session.ask("delete an unknown mechanism", 0, deleting(&[deletion("ann", 9)]))?;
    session.ask("delete another mechanism", 0, deleting(&[deletion("ann", SHA_512)]))?;
    session.ask(
        "good and bad together",
        0,
        storing(&[upsertion("dan", SHA_256, 4096), upsertion("eve", SHA_256, 1)]),
    )?;
    session.ask("nothing", 0, AlterUserScramCredentialsRequest::default())?;
    session.ask_until("one user with one mechanism", 0, describing(Some(&["ann"])), |response| {
        response.results.iter().all(|result| result.credential_infos.len() == 1)
    })?;
    session.ask_showing("one user with two mechanisms", 0, describing(Some(&["bob"])), show)?;
    session.ask_showing("everybody", 0, describing(None), show)?;
    session.ask_showing("nobody in particular", 0, describing(Some(&[])), show)?;
    session.ask_showing("known and unknown", 0, describing(Some(&["ann", "zoe"])), show)?;
    session.ask_showing("the same name twice", 0, describing(Some(&["ann", "ann"])), show)?;
    session.ask("delete one", 0, deleting(&[deletion("bob", SHA_512)]))?;
    session.ask_until("what is left", 0, describing(Some(&["bob"])), |response| {
        response.results.iter().all(|result| result.credential_infos.len() == 1)
    })?;
    Ok(())
}

/// In a stable order.
fn show(response: &DescribeUserScramCredentialsResponse) -> String {
    let mut response = response.clone();
    response.results.sort_by(|a, b| a.user.cmp(&b.user));
    for result in &mut response.results {
        result.credential_infos.sort_by_key(|credential| credential.mechanism);
    }
    format!("{response:#?}")
}

fn describing(users: Option<&[&str]>) -> DescribeUserScramCredentialsRequest {
    let user = |name: &&str| UserName { name: (*name).to_owned(), ..Default::default() };
    DescribeUserScramCredentialsRequest {
        users: users.map(|users| users.iter().map(user).collect()),
        ..Default::default()
    }
}

fn storing(upsertions: &[ScramCredentialUpsertion]) -> AlterUserScramCredentialsRequest {
    AlterUserScramCredentialsRequest { upsertions: upsertions.to_vec(), ..Default::default() }
}

fn deleting(deletions: &[ScramCredentialDeletion]) -> AlterUserScramCredentialsRequest {
    AlterUserScramCredentialsRequest { deletions: deletions.to_vec(), ..Default::default() }
}

fn upsertion(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion {
        name: name.to_owned(),
        mechanism,
        iterations,
        salt: Bytes::from_static(b"salt"),
        salted_password: Bytes::from_static(b"salted password"),
        ..Default::default()
    }
}

fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion { name: name.to_owned(), mechanism, ..Default::default() }
}
