//! Controllers come and go (ControllerRegistration 70, UnregisterController 94).

use metadata::MetadataImage;
use protocol::ErrorCode;
use protocol::messages::{
    ControllerRegistrationRequest, ControllerRegistrationResponse, UnregisterControllerRequest,
    UnregisterControllerResponse, controller_registration_request,
};
use protocol::metadata_records::{
    MetadataRecord, RegisterControllerRecord, UnregisterControllerRecord, register_controller_record,
};

use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;

impl Controller {
    /// Registers a controller of the quorum, so that the cluster knows what it supports (KIP-919).
    pub fn register_controller(
        &self,
        image: &MetadataImage,
        request: &ControllerRegistrationRequest,
    ) -> ControllerResult<ControllerRegistrationResponse> {
        if !image.write_options().metadata_version.supports_controller_registration() {
            return ControllerResult::unchanged(ControllerRegistrationResponse {
                error_code: ErrorCode::UnsupportedVersion.into(),
                error_message: Some(
                    "The current MetadataVersion is too old to support controller registrations.".to_owned(),
                ),
                ..Default::default()
            });
        }
        let end_point = |listener: &controller_registration_request::Listener| {
            register_controller_record::ControllerEndpoint {
                name: listener.name.clone(),
                host: listener.host.clone(),
                port: listener.port,
                security_protocol: listener.security_protocol,
                ..Default::default()
            }
        };
        let feature = |feature: &controller_registration_request::Feature| {
            register_controller_record::ControllerFeature {
                name: feature.name.clone(),
                min_supported_version: feature.min_supported_version,
                max_supported_version: feature.max_supported_version,
                ..Default::default()
            }
        };
        let record = MetadataRecord::RegisterController(RegisterControllerRecord {
            controller_id: request.controller_id,
            incarnation_id: request.incarnation_id,
            zk_migration_ready: false,
            end_points: request.listeners.iter().map(end_point).collect(),
            features: request.features.iter().map(feature).collect(),
            ..Default::default()
        });
        let response = ControllerRegistrationResponse {
            error_code: ErrorCode::None.into(),
            error_message: None,
            ..Default::default()
        };
        ControllerResult::new(vec![record], response)
    }

    /// Removes a controller that will not come back (KIP-1312).
    pub fn unregister_controller(
        &self,
        image: &MetadataImage,
        request: &UnregisterControllerRequest,
    ) -> ControllerResult<UnregisterControllerResponse> {
        let controller_id = request.controller_id;
        let checked = self.check_unregister_controller(image, controller_id);
        let (error_code, error_message) = code_and_message(&checked);
        let record = checked.is_ok().then(|| {
            MetadataRecord::UnregisterController(UnregisterControllerRecord {
                controller_id,
                ..Default::default()
            })
        });
        let response = UnregisterControllerResponse { error_code, error_message, ..Default::default() };
        ControllerResult::new(record.into_iter().collect(), response)
    }

    fn check_unregister_controller(&self, image: &MetadataImage, controller_id: i32) -> Result<(), ApiError> {
        if controller_id == self.settings.node_id {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "Controller cannot unregister itself while it is active.",
            ));
        }
        if !image.write_options().metadata_version.supports_controller_unregistration() {
            return Err(ApiError::new(
                ErrorCode::UnsupportedVersion,
                "The current MetadataVersion is too old to support controller unregistration.",
            ));
        }
        if !image.cluster.controllers().contains_key(&controller_id) {
            return Err(ApiError::new(
                ErrorCode::ControllerIdNotRegistered,
                format!("Controller ID {controller_id} is not currently registered."),
            ));
        }
        Ok(())
    }
}
