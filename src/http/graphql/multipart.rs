//! Uploads by the GraphQL multipart request specification, spooled to nameless files and hashed on the way.

use std::{collections::HashMap, fs::File, io, path::Path};

use async_graphql::{Request, Value, Variables};
use aws_lc_rs::digest::{Context, SHA256};
use http::request::Parts;
use mime::Mime;
use multer::{Field, Multipart};
use tokio::io::AsyncWriteExt;

use super::{
    super::HttpError,
    Limits,
    body::{HeadersGauge, Limited, ReadError},
    operation::Operation,
};
use crate::graphql::request::{Spooled, Spools, Upload};

/// Boundaries and headers of the parts.
const OVERHEAD: u64 = 64 * 1024;

/// The files of a request, and for each the paths of its variables, such as `variables.input.file`.
#[derive(Debug, Default)]
pub struct Uploads {
    pub spools: Spools,
    paths: Vec<Vec<String>>,
}

impl Uploads {
    /// Puts each file into its variables, which must be null so far.
    pub fn attach(&self, request: &mut Request) -> Result<(), HttpError> {
        for (place, paths) in self.paths.iter().enumerate() {
            for path in paths {
                match variable(&mut request.variables, path) {
                    Some(variable @ Value::Null) => *variable = Upload::value(place),
                    Some(_) => {
                        let message = format!("The map names {path:?}, which is not null or is named twice.");
                        return Err(HttpError::bad_request(message));
                    }
                    None => {
                        let message = format!("The map names {path:?}, which the operation's variables do not have.");
                        return Err(HttpError::bad_request(message));
                    }
                }
            }
        }
        Ok(())
    }
}

fn variable<'a>(variables: &'a mut Variables, path: &str) -> Option<&'a mut Value> {
    let mut names = path.strip_prefix("variables.")?.split('.');
    let first = variables.get_mut(names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::List(items) => items.get_mut(name.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get_mut(name),
        _ => None,
    })
}

/// Reads `operations`, `map` and the files, in this order, as the specification has them.
pub async fn read(
    parts: &Parts,
    content_type: &Mime,
    body: &mut Limited,
    limits: &Limits,
) -> Result<(Operation, Uploads), HttpError> {
    let boundary =
        content_type.get_param(mime::BOUNDARY).ok_or_else(|| HttpError::bad_request("The boundary is missing."))?;
    body.limit(2 * limits.max_body + limits.max_files as u64 * limits.max_file + OVERHEAD, &parts.headers)?;
    let headers = body.headers_gauge();
    let mut form = Form { parts: Multipart::new(&mut *body, boundary.as_str()), headers };
    let outcome = read_parts(&mut form, limits).await;
    drop(form);
    outcome.map_err(|error| match error {
        Failure::Http(error) => error,
        Failure::Form(_) if body.exceeded() => HttpError::too_large(format!(
            "Send {} files of {} at most.",
            limits.max_files,
            bytesize::ByteSize(limits.max_file)
        )),
        Failure::Form(error) => HttpError::bad_request(format!("The form is broken: {}.", plain(&error))),
        Failure::Spool(error) => {
            tracing::error!(%error, "cannot spool an upload");
            HttpError::unavailable("The server has no room for uploads now; try again.")
        }
    })
}

enum Failure {
    Http(HttpError),
    Form(multer::Error),
    Spool(io::Error),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<multer::Error> for Failure {
    fn from(error: multer::Error) -> Self {
        Self::Form(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Spool(error)
    }
}

/// The parts of a body, none of which may have endless headers.
struct Form<'a> {
    parts: Multipart<'a>,
    headers: HeadersGauge,
}

impl<'a> Form<'a> {
    async fn next(&mut self) -> Result<Option<Field<'a>>, multer::Error> {
        self.headers.begin();
        let field = self.parts.next_field().await;
        self.headers.end();
        field
    }
}

async fn read_parts(form: &mut Form<'_>, limits: &Limits) -> Result<(Operation, Uploads), Failure> {
    let operation = Operation::from_json(&json_part(form, "operations", limits.max_body).await?, limits)?;
    let map = json_part(form, "map", limits.max_body).await?;
    let mut map: HashMap<String, Vec<String>> = serde_json::from_slice(&map)
        .map_err(|_| HttpError::bad_request(r#"The part map must be JSON such as {"0": ["variables.file"]}."#))?;
    if map.len() > limits.max_files {
        return Err(HttpError::bad_request(format!("Send {} files a request at most.", limits.max_files)).into());
    }
    let mut uploads = Uploads::default();
    while let Some(field) = form.next().await? {
        match field.name().and_then(|name| map.remove(name)) {
            Some(paths) if !paths.is_empty() => uploads.paths.push(paths),
            Some(_) => return Err(HttpError::bad_request("Map each file to at least one variable.").into()),
            None => {
                return Err(HttpError::bad_request(
                    "The form has a part that the map does not name, or names no more.",
                )
                .into());
            }
        }
        uploads.spools.0.push(spool(field, limits).await?);
    }
    match map.into_keys().next() {
        Some(missing) => {
            Err(HttpError::bad_request(format!("The map names the file {missing:?}, which is missing.")).into())
        }
        None => Ok((operation, uploads)),
    }
}

async fn json_part(form: &mut Form<'_>, name: &'static str, most: u64) -> Result<Vec<u8>, Failure> {
    let field = form.next().await?.filter(|field| field.name() == Some(name));
    let mut field =
        field.ok_or_else(|| HttpError::bad_request("Send the parts operations, map and the files, in this order."))?;
    let fits = |kind: &Mime| {
        matches!((kind.type_(), kind.subtype()), (mime::APPLICATION, mime::JSON) | (mime::TEXT, mime::PLAIN))
    };
    if !field.content_type().is_none_or(fits) {
        return Err(HttpError::unsupported_media_type(format!("The part {name} must be application/json.")).into());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > most {
            return Err(HttpError::too_large(format!(
                "The part {name} may have {} at most.",
                bytesize::ByteSize(most)
            ))
            .into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn spool(mut field: Field<'_>, limits: &Limits) -> Result<Spooled, Failure> {
    let name = field.file_name().unwrap_or_default().to_owned();
    let content_type = field.content_type().map(ToString::to_string);
    let mut file = tokio::fs::File::from_std(nameless(&limits.spool_dir)?);
    let (mut size, mut hash) = (0, Context::new(&SHA256));
    while let Some(chunk) = field.chunk().await? {
        size += chunk.len() as u64;
        // A larger file is read to its end but not kept: by its size the service refuses it, in its own words.
        if size <= limits.max_file {
            hash.update(&chunk);
            file.write_all(&chunk).await?;
        }
    }
    file.flush().await?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok(Spooled { name, content_type, size, sha256, file: file.into_std().await })
}

/// A file without a name: it goes with the request, also when the process is killed.
fn nameless(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// multer's message without the cause, which may hold the transport's.
fn plain(error: &multer::Error) -> String {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast_ref::<ReadError>() {
            Some(error) => error.to_string(),
            None => "it cannot be read".to_owned(),
        },
        error => error.to_string(),
    }
}
