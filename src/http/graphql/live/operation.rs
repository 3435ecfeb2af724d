//! One operation of a WebSocket: held to what holds over plain HTTP, and its answers.

use std::{panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{ErrorExtensionValues, Executor, Request, Response, ServerError, Value};
use axum::extract::ws::Utf8Bytes;
use futures::{FutureExt as _, StreamExt as _};
use http::Method;
use tokio::{sync::mpsc, time::timeout};

use super::{
    super::{
        super::{AuthError, ClientAddress, Credentials, HttpError, RequestId, UserAgent},
        Door, Kind, Operation, answer,
        operation::check,
    },
    protocol::{Close, ServerMessage},
};
use crate::{graphql::request::RequestInfo, viewer::Viewer};

/// Who has the WebSocket.
pub struct Caller {
    pub credentials: Credentials,
    /// Of the request that became the WebSocket.
    pub id: RequestId,
    pub address: Option<ClientAddress>,
    pub user_agent: UserAgent,
}

/// Where the answers of one operation go.
pub struct Sink {
    pub id: Arc<str>,
    pub serial: u64,
    /// Of boxes: an empty channel has room for some dozens of what it carries.
    pub outbox: mpsc::Sender<Box<Sent>>,
}

/// Something to be written, or the end of the WebSocket.
pub struct Sent {
    pub id: Arc<str>,
    pub serial: u64,
    pub text: Result<Option<Utf8Bytes>, Close>,
    /// Nothing follows.
    pub last: bool,
}

/// Why an operation did not run, or does not go on.
enum Stop {
    Errors(Vec<ServerError>),
    Close(Close),
    /// The server stops: the client resumes elsewhere what it is not told the end of.
    Silently,
}

impl From<ServerError> for Stop {
    fn from(error: ServerError) -> Self {
        Self::Errors(vec![error])
    }
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        coded(error.message, error.code).into()
    }
}

/// Runs an operation to its end. It is dropped where the client has done with it.
pub async fn run<E: Executor>(door: Door<E>, caller: Arc<Caller>, operation: Operation, sink: Sink) {
    let outcome = AssertUnwindSafe(perform(&door, &caller, operation, &sink)).catch_unwind().await;
    // The panic hook has logged it.
    let outcome = outcome.unwrap_or_else(|_| Err(HttpError::internal().into()));
    let text = match outcome {
        Ok(()) => Ok(ServerMessage::Complete { id: &sink.id }.text()),
        Err(Stop::Close(close)) => Err(close),
        Err(Stop::Silently) => Ok(None),
        Err(Stop::Errors(errors)) => {
            let errors = answer::completed(errors, &caller.id);
            Ok(ServerMessage::Error { id: &sink.id, payload: &errors }.text())
        }
    };
    sink.send(text, true).await;
}

/// The refusal of one operation too many.
pub fn overloaded(id: &str, request: &RequestId) -> Option<Utf8Bytes> {
    let error = coded("Too many operations are open on this WebSocket.".into(), "TOO_MANY_OPERATIONS");
    ServerMessage::Error { id, payload: &answer::completed(vec![error], request) }.text()
}

async fn perform<E: Executor>(
    door: &Door<E>,
    caller: &Caller,
    mut operation: Operation,
    sink: &Sink,
) -> Result<(), Stop> {
    let (endpoint, persisted) = &**door;
    // As each request over plain HTTP: a log-out holds from the next operation on.
    let viewer = match endpoint.authenticate.authenticate(caller.credentials.clone()).await {
        Ok(viewer) => viewer,
        Err(AuthError::Invalid) => return Err(Stop::Close(Close::ENDED)),
        Err(AuthError::Unavailable(cause)) => {
            tracing::error!(cause, "cannot check credentials");
            return Err(HttpError::unavailable("Log-ins cannot be checked now; try again.").into());
        }
    };
    let fresh = persisted.resolve(&mut operation)??;
    let mut request = operation.into_request()?;
    let kind = check(&mut request, &Method::POST, &endpoint.limits)??;
    if let Some(fresh) = fresh {
        persisted.keep(fresh);
    }
    let mut answers = endpoint.executor.execute_stream(with_data(request, caller, viewer), None);
    if kind == Some(Kind::Subscription) {
        while let Some(response) = endpoint.live.stop.run_until_cancelled(answers.next()).await.ok_or(Stop::Silently)? {
            // An event that cannot be told ends the subscription: the client resumes it, and misses nothing.
            if response.data == Value::Null && !response.errors.is_empty() {
                return Err(Stop::Errors(response.errors));
            }
            sink.next(response, &caller.id).await?;
        }
        return Ok(());
    }
    match timeout(endpoint.live.request_timeout, answers.next()).await {
        Ok(Some(response)) => sink.next(response, &caller.id).await,
        Ok(None) => Ok(()),
        Err(_) => Err(HttpError::unavailable("The request took too long; try again.").into()),
    }
}

fn with_data(mut request: Request, caller: &Caller, viewer: Viewer) -> Request {
    if let Some(address) = caller.address {
        request = request.data(address);
    }
    let address = caller.address.map(ClientAddress::ip);
    request
        .data(viewer)
        .data(caller.id.clone())
        .data(caller.user_agent.clone())
        .data(RequestInfo { address, user_agent: caller.user_agent.0.clone() })
        .data(caller.credentials.clone())
}

impl Sink {
    async fn next(&self, response: Response, id: &RequestId) -> Result<(), Stop> {
        let response = answer::settled(response, id).map_err(Stop::Errors)?;
        self.send(Ok(ServerMessage::Next { id: &self.id, payload: &response }.text()), false).await;
        Ok(())
    }

    /// Waits while others are waiting to be written. Where nobody writes any more, this task is about to be dropped.
    async fn send(&self, text: Result<Option<Utf8Bytes>, Close>, last: bool) {
        let sent = Sent { id: self.id.clone(), serial: self.serial, text, last };
        let _ = self.outbox.send(Box::new(sent)).await;
    }
}

fn coded(message: std::borrow::Cow<'static, str>, code: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    error.extensions = Some(extensions);
    error
}
