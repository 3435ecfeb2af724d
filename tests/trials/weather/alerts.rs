//! SNS away: those who delete files do not notice, and what piled up is delivered afterwards, each alert under its one id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, extract::State, routing::post};
use entity::alert;
use tokio::{net::TcpListener, time::sleep};

use super::{
    Options,
    storm::Storm,
    world::{Database, World},
};
use crate::{
    common::{Failure, process::Launcher},
    proxy::{HttpFault, HttpProxy},
};

const DRAIN: Duration = Duration::from_secs(60);
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:weather";

/// How often each id was published.
type Heard = Arc<Mutex<BTreeMap<String, u32>>>;

/// A topic that remembers: the least of SNS that its SDK needs.
async fn topic() -> Result<(u16, Heard), Failure> {
    let heard = Heard::default();
    let publish = async |State(heard): State<Heard>, body: String| {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let name = fields.iter().find(|(name, value)| name.ends_with(".Name") && *value == "id");
        let entry = name.map(|(name, _)| name.trim_end_matches(".Name").to_owned()).unwrap_or_default();
        if let Some(id) = fields.get(&format!("{entry}.Value.StringValue")) {
            *heard.lock().unwrap().entry(id.clone()).or_default() += 1;
        }
        "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>m</MessageId>\
         </PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let router = Router::new().route("/", post(publish)).with_state(heard.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((port, heard))
}

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let (port, heard) = topic().await?;
    let proxy = HttpProxy::start(port).await?;
    let endpoint = proxy.endpoint();
    let change = |launcher: Launcher| {
        launcher
            .with("alerts.sink", "sns")
            .with("alerts.topic_arn", TOPIC)
            .with("alerts.endpoint", &endpoint)
            .with("alerts.access_key_id", "test")
            .with("alerts.secret_access_key", "test")
            // 25 attempts outlast the minutes.
            .with("jobs.backoff_max", if options.short { "1s" } else { "20s" })
    };
    let mut world = World::new(options, Database::shared().await?, &[&change]).await?;
    let hold = Duration::from_secs(if options.short { 1 } else { 60 });
    for _ in 0..options.rounds {
        let cases = [
            ("SNS refuses connections", HttpFault::Down),
            ("SNS answers 503", HttpFault::Unavailable(None)),
            ("SNS takes alerts, and its replies are lost", HttpFault::DropReply),
        ];
        let cases = cases.into_iter().step_by(if options.short { 2 } else { 1 });
        for (what, fault) in cases {
            let down = fault == HttpFault::Down;
            let storm = Storm { hold, ..Storm::new(what) };
            let seen = waiting(&world);
            // A closed port counts nothing; the alerts that wait for it do.
            let struck = |world: &World<'_>| if down { waiting(world) - seen } else { proxy.struck() };
            let strike = async |_: &World<'_>| {
                proxy.set(fault.clone(), &[]);
                Ok(())
            };
            let clear = async |_: &World<'_>| {
                proxy.clear();
                Ok(())
            };
            let tally = world.storm(&storm, strike, struck, clear).await?;
            if tally.refused() > 0 {
                return Err(format!("{what}: {} requests were refused", tally.refused()).into());
            }
            drained(&world, &heard).await?;
        }
    }
    world.finish().await
}

/// Deliveries that failed and come again.
fn waiting(world: &World<'_>) -> u32 {
    let log = std::fs::read_to_string(world.options.folder.join("server.log")).unwrap_or_default();
    let again = log.lines().filter(|line| line.contains("job runs again") && line.contains("alerts.deliver"));
    u32::try_from(again.count()).unwrap_or(u32::MAX)
}

/// Waits until every alert is delivered, and holds the topic to them.
async fn drained(world: &World<'_>, heard: &Heard) -> Result<(), Failure> {
    let (began, auditor) = (Instant::now(), world.auditor().await?);
    loop {
        let alerts = auditor.alerts().await?;
        let waiting = alerts.iter().filter(|alert| alert.state != alert::State::Delivered).count();
        if waiting == 0 {
            let heard = heard.lock().unwrap().clone();
            let told: BTreeSet<String> = alerts.iter().map(|alert| alert.id.to_string()).collect();
            let repeats = heard.values().filter(|count| **count > 1).count();
            world.say(&format!(
                "{:<44} {} alerts delivered {:.1} s later, {repeats} of them more than once, each under its one id",
                "  backlog",
                alerts.len(),
                began.elapsed().as_secs_f64()
            ));
            let heard: BTreeSet<String> = heard.into_keys().collect();
            return if heard == told { Ok(()) } else { Err(format!("heard {heard:?}, committed {told:?}").into()) };
        }
        if began.elapsed() > DRAIN {
            return Err(format!("{waiting} alerts still wait").into());
        }
        sleep(Duration::from_millis(100)).await;
    }
}
