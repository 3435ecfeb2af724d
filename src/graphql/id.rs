//! Global ids: `file_0192…`, the type's prefix and the key in hex, so that ids of two types never collide.

use async_graphql::ID;
use uuid::Uuid;

/// The types that have a global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    User,
    Session,
    ApiToken,
    File,
    FileVersion,
    Erasure,
    Alert,
}

impl NodeKind {
    const ALL: [Self; 7] =
        [Self::User, Self::Session, Self::ApiToken, Self::File, Self::FileVersion, Self::Erasure, Self::Alert];

    const fn prefix(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::ApiToken => "token",
            Self::File => "file",
            Self::FileVersion => "version",
            Self::Erasure => "erasure",
            Self::Alert => "alert",
        }
    }

    /// The id that clients see.
    #[must_use]
    pub fn id(self, key: Uuid) -> ID {
        ID(format!("{}_{}", self.prefix(), key.simple()))
    }

    /// The key, where `id` is one of this type's.
    #[must_use]
    pub fn parse(self, id: &str) -> Option<Uuid> {
        GlobalId::parse(id).filter(|global| global.kind == self).map(|global| global.key)
    }
}

/// A parsed id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalId {
    pub kind: NodeKind,
    pub key: Uuid,
}

impl GlobalId {
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let (prefix, key) = id.split_once('_')?;
        let kind = NodeKind::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        let key = Uuid::try_parse(key).ok()?;
        (kind.id(key).as_str() == id).then_some(Self { kind, key })
    }
}
