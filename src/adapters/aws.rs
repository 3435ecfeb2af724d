//! How every AWS client here is set up, and what its failures mean.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use secrecy::{ExposeSecret as _, SecretString};

/// Where a service is and who calls it. Empty texts mean: AWS's own endpoint, the usual region and credential chain.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub region: String,
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

impl From<&crate::config::Alerts> for Access {
    fn from(alerts: &crate::config::Alerts) -> Self {
        Self {
            region: alerts.region.clone(),
            endpoint: alerts.endpoint.clone(),
            access_key_id: alerts.access_key_id.clone(),
            secret_access_key: alerts.secret_access_key.clone(),
        }
    }
}

impl From<&crate::config::ObjectEvents> for Access {
    fn from(events: &crate::config::ObjectEvents) -> Self {
        Self {
            region: events.region.clone(),
            endpoint: events.endpoint.clone(),
            access_key_id: events.access_key_id.clone(),
            secret_access_key: events.secret_access_key.clone(),
        }
    }
}

/// Resolves the settings of a client. One call, its retries included, ends within `timeout`.
pub async fn sdk_config(access: &Access, timeout: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .operation_attempt_timeout(timeout / 2)
        .operation_timeout(timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(timeouts);
    if !access.region.is_empty() {
        loader = loader.region(Region::new(access.region.clone()));
    }
    if !access.endpoint.is_empty() {
        loader = loader.endpoint_url(access.endpoint.clone());
    }
    if !access.access_key_id.is_empty() {
        loader = loader.credentials_provider(Credentials::new(
            access.access_key_id.clone(),
            access.secret_access_key.expose_secret(),
            None,
            None,
            "settings",
        ));
    }
    loader.load().await
}

/// A failed call, with the knowledge of whether a later attempt can succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub retryable: bool,
    /// For logs: the whole chain of causes.
    pub message: String,
}

/// Answers of these codes pass, whatever their status.
const PASSING: &[&str] = &[
    "ExpiredToken",
    "InternalError",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyInvalidationsInProgress",
    "TooManyRequestsException",
];

/// Only a definite refusal by the service is final; no answer, 5xx, throttling and stale credentials pass.
pub(super) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let retryable = match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            status >= 500 || status == 429 || answer.err().code().is_some_and(|code| PASSING.contains(&code))
        }
        SdkError::ConstructionFailure(_) => false,
        _ => true,
    };
    Failure { retryable, message: DisplayErrorContext(error).to_string() }
}
