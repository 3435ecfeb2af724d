//! The lag's trial: what the server says of its copies, against what is known of them. First S3 copies (here a replicator whose delays
//! are drawn from a known distribution), then the server itself, under four fifths of the load that it takes.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use entity::{
    Timestamp,
    object::{self, Kind, State},
    user,
};
use futures::{TryStreamExt as _, future::join_all};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectOptions, Database, DatabaseConnection, EntityTrait as _,
    QueryFilter as _, sea_query::Expr,
};
use serde_json::{Value, json};
use snaphaven::adapters::objects::{ObjectStore as _, s3::S3Store};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    common::{
        Failure,
        client::Client,
        plant::put,
        process::{Launcher, ObjectServer, Process},
    },
    servers::{KIND, Kind as Engine},
};

/// Of the first part, so many a second.
const PACE: u64 = 10;
/// Between two looks of the replicator, and of the judge.
const SCAN: Duration = Duration::from_millis(20);
const SCRAPE: Duration = Duration::from_millis(500);
/// What a busy machine adds to a look: the job's turn, and its two requests.
const SLACK: Duration = Duration::from_millis(750);
/// Of the second part.
const WRITERS: usize = 8;
const MEASURE: Duration = Duration::from_secs(20);
const SHARE: f64 = 0.8;
/// Uploads a second that the target asks for on Postgres.
const TARGET: f64 = 50.0;

pub struct Options<'a> {
    pub seed: u64,
    /// Seconds of each part.
    pub rounds: u32,
    pub database: &'a str,
    pub other: &'a str,
    /// Where data and logs go.
    pub folder: &'a Path,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

/// # Errors
/// Every violation found; or what kept the trial from running.
pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let first = options.folder.join("delays");
    std::fs::create_dir_all(&first)?;
    delays(&options, &first).await?;
    let second = options.folder.join("rate");
    std::fs::create_dir_all(&second)?;
    rate(&options, &second).await
}

/// A server, somebody on it who is an admin, and the buckets.
struct Stage {
    _process: Process,
    admin: Client,
    database: DatabaseConnection,
    stores: [S3Store; 2],
    _objects: ObjectServer,
}

impl Stage {
    async fn begin(folder: &Path, url: &str, mode: &str) -> Result<Self, Failure> {
        let objects = ObjectServer::start(folder).await?;
        let launcher = Launcher::new(folder, url, objects.settings())
            .with("objects.replication", mode)
            .with("objects.write_timeout", "60s")
            .with("replication.sweep_interval", "0s")
            .with("replication.scrub_interval", "0s")
            .with("quotas.files", "1000000")
            .with("log.filter", "warn");
        let (process, address) = launcher.start().await?;
        let url = match url {
            "" => format!("sqlite://{}", launcher.data_dir().join("snaphaven.sqlite").display()),
            url => url.to_owned(),
        };
        let mut connect = ConnectOptions::new(url);
        connect.sqlx_logging(false).max_connections(4);
        let database = Database::connect(connect).await?;
        let admin = Client::sign_up(&address, "ada").await?;
        user::Entity::update_many()
            .col_expr(user::Column::Role, Expr::value(user::Role::Admin.to_value()))
            .exec(&database)
            .await?;
        let stores = objects.stores().await;
        Ok(Self { _process: process, admin, database, stores, _objects: objects })
    }

    /// What the server says of its copies.
    async fn told(&self) -> Result<Value, Failure> {
        let query = "{ replication { lag { p50 p95 p99 max probe copies } backlog { objects oldest } } }";
        Ok(self.admin.graphql(query, json!({})).await?["replication"].clone())
    }

    async fn live(&self) -> Result<Vec<object::Model>, Failure> {
        Ok(object::Entity::find()
            .filter(object::Column::State.eq(State::Live))
            .filter(object::Column::Kind.eq(Kind::Original))
            .all(&self.database)
            .await?)
    }
}

fn now() -> Timestamp {
    Timestamp::from_utc(chrono::Utc::now())
}

/// When an object became live, and when its copy was there.
#[derive(Clone, Copy, Debug)]
struct Copied {
    live: Timestamp,
    there: Timestamp,
}

impl Copied {
    fn lag(&self) -> Duration {
        self.there.since(self.live)
    }

    /// By when the server has to have seen it: after `a`, it looks again after a quarter of `a`, a second to a minute.
    fn known(&self) -> Timestamp {
        self.there.plus(probe(self.lag())).plus(SLACK)
    }
}

/// docs/operations.md: `snaphaven_replication_probe_interval_seconds`.
fn probe(lag: Duration) -> Duration {
    (lag / 4).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

/// What was told at a moment, between two readings of the clock.
#[derive(Clone, Copy, Debug)]
struct Scrape {
    before: Timestamp,
    after: Timestamp,
    objects: i64,
    oldest: Option<f64>,
}

/// Half of the copies take a moment, most of the others some seconds, one in twenty long.
fn delay(rng: &mut StdRng) -> Duration {
    Duration::from_secs_f64(match rng.random_range(0..20) {
        0..10 => rng.random_range(0.3..2.0),
        10..19 => rng.random_range(2.0..8.0),
        _ => rng.random_range(8.0..20.0),
    })
}

async fn delays(options: &Options<'_>, folder: &Path) -> Result<(), Failure> {
    let stage = Arc::new(Stage::begin(folder, options.database, "s3-crr").await?);
    let total = usize::try_from(u64::from(options.rounds) * PACE)?;
    let mut rng = StdRng::seed_from_u64(options.seed);
    let uploads = {
        let stage = stage.clone();
        async move {
            let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PACE)?);
            let mut tasks = JoinSet::new();
            for number in 0..total {
                ticks.tick().await;
                let client = stage.admin.clone();
                tasks.spawn(async move {
                    let body = Bytes::from(format!("file {number}"));
                    client.upload(&format!("{number}.txt"), &body, &format!("lag-{number}")).await
                });
            }
            while let Some(done) = tasks.join_next().await {
                done?.map_err(|error| format!("an upload failed: {error:?}"))?;
            }
            Ok::<_, Failure>(())
        }
    };
    let replicator = {
        let stage = stage.clone();
        async move {
            let (mut seen, mut tasks) = (HashMap::<uuid::Uuid, ()>::new(), JoinSet::new());
            while seen.len() < total {
                for object in stage.live().await? {
                    if seen.insert(object.id, ()).is_some() {
                        continue;
                    }
                    let live = object.live_at.ok_or("a live object has no time")?;
                    let (due, stage) = (live.plus(delay(&mut rng)), stage.clone());
                    tasks.spawn(async move {
                        sleep(due.since(now())).await;
                        let found = stage.stores[0].get(&object.key, None).await?.ok_or("the primary has it not")?;
                        let body: Vec<Bytes> = found.body.try_collect().await?;
                        put(&stage.stores[1], &object.key, body.concat()).await?;
                        Ok::<_, Failure>(Copied { live, there: now() })
                    });
                }
                sleep(SCAN).await;
            }
            let mut copied = Vec::new();
            while let Some(one) = tasks.join_next().await {
                copied.push(one??);
            }
            Ok::<_, Failure>(copied)
        }
    };
    let scrapes = {
        let stage = stage.clone();
        async move {
            let mut scrapes = Vec::new();
            loop {
                let before = now();
                let told = stage.told().await?;
                let backlog = &told["backlog"];
                let objects = backlog["objects"].as_i64().ok_or("no backlog")?;
                scrapes.push(Scrape { before, after: now(), objects, oldest: backlog["oldest"].as_f64() });
                if told["lag"]["copies"].as_u64() == Some(total as u64) {
                    return Ok::<_, Failure>((scrapes, told["lag"].clone()));
                }
                sleep(SCRAPE).await;
            }
        }
    };
    let ((), copied, (scrapes, lag)) = tokio::try_join!(uploads, replicator, scrapes)?;
    let mut found = judge_lag(&copied, &lag);
    found.extend(judge_scrapes(&copied, &scrapes));
    if !found.is_empty() {
        return Err(format!("{} violations, such as\n{}", found.len(), found[..found.len().min(10)].join("\n")).into());
    }
    let truth = quantiles(&copied);
    (options.say)(&format!(
        "{} copies: p50, p95, p99 {:.2}, {:.2}, {:.2} s; told {}, {}, {} s (probe {} s); {} scrapes right, backlog up to {}",
        copied.len(),
        truth[0].as_secs_f64(),
        truth[1].as_secs_f64(),
        truth[2].as_secs_f64(),
        lag["p50"],
        lag["p95"],
        lag["p99"],
        lag["probe"],
        scrapes.len(),
        scrapes.iter().map(|scrape| scrape.objects).max().unwrap_or(0),
    ));
    control(&copied, &lag, &scrapes)
}

fn quantiles(copied: &[Copied]) -> [Duration; 3] {
    let mut lags: Vec<Duration> = copied.iter().map(Copied::lag).collect();
    lags.sort_unstable();
    [0.5, 0.95, 0.99].map(|share: f64| lags[((lags.len() as f64 * share).ceil() as usize).clamp(1, lags.len()) - 1])
}

/// Never shorter than the truth, and not longer by more than the time between two looks.
fn judge_lag(copied: &[Copied], told: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, truth) in ["p50", "p95", "p99"].into_iter().zip(quantiles(copied)) {
        let said = Duration::from_secs_f64(told[name].as_f64().unwrap_or(0.0));
        let (least, most) = (truth.saturating_sub(Duration::from_millis(50)), truth + probe(truth) + SLACK);
        if said < least || said > most {
            found.push(format!("{name} is {truth:?}, and told as {said:?}"));
        }
    }
    let said = Duration::from_secs_f64(told["probe"].as_f64().unwrap_or(0.0));
    if said < probe(quantiles(copied)[2]) || said > Duration::from_secs(60) {
        found.push(format!("the probe interval is told as {said:?}"));
    }
    found
}

/// What was surely on its way during a scrape was told, and what surely was not was not.
fn judge_scrapes(copied: &[Copied], scrapes: &[Scrape]) -> Vec<String> {
    let mut found = Vec::new();
    for scrape in scrapes {
        let sure = copied.iter().filter(|copy| copy.live < scrape.before && copy.there > scrape.after);
        let possible = copied.iter().filter(|copy| copy.live <= scrape.after && copy.known() >= scrape.before);
        let (least, most) = (sure.clone().count() as i64, possible.clone().count() as i64);
        if scrape.objects < least || scrape.objects > most {
            found.push(format!("a backlog of {least} to {most} was told as {}", scrape.objects));
        }
        let age = |live: Option<Timestamp>, at: Timestamp| live.map(|live| at.since(live).as_secs_f64());
        let least = age(sure.map(|copy| copy.live).min(), scrape.before);
        let most = age(possible.map(|copy| copy.live).min(), scrape.after);
        let right = match scrape.oldest {
            Some(told) => {
                least.is_none_or(|least| told >= least - 0.05) && most.is_some_and(|most| told <= most + 0.05)
            }
            None => least.is_none(),
        };
        if !right {
            found.push(format!("the oldest has waited for {least:?} to {most:?}, and was told as {:?}", scrape.oldest));
        }
    }
    found
}

/// The judge itself: what is told wrong is noticed.
fn control(copied: &[Copied], lag: &Value, scrapes: &[Scrape]) -> Result<(), Failure> {
    let later: Vec<Copied> =
        copied.iter().map(|copy| Copied { there: copy.there.plus(Duration::from_secs(4)), ..*copy }).collect();
    let off = |by: i64, age: f64| -> Vec<Scrape> {
        let wrong = |scrape: &Scrape| Scrape {
            objects: scrape.objects + by,
            oldest: scrape.oldest.map(|oldest| oldest + age),
            ..*scrape
        };
        scrapes.iter().map(wrong).collect()
    };
    let noticed = [
        !judge_lag(&later, lag).is_empty(),
        !judge_scrapes(&later, scrapes).is_empty(),
        !judge_scrapes(copied, &off(100, 0.0)).is_empty(),
        !judge_scrapes(copied, &off(0, 60.0)).is_empty(),
    ];
    if noticed == [true; 4] { Ok(()) } else { Err(format!("a control was not noticed: {noticed:?}").into()) }
}

/// Uploads of `writers` for so long, each at this pace; or as fast as they can. How many there were.
async fn load(stage: &Stage, writers: usize, length: Duration, pace: Option<f64>, name: &str) -> Result<u64, Failure> {
    let end = Instant::now() + length;
    let body = Bytes::from(vec![b'x'; 16 << 10]);
    let writer = |writer: usize| {
        let (client, body) = (stage.admin.clone(), body.clone());
        async move {
            let mut ticks = pace.map(|pace| interval(Duration::from_secs_f64(writers as f64 / pace)));
            if let Some(ticks) = &mut ticks {
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            }
            let mut done = 0;
            while Instant::now() < end {
                if let Some(ticks) = &mut ticks {
                    ticks.tick().await;
                }
                let key = format!("{name}-{writer}-{done}");
                client.upload(&format!("{key}.txt"), &body, &key).await.map_err(|error| format!("{error:?}"))?;
                done += 1;
            }
            Ok::<_, Failure>(done)
        }
    };
    Ok(join_all((0..writers).map(writer)).await.into_iter().collect::<Result<Vec<u64>, _>>()?.into_iter().sum())
}

async fn drained(stage: &Stage, limit: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    loop {
        let told = stage.told().await?;
        if told["backlog"]["objects"] == 0 {
            return Ok(());
        }
        if began.elapsed() > limit {
            return Err(format!("the backlog is not worked off within {limit:?}: {told}").into());
        }
        sleep(SCRAPE).await;
    }
}

async fn rate(options: &Options<'_>, folder: &Path) -> Result<(), Failure> {
    let stage = Stage::begin(folder, options.other, "managed").await?;
    load(&stage, WRITERS, MEASURE / 4, None, "warm").await?;
    let began = Instant::now();
    let done = load(&stage, WRITERS, MEASURE, None, "measure").await?;
    // Sustained: with the copies that belong to it.
    drained(&stage, MEASURE * 4).await?;
    let sustained = done as f64 / began.elapsed().as_secs_f64();
    (options.say)(&format!("{sustained:.0} uploads a second are sustained, copies included ({done} in all)"));
    if *KIND == Engine::Postgres && sustained < TARGET {
        return Err(format!("{sustained:.0} uploads a second are fewer than {TARGET}").into());
    }
    let length = Duration::from_secs(options.rounds.into());
    let (end, mut backlog) = (Instant::now() + length, Vec::new());
    let watch = async {
        while Instant::now() < end {
            let told = stage.told().await?;
            backlog.push(told["backlog"]["objects"].as_u64().ok_or("no backlog")?);
            sleep(SCRAPE).await;
        }
        Ok::<_, Failure>(())
    };
    let pace = sustained * SHARE;
    let (done, ()) = tokio::try_join!(load(&stage, WRITERS, length, Some(pace), "bounded"), watch)?;
    let (early, late) = backlog.split_at(backlog.len() / 2);
    let most = |some: &[u64]| some.iter().max().copied().unwrap_or(0);
    let (early, late) = (most(early), most(late));
    (options.say)(&format!(
        "at {pace:.0} uploads a second ({done} in {} s) the backlog was up to {early} in the first half and {late} in the second",
        options.rounds
    ));
    // Two seconds' worth, whatever came before.
    if late as f64 > (early as f64 * 1.5).max(2.0 * pace) {
        return Err("the backlog grows".into());
    }
    drained(&stage, Duration::from_secs(15)).await
}
