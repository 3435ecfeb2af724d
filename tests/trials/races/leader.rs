//! Who led when, and who wrote as a leader: the database itself keeps the record, by triggers and the names under which
//! the processes log in.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::{sleep, timeout};

use super::{arena::Arena, door::Person, tally::Tally};
use crate::{
    common::Failure,
    servers::{KIND, Kind},
};

const POSTGRES: &str = r"
CREATE TABLE race_log (n bigserial, who text, what text, epoch bigint);
CREATE FUNCTION race_led() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO race_log (who, what, epoch) VALUES (current_setting('application_name'), 'leads', NEW.epoch);
    RETURN NULL;
END $$;
CREATE FUNCTION race_wrote() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO race_log (who, what, epoch)
        SELECT current_setting('application_name'), 'wrote', epoch FROM lease WHERE name = 'scheduler';
    RETURN NULL;
END $$;
CREATE TRIGGER race_led AFTER UPDATE ON lease FOR EACH ROW EXECUTE FUNCTION race_led();
CREATE TRIGGER race_wrote AFTER INSERT ON job FOR EACH ROW WHEN (NEW.unique_key LIKE 'schedule:%') EXECUTE FUNCTION race_wrote();
";

const MARIADB: [&str; 3] = [
    "CREATE TABLE race_log (n bigint AUTO_INCREMENT PRIMARY KEY, who varchar(80), what varchar(16), epoch bigint)",
    // An insert that finds the row there updates it to what it is.
    "CREATE TRIGGER race_led AFTER UPDATE ON lease FOR EACH ROW
        INSERT INTO race_log (who, what, epoch) SELECT SUBSTRING_INDEX(USER(), '@', 1), 'leads', NEW.epoch
        FROM DUAL WHERE NEW.until <> OLD.until",
    "CREATE TRIGGER race_wrote AFTER INSERT ON job FOR EACH ROW
        INSERT INTO race_log (who, what, epoch) SELECT SUBSTRING_INDEX(USER(), '@', 1), 'wrote', epoch
        FROM lease WHERE name = 'scheduler' AND NEW.unique_key LIKE 'schedule:%'",
];

/// Has the database keep the record. SQLite does not know who writes, and has one process here.
pub async fn watch(arena: &Arena) -> Result<(), Failure> {
    match *KIND {
        Kind::Sqlite => {}
        Kind::Postgres => arena.run(POSTGRES).await?,
        Kind::MariaDb => {
            for statement in MARIADB {
                arena.run(statement).await?;
            }
        }
    }
    Ok(())
}

struct Entry {
    n: i64,
    who: String,
    wrote: bool,
    epoch: i64,
}

async fn record(arena: &Arena) -> Result<Vec<Entry>, Failure> {
    if *KIND == Kind::Sqlite {
        return Ok(Vec::new());
    }
    let sql = "SELECT n, who, what, epoch FROM race_log ORDER BY n";
    let statement = Statement::from_string(arena.tables.get_database_backend(), sql);
    let rows = arena.tables.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                n: row.try_get_by_index(0)?,
                who: row.try_get_by_index(1)?,
                wrote: row.try_get_by_index::<String>(2)? == "wrote",
                epoch: row.try_get_by_index(3)?,
            })
        })
        .collect()
}

/// The number of the process that took the lease last.
pub async fn of(arena: &Arena) -> Result<Option<usize>, Failure> {
    let last = record(arena).await?.into_iter().rfind(|entry| !entry.wrote);
    Ok(last.map(|entry| usize::from(entry.who == "second")))
}

/// Every write of a leader was of the one that led then; the record begins anew.
pub async fn judge(arena: &Arena, tally: &mut Tally) -> Result<(), Failure> {
    let entries = record(arena).await?;
    let mut leaders: BTreeMap<i64, &str> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.wrote) {
        let leader = leaders.entry(entry.epoch).or_insert(&entry.who);
        tally.expect(*leader == entry.who, || format!("{leader} and {} lead in epoch {}", entry.who, entry.epoch));
    }
    for entry in entries.iter().filter(|entry| entry.wrote) {
        let Entry { who, epoch, .. } = entry;
        if let Some(leader) = leaders.get(epoch) {
            tally.expect(leader == who, || format!("{who} wrote a schedule while {leader} led in epoch {epoch}"));
        }
    }
    tally.note("schedules written by the leader", entries.iter().filter(|entry| entry.wrote).count());
    tally.note("changes of leader", leaders.len().saturating_sub(1));
    // What is written meanwhile is judged with the next; the leader's last entry tells who leads.
    if let Some(last) = entries.iter().rfind(|entry| !entry.wrote) {
        let judged = entries.last().map_or(0, |entry| entry.n);
        arena.run(&format!("DELETE FROM race_log WHERE n <= {judged} AND n <> {}", last.n)).await?;
    }
    Ok(())
}

/// A process that is stopped in mid-transaction, with a lock that all need, holds up nobody for long.
pub async fn stopped_in_transaction(arena: &Arena, owner: &Person, tally: &mut Tally) -> Result<(), Failure> {
    if *KIND == Kind::Sqlite {
        return Ok(());
    }
    let holder = sea_orm::TransactionTrait::begin(&arena.tables).await?;
    let lock = "SELECT seq FROM event_counter FOR UPDATE";
    holder.execute_unprepared(lock).await?;
    let (door, token) = (arena.doors[0].clone(), owner.token.clone());
    let upload = tokio::spawn(async move { door.upload(&token, "stopped", vec![7; 100].into(), None).await });
    sleep(Duration::from_millis(500)).await;
    arena.signal(0, "STOP").await?;
    sleep(Duration::from_millis(50)).await;
    holder.rollback().await?;
    // The lock now is the stopped process's, whose transaction waits for its next statement.
    let began = std::time::Instant::now();
    let free = async {
        loop {
            let answer = arena.doors[1].upload(&owner.token, "beside", vec![8; 100].into(), None).await;
            if answer.is_ok() {
                return;
            }
        }
    };
    let freed = timeout(Duration::from_secs(20), free).await;
    let time = began.elapsed();
    arena.signal(0, "CONT").await?;
    tally.expect(freed.is_ok(), || format!("a stopped process holds up all uploads, {time:?} and longer"));
    let bound = Duration::from_secs(10);
    tally.expect(time < bound, || format!("a stopped process held up uploads for {time:?}"));
    tally.note("ms of uploads held up by a stopped process", usize::try_from(time.as_millis()).unwrap_or(0));
    let answer = upload.await?;
    tally.take(&[answer], &["ok", "error UNAVAILABLE"]);
    Ok(())
}

/// Somebody who writes a schedule and does not lead: whether the record shows it.
pub async fn planted(arena: &Arena) -> Result<Option<String>, Failure> {
    if *KIND == Kind::Sqlite {
        return Ok(None);
    }
    let mut tally = Tally::default();
    arena
        .run(
            "INSERT INTO job (id, kind, payload, state, run_at, attempts, max_attempts, unique_key, created_at) \
             SELECT id, 'ledger.sweep', '{}', 'WAITING', 0, 0, 1, 'schedule:planted', 0 FROM object LIMIT 1",
        )
        .await?;
    judge(arena, &mut tally).await?;
    Ok(tally.violations.into_iter().next())
}
