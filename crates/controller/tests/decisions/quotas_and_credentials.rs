//! Quotas and SCRAM credentials. Messages and keys are those of Apache Kafka 4.4.0.

use bytes::Bytes;
use metadata::scram::ScramMechanism;
use protocol::ErrorCode;
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_user_scram_credentials_request::UserName;
use protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};

use crate::cluster::Cluster;

type Entity<'a> = &'a [(&'a str, Option<&'a str>)];

fn entry(entity: Entity<'_>, ops: &[(&str, Option<f64>)]) -> EntryData {
    let data = |(entity_type, name): &(&str, Option<&str>)| EntityData {
        entity_type: (*entity_type).into(),
        entity_name: name.map(str::to_owned),
        ..Default::default()
    };
    let op = |(key, value): &(&str, Option<f64>)| OpData {
        key: (*key).into(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        ..Default::default()
    };
    EntryData {
        entity: entity.iter().map(data).collect(),
        ops: ops.iter().map(op).collect(),
        ..Default::default()
    }
}

fn alter(cluster: &mut Cluster, entries: Vec<EntryData>) -> Vec<(i16, String)> {
    let request = AlterClientQuotasRequest { entries, ..Default::default() };
    let image = cluster.image().clone();
    let resolves = |name: &str| name.parse::<std::net::IpAddr>().is_ok();
    let result = cluster.controller.alter_client_quotas(&image, &request, &resolves);
    let entries = cluster.commit(result).entries;
    entries.into_iter().map(|e| (e.error_code, e.error_message.unwrap_or_default())).collect()
}

const USER_U: Entity<'_> = &[("user", Some("u"))];
const RATE: &str = "producer_byte_rate";

#[test]
fn quotas_that_cannot_be_are_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(0);
    let address: Entity<'_> = &[("ip", Some("1.2.3.4"))];
    let cases: &[(Entity<'_>, &str, f64, &str)] = &[
        (USER_U, "foo", 1000.0, "Invalid configuration key foo"),
        (USER_U, RATE, 0.5, "producer_byte_rate cannot be a fractional value."),
        (USER_U, RATE, 0.0, "Quota producer_byte_rate must be greater than 0"),
        (USER_U, RATE, f64::NAN, "Quota producer_byte_rate must be a finite number"),
        (USER_U, "connection_creation_rate", 1.0, "Invalid configuration key connection_creation_rate"),
        (
            &[("ip", Some("1.2.3.4")), ("user", Some("u"))],
            "connection_creation_rate",
            1.0,
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        (
            address,
            "connection_creation_rate",
            1e12,
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
        (
            &[("ip", Some("nowhere"))],
            "connection_creation_rate",
            1.0,
            "nowhere is not a valid IP or resolvable host.",
        ),
        (&[("foo", Some("x"))], RATE, 1.0, "Unhandled client quota entity type: foo"),
        (&[("user", Some(""))], RATE, 1.0, "Empty user not supported"),
        (&[], RATE, 1.0, "Invalid empty client quota entity"),
    ];
    for (entity, key, value, message) in cases {
        let outcome = alter(&mut cluster, vec![entry(entity, &[(key, Some(*value))])]);
        assert_eq!(outcome, [(42, (*message).to_owned())]);
    }
    assert_eq!(cluster.image().client_quotas.iter().count(), 0);
    let twice = entry(USER_U, &[(RATE, Some(1.0)), (RATE, Some(2.0))]);
    let message = "Duplicate quota key producer_byte_rate not updating quota for this entity \
                   ClientQuotaEntity(entries={user=u})";
    assert_eq!(alter(&mut cluster, vec![twice]), [(42, message.to_owned())]);
}

fn describe(
    cluster: &Cluster,
    components: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> Result<usize, String> {
    let component = |(entity_type, match_type, name): &(&str, i8, Option<&str>)| ComponentData {
        entity_type: (*entity_type).into(),
        match_type: *match_type,
        match_: name.map(str::to_owned),
        ..Default::default()
    };
    let request = DescribeClientQuotasRequest {
        components: components.iter().map(component).collect(),
        strict,
        ..Default::default()
    };
    let described = cluster.controller.describe_client_quotas(cluster.image(), &request);
    described.map(|response| response.entries.unwrap().len()).map_err(|error| error.message.unwrap())
}

#[test]
fn quotas_are_found_by_filters() {
    let mut cluster = Cluster::new(0);
    let client: Entity<'_> = &[("client-id", Some("c"))];
    let both: Entity<'_> = &[("user", Some("u")), ("client-id", Some("c"))];
    let default_user: Entity<'_> = &[("user", None)];
    let set = |entity| entry(entity, &[(RATE, Some(1000.0))]);
    let all = [set(USER_U), set(client), set(both), set(default_user)];
    assert!(alter(&mut cluster, all.to_vec()).iter().all(|(code, _)| *code == 0));
    let offset = cluster.next_offset;
    assert_eq!(alter(&mut cluster, vec![set(USER_U)]), [(0, String::new())]);
    assert_eq!(cluster.next_offset, offset, "an equal value is no change");

    const EXACT: i8 = 0;
    const DEFAULT: i8 = 1;
    const ANY: i8 = 2;
    let found = |components: &[_], strict| describe(&cluster, components, strict).unwrap();
    assert_eq!(found(&[], false), 4);
    assert_eq!(found(&[], true), 0);
    assert_eq!(found(&[("user", EXACT, Some("u"))], false), 2);
    assert_eq!(found(&[("user", EXACT, Some("u"))], true), 1);
    assert_eq!(found(&[("user", DEFAULT, None)], false), 1);
    assert_eq!(found(&[("user", ANY, None)], false), 3);
    assert_eq!(found(&[("user", ANY, None), ("client-id", ANY, None)], true), 1);
    assert_eq!(found(&[("ip", ANY, None)], false), 0);

    let refused = |components: &[_], message: &str| {
        assert_eq!(describe(&cluster, components, false), Err(message.to_owned()));
    };
    refused(&[("", ANY, None)], "Invalid empty entity type.");
    refused(&[("foo", ANY, None)], "Unsupported entity type foo");
    refused(&[("user", EXACT, None)], "Request specified MATCH_TYPE_EXACT, but set match string to null.");
    refused(
        &[("user", DEFAULT, Some("u"))],
        "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
    );
    refused(
        &[("user", ANY, Some("u"))],
        "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.",
    );
    refused(&[("user", 5, None)], "Unknown match type 5");
    let user = ("user", ANY, None);
    refused(&[user, user], "Entity type user cannot appear more than once in the filter.");
    let message = "Invalid entity filter component combination. IP filter component should not be used with user or \
                   clientId filter component.";
    refused(&[user, ("ip", ANY, None)], message);

    let removed = entry(USER_U, &[(RATE, None), ("consumer_byte_rate", None)]);
    assert_eq!(alter(&mut cluster, vec![removed]), [(0, String::new())]);
    assert_eq!(cluster.image().client_quotas.iter().count(), 3);
}

fn upsertion(
    name: &str,
    mechanism: i8,
    iterations: i32,
    salted_password: Vec<u8>,
) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion {
        name: name.into(),
        mechanism,
        iterations,
        salt: Bytes::from_static(b"salt"),
        salted_password: salted_password.into(),
        ..Default::default()
    }
}

fn deletion(name: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion { name: name.into(), mechanism, ..Default::default() }
}

fn alter_scram(
    cluster: &mut Cluster,
    deletions: Vec<ScramCredentialDeletion>,
    upsertions: Vec<ScramCredentialUpsertion>,
) -> Vec<(String, i16, String)> {
    let request = AlterUserScramCredentialsRequest { deletions, upsertions, ..Default::default() };
    let image = cluster.image().clone();
    let result = cluster.controller.alter_user_scram_credentials(&image, &request);
    let results = cluster.commit(result).results;
    results.into_iter().map(|r| (r.user, r.error_code, r.error_message.unwrap_or_default())).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// PBKDF2 of the password `pw` with the salt `salt`, 4096 times.
const SALTED_256: &str = "5131450a01e6fdc6de870d65ce2c4cc42085230bbfdc630b0e42d25c429d0609";
const SALTED_512: &str = "e010097e86661ec7326a829a0c03ed85ca7e8904690363b0fdf77e9a73fef09091db0dd6c1770a017915cf6c3eb3454106243ab73d26a8eb0a7f9dd212d91e09";

#[test]
fn keys_are_derived_as_kafka_derives_them() {
    let mut cluster = Cluster::new(0);
    let results = alter_scram(
        &mut cluster,
        vec![],
        vec![upsertion("u", 1, 4096, bytes(SALTED_256)), upsertion("v", 2, 4096, bytes(SALTED_512))],
    );
    assert_eq!(results, [("u".into(), 0, String::new()), ("v".into(), 0, String::new())]);
    // From the metadata log of Apache Kafka 4.4.0 after the same request.
    let of = |mechanism, user| cluster.image().scram.credential(mechanism, user).unwrap();
    let sha_256 = of(ScramMechanism::Sha256, "u");
    assert_eq!(sha_256.stored_key, bytes("33a804b3beca68a23f44a53cf922d65297a7a658526973600159e39573fc4417"));
    assert_eq!(sha_256.server_key, bytes("d83650a95cb6be7a2703190f51865e77e0ba757998e98a6ab32e9006aa38643d"));
    let sha_512 = of(ScramMechanism::Sha512, "v");
    assert_eq!(
        sha_512.stored_key,
        bytes(
            "4f8293b781a01366cfa2a612d8c0a40d2177f2c065d011c621709fb5fb0058162f4700083064fc480ac04e5f40d5695f8d6f7e5af46d8845550c115a5b4715f1"
        )
    );
    assert_eq!(
        sha_512.server_key,
        bytes(
            "57f554563f838af98e60286cb670d3428620f334334699bfcca2138df87e4b3f40916485d4f4f5529ba95ac2eebb8af608be227d25478b1b3bdcf0d3c278cc36"
        )
    );
    assert_eq!((sha_256.iterations, &sha_256.salt[..]), (4096, &b"salt"[..]));
    assert!(!format!("{sha_256:?}").contains("salt"));
}

#[test]
fn credentials_that_cannot_be_are_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(0);
    let mut refused = |deletions: &[_], upsertions: &[_], code: ErrorCode, message: &str| {
        let results = alter_scram(&mut cluster, deletions.to_vec(), upsertions.to_vec());
        assert_eq!((results[0].1, results[0].2.as_str()), (i16::from(code), message));
    };
    use ErrorCode as E;
    let good = upsertion("u", 1, 4096, vec![1]);
    refused(&[], &[upsertion("u", 1, 4095, vec![1])], E::UnacceptableCredential, "Too few iterations");
    refused(&[], &[upsertion("u", 1, 16385, vec![1])], E::UnacceptableCredential, "Too many iterations");
    refused(&[], &[upsertion("u", 3, 4096, vec![1])], E::UnsupportedSaslMechanism, "Unknown SCRAM mechanism");
    refused(&[deletion("", 1)], &[], E::UnacceptableCredential, "Username must not be empty");
    let missing = "Attempt to delete a user credential that does not exist";
    refused(&[deletion("u", 1)], &[], E::ResourceNotFound, missing);
    let twice = "A user credential cannot be altered twice in the same request";
    refused(&[], &[good.clone(), good], E::DuplicateResource, twice);
    assert_eq!(cluster.image().scram.iter().count(), 0);
}

#[test]
fn credentials_are_described_without_keys_and_removed() {
    let mut cluster = Cluster::new(0);
    let both = vec![upsertion("u", 1, 4096, vec![1]), upsertion("v", 2, 8192, vec![2])];
    alter_scram(&mut cluster, vec![], both);
    let describe = |cluster: &Cluster, users: Option<&[&str]>| {
        let user = |name: &&str| UserName { name: (*name).into(), ..Default::default() };
        let users = users.map(|users| users.iter().map(user).collect());
        let request = DescribeUserScramCredentialsRequest { users, ..Default::default() };
        let results = cluster.controller.describe_user_scram_credentials(cluster.image(), &request).results;
        results
            .into_iter()
            .map(|r| {
                let infos: Vec<_> = r.credential_infos.iter().map(|i| (i.mechanism, i.iterations)).collect();
                (r.user, r.error_code, r.error_message.unwrap_or_default(), infos)
            })
            .collect::<Vec<_>>()
    };
    let u = ("u".to_owned(), 0, String::new(), vec![(1, 4096)]);
    let v = ("v".to_owned(), 0, String::new(), vec![(2, 8192)]);
    assert_eq!(describe(&cluster, None), [u.clone(), v.clone()]);
    assert_eq!(describe(&cluster, Some(&[])), [u.clone(), v.clone()]);
    let missing = "Attempt to describe a user credential that does not exist: x".to_owned();
    let twice = "Cannot describe SCRAM credentials for the same user twice in a single request: v".to_owned();
    let expected = [u, ("v".into(), 92, twice, vec![]), ("x".into(), 91, missing, vec![])];
    assert_eq!(describe(&cluster, Some(&["u", "v", "v", "x"])), expected);
    assert_eq!(alter_scram(&mut cluster, vec![deletion("u", 1)], vec![])[0].1, 0);
    assert_eq!(describe(&cluster, None), [v]);
}
