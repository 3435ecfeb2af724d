//! Uploads by the GraphQL multipart request specification, spooled to nameless files and hashed on the way.

use std::{collections::HashMap, fs::File, io, path::Path};

use async_graphql::{Request, UploadValue};
use aws_lc_rs::digest::{Context, SHA256};
use http::request::Parts;
use mime::Mime;
use multer::{Field, Multipart};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::{
    super::HttpError,
    Limits,
    body::{Limited, ReadError},
    operation::Operation,
};
use crate::graphql::request::Spooled;

/// Boundaries and headers of the parts.
const OVERHEAD: u64 = 64 * 1024;

/// A spooled file and the variable it belongs to.
pub struct Upload {
    pub spooled: Spooled,
    path: String,
    value: UploadValue,
}

impl Upload {
    /// Puts the file into its variable.
    pub fn attach(self, request: &mut Request) -> Result<(), HttpError> {
        let before = request.uploads.len();
        request.set_upload(&self.path, self.value);
        if request.uploads.len() > before {
            return Ok(());
        }
        Err(HttpError::bad_request(format!(
            "The map names {:?}, which the operation's variables do not have.",
            self.path
        )))
    }
}

/// Reads `operations`, `map` and the files, in this order, as the specification has them.
pub async fn read(
    parts: &Parts,
    content_type: &Mime,
    body: &mut Limited,
    limits: &Limits,
) -> Result<(Operation, Vec<Upload>), HttpError> {
    let boundary =
        content_type.get_param(mime::BOUNDARY).ok_or_else(|| HttpError::bad_request("The boundary is missing."))?;
    body.limit(2 * limits.max_body + limits.max_files as u64 * limits.max_file + OVERHEAD, &parts.headers)?;
    let mut form = Multipart::new(&mut *body, boundary.as_str());
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

async fn read_parts(form: &mut Multipart<'_>, limits: &Limits) -> Result<(Operation, Vec<Upload>), Failure> {
    let operation = Operation::from_json(&json_part(form, "operations", limits.max_body).await?)?;
    let map = json_part(form, "map", limits.max_body).await?;
    let mut map: HashMap<String, Vec<String>> = serde_json::from_slice(&map)
        .map_err(|_| HttpError::bad_request(r#"The part map must be JSON such as {"0": ["variables.file"]}."#))?;
    if map.len() > limits.max_files {
        return Err(HttpError::bad_request(format!("Send {} files a request at most.", limits.max_files)).into());
    }
    let mut uploads = Vec::with_capacity(map.len());
    while let Some(field) = form.next_field().await? {
        let paths = field.name().and_then(|name| map.remove(name));
        let path = match paths.as_deref() {
            Some([path]) => path.clone(),
            Some(_) => return Err(HttpError::bad_request("Map each file to exactly one variable.").into()),
            None => return Err(HttpError::bad_request("The form has a part that the map does not name.").into()),
        };
        uploads.push(spool(field, path, limits).await?);
    }
    match map.into_keys().next() {
        Some(missing) => {
            Err(HttpError::bad_request(format!("The map names the file {missing:?}, which is missing.")).into())
        }
        None => Ok((operation, uploads)),
    }
}

async fn json_part(form: &mut Multipart<'_>, name: &'static str, most: u64) -> Result<Vec<u8>, Failure> {
    let field = form.next_field().await?.filter(|field| field.name() == Some(name));
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

async fn spool(mut field: Field<'_>, path: String, limits: &Limits) -> Result<Upload, Failure> {
    let filename = field.file_name().unwrap_or_default().to_owned();
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
    file.rewind().await?;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    let value = UploadValue { filename, content_type, content: file.into_std().await };
    Ok(Upload { spooled: Spooled { size, sha256 }, path, value })
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
