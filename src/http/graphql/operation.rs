//! The four parameters of a request, and which operations a method may run.

use std::borrow::Cow;

use async_graphql::{
    Extensions, Request, ServerError, Variables,
    parser::{
        parse_query,
        types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection},
    },
};
use http::{Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    super::HttpError,
    Limits,
    scan::{MAX_NAME, is_json_within, scan},
    weigh,
};

const PERSISTED_QUERY: &str = "persistedQuery";

/// `query`, `operationName`, `variables` and `extensions`.
#[derive(Debug, Default)]
pub struct Operation {
    pub(super) query: String,
    name: Option<String>,
    variables: Map<String, Value>,
    extensions: Map<String, Value>,
}

impl Operation {
    pub fn from_json(body: &[u8], limits: &Limits) -> Result<Self, HttpError> {
        values_within(body, limits)?;
        match serde_json::from_slice(body) {
            Ok(Value::Object(parameters)) => Self::from_parameters(parameters),
            Ok(Value::Array(_)) => {
                Err(HttpError::bad_request("Send one operation a request; a list of them is not taken."))
            }
            Ok(_) => Err(HttpError::bad_request(r#"Send a JSON object such as {"query": "{ __typename }"}."#)),
            Err(error) => Err(HttpError::bad_request(format!("The body is not JSON: {error}."))),
        }
    }

    pub fn from_query(query: &str, limits: &Limits) -> Result<Self, HttpError> {
        let mut parameters = Map::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = match &*name {
                "query" | "operationName" => Value::String(value.into_owned()),
                "variables" | "extensions" if value.is_empty() => Value::Null,
                "variables" | "extensions" => {
                    values_within(value.as_bytes(), limits)?;
                    serde_json::from_str(&value).map_err(|error| {
                        HttpError::bad_request(format!("The parameter {name} is not JSON: {error}."))
                    })?
                }
                _ => continue,
            };
            parameters.insert(name.into_owned(), value);
        }
        Self::from_parameters(parameters)
    }

    pub fn from_parameters(mut parameters: Map<String, Value>) -> Result<Self, HttpError> {
        let mut take = |name: &str| parameters.remove(name).unwrap_or(Value::Null);
        let extensions = object(take("extensions"), "extensions")?;
        let query = match take("query") {
            Value::String(query) => query,
            Value::Null if extensions.contains_key(PERSISTED_QUERY) => String::new(),
            Value::Null => return Err(HttpError::bad_request("The parameter query is missing.")),
            _ => return Err(HttpError::bad_request("The parameter query must be a string.")),
        };
        let name = match take("operationName") {
            Value::String(name) if name.len() > MAX_NAME => {
                return Err(HttpError::bad_request(format!("An operationName has at most {MAX_NAME} characters.")));
            }
            Value::String(name) => Some(name).filter(|name| !name.is_empty()),
            Value::Null => None,
            _ => return Err(HttpError::bad_request("The parameter operationName must be a string.")),
        };
        let variables = object(take("variables"), "variables")?;
        Ok(Self { query, name, variables, extensions })
    }

    /// The extension of this name, which is ours to handle.
    pub fn take_persisted_query(&mut self) -> Option<Value> {
        self.extensions.remove(PERSISTED_QUERY)
    }

    pub fn into_request(self) -> Result<Request, HttpError> {
        let extensions: Extensions = serde_json::from_value(Value::Object(self.extensions))
            .map_err(|error| HttpError::bad_request(format!("The parameter extensions is wrong: {error}.")))?;
        let mut request = Request::new(self.query).variables(Variables::from_json(Value::Object(self.variables)));
        request.operation_name = self.name;
        request.extensions = extensions;
        Ok(request)
    }
}

fn values_within(json: &[u8], limits: &Limits) -> Result<(), HttpError> {
    if is_json_within(json, limits.max_tokens) {
        return Ok(());
    }
    Err(HttpError::too_large(format!("The request has more than {} names and values.", limits.max_tokens)))
}

fn object(value: Value, name: &str) -> Result<Map<String, Value>, HttpError> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(HttpError::bad_request(format!("The parameter {name} must be an object."))),
    }
}

/// Parses the document within the limits, and refuses by GET what is no query: a link must change nothing. What would run,
/// where one operation is chosen. The inner error is one of GraphQL, the outer one of HTTP.
pub fn check(
    request: &mut Request,
    method: &Method,
    limits: &Limits,
) -> Result<Result<Option<OperationType>, ServerError>, HttpError> {
    if request.query.len() as u64 > limits.max_document {
        let most = bytesize::ByteSize(limits.max_document);
        let message = format!("The document has more than {most}; send long values as variables.");
        return Ok(Err(ServerError::new(message, None)));
    }
    match scan(&request.query, limits.max_tokens) {
        Ok(Cow::Borrowed(_)) => {}
        Ok(Cow::Owned(query)) => request.query = query,
        Err(message) => return Ok(Err(ServerError::new(message, None))),
    }
    let mut document = match parse_query(&request.query) {
        Ok(document) => document,
        Err(error) => return Ok(Err(error.into())),
    };
    if let Err(error) = weigh::check(&document, limits.document) {
        return Ok(Err(error));
    }
    weigh::type_spreads(&mut document);
    let operation = chosen(&document, request.operation_name.as_deref());
    let kind = operation.map(|operation| operation.ty);
    if let Some(operation) = operation {
        if operation.ty == OperationType::Subscription
            && let Err(error) = one_root_field(operation)
        {
            return Ok(Err(error));
        }
        fill_in_defaults(&mut request.variables, operation);
    }
    request.set_parsed_query(document);
    let by_post = *method == Method::POST;
    if by_post || matches!(kind, None | Some(OperationType::Query)) {
        return Ok(Ok(kind));
    }
    let message = "Only queries go by GET; send this operation by POST.";
    Err(HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
        .with_header(header::ALLOW, "POST"))
}

/// What would run, as async-graphql chooses; nothing where it will refuse to.
fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(_), None) => None,
    }
}

/// GraphQL, section 5.2.4.1. The library runs what is written out there, and passes over fragments.
fn one_root_field(operation: &OperationDefinition) -> Result<(), ServerError> {
    let selections = &operation.selection_set;
    match selections.node.items.as_slice() {
        [one] if matches!(one.node, Selection::Field(_)) => Ok(()),
        _ => Err(ServerError::new(
            "A subscription has exactly one root field, outside of fragments.",
            Some(selections.pos),
        )),
    }
}

/// Gives variables that were not sent their defaults (GraphQL, section 6.1.2): the library forgets them where it reads
/// `@skip` and `@include`.
fn fill_in_defaults(variables: &mut Variables, operation: &OperationDefinition) {
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        if let Some(default) = &definition.default_value {
            variables.entry(definition.name.node.clone()).or_insert_with(|| default.node.clone());
        }
    }
}
