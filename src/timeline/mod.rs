//! The timeline of a file, also of one that is gone: what the ledger and the audit log know of it, in order.

pub mod graphql;

use entity::{
    Timestamp, object,
    object::State,
    object_copy::{self, Proof, Site},
};
use uuid::Uuid;

use crate::{app::App, audit, error::Fault, ledger, viewer::Viewer};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An object's bytes were stored, and became part of the file.
    Stored,
    /// The copy at this site was confirmed for the first time.
    Copied(Site),
    /// The copy at this site was verified for the last time until now, so strongly.
    Verified(Site, Proof),
    /// Somebody, or the system, asked for the object's erasure.
    ErasureAsked { by: Option<Uuid>, reason: Option<object::Reason> },
    /// Nothing of it is left at this site.
    Gone(Site),
    /// Nothing of it is left anywhere.
    Erased,
    /// As the audit log has it.
    Done { by: Option<Uuid>, action: String },
}

/// Something that happened to a file, or to one of its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at: Timestamp,
    pub what: What,
    pub object: Option<object::Model>,
}

/// Everything, the oldest first; nothing of a file that never was. Operators and admins; what the audit log has, admins alone.
pub async fn of_file(app: &App, viewer: &Viewer, file: Uuid) -> Result<Vec<Moment>, Fault> {
    viewer.operator()?;
    let connection = app.db.read();
    let objects = ledger::of_file(connection, file).await?;
    let ids: Vec<Uuid> = objects.iter().map(|object| object.id).collect();
    let copies = ledger::copies(connection, &ids).await?;
    let mut moments = Vec::new();
    for object in objects {
        let own = copies.iter().filter(|copy| copy.object_id == object.id);
        let of_object = of_object(&object, &own.collect::<Vec<_>>());
        moments.extend(of_object.into_iter().map(|(at, what)| Moment { at, what, object: Some(object.clone()) }));
    }
    let entries = if viewer.admin().is_ok() { audit::of_subject(connection, file).await? } else { Vec::new() };
    for entry in entries {
        let (at, what) = (entry.row.created_at, What::Done { by: entry.row.actor_id, action: entry.row.action });
        moments.push(Moment { at, what, object: None });
    }
    // What happened at one time stays in the order above: first stored, last erased.
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}

fn of_object(object: &object::Model, copies: &[&object_copy::Model]) -> Vec<(Timestamp, What)> {
    let mut moments = Vec::new();
    let mut add = |at: Option<Timestamp>, what: What| moments.extend(at.map(|at| (at, what)));
    add(object.live_at, What::Stored);
    // Where the bytes were sent to is no copy.
    let first = copies.iter().filter(|copy| copy.arrived_at.is_some()).min_by_key(|copy| copy.arrived_at);
    for copy in copies {
        if first.is_some_and(|first| first.site != copy.site) {
            add(copy.arrived_at, What::Copied(copy.site));
        }
        if let Some(proof) = copy.proof
            && copy.verified_at != copy.arrived_at
        {
            add(copy.verified_at, What::Verified(copy.site, proof));
        }
    }
    add(object.requested_at, What::ErasureAsked { by: object.requested_by, reason: object.reason });
    for copy in copies {
        add(copy.gone_at, What::Gone(copy.site));
    }
    if object.state == State::Erased {
        add(object.erased_at, What::Erased);
    }
    moments
}
