//! `snaphaven doctor`: what is wrong is named, with what to do, and nothing is left behind.

use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, DeleteMarkerReplicationStatus};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    ministack::{BUCKETS, Ministack, keep_versions},
    support::process::{command, run},
};

/// The checks that are not in order, as `NAME STATE`, and the exit code.
async fn examined(data_dir: &TempDir, cloud: &Ministack, settings: &[&str]) -> (i32, Vec<String>) {
    let mut doctor = command();
    doctor.args(["doctor", "--json", "--data-dir"]).arg(data_dir.path()).args(cloud.settings(&cloud.endpoint));
    for setting in settings {
        doctor.args(["--set", setting]);
    }
    let (code, said) = run(&mut doctor, Duration::from_secs(60)).await;
    let told: Value = said.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_else(|| panic!("{said}"));
    let checks = told["checks"].as_array().unwrap();
    let troubled = checks.iter().filter(|check| check["state"] != "OK");
    let told = troubled.map(|check| {
        assert!(check["help"].is_string(), "what to do is said: {check}");
        format!("{} {}", check["name"].as_str().unwrap(), check["state"].as_str().unwrap())
    });
    (code.unwrap(), told.collect())
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong_and_leaves_nothing_behind() {
    let (cloud, data_dir) = (Ministack::start().await, TempDir::new().unwrap());
    let mut migrate = command();
    migrate.args(["migrate", "up", "--data-dir"]).arg(data_dir.path());
    let fresh = examined(&data_dir, &cloud, &[]).await;
    // Both buckets of this cloud are in one region.
    assert_eq!(
        fresh,
        (0, vec!["database WARNING".to_owned(), "regions WARNING".to_owned()]),
        "nothing is migrated yet"
    );
    assert_eq!(run(&mut migrate, Duration::from_secs(60)).await.0, Some(0));
    let well = (0, vec!["regions WARNING".to_owned()]);
    assert_eq!(examined(&data_dir, &cloud, &[]).await, well);

    let crr = ["objects.replication=s3-crr"];
    let (code, troubles) = examined(&data_dir, &cloud, &crr).await;
    let expected =
        ["first.versioning FAILED", "first.replication FAILED", "second.versioning FAILED", "regions WARNING"];
    assert_eq!((code, troubles), (1, expected.map(str::to_owned).to_vec()));
    cloud.replicate(DeleteMarkerReplicationStatus::Disabled).await;
    assert_eq!(examined(&data_dir, &cloud, &crr).await, well);
    let (code, troubles) = examined(&data_dir, &cloud, &[]).await;
    assert_eq!((code, troubles[0].as_str()), (0, "first.replication WARNING"), "both would copy");
    keep_versions(&cloud.s3, BUCKETS[1], BucketVersioningStatus::Suspended).await;
    let (code, troubles) = examined(&data_dir, &cloud, &crr).await;
    assert_eq!((code, troubles[0].as_str()), (1, "second.versioning FAILED"));

    let (code, troubles) = examined(&data_dir, &cloud, &["objects.first.region=eu-west-3"]).await;
    assert_eq!((code, &troubles[..2]), (1, &["first.region FAILED", "first.bucket FAILED"].map(str::to_owned)[..]));
    let page = ["server.public_url=https://haven.example.org"];
    let (code, troubles) = examined(&data_dir, &cloud, &page).await;
    assert_eq!(code, 1);
    assert!(troubles.contains(&"first.cors FAILED".to_owned()), "{troubles:?}");
    let (code, troubles) = examined(&data_dir, &cloud, &["objects.second.bucket=nobodys"]).await;
    assert_eq!((code, troubles[0].as_str()), (1, "second.bucket FAILED"));
    let sns = ["alerts.sink=sns", "alerts.topic_arn=arn:aws:sns:eu-central-1:000000000000:none"];
    let keys = [format!("alerts.endpoint={}", cloud.endpoint)];
    let settings: Vec<&str> = sns.into_iter().chain(keys.iter().map(String::as_str)).collect();
    let settings = [settings, vec!["alerts.access_key_id=test", "alerts.secret_access_key=test"]].concat();
    let (code, troubles) = examined(&data_dir, &cloud, &settings).await;
    assert_eq!((code, troubles[0].as_str()), (1, "alerts FAILED"));
    // S3's copy of what the doctor wrote may have come late; at the primary nothing is left.
    let left = cloud.s3.list_object_versions().bucket(BUCKETS[0]).send().await.unwrap();
    assert_eq!((left.versions().len(), left.delete_markers().len()), (0, 0));
}
