//! Our tables of error codes and APIs agree with Kafka's.

use std::collections::BTreeSet;

use protocol::{ApiKey, ErrorCode, request_header_version, response_header_version};

use crate::setup::vectors_file;

#[test]
fn error_codes_and_apis_are_kafkas() {
    let Some(facts) = vectors_file("facts.txt") else { return };
    let theirs: BTreeSet<String> = String::from_utf8(facts).unwrap().lines().map(str::to_owned).collect();
    let errors =
        ErrorCode::all().map(|code| format!("error {} {code} {}", code.as_i16(), code.is_retriable()));
    let apis = ApiKey::all().flat_map(|api| {
        api.versions().map(move |version| {
            format!(
                "api {} {api} {version} {} {} {}",
                api.as_i16(),
                request_header_version(api, version),
                response_header_version(api, version),
                api.stable_versions().contains(&version)
            )
        })
    });
    let ours: BTreeSet<String> = errors.chain(apis).collect();
    let differences: Vec<_> = ours.symmetric_difference(&theirs).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}
