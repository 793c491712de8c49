//! The records of a new cluster, and changes of feature levels.

use controller::{bootstrap_features, features};
use metadata::{ConfigResource, MetadataVersion};
use protocol::messages::UpdateFeaturesRequest;
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::metadata_records::MetadataRecord;

use crate::cluster::Cluster;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

#[test]
fn a_new_cluster_begins_as_kafkas_does() {
    let cluster = Cluster::new(0);
    let records = cluster.controller.activation_records(&metadata::MetadataImage::empty(), None);
    let brief: Vec<String> = records
        .iter()
        .map(|record| match record {
            MetadataRecord::BeginTransaction(r) => format!("begin {}", r.name.as_deref().unwrap_or("")),
            MetadataRecord::FeatureLevel(r) => format!("{}={}", r.name, r.feature_level),
            MetadataRecord::Config(r) => {
                format!("{} {:?} {}={:?}", r.resource_type, r.resource_name, r.name, r.value)
            }
            MetadataRecord::EndTransaction(_) => "end".to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    let expected = [
        "begin Bootstrap records",
        "metadata.version=33",
        "eligible.leader.replicas.version=1",
        "group.version=1",
        "share.version=2",
        "streams.version=1",
        "transaction.version=2",
        "4 \"\" min.insync.replicas=Some(\"1\")",
        "end",
    ];
    assert_eq!(brief, expected);
    assert_eq!(cluster.image().features.metadata_version(), Some(MetadataVersion::LATEST));
    assert!(cluster.image().is_elr_enabled());
    assert_eq!(cluster.image().configs.of(&ConfigResource::default_broker()).len(), 1);
    assert_eq!(cluster.controller.activation_records(cluster.image(), None), []);
    let abort = cluster.controller.activation_records(cluster.image(), Some(5));
    assert!(matches!(abort.as_slice(), [MetadataRecord::AbortTransaction(_)]));
}

#[test]
fn a_cluster_starts_with_what_it_supports_and_no_more() {
    for feature in features::SUPPORTED {
        assert!(feature.range().contains(feature.bootstrap), "{}", feature.name);
    }
    let names: Vec<String> = bootstrap_features(features::SUPPORTED)
        .iter()
        .map(|record| match record {
            MetadataRecord::FeatureLevel(record) => record.name.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names[0], "metadata.version");
    assert!(names[1..].is_sorted() && !names.contains(&"kraft.version".to_owned()));
}

fn update(cluster: &mut Cluster, feature: &str, level: i16, upgrade_type: i8) -> (i16, String) {
    let request = UpdateFeaturesRequest {
        feature_updates: vec![FeatureUpdateKey {
            feature: feature.into(),
            max_version_level: level,
            upgrade_type,
            ..Default::default()
        }],
        ..Default::default()
    };
    let image = cluster.image().clone();
    let result = cluster.controller.update_features(&image, &request, 2, 0);
    let response = cluster.commit(result);
    (response.error_code, response.error_message.unwrap_or_default())
}

#[test]
fn what_cannot_be_changed_is_refused_in_kafkas_words() {
    let mut cluster = Cluster::new(1);
    let cases = [
        (
            "metadata.version",
            32,
            SAFE_DOWNGRADE,
            "Unsupported metadata.version downgrade from 33 to 32. Refusing to \
            perform the requested downgrade because it might delete metadata information.",
        ),
        (
            "metadata.version",
            32,
            UNSAFE_DOWNGRADE,
            "Unsupported metadata.version downgrade from 33 to 32. Unsafe \
            metadata downgrade is not supported in this version.",
        ),
        (
            "metadata.version",
            34,
            UPGRADE,
            "Invalid update version 34 for feature metadata.version. Local controller 1 \
            only supports versions 7-33",
        ),
        (
            "metadata.version",
            3,
            SAFE_DOWNGRADE,
            "Invalid update version 3 for feature metadata.version. Local \
            controller 1 only supports versions 7-33",
        ),
        (
            "foo",
            1,
            UPGRADE,
            "Invalid update version 1 for feature foo. Local controller 1 does not support this \
            feature.",
        ),
        (
            "eligible.leader.replicas.version",
            0,
            UPGRADE,
            "Invalid update version 0 for feature \
            eligible.leader.replicas.version. Can't downgrade the version of this feature without setting the upgrade \
            type to either safe or unsafe downgrade.",
        ),
        (
            "eligible.leader.replicas.version",
            -1,
            SAFE_DOWNGRADE,
            "Invalid update version -1 for feature \
            eligible.leader.replicas.version. A feature version cannot be less than 0.",
        ),
        (
            "metadata.version",
            33,
            9,
            "Invalid update version 33 for feature metadata.version. The controller does not \
            support the given upgrade type.",
        ),
    ];
    for (feature, level, upgrade_type, why) in cases {
        let message =
            format!("The update failed for all features since the following feature had an error: {why}");
        assert_eq!(update(&mut cluster, feature, level, upgrade_type), (95, message));
    }
}

#[test]
fn eligible_leader_replicas_can_be_turned_off_and_on() {
    let mut cluster = Cluster::new(1);
    let feature = "eligible.leader.replicas.version";
    assert_eq!(update(&mut cluster, feature, 0, SAFE_DOWNGRADE), (0, String::new()));
    assert!(!cluster.image().is_elr_enabled());
    let message = "The update failed for all features since the following feature had an error: Invalid update version \
                   1 for feature eligible.leader.replicas.version. Can't downgrade to a newer version.";
    assert_eq!(update(&mut cluster, feature, 1, SAFE_DOWNGRADE), (95, message.to_owned()));

    // Without them, brokers may have a number of their own; turning them on makes it one for all.
    let config = |name: &str, value: Option<&str>| {
        MetadataRecord::Config(protocol::metadata_records::ConfigRecord {
            resource_type: 4,
            resource_name: name.into(),
            name: "min.insync.replicas".into(),
            value: value.map(str::to_owned),
            ..Default::default()
        })
    };
    cluster.append(vec![config("1", Some("2")), config("", None)]);
    assert_eq!(update(&mut cluster, feature, 1, UPGRADE), (0, String::new()));
    assert!(cluster.image().is_elr_enabled());
    assert!(cluster.image().configs.of(&ConfigResource::broker(1)).is_empty());
    let cluster_wide = cluster.image().configs.of(&ConfigResource::default_broker());
    assert_eq!(cluster_wide.get("min.insync.replicas").map(String::as_str), Some("1"));
}

#[test]
fn every_node_must_support_a_level() {
    let mut cluster = Cluster::new(1);
    let mut old = cluster.registration(2, -1);
    for feature in features::SUPPORTED.iter().filter(|feature| feature.min == 0 && feature.max > 0) {
        update(&mut cluster, feature.name, 0, SAFE_DOWNGRADE);
    }
    old.features.retain(|feature| feature.name == "metadata.version");
    cluster.register(&old).unwrap();
    let message = "The update failed for all features since the following feature had an error: Invalid update version \
                   1 for feature eligible.leader.replicas.version. Broker 2 does not support this feature.";
    let refused = (95, message.to_owned());
    assert_eq!(update(&mut cluster, "eligible.leader.replicas.version", 1, UPGRADE), refused);
}

#[test]
fn all_updates_are_made_or_none() {
    let mut cluster = Cluster::new(1);
    let key = |feature: &str, max_version_level, upgrade_type| FeatureUpdateKey {
        feature: feature.into(),
        max_version_level,
        upgrade_type,
        ..Default::default()
    };
    let mut request = UpdateFeaturesRequest {
        feature_updates: vec![
            key("eligible.leader.replicas.version", 0, SAFE_DOWNGRADE),
            key("foo", 1, UPGRADE),
        ],
        ..Default::default()
    };
    let image = cluster.image().clone();
    assert!(cluster.controller.update_features(&image, &request, 2, 0).records.is_empty());
    request.feature_updates.pop();
    request.validate_only = true;
    let result = cluster.controller.update_features(&image, &request, 1, 0);
    assert!(result.records.is_empty());
    let results: Vec<_> =
        result.response.results.iter().map(|r| (r.feature.as_str(), r.error_code)).collect();
    assert_eq!(results, [("eligible.leader.replicas.version", 0)]);
    request.validate_only = false;
    let result = cluster.controller.update_features(&image, &request, 2, 0);
    assert!(result.response.results.is_empty());
    cluster.commit(result);
    assert!(!cluster.image().is_elr_enabled());
}
