//! An HTTP client for the SDK that calls a service in this process: no socket, no pool, nothing to keep while idle.

use std::fmt;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use tower::ServiceExt;

struct Connector<S>(S);

impl<S> fmt::Debug for Connector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("in-process connector")
    }
}

fn user_error(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::user(Box::new(error))
}

impl<S, B> HttpConnector for Connector<S>
where
    S: tower::Service<http::Request<SdkBody>, Response = http::Response<B>, Error = std::convert::Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let service = self.0.clone();
        HttpConnectorFuture::new(async move {
            let mut request = request.try_into_http1x().map_err(user_error)?;
            // What a socket's client would add, and the signature covers.
            if let Some(authority) = request.uri().authority()
                && !request.headers().contains_key(header::HOST)
            {
                let host = HeaderValue::from_str(authority.as_str()).map_err(user_error)?;
                request.headers_mut().insert(header::HOST, host);
            }
            let response = match service.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x)).map_err(user_error)
        })
    }
}

/// The client for [`aws_sdk_s3::config::Builder::http_client`].
pub(super) fn client<S, B>(service: S) -> SharedHttpClient
where
    S: tower::Service<http::Request<SdkBody>, Response = http::Response<B>, Error = std::convert::Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connector = SharedHttpConnector::new(Connector(service));
    http_client_fn(move |_: &HttpConnectorSettings, _: &RuntimeComponents| connector.clone())
}
