//! Receipts in GraphQL.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{Proof, ProofError, Subject};
use crate::graphql::{self, FaultExt as _, error};

/// Objects of one receipt at the most: each is asked for at both sites while the client waits.
const MOST: usize = 1000;

/// Where every copy of a file, of a person's or of a snap is, or that it is gone: signed, and checked without this server.
#[derive(SimpleObject)]
pub struct Receipt {
    /// JSON with the signature and the public key in its first line, as `scripts/verify-receipt` checks it. Every byte counts.
    document: String,
    /// Objects that are at both sites as the ledger says.
    kept: u64,
    /// Objects that are at no site, as the ledger says.
    gone: u64,
    /// Objects on their way to a site, or being erased.
    under_way: u64,
    /// Objects of which a site has something else than the ledger says, or could not be asked.
    wanting: u64,
}

impl From<Proof> for Receipt {
    fn from(Proof { document, verdict }: Proof) -> Self {
        let [kept, gone, under_way, wanting] =
            [verdict.kept, verdict.gone, verdict.under_way, verdict.wanting].map(|objects| objects as u64);
        Self { document, kept, gone, under_way, wanting }
    }
}

#[derive(Default)]
pub struct ProofQuery;

#[Object]
impl ProofQuery {
    /// A receipt on a file, a user or a snap, also on one that is gone: what the ledger, both sites and the audit log say of it now. The
    /// sites tell their checksums; `snaphaven prove` reads the bytes too. Null where nothing is known of it. Admins.
    #[graphql(complexity = 500)]
    async fn receipt(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Receipt>> {
        let viewer = graphql::viewer(ctx);
        viewer.admin().or_fault()?;
        let subject: Subject = id.parse().map_err(error::bad_input)?;
        match super::prove(graphql::app(ctx), viewer, subject, false, MOST).await {
            Ok(proof) => Ok(proof.map(Receipt::from)),
            Err(error @ ProofError::TooMany { .. }) => Err(error::bad_input(error.to_string())),
            Err(ProofError::Fault(fault)) => Err(error::fault(&fault)),
        }
    }
}
