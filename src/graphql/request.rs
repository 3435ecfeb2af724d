//! What the HTTP layer knows of a GraphQL request: where it came from, and its files.

use std::{
    fs::File,
    io::{self, Seek as _},
};

use async_graphql::{Context, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use bytes::Bytes;

pub use crate::viewer::RequestInfo;

/// Files of one request.
pub const MAX_FILES: usize = 4;

/// What the HTTP layer put into the request; the default where it put nothing.
pub fn request_info(ctx: &Context<'_>) -> RequestInfo {
    ctx.data_opt::<RequestInfo>().cloned().unwrap_or_default()
}

/// A file of the request: its place among [`Spools`].
///
/// The value behind it is of a kind that neither JSON nor a query can write. So no client names a file that it did not
/// send, and a file that is mapped to a variable of another type is refused by validation. (The library's own scalar
/// marks files by a text, and panics at one that it did not write itself.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload(u64);

impl Upload {
    /// What stands in the variables for the file at this place.
    #[must_use]
    pub fn value(place: usize) -> Value {
        Value::Binary(Bytes::copy_from_slice(&(place as u64).to_be_bytes()))
    }

    /// The file, as the HTTP layer spooled it; nothing on a transport without files.
    #[must_use]
    pub fn spooled<'a>(self, ctx: &Context<'a>) -> Option<&'a Spooled> {
        ctx.data_opt::<Spools>()?.0.get(usize::try_from(self.0).ok()?)
    }
}

/// A multipart file upload
#[Scalar(name = "Upload", specified_by_url = "https://github.com/jaydenseric/graphql-multipart-request-spec")]
impl ScalarType for Upload {
    fn parse(value: Value) -> InputValueResult<Self> {
        let place = match &value {
            Value::Binary(bytes) => bytes.as_ref().try_into().ok(),
            _ => None,
        };
        place.map(|place| Self(u64::from_be_bytes(place))).ok_or_else(|| InputValueError::expected_type(value))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Binary(_))
    }

    fn to_value(&self) -> Value {
        Value::Null
    }
}

/// An uploaded file in a nameless file of the server, and what is known of it before any resolver runs. Of a file over
/// the limit the bytes are not kept, and the hash is of no use.
#[derive(Debug)]
pub struct Spooled {
    /// As the client gave it.
    pub name: String,
    /// As the client claims.
    pub content_type: Option<String>,
    pub size: u64,
    pub sha256: [u8; 32],
    pub file: File,
}

impl Spooled {
    /// The content from its beginning.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn open(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }
}

/// In the request's data: its files.
#[derive(Debug, Default)]
pub struct Spools(pub Vec<Spooled>);
