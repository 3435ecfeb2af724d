//! What can go wrong with files, and what people can do about it.

use entity::file;

use super::find::COUNTED;
use crate::{db::idempotency::RecallError, error::Fault, module_error};

#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Another person's file looks the same.
    #[error("There is no such file.")]
    NotFound,
    #[error("There is no such upload.")]
    NoSuchUpload,
    #[error("The file is larger than {limit} bytes. Choose a smaller one.")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    InvalidName(&'static str),
    #[error("A description has at most {limit} characters.")]
    DescriptionTooLong { limit: usize },
    #[error("{0}")]
    InvalidTags(&'static str),
    #[error("{0}")]
    InvalidMetadata(&'static str),
    /// Carries the current record.
    #[error("Somebody changed the file since you read it. Look at the current revision and try again.")]
    Stale(Box<file::Model>),
    #[error("{0}")]
    WrongState(&'static str),
    #[error("The file is under a legal hold: nothing of it is deleted before an admin releases it.")]
    Held,
    /// Where a hold comes too late.
    #[error("The file is being deleted already, so it cannot be held any more.")]
    Deleted,
    /// By this entry of the block list.
    #[error(
        "This content is blocked here: it cannot be stored or shown. Ask an admin if you think that this is wrong."
    )]
    ContentBlocked(uuid::Uuid),
    #[error("There is no such legal hold.")]
    NoSuchHold,
    #[error("A reason has 1 to {max} characters and no control characters but line breaks.", max = crate::text::REASON_MAX)]
    InvalidReason,
    #[error("This idempotency key was used for another request. Use a new one.")]
    IdempotencyKeyReused,
    /// In bytes.
    #[error(
        "Your files may take up {limit} bytes, of which {left} are left. Purge files or old versions, or ask an admin."
    )]
    QuotaExceeded { left: i64, limit: i64 },
    #[error("You may have {limit} files, with those in the trash. Purge some, or ask an admin.")]
    TooManyFiles { limit: i64 },
    #[error("A quota is 0 or more files, and 0 or more bytes.")]
    InvalidQuota,
    #[error("There is no such person.")]
    NoSuchUser,
    #[error("You have {limit} uploads open. Complete or abort some.")]
    TooManyUploads { limit: u32 },
    #[error("Name 1 to {limit} files at a time.")]
    BadCount { limit: usize },
    #[error("A filter takes 1 to {limit} files at a time. Narrow it, or choose the files.")]
    BadExpectedCount { limit: u64 },
    /// How many match now, up to one more than may.
    #[error("The filter matches {} now. Look at them, and ask again with that number.", files(*now))]
    CountChanged { now: u64 },
    #[error("A size is 0 or more bytes.")]
    InvalidSize,
    #[error("A content type is written as in `image/png`.")]
    InvalidContentType,
    #[error("Sign 1 to {limit} parts at a time.")]
    BadPartCount { limit: usize },
    #[error("The parts of this upload are 1 to {last}.")]
    InvalidPart { last: u64 },
    #[error("{count} parts have not arrived whole: {named}. Send them, then complete the upload again.")]
    PartsMissing { count: usize, named: String },
    /// The temporary file of an upload could not be written or read.
    #[error("The upload could not be read. Send it again.")]
    Unreadable(#[source] std::io::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(FilesError);

fn files(count: u64) -> String {
    match count {
        1 => "1 file".to_owned(),
        more if more > COUNTED => format!("more than {COUNTED} files"),
        count => format!("{count} files"),
    }
}

impl From<RecallError> for FilesError {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Reused => Self::IdempotencyKeyReused,
            RecallError::Database(error) => error.into(),
        }
    }
}
