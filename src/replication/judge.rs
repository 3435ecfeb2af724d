//! The judgement on one key: both sites asked, between two looks at the ledger. What a listing suggests is only a reason to
//! come here, since three cursors are no snapshot.

use entity::{
    Timestamp, object,
    object::State,
    object_copy::{self, Proof, Site},
    replica_finding::Kind,
};
use sea_orm::DbErr;
use uuid::Uuid;

use super::store;
use crate::{
    adapters::objects::{Claim, ObjectMeta, Presence, Stored},
    app::App,
    error::Fault,
    ledger::{self, Equality, Roles, Sight},
};

/// What is so of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both copies are what the ledger says; how strongly the weaker of the two is proven, and what is new of them.
    Agreed {
        object: Uuid,
        proof: Proof,
        seen: Vec<(Site, Sight)>,
    },
    /// Not at the replica yet, and not late.
    Lagging,
    /// Being written or erased, and not late.
    InFlight,
    Fault(Box<Found>),
    /// Nothing is there, and nothing is to be.
    Nothing,
    /// The ledger changed while the sites were asked: the next look decides.
    Unsettled,
}

/// A fault that was seen just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub kind: Kind,
    pub key: String,
    pub object: Option<object::Model>,
    pub bytes: i64,
    /// For people.
    pub detail: String,
    /// What is to be written down of the copies.
    pub seen: Vec<(Site, Sight)>,
    /// What each site has, by [`Site::ALL`]: what a repair depends on.
    pub metas: [Option<ObjectMeta>; 2],
}

/// What decides beside the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub roles: Roles,
    pub now: Timestamp,
}

impl Terms {
    pub async fn now(app: &App) -> Result<Self, Fault> {
        let connection = app.db.read();
        Ok(Self { roles: ledger::roles(connection).await?, now: app.db.now(connection).await? })
    }

    /// Whether the copy of an object that became live then has been awaited for longer than it may. What was awaited anew when
    /// the server was rebuilt is not late because of its age.
    pub fn late(&self, app: &App, live_at: Timestamp, rebuilt_at: Option<Timestamp>) -> bool {
        self.now.since(rebuilt_at.map_or(live_at, |rebuilt| rebuilt.max(live_at))) > app.config.replication.rpo
    }
}

/// When the server was rebuilt, if it ever was.
pub(super) async fn rebuilt_at(app: &App) -> Result<Option<Timestamp>, DbErr> {
    Ok(store::newest_restore(app.db.read()).await?.map(|run| run.updated_at))
}

/// How closely a live object's copies are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What the stores tell; the bytes only where that decides nothing.
    Told,
    /// Both copies are read and hashed.
    Bytes,
}

/// Asks both sites and the ledger. Only a definite answer counts: where a site refuses or is away, this is an error.
pub(super) async fn judge(app: &App, key: &str, depth: Depth) -> Result<Verdict, Fault> {
    let terms = Terms::now(app).await?;
    let before = ledger::by_key(app, key).await?;
    let verdict = match &before {
        None => orphan(app, terms, key).await?,
        Some(object) => match object.state {
            State::Live => live(app, terms, object, depth).await?,
            State::Pending => pending(app, terms, object),
            State::Deleting | State::Erased => gone(app, terms, object).await?,
        },
    };
    let after = ledger::by_key(app, key).await?;
    let same = match (&before, &after) {
        (Some(before), Some(after)) => before.state == after.state,
        (None, None) => true,
        _ => false,
    };
    Ok(if same { verdict } else { Verdict::Unsettled })
}

/// What became of one site's copy of a live object.
struct Look {
    meta: Option<ObjectMeta>,
    equality: Equality,
}

async fn live(app: &App, terms: Terms, object: &object::Model, depth: Depth) -> Result<Verdict, Fault> {
    let (primary, replica) = (terms.roles.primary, terms.roles.replica());
    let copies = ledger::copies(app.db.read(), &[object.id]).await?;
    let known = |site: Site| {
        let copy = copies.iter().find(|copy| copy.site == site && copy.state == object_copy::State::Verified);
        copy.and_then(|copy| copy.etag.as_deref())
    };
    let look = async |site: Site| match depth {
        Depth::Told => told(app, object, site, known(site)).await,
        Depth::Bytes => hashed(app, object, site).await,
    };
    let (at_primary, at_replica) = tokio::try_join!(look(primary), look(replica))?;
    let (at_primary, at_replica) = decide(app, object, [(primary, at_primary), (replica, at_replica)]).await?;
    let claim = at_primary.meta.as_ref().and_then(|meta| meta.claim);
    let awaited = copies.iter().any(|copy| copy.site == replica && copy.state == object_copy::State::Awaiting);
    let live_at = object.live_at.unwrap_or(object.created_at);
    let kind = match (present(&at_primary), present(&at_replica)) {
        (Some(Equality::Equal(one)), Some(Equality::Equal(other))) => {
            let seen = [(primary, &at_primary), (replica, &at_replica)];
            let seen = seen.into_iter().filter_map(|(site, look)| Some((site, proven(look)?))).collect();
            return Ok(Verdict::Agreed { object: object.id, proof: weaker(one, other), seen });
        }
        (Some(Equality::Equal(_)), None) if claim == Some(Claim::Completed) => Kind::FalseCompleted,
        // What was there once is no longer on its way, and what S3 failed to copy never was.
        (Some(Equality::Equal(_)), None)
            if awaited && claim != Some(Claim::Failed) && !terms.late(app, live_at, rebuilt_at(app).await?) =>
        {
            return Ok(Verdict::Lagging);
        }
        (Some(Equality::Equal(_)), None) => Kind::MissingInReplica,
        (Some(Equality::Equal(_)), Some(_)) => Kind::StaleInReplica,
        (None, Some(Equality::Equal(_))) => Kind::MissingInPrimary,
        (Some(_), Some(Equality::Equal(_))) => Kind::CorruptInPrimary,
        _ => Kind::Lost,
    };
    let mut seen = Vec::new();
    for (site, look, altered) in [(primary, &at_primary, Sight::Corrupt), (replica, &at_replica, Sight::Stale)] {
        seen.push((
            site,
            match (&look.meta, proven(look)) {
                (_, Some(proven)) => proven,
                (None, _) => Sight::Missing,
                (Some(_), None) => altered,
            },
        ));
    }
    let metas = Site::ALL.map(|site| if site == primary { at_primary.meta.clone() } else { at_replica.meta.clone() });
    let said = match claim {
        Some(Claim::Completed) if kind == Kind::FalseCompleted => "; S3 says that the copy is COMPLETED",
        Some(Claim::Failed) => "; S3 says that the copy FAILED",
        _ => "",
    };
    let (there, copy) = (describe(&at_primary), describe(&at_replica));
    let detail =
        format!("the ledger has {} bytes; at the primary: {there}; at the replica: {copy}{said}", object.bytes);
    let (key, bytes) = (object.key.clone(), object.bytes);
    Ok(Verdict::Fault(Box::new(Found { kind, key, object: Some(object.clone()), bytes, detail, seen, metas })))
}

async fn told(app: &App, object: &object::Model, site: Site, known: Option<&str>) -> Result<Look, Fault> {
    let meta = app.stores.at(site).head(&object.key).await?;
    let equality = meta.as_ref().map_or(Equality::Unknown, |meta| ledger::compare(object, known, meta));
    Ok(Look { meta, equality })
}

async fn hashed(app: &App, object: &object::Model, site: Site) -> Result<Look, Fault> {
    Ok(match ledger::hash_at(app, &object.key, site).await? {
        Some((sha256, meta)) if sha256.as_slice() == object.sha256 => {
            Look { meta: Some(meta), equality: Equality::Equal(Proof::Bytes) }
        }
        Some((_, meta)) => Look { meta: Some(meta), equality: Equality::Differs },
        None => Look { meta: None, equality: Equality::Unknown },
    })
}

/// Where what the stores tell decides nothing, the other copy does, and where that does not either, the bytes.
async fn decide(app: &App, object: &object::Model, mut looks: [(Site, Look); 2]) -> Result<(Look, Look), Fault> {
    for turn in [0, 1] {
        let [(_, one), (_, other)] = &looks;
        let (proven, unknown) = if turn == 0 { (one, other) } else { (other, one) };
        if let (Equality::Equal(_), Equality::Unknown, Some(proven), Some(unknown)) =
            (proven.equality, unknown.equality, &proven.meta, &unknown.meta)
        {
            let equality = ledger::compare_pair(proven, unknown);
            // A sum that differs from a proven one is as good as one that differs from the ledger.
            looks[1 - turn].1.equality = equality;
        }
    }
    for (site, look) in &mut looks {
        if look.meta.is_some() && look.equality == Equality::Unknown {
            *look = hashed(app, object, *site).await?;
        }
    }
    let [(_, one), (_, other)] = looks;
    Ok((one, other))
}

fn present(look: &Look) -> Option<Equality> {
    look.meta.as_ref().map(|_| look.equality)
}

fn proven(look: &Look) -> Option<Sight> {
    match (&look.meta, look.equality) {
        (Some(meta), Equality::Equal(proof)) => {
            let stored = Stored { etag: meta.etag.clone(), version_id: meta.version_id.clone() };
            Some(Sight::Proven(stored, proof))
        }
        _ => None,
    }
}

fn describe(look: &Look) -> String {
    match (&look.meta, look.equality) {
        (None, _) => "nothing".to_owned(),
        (Some(_), Equality::Equal(_)) => "the same".to_owned(),
        (Some(meta), _) => format!("{} other bytes, ETag {}", meta.bytes, meta.etag),
    }
}

/// Strongest first: bytes, checksum, ETag, existence.
pub(super) fn weaker(one: Proof, other: Proof) -> Proof {
    let rank = |proof: Proof| match proof {
        Proof::Bytes => 0,
        Proof::Checksum => 1,
        Proof::Etag => 2,
        Proof::Existence => 3,
    };
    if rank(one) < rank(other) { other } else { one }
}

fn pending(app: &App, terms: Terms, object: &object::Model) -> Verdict {
    let late = object.keep_until.unwrap_or(object.created_at).plus(app.config.replication.in_flight_for);
    if terms.now <= late {
        return Verdict::InFlight;
    }
    let detail = format!("being written since {}", object.created_at.to_utc().to_rfc3339());
    let (key, bytes) = (object.key.clone(), object.bytes);
    let (object, metas) = (Some(object.clone()), [None, None]);
    Verdict::Fault(Box::new(Found { kind: Kind::InFlight, key, object, bytes, detail, seen: Vec::new(), metas }))
}

/// A doomed object: nothing of it may be left at any site, past the time that an erasure takes.
async fn gone(app: &App, terms: Terms, object: &object::Model) -> Result<Verdict, Fault> {
    let (first, second) = (app.stores.at(Site::First), app.stores.at(Site::Second));
    let left = tokio::try_join!(first.look(&object.key), second.look(&object.key))?;
    let left = [(Site::First, left.0), (Site::Second, left.1)];
    let any = left.iter().any(|(_, presence)| *presence != Presence::Gone);
    let requested = object.requested_at.unwrap_or(object.created_at);
    let late = terms.now > requested.plus(app.config.replication.in_flight_for);
    let kind = match (object.state, any) {
        (State::Erased, false) => return Ok(Verdict::Nothing),
        (State::Erased, true) => Kind::NotErased,
        _ if !late => return Ok(Verdict::InFlight),
        (_, true) => Kind::NotErased,
        (_, false) => Kind::InFlight,
    };
    let told: Vec<String> = left
        .iter()
        .filter_map(|(site, presence)| match presence {
            Presence::Gone => None,
            Presence::Present { versions, markers, uploads } => {
                let role = if *site == terms.roles.primary { "primary" } else { "replica" };
                Some(format!("at the {role}: {versions} versions, {markers} markers, {uploads} unfinished uploads"))
            }
        })
        .collect();
    let since = match object.erased_at {
        Some(erased) => format!("its erasure was proven at {}", erased.to_utc().to_rfc3339()),
        None => format!("its erasure was asked for at {}", requested.to_utc().to_rfc3339()),
    };
    let detail =
        if told.is_empty() { format!("{since}, and is not proven") } else { format!("{since}; {}", told.join("; ")) };
    let (key, bytes) = (object.key.clone(), object.bytes);
    let (object, metas) = (Some(object.clone()), [None, None]);
    Ok(Verdict::Fault(Box::new(Found { kind, key, object, bytes, detail, seen: Vec::new(), metas })))
}

/// A key that the ledger does not know: every object is in it before its first byte is written, so nobody here made this.
async fn orphan(app: &App, terms: Terms, key: &str) -> Result<Verdict, Fault> {
    let (first, second) = (app.stores.at(Site::First), app.stores.at(Site::Second));
    let metas: [Option<ObjectMeta>; 2] = tokio::try_join!(first.head(key), second.head(key))?.into();
    let at = |site: Site| if site == Site::First { &metas[0] } else { &metas[1] };
    let (primary, replica) = (at(terms.roles.primary), at(terms.roles.replica()));
    let (kind, meta) = match (primary, replica) {
        (Some(meta), _) => (Kind::OrphanInPrimary, meta),
        (None, Some(meta)) => (Kind::OrphanInReplica, meta),
        // A marker over old versions, or gone meanwhile.
        (None, None) => return hidden(app, terms, key).await,
    };
    let detail = format!(
        "the ledger knows no such key; {} bytes, ETag {}{}",
        meta.bytes,
        meta.etag,
        if primary.is_some() && replica.is_some() { ", at both sites" } else { "" },
    );
    let bytes = i64::try_from(meta.bytes).unwrap_or(i64::MAX);
    let key = key.to_owned();
    Ok(Verdict::Fault(Box::new(Found { kind, key, object: None, bytes, detail, seen: Vec::new(), metas })))
}

async fn hidden(app: &App, terms: Terms, key: &str) -> Result<Verdict, Fault> {
    for (site, kind) in [(terms.roles.primary, Kind::OrphanInPrimary), (terms.roles.replica(), Kind::OrphanInReplica)] {
        if let Presence::Present { versions, markers, uploads } = app.stores.at(site).look(key).await? {
            let detail = format!(
                "the ledger knows no such key; {versions} versions, {markers} markers, {uploads} unfinished uploads, and no \
                 current object"
            );
            let (key, metas) = (key.to_owned(), [None, None]);
            return Ok(Verdict::Fault(Box::new(Found {
                kind,
                key,
                object: None,
                bytes: 0,
                detail,
                seen: Vec::new(),
                metas,
            })));
        }
    }
    Ok(Verdict::Nothing)
}
