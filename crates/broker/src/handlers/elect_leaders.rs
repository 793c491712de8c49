//! ElectLeaders (key 43, v0-2). Preferred leaders, or unclean ones where there is no other (KIP-460).

use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::context::RequestContext;
use crate::controller_client::settle;

/// Has the controller elect them.
pub async fn handle(context: &RequestContext, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let decided = context
        .broker
        .controller
        .decide(move |deciding| settle(deciding.controller.elect_leaders(deciding.image, &request)));
    let error = match decided.await {
        Ok(Ok(response)) => return response,
        Ok(Err(refusal)) => refusal.code,
        Err(error) => error,
    };
    ElectLeadersResponse { error_code: error.as_i16(), ..Default::default() }
}
