//! Two job workers and one leader, one of them killed or stopped: nothing is lost, a repeat carries the same id, and who
//! does not lead any more writes nothing as a leader.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use entity::{Timestamp, alert, job};
use rand::{RngExt, rngs::StdRng};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, TransactionTrait};
use serde_json::json;
use snaphaven::id::NodeKind;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    arena::{Arena, seen},
    content,
    door::{Person, volley},
    leader,
    tally::Tally,
};
use crate::common::Failure;

const FILES: usize = 6;
/// Alerts beside those.
const BACKLOG: usize = 40;
const STOPPED: Duration = Duration::from_millis(3_500);

/// Files whose deletion raises the alerts.
pub async fn files(arena: &Arena, owner: &Person, rng: &mut StdRng) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..FILES {
        ids.push(arena.doors[0].upload(&owner.token, "queue", content(rng), None).await.text("/file/id"));
    }
    ids
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Kill,
    Stop,
}

pub async fn round(
    arena: &mut Arena,
    owner: &Person,
    ids: &[String],
    rng: &mut StdRng,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let fault = [Fault::None, Fault::Kill, Fault::Stop][tally.rounds as usize % 3];
    let lost = leases_lost(arena);
    let before: BTreeSet<_> = alerts(arena).await?.into_keys().collect();
    let trashes = ids.iter().enumerate().map(|(number, id)| {
        let (door, token, id) = (arena.doors[number % 2].clone(), owner.token.clone(), id.clone());
        async move { door.trash(&token, &[id]).await }
    });
    if fault == Fault::None {
        backlog(arena).await?;
    }
    let trashes = tokio::spawn(volley(trashes.collect()));
    sleep(Duration::from_millis(rng.random_range(0..150))).await;
    // Whoever leads is the better victim.
    let leading = leader::of(arena).await?.unwrap_or(0);
    let victim = if rng.random_bool(0.7) { leading } else { arena.size() - 1 - leading.min(arena.size() - 1) };
    match fault {
        Fault::None => {}
        Fault::Kill => {
            arena.signal(victim, "KILL").await?;
            arena.restart(victim).await?;
            tally.note("killed", 1);
        }
        Fault::Stop => {
            arena.signal(victim, "STOP").await?;
            sleep(STOPPED).await;
            arena.signal(victim, "CONT").await?;
            tally.note("stopped", 1);
        }
    }
    let answers = trashes.await?;
    tally.take(
        &answers,
        if fault == Fault::None {
            &["ok"]
        } else {
            &["ok", "no answer (broken)", "error UNAVAILABLE", "http 503 UNAVAILABLE"]
        },
    );

    let delivered = seen(async || Ok((waiting(arena).await? == 0).then_some(()))).await?;
    tally.expect(delivered.is_some(), || "alerts are still to be delivered".to_owned());
    let now = alerts(arena).await?;
    let raised = now.iter().filter(|(id, _)| !before.contains(*id));
    let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
    for log in arena.logs() {
        for line in log.split("\"alert.id\":\"").skip(1) {
            *delivered.entry(line[..36].to_owned()).or_default() += 1;
        }
    }
    let mut count = 0;
    for (id, state) in raised {
        count += 1;
        let times = delivered.get(id).copied().unwrap_or(0);
        tally.expect(*state == alert::State::Delivered && times > 0, || {
            format!("alert {id} is {state:?}, delivered {times} times")
        });
        // A worker that lost its lease had perhaps delivered already: again, with the same id.
        let once = times == 1 || fault != Fault::None || leases_lost(arena) > lost;
        tally.expect(once, || format!("alert {id} was delivered {times} times"));
        tally.note("delivered again with the same id", times.saturating_sub(1));
    }
    tally.note("alerts", count);
    for id in delivered.keys() {
        tally.expect(now.contains_key(id), || format!("an alert that never was, {id}, was delivered"));
    }
    for answer in answers.iter().filter(|answer| answer.is_ok()) {
        let id = NodeKind::Alert.parse(&answer.text("/alert/id")).map(|id| id.to_string()).unwrap_or_default();
        tally
            .expect(id.is_empty() || now.contains_key(&id), || format!("alert {id} was acknowledged and is not there"));
    }
    let restored = arena.doors[1].restore(&owner.token, ids).await;
    tally.take(&[restored], &["ok"]);
    let dead = job::Entity::find().filter(job::Column::State.eq(job::State::Dead)).count(&arena.tables).await?;
    tally.expect(dead == 0, || format!("{dead} jobs are dead"));
    leader::judge(arena, tally).await
}

/// Deliveries that are due for both workers at the same moment.
async fn backlog(arena: &Arena) -> Result<(), Failure> {
    let (mut alerts, mut jobs) = (Vec::new(), Vec::new());
    for _ in 0..BACKLOG {
        let id = Uuid::now_v7();
        alerts.push(alert::ActiveModel {
            id: Set(id),
            kind: Set(alert::Kind::FilesExpired),
            state: Set(alert::State::Pending),
            actor_id: Set(None),
            count: Set(1),
            message: Set("a backlog".to_owned()),
            details: Set(json!({})),
            attempts: Set(0),
            last_error: Set(None),
            created_at: Set(Timestamp(0)),
            delivered_at: Set(None),
            receipt: Set(None),
        });
        jobs.push(job::ActiveModel {
            id: Set(Uuid::now_v7()),
            kind: Set("alerts.deliver".to_owned()),
            lane: Set(job::Lane::Prompt),
            payload: Set(json!({ "alert": id }).to_string()),
            state: Set(job::State::Waiting),
            run_at: Set(Timestamp(0)),
            attempts: Set(0),
            max_attempts: Set(25),
            lease_token: Set(None),
            lease_until: Set(None),
            last_error: Set(None),
            unique_key: Set(None),
            created_at: Set(Timestamp(0)),
            finished_at: Set(None),
        });
    }
    let both = async || {
        let transaction = arena.tables.begin().await?;
        alert::Entity::insert_many(alerts.clone()).exec_without_returning(&transaction).await?;
        job::Entity::insert_many(jobs.clone()).exec_without_returning(&transaction).await?;
        transaction.commit().await
    };
    Ok(arena.write(both).await?)
}

/// How often a worker on a slow machine could not renew its lease, or write a job's outcome, in time.
fn leases_lost(arena: &Arena) -> usize {
    let signs = ["lost its lease", "came after its lease", "cannot write a job's outcome"];
    arena.logs().iter().map(|log| signs.iter().map(|sign| log.matches(sign).count()).sum::<usize>()).sum()
}

async fn alerts(arena: &Arena) -> Result<BTreeMap<String, alert::State>, Failure> {
    let rows = alert::Entity::find().all(&arena.tables).await?;
    Ok(rows.into_iter().map(|row| (row.id.to_string(), row.state)).collect())
}

async fn waiting(arena: &Arena) -> Result<u64, Failure> {
    let jobs = job::Entity::find().filter(job::Column::Kind.eq("alerts.deliver"));
    Ok(jobs.filter(job::Column::State.eq(job::State::Waiting)).count(&arena.tables).await?)
}
