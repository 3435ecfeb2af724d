//! Quotas in GraphQL: what a person's files take up, and how much they may.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::mutation::{FileUserError, user_error};
use crate::{
    files,
    graphql::{self, FaultExt, NodeKind, scalars::Long},
};

/// What a person's files take up: in the trash too, with all their versions, and what is being sent.
#[derive(SimpleObject)]
pub struct Usage {
    files: Long,
    /// Bytes.
    bytes: Long,
    /// The quota; more is refused. What is there already stays, whatever the quota.
    max_files: Long,
    /// Bytes.
    max_bytes: Long,
}

impl From<files::Usage> for Usage {
    fn from(usage: files::Usage) -> Self {
        Self {
            files: Long(usage.files),
            bytes: Long(usage.bytes),
            max_files: Long(usage.max_files),
            max_bytes: Long(usage.max_bytes),
        }
    }
}

#[derive(Default)]
pub struct UsageQuery;

#[Object]
impl UsageQuery {
    /// What one's own files take up; for admins anyone's. Null where there is no such person.
    async fn usage(&self, ctx: &Context<'_>, user_id: Option<ID>) -> async_graphql::Result<Option<Usage>> {
        let user = user_id.map(|id| NodeKind::User.parse(&id).unwrap_or_default());
        let usage = files::usage(graphql::app(ctx), graphql::viewer(ctx), user).await.or_fault()?;
        Ok(usage.map(Into::into))
    }
}

/// A repeat changes nothing.
#[derive(InputObject)]
pub struct SetQuotaInput {
    pub user_id: ID,
    /// The server's own quota where it is not given.
    pub max_files: Option<Long>,
    /// Bytes; the server's own quota where it is not given.
    pub max_bytes: Option<Long>,
}

#[derive(SimpleObject)]
pub struct SetQuotaPayload {
    usage: Option<Usage>,
    user_errors: Vec<FileUserError>,
}

#[derive(Default)]
pub struct UsageMutation;

#[Object]
impl UsageMutation {
    /// Sets how much a person's files may take up. Admins.
    async fn set_quota(&self, ctx: &Context<'_>, input: SetQuotaInput) -> async_graphql::Result<SetQuotaPayload> {
        let quota = files::NewQuota {
            user_id: NodeKind::User.parse(&input.user_id).unwrap_or_default(),
            max_files: input.max_files.map(|files| files.0),
            max_bytes: input.max_bytes.map(|bytes| bytes.0),
        };
        match files::set_quota(graphql::app(ctx), graphql::viewer(ctx), quota).await {
            Ok(usage) => Ok(SetQuotaPayload { usage: Some(usage.into()), user_errors: Vec::new() }),
            Err(error) => Ok(SetQuotaPayload { usage: None, user_errors: vec![user_error(&error)?] }),
        }
    }
}
