//! Legal holds in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::legal_hold;
use uuid::Uuid;

use super::{
    File,
    mutation::{FileUserError, user_error},
};
use crate::{
    accounts::graphql::{User, load_user},
    db::page::Position,
    files::{self, FilesError, holds},
    graphql::{
        self, Connection, FaultExt as _, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::date_time,
    },
};

/// Keeps everything of a file, whoever wants it deleted, until it is released. What is asked for meanwhile is done then.
pub struct LegalHold(pub legal_hold::Model);

#[Object]
impl LegalHold {
    pub async fn id(&self) -> ID {
        NodeKind::LegalHold.id(self.0.id).into()
    }

    /// Null once it is deleted, after the release.
    async fn file(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<File>> {
        let file = files::find(graphql::app(ctx), graphql::viewer(ctx), self.0.file_id).await.or_fault()?;
        Ok(file.map(File::from))
    }

    /// Also once the file is gone.
    async fn file_id(&self) -> ID {
        NodeKind::File.id(self.0.file_id).into()
    }

    /// As it was when the hold was placed.
    async fn file_name(&self) -> &str {
        &self.0.file_name
    }

    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Null where the account is no more.
    async fn placed_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.placed_by).await
    }

    async fn placed_at(&self) -> DateTime<Utc> {
        date_time(self.0.placed_at)
    }

    async fn released_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.released_by).await
    }

    /// Null while it stands.
    async fn released_at(&self) -> Option<DateTime<Utc>> {
        self.0.released_at.map(date_time)
    }
}

/// For `node(id)`.
pub async fn legal_hold_node(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<Option<LegalHold>> {
    Ok(holds::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(LegalHold))
}

#[derive(InputObject)]
pub struct PlaceLegalHoldInput {
    pub file_id: ID,
    /// For admins, and in the audit log; 1 to 500 characters.
    pub reason: String,
    /// A repeat with the same key returns the first result. Without one a file gets another hold each time.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct ReleaseLegalHoldInput {
    pub id: ID,
}

#[derive(SimpleObject)]
pub struct PlaceLegalHoldPayload {
    legal_hold: Option<LegalHold>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct ReleaseLegalHoldPayload {
    legal_hold: Option<LegalHold>,
    user_errors: Vec<FileUserError>,
}

#[derive(Default)]
pub struct HoldsQuery;

#[Object]
impl HoldsQuery {
    /// Legal holds, newest first: those that stand, unless asked otherwise. Admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn legal_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "False: those that were released. Null: all.", default_with = "Some(true)")] active: Option<
            bool,
        >,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<LegalHold>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = holds::list(app, graphql::viewer(ctx), active, &page).await.or_fault()?;
        let position = |hold: &LegalHold| Position { key: hold.0.placed_at, id: hold.0.id };
        Ok(connection(found.map(LegalHold), Default::default(), position))
    }
}

#[derive(Default)]
pub struct HoldsMutation;

#[Object]
impl HoldsMutation {
    /// Keeps everything that a file is, was and will be, until `releaseLegalHold`. A file may have several. Admins.
    async fn place_legal_hold(
        &self,
        ctx: &Context<'_>,
        input: PlaceLegalHoldInput,
    ) -> async_graphql::Result<PlaceLegalHoldPayload> {
        let file = NodeKind::File.parse(&input.file_id).unwrap_or_default();
        let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
        let placed = holds::place(app, viewer, file, &input.reason, input.idempotency_key.as_deref()).await;
        let (legal_hold, user_errors) = outcome(placed)?;
        Ok(PlaceLegalHoldPayload { legal_hold, user_errors })
    }

    /// Ends a hold. With the last one of a file what waited for that is done. A repeat changes nothing. Admins.
    async fn release_legal_hold(
        &self,
        ctx: &Context<'_>,
        input: ReleaseLegalHoldInput,
    ) -> async_graphql::Result<ReleaseLegalHoldPayload> {
        let id = NodeKind::LegalHold.parse(&input.id).unwrap_or_default();
        let (legal_hold, user_errors) = outcome(holds::release(graphql::app(ctx), graphql::viewer(ctx), id).await)?;
        Ok(ReleaseLegalHoldPayload { legal_hold, user_errors })
    }
}

type Outcome = (Option<LegalHold>, Vec<FileUserError>);

fn outcome(answer: Result<legal_hold::Model, FilesError>) -> async_graphql::Result<Outcome> {
    match answer {
        Ok(row) => Ok((Some(LegalHold(row)), Vec::new())),
        Err(error) => Ok((None, vec![user_error(&error)?])),
    }
}
