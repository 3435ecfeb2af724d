//! What sets a drill going.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::{
    graphql::{self, FaultExt, error::bad_input},
    manifest::{self, MAX_SAMPLE},
    replication::graphql::{ReplicaRun, ReplicationUserError},
};

#[derive(InputObject)]
pub struct StartReplicaDrillInput {
    /// Objects that are copied and read back, taken at random; 1 to 10,000.
    #[graphql(default = 100)]
    sample: i32,
}

#[derive(SimpleObject)]
pub struct StartReplicaDrillPayload {
    /// The one that was begun, or that was already under way.
    run: ReplicaRun,
    /// Empty: there is nothing that the user could mend.
    user_errors: Vec<ReplicationUserError>,
}

#[derive(Default)]
pub struct ManifestMutation;

#[Object]
impl ManifestMutation {
    /// Rebuilds a server beside this one, from the replica alone and with a sample of the objects, and throws it away: it tells how old
    /// what is left would be, and how long it takes. Changes nothing. Admins.
    async fn start_replica_drill(
        &self,
        ctx: &Context<'_>,
        input: StartReplicaDrillInput,
    ) -> async_graphql::Result<StartReplicaDrillPayload> {
        let sample = u64::try_from(input.sample).ok().filter(|sample| (1..=MAX_SAMPLE).contains(sample));
        let Some(sample) = sample else {
            return Err(bad_input(format!("Give a sample of 1 to {MAX_SAMPLE} objects.")));
        };
        let run = manifest::order_drill(graphql::app(ctx), graphql::viewer(ctx), sample).await.or_fault()?;
        Ok(StartReplicaDrillPayload { run: ReplicaRun(run), user_errors: Vec::new() })
    }
}
