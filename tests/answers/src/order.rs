//! Lists that Kafka answers in the order of a hash map, or shuffled, are put in one order before they are compared.

use std::any::Any;

use protocol::messages::list_config_resources_response::ConfigResource;
use protocol::messages::{
    AlterClientQuotasResponse, DeleteTopicsResponse, DescribeConfigsResponse,
    DescribeUserScramCredentialsResponse, ListConfigResourcesResponse,
};

/// Sorts the lists of an answer whose order says nothing; other answers stay as they are.
pub fn settle(response: &mut dyn Any) {
    if let Some(response) = response.downcast_mut::<DescribeConfigsResponse>() {
        for result in &mut response.results {
            result.configs.sort_by(|a, b| a.name.cmp(&b.name));
        }
    } else if let Some(response) = response.downcast_mut::<DescribeUserScramCredentialsResponse>() {
        response.results.sort_by(|a, b| a.user.cmp(&b.user));
    } else if let Some(response) = response.downcast_mut::<ListConfigResourcesResponse>() {
        let place = |resource: &ConfigResource| (resource.resource_type, resource.resource_name.clone());
        response.config_resources.sort_by_key(place);
    } else if let Some(response) = response.downcast_mut::<DeleteTopicsResponse>() {
        response.responses.sort_by(|a, b| a.name.cmp(&b.name));
    } else if let Some(response) = response.downcast_mut::<AlterClientQuotasResponse>() {
        for entry in &mut response.entries {
            entry.entity.sort_by(|a, b| a.entity_type.cmp(&b.entity_type));
        }
    }
}
