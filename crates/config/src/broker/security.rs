//! Broker keys: encryption, authentication and authorization.

use crate::table::config_table;
use crate::value::{Class, Password};

config_table! {
    /// Encryption, authentication and authorization; none of it is enforced yet, so each is refused
    /// unless it is left at its default.
    SecurityConfig {
        authorizer_class_name: String = "authorizer.class.name" => "", Low, Any;

        connections_max_reauth_ms: i64 = "connections.max.reauth.ms" => "0", Medium, Any;

        delegation_token_expiry_check_interval_ms: i64 = "delegation.token.expiry.check.interval.ms" => "3600000",
            Low, AtLeast(1);

        delegation_token_expiry_time_ms: i64 = "delegation.token.expiry.time.ms" => "86400000",
            Medium, AtLeast(1);

        delegation_token_max_lifetime_ms: i64 = "delegation.token.max.lifetime.ms" => "604800000",
            Medium, AtLeast(1);

        delegation_token_secret_key: Option<Password> = "delegation.token.secret.key" => null, Medium, Any;

        principal_builder_class: Class = "principal.builder.class" => "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
            Medium, Any, per_broker();

        sasl_client_callback_handler_class: Option<Class> = "sasl.client.callback.handler.class" => null,
            Medium, Any;

        sasl_enabled_mechanisms: Vec<String> = "sasl.enabled.mechanisms" => "GSSAPI", Medium, crate::Valid::LIST,
            per_broker();

        sasl_jaas_config: Option<Password> = "sasl.jaas.config" => null, Medium, Any, per_broker();

        sasl_kerberos_kinit_cmd: String = "sasl.kerberos.kinit.cmd" => "/usr/bin/kinit", Medium, Any,
            per_broker();

        sasl_kerberos_min_time_before_relogin: i64 = "sasl.kerberos.min.time.before.relogin" => "60000",
            Medium, Any, per_broker();

        sasl_kerberos_principal_to_local_rules: Vec<String> = "sasl.kerberos.principal.to.local.rules" => "DEFAULT",
            Medium, crate::Valid::LIST, per_broker();

        sasl_kerberos_service_name: Option<String> = "sasl.kerberos.service.name" => null, Medium, Any,
            per_broker();

        sasl_kerberos_ticket_renew_jitter: f64 = "sasl.kerberos.ticket.renew.jitter" => "0.05", Medium, Any,
            per_broker();

        sasl_kerberos_ticket_renew_window_factor: f64 = "sasl.kerberos.ticket.renew.window.factor" => "0.8",
            Medium, Any, per_broker();

        sasl_login_callback_handler_class: Option<Class> = "sasl.login.callback.handler.class" => null,
            Medium, Any;

        sasl_login_class: Option<Class> = "sasl.login.class" => null, Medium, Any;

        sasl_login_connect_timeout_ms: Option<i32> = "sasl.login.connect.timeout.ms" => null, Low, Any;

        sasl_login_read_timeout_ms: Option<i32> = "sasl.login.read.timeout.ms" => null, Low, Any;

        sasl_login_refresh_buffer_seconds: i16 = "sasl.login.refresh.buffer.seconds" => "300", Medium, Any,
            per_broker();

        sasl_login_refresh_min_period_seconds: i16 = "sasl.login.refresh.min.period.seconds" => "60",
            Medium, Any, per_broker();

        sasl_login_refresh_window_factor: f64 = "sasl.login.refresh.window.factor" => "0.8", Medium, Any,
            per_broker();

        sasl_login_refresh_window_jitter: f64 = "sasl.login.refresh.window.jitter" => "0.05", Medium, Any,
            per_broker();

        sasl_login_retry_backoff_max_ms: i64 = "sasl.login.retry.backoff.max.ms" => "10000", Low, Any;

        sasl_login_retry_backoff_ms: i64 = "sasl.login.retry.backoff.ms" => "100", Low, Any;

        sasl_mechanism_controller_protocol: String = "sasl.mechanism.controller.protocol" => "GSSAPI",
            High, Any;

        sasl_mechanism_inter_broker_protocol: String = "sasl.mechanism.inter.broker.protocol" => "GSSAPI",
            Medium, Any, per_broker();

        sasl_oauthbearer_allow_unverified_audience: bool = "sasl.oauthbearer.allow.unverified.audience" => "false",
            Medium, Any;

        sasl_oauthbearer_allow_unverified_issuer: bool = "sasl.oauthbearer.allow.unverified.issuer" => "false",
            Medium, Any;

        sasl_oauthbearer_assertion_algorithm: String = "sasl.oauthbearer.assertion.algorithm" => "RS256",
            Medium, OneOfAnyCase(&["ES256", "RS256"]);

        sasl_oauthbearer_assertion_claim_aud: Option<String> = "sasl.oauthbearer.assertion.claim.aud" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_claim_exp_seconds: i32 = "sasl.oauthbearer.assertion.claim.exp.seconds" => "300",
            Low, Between(0, 86400);

        sasl_oauthbearer_assertion_claim_iss: Option<String> = "sasl.oauthbearer.assertion.claim.iss" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_claim_jti_include: bool = "sasl.oauthbearer.assertion.claim.jti.include" => "false",
            Medium, Any;

        sasl_oauthbearer_assertion_claim_nbf_seconds: i32 = "sasl.oauthbearer.assertion.claim.nbf.seconds" => "60",
            Low, Between(0, 3600);

        sasl_oauthbearer_assertion_claim_sub: Option<String> = "sasl.oauthbearer.assertion.claim.sub" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_file: Option<String> = "sasl.oauthbearer.assertion.file" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_private_key_file: Option<String> = "sasl.oauthbearer.assertion.private.key.file" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_private_key_passphrase: Option<Password> = "sasl.oauthbearer.assertion.private.key.passphrase" => null,
            Medium, Any;

        sasl_oauthbearer_assertion_template_file: Option<String> = "sasl.oauthbearer.assertion.template.file" => null,
            Medium, Any;

        sasl_oauthbearer_client_credentials_client_id: Option<String> = "sasl.oauthbearer.client.credentials.client.id" => null,
            Medium, Any;

        sasl_oauthbearer_client_credentials_client_secret: Option<Password> = "sasl.oauthbearer.client.credentials.client.secret" => null,
            Medium, Any;

        sasl_oauthbearer_clock_skew_seconds: i32 = "sasl.oauthbearer.clock.skew.seconds" => "30", Low, Any;

        sasl_oauthbearer_expected_audience: Vec<String> = "sasl.oauthbearer.expected.audience" => "",
            High, crate::Valid::LIST;

        sasl_oauthbearer_expected_issuer: Option<String> = "sasl.oauthbearer.expected.issuer" => null,
            High, Any;

        sasl_oauthbearer_jwks_endpoint_refresh_ms: i64 = "sasl.oauthbearer.jwks.endpoint.refresh.ms" => "3600000",
            Low, Any;

        sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms: i64 = "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" => "10000",
            Low, Any;

        sasl_oauthbearer_jwks_endpoint_retry_backoff_ms: i64 = "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" => "100",
            Low, Any;

        sasl_oauthbearer_jwks_endpoint_url: Option<String> = "sasl.oauthbearer.jwks.endpoint.url" => null,
            Medium, Any;

        sasl_oauthbearer_jwt_retriever_class: Class = "sasl.oauthbearer.jwt.retriever.class" => "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
            Medium, Any;

        sasl_oauthbearer_jwt_validator_class: Class = "sasl.oauthbearer.jwt.validator.class" => "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
            Medium, Any;

        sasl_oauthbearer_scope: Option<String> = "sasl.oauthbearer.scope" => null, Medium, Any;

        sasl_oauthbearer_scope_claim_name: String = "sasl.oauthbearer.scope.claim.name" => "scope", Low, Any;

        sasl_oauthbearer_sub_claim_name: String = "sasl.oauthbearer.sub.claim.name" => "sub", Low, Any;

        sasl_oauthbearer_token_endpoint_url: Option<String> = "sasl.oauthbearer.token.endpoint.url" => null,
            Medium, Any;

        sasl_server_callback_handler_class: Option<Class> = "sasl.server.callback.handler.class" => null,
            Medium, Any;

        sasl_server_max_receive_size: i32 = "sasl.server.max.receive.size" => "524288", Medium, Any;

        security_providers: Option<String> = "security.providers" => null, Low, Any;

        ssl_allow_dn_changes: bool = "ssl.allow.dn.changes" => "false", Low, Any;

        ssl_allow_san_changes: bool = "ssl.allow.san.changes" => "false", Low, Any;

        ssl_cipher_suites: Vec<String> = "ssl.cipher.suites" => "", Medium, crate::Valid::LIST, per_broker();

        ssl_client_auth: String = "ssl.client.auth" => "none",
            Medium, OneOf(&["required", "requested", "none"]), per_broker();

        ssl_enabled_protocols: Vec<String> = "ssl.enabled.protocols" => "TLSv1.2,TLSv1.3", Medium, crate::Valid::LIST,
            per_broker();

        ssl_endpoint_identification_algorithm: String = "ssl.endpoint.identification.algorithm" => "https",
            Low, Any, per_broker();

        ssl_engine_factory_class: Option<Class> = "ssl.engine.factory.class" => null, Low, Any, per_broker();

        ssl_key_password: Option<Password> = "ssl.key.password" => null, Medium, Any, per_broker();

        ssl_keymanager_algorithm: String = "ssl.keymanager.algorithm" => "SunX509", Medium, Any, per_broker();

        ssl_keystore_certificate_chain: Option<Password> = "ssl.keystore.certificate.chain" => null,
            Medium, Any, per_broker();

        ssl_keystore_key: Option<Password> = "ssl.keystore.key" => null, Medium, Any, per_broker();

        ssl_keystore_location: Option<String> = "ssl.keystore.location" => null, Medium, Any, per_broker();

        ssl_keystore_password: Option<Password> = "ssl.keystore.password" => null, Medium, Any, per_broker();

        ssl_keystore_type: String = "ssl.keystore.type" => "JKS", Medium, Any, per_broker();

        ssl_principal_mapping_rules: String = "ssl.principal.mapping.rules" => "DEFAULT", Low, Any;

        ssl_protocol: String = "ssl.protocol" => "TLSv1.3", Medium, Any, per_broker();

        ssl_provider: Option<String> = "ssl.provider" => null, Medium, Any, per_broker();

        ssl_secure_random_implementation: Option<String> = "ssl.secure.random.implementation" => null, Low, Any,
            per_broker();

        ssl_trustmanager_algorithm: String = "ssl.trustmanager.algorithm" => "PKIX", Medium, Any, per_broker();

        ssl_truststore_certificates: Option<Password> = "ssl.truststore.certificates" => null, Medium, Any,
            per_broker();

        ssl_truststore_location: Option<String> = "ssl.truststore.location" => null, Medium, Any, per_broker();

        ssl_truststore_password: Option<Password> = "ssl.truststore.password" => null, Medium, Any,
            per_broker();

        ssl_truststore_type: String = "ssl.truststore.type" => "JKS", Medium, Any, per_broker();
    }
}
