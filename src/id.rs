//! Global ids: `file_0192…`, the type's prefix and the key in hex, so that ids of two types never collide.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// The types that have a global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    User,
    Friendship,
    Session,
    ApiToken,
    File,
    FileVersion,
    ShareLink,
    Erasure,
    Alert,
    UploadSession,
    Snap,
    Job,
    AuditEntry,
    LegalHold,
    Report,
    BulkAction,
    BlockedContent,
    ReplicaRun,
    ReplicaFinding,
}

/// What clients hold as the id of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalId {
    pub kind: NodeKind,
    pub key: Uuid,
}

/// The text is no global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this server")]
pub struct NotAnId;

impl NodeKind {
    pub const ALL: [Self; 19] = [
        Self::User,
        Self::Friendship,
        Self::Session,
        Self::ApiToken,
        Self::File,
        Self::FileVersion,
        Self::ShareLink,
        Self::Erasure,
        Self::Alert,
        Self::UploadSession,
        Self::Snap,
        Self::Job,
        Self::AuditEntry,
        Self::LegalHold,
        Self::Report,
        Self::BulkAction,
        Self::BlockedContent,
        Self::ReplicaRun,
        Self::ReplicaFinding,
    ];

    const fn prefix(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Friendship => "friendship",
            Self::Session => "session",
            Self::ApiToken => "token",
            Self::File => "file",
            Self::FileVersion => "version",
            Self::ShareLink => "share",
            Self::Erasure => "erasure",
            Self::Alert => "alert",
            Self::UploadSession => "upload",
            Self::Snap => "snap",
            Self::Job => "job",
            Self::AuditEntry => "audit",
            Self::LegalHold => "hold",
            Self::Report => "report",
            Self::BulkAction => "action",
            Self::BlockedContent => "content",
            Self::ReplicaRun => "run",
            Self::ReplicaFinding => "finding",
        }
    }

    #[must_use]
    pub const fn id(self, key: Uuid) -> GlobalId {
        GlobalId { kind: self, key }
    }

    /// The key, where `id` is one of this type's.
    #[must_use]
    pub fn parse(self, id: &str) -> Option<Uuid> {
        id.parse::<GlobalId>().ok().filter(|global| global.kind == self).map(|global| global.key)
    }
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.prefix(), self.key.simple())
    }
}

impl FromStr for GlobalId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (prefix, key) = text.split_once('_').ok_or(NotAnId)?;
        let kind = NodeKind::ALL.into_iter().find(|kind| kind.prefix() == prefix).ok_or(NotAnId)?;
        let id = kind.id(Uuid::try_parse(key).map_err(|_| NotAnId)?);
        // One thing has one id: no capitals, no dashes.
        if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}
