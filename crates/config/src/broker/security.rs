//! Broker keys: encryption, authentication and authorization.

use super::{NO_AUTHORIZATION, NO_CLASSES, NO_ENCRYPTION, NO_SASL, NO_TOKENS};
use crate::table::config_table;
use crate::value::{Class, Password};

config_table! {
    /// Encryption, authentication and authorization; none of it is enforced yet, so each is refused
    /// unless it is left at its default.
    SecurityConfig {
        /// Java class that decides who may do what; empty for no limits.
        authorizer_class_name: String = "authorizer.class.name" => "", Low, Any, refused(NO_AUTHORIZATION);

        /// How long a connection that was authenticated by SASL lives before it must be authenticated
        /// again, in milliseconds; 0 for ever.
        connections_max_reauth_ms: i64 = "connections.max.reauth.ms" => "0", Medium, Any, refused(NO_SASL);

        /// How often delegation tokens are looked at for expired ones, in milliseconds.
        delegation_token_expiry_check_interval_ms: i64 = "delegation.token.expiry.check.interval.ms" => "3600000",
            Low, AtLeast(1), refused(NO_TOKENS);

        /// How long a delegation token lives unless it is renewed, in milliseconds.
        delegation_token_expiry_time_ms: i64 = "delegation.token.expiry.time.ms" => "86400000",
            Medium, AtLeast(1), refused(NO_TOKENS);

        /// How long a delegation token lives at most, in milliseconds.
        delegation_token_max_lifetime_ms: i64 = "delegation.token.max.lifetime.ms" => "604800000",
            Medium, AtLeast(1), refused(NO_TOKENS);

        /// The secret from which delegation tokens are made, the same on all nodes.
        delegation_token_secret_key: Option<Password> = "delegation.token.secret.key" => null, Medium, Any,
            refused(NO_TOKENS);

        /// Java class that makes the name of a user from a connection.
        principal_builder_class: Class = "principal.builder.class" => "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
            Medium, Any, per_broker(), refused(NO_CLASSES);

        /// Java class that answers the questions of a SASL mechanism for the broker as a client.
        sasl_client_callback_handler_class: Option<Class> = "sasl.client.callback.handler.class" => null,
            Medium, Any, refused(NO_SASL);

        /// SASL mechanisms that clients may use.
        sasl_enabled_mechanisms: Vec<String> = "sasl.enabled.mechanisms" => "GSSAPI", Medium, crate::Valid::LIST,
            per_broker(), refused(NO_SASL);

        /// Login modules and their options for SASL, in JAAS syntax.
        sasl_jaas_config: Option<Password> = "sasl.jaas.config" => null, Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Path of the program that gets Kerberos tickets.
        sasl_kerberos_kinit_cmd: String = "sasl.kerberos.kinit.cmd" => "/usr/bin/kinit", Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Shortest time between two logins at Kerberos, in milliseconds.
        sasl_kerberos_min_time_before_relogin: i64 = "sasl.kerberos.min.time.before.relogin" => "60000",
            Medium, Any, per_broker(), refused(NO_SASL);

        /// Rules that turn names of Kerberos into names of users, tried in their order.
        sasl_kerberos_principal_to_local_rules: Vec<String> = "sasl.kerberos.principal.to.local.rules" => "DEFAULT",
            Medium, crate::Valid::LIST, per_broker(), refused(NO_SASL);

        /// The name of this service at Kerberos.
        sasl_kerberos_service_name: Option<String> = "sasl.kerberos.service.name" => null, Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Part by which the time of a ticket's renewal varies at random.
        sasl_kerberos_ticket_renew_jitter: f64 = "sasl.kerberos.ticket.renew.jitter" => "0.05", Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Part of a ticket's life after which it is renewed.
        sasl_kerberos_ticket_renew_window_factor: f64 = "sasl.kerberos.ticket.renew.window.factor" => "0.8",
            Medium, Any, per_broker(), refused(NO_SASL);

        /// Java class that answers the questions of a login.
        sasl_login_callback_handler_class: Option<Class> = "sasl.login.callback.handler.class" => null,
            Medium, Any, refused(NO_SASL);

        /// Java class that logs in.
        sasl_login_class: Option<Class> = "sasl.login.class" => null, Medium, Any, refused(NO_SASL);

        /// How long a connection to the identity provider may take to be made, in milliseconds.
        sasl_login_connect_timeout_ms: Option<i32> = "sasl.login.connect.timeout.ms" => null, Low, Any,
            refused(NO_SASL);

        /// How long the answer of the identity provider may take, in milliseconds.
        sasl_login_read_timeout_ms: Option<i32> = "sasl.login.read.timeout.ms" => null, Low, Any,
            refused(NO_SASL);

        /// How long before a credential ends it is refreshed at the latest, in seconds.
        sasl_login_refresh_buffer_seconds: i16 = "sasl.login.refresh.buffer.seconds" => "300", Medium, Any,
            per_broker(), refused(NO_SASL);

        /// How long a credential is used at least before it is refreshed, in seconds.
        sasl_login_refresh_min_period_seconds: i16 = "sasl.login.refresh.min.period.seconds" => "60",
            Medium, Any, per_broker(), refused(NO_SASL);

        /// Part of a credential's life after which it is refreshed.
        sasl_login_refresh_window_factor: f64 = "sasl.login.refresh.window.factor" => "0.8", Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Part by which the time of a refresh varies at random.
        sasl_login_refresh_window_jitter: f64 = "sasl.login.refresh.window.jitter" => "0.05", Medium, Any,
            per_broker(), refused(NO_SASL);

        /// Longest pause between tries of a login at the identity provider, in milliseconds.
        sasl_login_retry_backoff_max_ms: i64 = "sasl.login.retry.backoff.max.ms" => "10000", Low, Any,
            refused(NO_SASL);

        /// First pause between tries of a login at the identity provider, in milliseconds.
        sasl_login_retry_backoff_ms: i64 = "sasl.login.retry.backoff.ms" => "100", Low, Any, refused(NO_SASL);

        /// SASL mechanism of connections to controllers.
        sasl_mechanism_controller_protocol: String = "sasl.mechanism.controller.protocol" => "GSSAPI",
            High, Any, refused(NO_SASL);

        /// SASL mechanism of connections between brokers.
        sasl_mechanism_inter_broker_protocol: String = "sasl.mechanism.inter.broker.protocol" => "GSSAPI",
            Medium, Any, per_broker(), refused(NO_SASL);

        /// Whether a token is taken whatever its audience.
        sasl_oauthbearer_allow_unverified_audience: bool = "sasl.oauthbearer.allow.unverified.audience" => "false",
            Medium, Any, refused(NO_SASL);

        /// Whether a token is taken whatever its issuer.
        sasl_oauthbearer_allow_unverified_issuer: bool = "sasl.oauthbearer.allow.unverified.issuer" => "false",
            Medium, Any, refused(NO_SASL);

        /// Algorithm that signs assertions.
        sasl_oauthbearer_assertion_algorithm: String = "sasl.oauthbearer.assertion.algorithm" => "RS256",
            Medium, OneOfAnyCase(&["ES256", "RS256"]), refused(NO_SASL);

        /// The audience that assertions name.
        sasl_oauthbearer_assertion_claim_aud: Option<String> = "sasl.oauthbearer.assertion.claim.aud" => null,
            Medium, Any, refused(NO_SASL);

        /// How long an assertion is valid, in seconds.
        sasl_oauthbearer_assertion_claim_exp_seconds: i32 = "sasl.oauthbearer.assertion.claim.exp.seconds" => "300",
            Low, Between(0, 86400), refused(NO_SASL);

        /// The issuer that assertions name.
        sasl_oauthbearer_assertion_claim_iss: Option<String> = "sasl.oauthbearer.assertion.claim.iss" => null,
            Medium, Any, refused(NO_SASL);

        /// Whether assertions carry an id of their own.
        sasl_oauthbearer_assertion_claim_jti_include: bool = "sasl.oauthbearer.assertion.claim.jti.include" => "false",
            Medium, Any, refused(NO_SASL);

        /// How long before its making an assertion becomes valid, in seconds.
        sasl_oauthbearer_assertion_claim_nbf_seconds: i32 = "sasl.oauthbearer.assertion.claim.nbf.seconds" => "60",
            Low, Between(0, 3600), refused(NO_SASL);

        /// The subject that assertions name.
        sasl_oauthbearer_assertion_claim_sub: Option<String> = "sasl.oauthbearer.assertion.claim.sub" => null,
            Medium, Any, refused(NO_SASL);

        /// File with an assertion made elsewhere.
        sasl_oauthbearer_assertion_file: Option<String> = "sasl.oauthbearer.assertion.file" => null,
            Medium, Any, refused(NO_SASL);

        /// File with the key that signs assertions.
        sasl_oauthbearer_assertion_private_key_file: Option<String> = "sasl.oauthbearer.assertion.private.key.file" => null,
            Medium, Any, refused(NO_SASL);

        /// The passphrase of that key.
        sasl_oauthbearer_assertion_private_key_passphrase: Option<Password> = "sasl.oauthbearer.assertion.private.key.passphrase" => null,
            Medium, Any, refused(NO_SASL);

        /// File with further claims and headers of assertions.
        sasl_oauthbearer_assertion_template_file: Option<String> = "sasl.oauthbearer.assertion.template.file" => null,
            Medium, Any, refused(NO_SASL);

        /// The name by which a token is asked for.
        sasl_oauthbearer_client_credentials_client_id: Option<String> = "sasl.oauthbearer.client.credentials.client.id" => null,
            Medium, Any, refused(NO_SASL);

        /// The secret by which a token is asked for.
        sasl_oauthbearer_client_credentials_client_secret: Option<Password> = "sasl.oauthbearer.client.credentials.client.secret" => null,
            Medium, Any, refused(NO_SASL);

        /// By how much the clocks of broker and identity provider may differ, in seconds.
        sasl_oauthbearer_clock_skew_seconds: i32 = "sasl.oauthbearer.clock.skew.seconds" => "30", Low, Any,
            refused(NO_SASL);

        /// Audiences of which a token must name one.
        sasl_oauthbearer_expected_audience: Vec<String> = "sasl.oauthbearer.expected.audience" => "",
            High, crate::Valid::LIST, refused(NO_SASL);

        /// The issuer that a token must name.
        sasl_oauthbearer_expected_issuer: Option<String> = "sasl.oauthbearer.expected.issuer" => null,
            High, Any, refused(NO_SASL);

        /// How often the identity provider's keys are fetched anew, in milliseconds.
        sasl_oauthbearer_jwks_endpoint_refresh_ms: i64 = "sasl.oauthbearer.jwks.endpoint.refresh.ms" => "3600000",
            Low, Any, refused(NO_SASL);

        /// Longest pause between tries to fetch those keys, in milliseconds.
        sasl_oauthbearer_jwks_endpoint_retry_backoff_max_ms: i64 = "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" => "10000",
            Low, Any, refused(NO_SASL);

        /// First pause between tries to fetch those keys, in milliseconds.
        sasl_oauthbearer_jwks_endpoint_retry_backoff_ms: i64 = "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" => "100",
            Low, Any, refused(NO_SASL);

        /// Where the identity provider's keys are found.
        sasl_oauthbearer_jwks_endpoint_url: Option<String> = "sasl.oauthbearer.jwks.endpoint.url" => null,
            Medium, Any, refused(NO_SASL);

        /// Java class that gets a token.
        sasl_oauthbearer_jwt_retriever_class: Class = "sasl.oauthbearer.jwt.retriever.class" => "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
            Medium, Any, refused(NO_SASL);

        /// Java class that checks a token.
        sasl_oauthbearer_jwt_validator_class: Class = "sasl.oauthbearer.jwt.validator.class" => "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
            Medium, Any, refused(NO_SASL);

        /// The scope for which a token is asked.
        sasl_oauthbearer_scope: Option<String> = "sasl.oauthbearer.scope" => null, Medium, Any,
            refused(NO_SASL);

        /// Which claim of a token holds its scopes.
        sasl_oauthbearer_scope_claim_name: String = "sasl.oauthbearer.scope.claim.name" => "scope", Low, Any,
            refused(NO_SASL);

        /// Which claim of a token holds its subject.
        sasl_oauthbearer_sub_claim_name: String = "sasl.oauthbearer.sub.claim.name" => "sub", Low, Any,
            refused(NO_SASL);

        /// Where a token is asked for.
        sasl_oauthbearer_token_endpoint_url: Option<String> = "sasl.oauthbearer.token.endpoint.url" => null,
            Medium, Any, refused(NO_SASL);

        /// Java class that answers the questions of a SASL mechanism for the server.
        sasl_server_callback_handler_class: Option<Class> = "sasl.server.callback.handler.class" => null,
            Medium, Any, refused(NO_SASL);

        /// Largest message during authentication, in bytes.
        sasl_server_max_receive_size: i32 = "sasl.server.max.receive.size" => "524288", Medium, Any,
            refused(NO_SASL);

        /// Java classes that bring further algorithms.
        security_providers: Option<String> = "security.providers" => null, Low, Any, refused(NO_ENCRYPTION);

        /// Whether the name in a new certificate may differ from the old one's.
        ssl_allow_dn_changes: bool = "ssl.allow.dn.changes" => "false", Low, Any, refused(NO_ENCRYPTION);

        /// Whether a new certificate may lack alternative names of the old one.
        ssl_allow_san_changes: bool = "ssl.allow.san.changes" => "false", Low, Any, refused(NO_ENCRYPTION);

        /// Cipher suites that may be used; empty for all.
        ssl_cipher_suites: Vec<String> = "ssl.cipher.suites" => "", Medium, crate::Valid::LIST,
            per_broker(), refused(NO_ENCRYPTION);

        /// Whether clients must show a certificate (`required`), may (`requested`) or need not (`none`).
        ssl_client_auth: String = "ssl.client.auth" => "none",
            Medium, OneOf(&["required", "requested", "none"]), per_broker(), refused(NO_ENCRYPTION);

        /// Versions of TLS that may be used.
        ssl_enabled_protocols: Vec<String> = "ssl.enabled.protocols" => "TLSv1.2,TLSv1.3", Medium, crate::Valid::LIST,
            per_broker(), refused(NO_ENCRYPTION);

        /// How the name in a server's certificate is checked; empty for not at all.
        ssl_endpoint_identification_algorithm: String = "ssl.endpoint.identification.algorithm" => "https",
            Low, Any, per_broker(), refused(NO_ENCRYPTION);

        /// Java class that makes TLS engines.
        ssl_engine_factory_class: Option<Class> = "ssl.engine.factory.class" => null, Low, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// The password of the private key.
        ssl_key_password: Option<Password> = "ssl.key.password" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Algorithm by which Java finds keys.
        ssl_keymanager_algorithm: String = "ssl.keymanager.algorithm" => "SunX509", Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// The certificate chain itself, in PEM.
        ssl_keystore_certificate_chain: Option<Password> = "ssl.keystore.certificate.chain" => null,
            Medium, Any, per_broker(), refused(NO_ENCRYPTION);

        /// The private key itself, in PEM.
        ssl_keystore_key: Option<Password> = "ssl.keystore.key" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// File with the private key and its certificates.
        ssl_keystore_location: Option<String> = "ssl.keystore.location" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// The password of that file.
        ssl_keystore_password: Option<Password> = "ssl.keystore.password" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Format of that file, such as JKS, PKCS12 or PEM.
        ssl_keystore_type: String = "ssl.keystore.type" => "JKS", Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Rules that turn the name in a certificate into a name of a user, tried in their order.
        ssl_principal_mapping_rules: String = "ssl.principal.mapping.rules" => "DEFAULT", Low, Any,
            refused(NO_ENCRYPTION);

        /// Version of TLS that is preferred.
        ssl_protocol: String = "ssl.protocol" => "TLSv1.3", Medium, Any, per_broker(), refused(NO_ENCRYPTION);

        /// Java's name of the provider of TLS.
        ssl_provider: Option<String> = "ssl.provider" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Java's name of the source of random numbers for TLS.
        ssl_secure_random_implementation: Option<String> = "ssl.secure.random.implementation" => null, Low, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Algorithm by which Java decides whom to trust.
        ssl_trustmanager_algorithm: String = "ssl.trustmanager.algorithm" => "PKIX", Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// The trusted certificates themselves, in PEM.
        ssl_truststore_certificates: Option<Password> = "ssl.truststore.certificates" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// File with the trusted certificates.
        ssl_truststore_location: Option<String> = "ssl.truststore.location" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// The password of that file.
        ssl_truststore_password: Option<Password> = "ssl.truststore.password" => null, Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);

        /// Format of that file, such as JKS, PKCS12 or PEM.
        ssl_truststore_type: String = "ssl.truststore.type" => "JKS", Medium, Any,
            per_broker(), refused(NO_ENCRYPTION);
    }
}
