//! Closing an account in GraphQL.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::account_closure;
use secrecy::{ExposeSecret as _, SecretString};

use super::Closed;
use crate::{
    accounts::graphql::{AccountUserError, outcome},
    graphql::{
        self, FaultExt,
        scalars::{Long, date_time},
        session::session_cookie,
    },
};

/// How far a closed account is.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "super::State")]
pub enum AccountClosureState {
    Erasing,
    /// A legal hold keeps all that is left. It is erased once the hold ends.
    Held,
    /// Nothing is left, which is proven for both sites.
    Erased,
}

/// What becomes of all that a closed account had.
pub struct AccountClosure(account_closure::Model);

#[Object]
impl AccountClosure {
    async fn state(&self) -> AccountClosureState {
        super::state(&self.0).into()
    }

    async fn requested_at(&self) -> DateTime<Utc> {
        date_time(self.0.requested_at)
    }

    /// Files of the account when it was closed, those in the trash too.
    async fn files(&self) -> Long {
        Long(self.0.files)
    }

    /// Those not yet deleted.
    async fn files_left(&self) -> Long {
        Long(self.0.files_left)
    }

    /// Files that a legal hold keeps, where those are all that is left.
    async fn held(&self) -> Long {
        Long(self.0.held)
    }

    /// Stored objects to be erased: contents, their versions, renditions, and parts of uploads.
    async fn objects(&self) -> Long {
        Long(self.0.objects)
    }

    /// Those proven gone at both sites.
    async fn objects_erased(&self) -> Long {
        Long(self.0.objects_erased)
    }

    /// When the last of them was, and the account itself was gone.
    async fn erased_at(&self) -> Option<DateTime<Utc>> {
        self.0.erased_at.map(date_time)
    }
}

#[derive(InputObject)]
pub struct CloseAccountInput {
    #[graphql(secret)]
    current_password: String,
    /// `shc_` and 32 random bytes in base64url, without padding: chosen beforehand, it finds the closure also where this
    /// answer is lost. Else the server makes one.
    #[graphql(secret)]
    receipt: Option<String>,
}

#[derive(SimpleObject)]
pub struct CloseAccountPayload {
    closure: Option<AccountClosure>,
    /// What `accountClosure` is asked with. Shown once.
    receipt: Option<String>,
    user_errors: Vec<AccountUserError>,
}

#[derive(Default)]
pub struct ClosingQuery;

#[Object]
impl ClosingQuery {
    /// A closed account, for whoever has its receipt, logged in or not; null where there is none.
    async fn account_closure(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret)] receipt: String,
    ) -> async_graphql::Result<Option<AccountClosure>> {
        Ok(super::find(graphql::app(ctx), &receipt).await.or_fault()?.map(AccountClosure))
    }
}

#[derive(Default)]
pub struct ClosingMutation;

#[Object]
impl ClosingMutation {
    /// Closes your account for good: every session and token ends at once, and all that you have is erased. Needs a log-in.
    async fn close_account(
        &self,
        ctx: &Context<'_>,
        input: CloseAccountInput,
    ) -> async_graphql::Result<CloseAccountPayload> {
        let password = SecretString::from(input.current_password);
        let receipt = input.receipt.map(SecretString::from);
        let answer = super::close(graphql::app(ctx), graphql::viewer(ctx), &password, receipt).await;
        let (closed, user_errors) = outcome(answer)?;
        let Some(Closed { closure, receipt }) = closed else {
            return Ok(CloseAccountPayload { closure: None, receipt: None, user_errors });
        };
        if let Some(cookie) = session_cookie(ctx) {
            cookie.clear();
        }
        let receipt = Some(receipt.expose_secret().to_owned());
        Ok(CloseAccountPayload { closure: Some(AccountClosure(closure)), receipt, user_errors })
    }
}
