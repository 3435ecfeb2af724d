//! Listings over HTTP that are wrong on their way: what they lack or repeat opens and closes no finding, and is never HEALTHY.

use std::time::Duration;

use serde_json::json;
use snaphaven::adapters::objects::ObjectStore as _;

use crate::{
    common::process::ObjectServer,
    direct::Sender,
    proxy::{HttpFault, HttpProxy, Op},
    replication::replica,
    support::until,
};

/// What goes wrong, and whether the listing can still be read.
const FAULTS: [(HttpFault, bool); 9] = [
    (HttpFault::EmptyListing, false),
    (HttpFault::CutListing, false),
    (HttpFault::Truncate, false),
    (HttpFault::Shorten, false),
    (HttpFault::ResetResponse, false),
    (HttpFault::DropReply, false),
    (HttpFault::Unavailable(Some(1)), false),
    // Every version of a key is an entry of its own: one that comes twice says nothing else.
    (HttpFault::RepeatedListing, true),
    (HttpFault::Slow(Duration::from_millis(300)), true),
];

#[tokio::test]
async fn a_listing_that_is_wrong_on_its_way_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let objects = ObjectServer::start(folder.path()).await.unwrap();
    let [_, second] = objects.stores().await;
    let proxies = [HttpProxy::start(objects.port()).await.unwrap(), HttpProxy::start(objects.port()).await.unwrap()];
    let given = objects.settings().into_iter().map(|(name, value)| match name {
        "objects.first.endpoint" => format!("{name}={}", proxies[0].endpoint()),
        "objects.second.endpoint" => format!("{name}={}", proxies[1].endpoint()),
        _ => format!("{name}={value}"),
    });
    let quiet = ["sweep_interval", "scrub_interval", "canary_interval"].map(|name| format!("replication.{name}=0s"));
    let quick = ["jobs.poll_interval=50ms", "jobs.backoff_min=50ms"].map(str::to_owned);
    let settings: Vec<String> =
        given.chain(quiet).chain(quick).flat_map(|setting| ["--set".to_owned(), setting]).collect();
    let mut sender = Sender::with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for number in 0..7 {
        sender.ada.upload(&format!("{number}.txt"), format!("file {number}")).await;
    }
    let keys = async || -> Vec<String> {
        second.list("original/", None, 100).await.unwrap().into_iter().map(|listed| listed.key).collect()
    };
    until("all is copied", async || keys().await.len() == 7).await;
    until("all copies are proven", async || replica(&sender, &settings, &["verify"]).await.1["agreed"] == 7).await;
    // A finding that stays, and one that would be closed on evidence.
    let keys = keys().await;
    second.delete(&keys[3]).await.unwrap();
    let (code, run) = replica(&sender, &settings, &["verify"]).await;
    let open = json!({ "MISSING_IN_REPLICA": 1 });
    assert_eq!((code, &run["findings"]), (1, &open), "{run}");

    for (fault, is_readable) in FAULTS {
        for proxy in &proxies {
            proxy.set(fault.clone(), &[Op::List]);
            let (code, run) = replica(&sender, &settings, &["verify"]).await;
            assert!(proxy.struck() > 0, "{fault:?} never came");
            proxy.clear();
            let expected = if is_readable { (1, json!("COMPLETE")) } else { (2, json!("INCONCLUSIVE")) };
            assert_eq!((code, &run["state"]), (expected.0, &expected.1), "{fault:?}: {run}");
            assert_eq!(run["findings"], open, "{fault:?}: {run}");
            let (code, status) = replica(&sender, &settings, &["status"]).await;
            assert_ne!((code, &status["state"]), (0, &json!("HEALTHY")), "{fault:?}: {status}");
        }
    }
    // With listings as they are, what is open is mended; also where the site does not take it at first.
    proxies[1].set_first(2, HttpFault::Unavailable(None), &[Op::Put]);
    let plan = replica(&sender, &settings, &["repair", "--apply"]).await;
    assert_eq!((plan.0, &plan.1["repaired"]), (0, &json!(1)), "{}", plan.1);
    assert_eq!(proxies[1].struck(), 2);
    let (code, run) = replica(&sender, &settings, &["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(7)), "{run}");
    assert_eq!(replica(&sender, &settings, &["status"]).await.0, 0);
    assert!(sender.server.stop().await.success());
}
