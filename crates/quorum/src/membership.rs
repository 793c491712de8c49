//! Membership as Kafka's Voters record, and back.
//!
//! The record holds one set of voters. A membership that is more (two sets while voters change, or learners)
//! goes along as a tagged field of ours, which Kafka's readers pass over.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{
    UnknownTaggedField,
    control_records::voters_record::{Endpoint, KRaftVersionFeature, Voter, VotersRecord},
};

use crate::{
    error::QuorumError,
    type_config::{Membership, VoterEndpoint, VoterNode},
};

/// `kraft.version` that knows directory ids and Voters records (KIP-853).
pub(crate) const KRAFT_VERSION: i16 = 1;

/// Our tag: far from those that Kafka hands out one by one.
pub(crate) const PRIVATE_TAG: u32 = 0x4b4c;

pub(crate) fn to_voters_record(membership: &Membership) -> VotersRecord {
    let voter_ids: BTreeSet<i32> = membership.voter_ids().collect();
    let voters = membership
        .nodes()
        .filter(|(id, _)| voter_ids.contains(id))
        .map(|(id, node)| Voter {
            voter_id: *id,
            voter_directory_id: node.directory_id,
            endpoints: node
                .endpoints
                .iter()
                .map(|endpoint| Endpoint {
                    name: endpoint.name.clone(),
                    host: endpoint.host.clone(),
                    port: endpoint.port,
                    ..Default::default()
                })
                .collect(),
            kraft_version_feature: KRaftVersionFeature {
                max_supported_version: KRAFT_VERSION,
                ..Default::default()
            },
            ..Default::default()
        })
        .collect();
    let is_one_set =
        membership.get_joint_config().len() == 1 && voter_ids.len() == membership.nodes().count();
    let unknown_tagged_fields = if is_one_set { Vec::new() } else { vec![private_field(membership)] };
    VotersRecord { version: 0, voters, unknown_tagged_fields }
}

pub(crate) fn from_voters_record(record: VotersRecord) -> Result<Membership, QuorumError> {
    if let Some(field) = record.unknown_tagged_fields.iter().find(|field| field.tag == PRIVATE_TAG) {
        return serde_json::from_slice(&field.data)
            .map_err(|error| QuorumError::corrupt(format!("membership of a Voters record: {error}")));
    }
    let nodes: BTreeMap<i32, VoterNode> = record
        .voters
        .into_iter()
        .map(|voter| {
            let endpoints = voter
                .endpoints
                .into_iter()
                .map(|endpoint| VoterEndpoint {
                    name: endpoint.name,
                    host: endpoint.host,
                    port: endpoint.port,
                })
                .collect();
            (voter.voter_id, VoterNode { directory_id: voter.voter_directory_id, endpoints })
        })
        .collect();
    Ok(Membership::from(nodes))
}

/// A value of ours as the content of a tagged field.
pub(crate) fn private_field<T: serde::Serialize>(value: &T) -> UnknownTaggedField {
    let data = serde_json::to_vec(value).expect("plain values have a JSON form");
    UnknownTaggedField { tag: PRIVATE_TAG, data: Bytes::from(data) }
}

#[cfg(test)]
mod tests {
    use protocol::Uuid;

    use super::*;

    fn node(id: u8) -> VoterNode {
        let endpoint = VoterEndpoint { name: "CONTROLLER".into(), host: format!("host{id}"), port: 9093 };
        VoterNode { directory_id: Uuid([id; 16]), endpoints: vec![endpoint] }
    }

    #[test]
    fn a_plain_membership_is_a_plain_record() {
        let membership = Membership::from(BTreeMap::from([(1, node(1)), (2, node(2))]));
        let record = to_voters_record(&membership);
        assert!(record.unknown_tagged_fields.is_empty());
        assert_eq!(record.voters.iter().map(|voter| voter.voter_id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(from_voters_record(record).unwrap(), membership);
    }

    #[test]
    fn joint_sets_and_learners_survive() {
        let nodes = BTreeMap::from([(1, node(1)), (2, node(2)), (3, node(3))]);
        let joint = Membership::new(vec![BTreeSet::from([1]), BTreeSet::from([1, 2])], nodes);
        let record = to_voters_record(&joint);
        assert_eq!(record.voters.len(), 2);
        assert_eq!(from_voters_record(record).unwrap(), joint);
    }
}
