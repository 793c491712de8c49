//! DescribeCluster (key 60, v0-2). The brokers, the controller and the cluster's id (KIP-700).
//!
//! v1 can ask for controllers, on a controller listener only (KIP-919); v2 tells fenced brokers apart (KIP-1073).

use protocol::ErrorCode;
use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use crate::authorized_operations;
use crate::context::RequestContext;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Describes the cluster as seen from this connection's listener.
pub async fn handle(context: &RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse {
    match request.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            return refuse(
                ErrorCode::MismatchedEndpointType,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
            );
        }
        other => {
            let message = format!("Unsupported endpoint type {other}");
            return refuse(ErrorCode::UnsupportedEndpointType, &message);
        }
    }
    let image = context.broker.metadata.image();
    let mut brokers = Vec::new();
    for registration in image.cluster.brokers().values() {
        if registration.fenced && !request.include_fenced_brokers {
            continue;
        }
        let Some(endpoint) = context.endpoint(registration.id) else { continue };
        brokers.push(DescribeClusterBroker {
            broker_id: endpoint.node_id,
            host: endpoint.host,
            port: endpoint.port,
            rack: endpoint.rack,
            is_fenced: registration.fenced,
            ..Default::default()
        });
    }
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: context.broker.cluster_id.clone(),
        controller_id: context.controller_for_clients(),
        brokers,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            authorized_operations::CLUSTER
        } else {
            authorized_operations::NOT_ASKED
        },
        ..Default::default()
    }
}

fn refuse(error: ErrorCode, message: &str) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code: error.as_i16(),
        error_message: Some(message.to_string()),
        endpoint_type: BROKERS,
        ..Default::default()
    }
}
