//! The block list in GraphQL.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use entity::blocked_content;
use uuid::Uuid;

use crate::{
    accounts::graphql::{User, load_user},
    alerts::graphql::Alert,
    block_list::{self, BlockListError},
    db::page::Position,
    error::Fault,
    graphql::{
        self, Connection, FaultExt as _, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::{bad_input, fault},
        scalars::{Sha256, date_time},
    },
    reports::{self, ReportsError, Subject},
};

/// A content that nobody may store: these bytes, and where it is a picture, any that looks the same.
pub struct BlockedContent(pub blocked_content::Model);

#[Object]
impl BlockedContent {
    pub async fn id(&self) -> ID {
        NodeKind::BlockedContent.id(self.0.id).into()
    }

    async fn sha256(&self) -> Sha256 {
        Sha256(self.0.sha256.clone())
    }

    /// Whether a picture that looks the same is blocked, too: encoded or sized otherwise, or with a little of its edge cut off.
    async fn by_looks(&self) -> bool {
        !self.0.fingerprints.is_empty()
    }

    /// What it was called where it was found; empty where it was blocked by its hash.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Null where it was blocked by its hash.
    async fn content_type(&self) -> Option<&str> {
        self.0.content_type.as_deref()
    }

    /// A placeholder of the picture (https://evanw.github.io/thumbhash), in base64. The picture itself is not kept.
    async fn thumbhash(&self) -> Option<String> {
        self.0.thumbhash.as_ref().map(|hash| STANDARD.encode(hash))
    }

    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Null where the account is no more.
    async fn blocked_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.blocked_by).await
    }

    async fn blocked_at(&self) -> DateTime<Utc> {
        date_time(self.0.blocked_at)
    }

    /// Null while it is blocked, and where the account is no more.
    async fn unblocked_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.unblocked_by).await
    }

    /// Null while it is blocked.
    async fn unblocked_at(&self) -> Option<DateTime<Utc>> {
        self.0.unblocked_at.map(date_time)
    }

    /// How often somebody wanted to store it; the audit log has who.
    async fn refused_count(&self) -> i32 {
        i32::try_from(self.0.refused).unwrap_or(i32::MAX)
    }

    async fn last_refused_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_refused_at.map(date_time)
    }
}

/// For `node(id)`.
pub async fn blocked_content_node(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<Option<BlockedContent>> {
    Ok(block_list::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(BlockedContent))
}

#[derive(InputObject)]
pub struct BlockContentInput {
    /// A file: its content is blocked, and it is removed.
    pub file_id: Option<ID>,
    /// Or the SHA-256 of bytes that are not here, in hex.
    pub sha256: Option<Sha256>,
    /// For admins, and in the audit log; the owner of a removed file reads it too. 1 to 500 characters.
    pub reason: String,
}

#[derive(InputObject)]
pub struct UnblockContentInput {
    pub id: ID,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum BlockErrorCode {
    NotFound,
    InvalidReason,
    /// The file is in no state to be removed, or has another content since.
    WrongState,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct BlockUserError {
    code: BlockErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
}

#[derive(SimpleObject)]
pub struct BlockContentPayload {
    blocked_content: Option<BlockedContent>,
    /// Of the file's removal; null where none was removed by this.
    alert: Option<Alert>,
    user_errors: Vec<BlockUserError>,
}

#[derive(SimpleObject)]
pub struct UnblockContentPayload {
    blocked_content: Option<BlockedContent>,
    user_errors: Vec<BlockUserError>,
}

#[derive(Default)]
pub struct BlockListQuery;

#[Object]
impl BlockListQuery {
    /// The block list, newest first: what is blocked, unless asked otherwise. Admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn blocked_contents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "False: what was unblocked. Null: all.", default_with = "Some(true)")] active: Option<bool>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<BlockedContent>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = block_list::list(app, graphql::viewer(ctx), active, &page).await.or_fault()?;
        let position = |entry: &BlockedContent| Position { key: entry.0.blocked_at, id: entry.0.id };
        Ok(connection(found.map(BlockedContent), Default::default(), position))
    }
}

#[derive(Default)]
pub struct BlockListMutation;

#[Object]
impl BlockListMutation {
    /// Lets nobody store a content again, by whichever way. Of a file: it is removed as well. Other files that have the content
    /// already stay. A repeat changes nothing. Admins.
    async fn block_content(
        &self,
        ctx: &Context<'_>,
        input: BlockContentInput,
    ) -> async_graphql::Result<BlockContentPayload> {
        let subject = match (input.file_id, input.sha256) {
            (Some(id), None) => Subject::File(NodeKind::File.parse(&id).unwrap_or_default()),
            (None, Some(sha256)) => Subject::Sha256(sha256.0),
            _ => return Err(bad_input("Give `fileId` or `sha256`, one of them.")),
        };
        let blocked = reports::block(graphql::app(ctx), graphql::viewer(ctx), subject, &input.reason).await;
        let (code, field) = match &blocked {
            Ok(_) | Err(ReportsError::WrongState(_)) => (BlockErrorCode::WrongState, None),
            Err(ReportsError::NothingThere) => (BlockErrorCode::NotFound, Some("fileId")),
            Err(ReportsError::InvalidReason) => (BlockErrorCode::InvalidReason, Some("reason")),
            Err(ReportsError::Fault(cause)) => return Err(fault(cause)),
            Err(error) => return Err(fault(&Fault::Internal(error.to_string()))),
        };
        Ok(match blocked {
            Ok(blocked) => BlockContentPayload {
                blocked_content: Some(BlockedContent(blocked.entry)),
                alert: blocked.alert.map(Alert),
                user_errors: Vec::new(),
            },
            Err(error) => BlockContentPayload {
                blocked_content: None,
                alert: None,
                user_errors: vec![BlockUserError { code, field, message: error.to_string() }],
            },
        })
    }

    /// Lets a content be stored again. What was removed or refused stays so. A repeat changes nothing. Admins.
    async fn unblock_content(
        &self,
        ctx: &Context<'_>,
        input: UnblockContentInput,
    ) -> async_graphql::Result<UnblockContentPayload> {
        let id = NodeKind::BlockedContent.parse(&input.id).unwrap_or_default();
        match block_list::unblock(graphql::app(ctx), graphql::viewer(ctx), id).await {
            Ok(entry) => {
                Ok(UnblockContentPayload { blocked_content: Some(BlockedContent(entry)), user_errors: Vec::new() })
            }
            Err(BlockListError::Fault(cause)) => Err(fault(&cause)),
            Err(error @ BlockListError::NotFound) => {
                let error =
                    BlockUserError { code: BlockErrorCode::NotFound, field: Some("id"), message: error.to_string() };
                Ok(UnblockContentPayload { blocked_content: None, user_errors: vec![error] })
            }
        }
    }
}
