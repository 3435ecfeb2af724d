//! What survives: restarts, kill −9, a lost or damaged index, leftovers, a second process.

use std::{fs, path::Path, process::Stdio};

use snaphaven::{
    adapters::objects::{Body, Condition, ObjectStore, PutObject, s3::S3Store},
    embedded::s3::{Credentials, Durability, EmbeddedS3, OpenError},
};

use super::support::{FIRST, REGION, files, noise, open, options};

fn store(embedded: &EmbeddedS3) -> S3Store {
    let Credentials { access_key_id, secret_access_key } = embedded.credentials();
    S3Store::in_process(embedded.service(), FIRST, REGION, access_key_id, secret_access_key)
}

async fn put(store: &S3Store, key: &str, bytes: Vec<u8>) {
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref().try_into().unwrap();
    let put = PutObject {
        key: key.to_owned(),
        bytes: bytes.len() as u64,
        sha256,
        content_type: "text/plain".to_owned(),
        body: Body::Memory(bytes.into()),
        condition: Condition::None,
    };
    store.put(put, std::time::Duration::from_secs(20)).await.unwrap();
}

async fn keys(store: &S3Store) -> Vec<String> {
    store.list("", None, 1000).await.unwrap().into_iter().map(|line| line.key).collect()
}

fn index(folder: &Path) -> std::path::PathBuf {
    folder.join("s3").join(FIRST).join("index.redb")
}

/// Opens the store again once the last clone of the one before is gone: a request's blocking thread may end just after
/// its answer.
async fn reopen(folder: &Path) -> EmbeddedS3 {
    let opened = async {
        loop {
            match open(folder) {
                Err(OpenError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), opened).await.unwrap()
}

#[tokio::test]
async fn a_restart_keeps_everything_and_clears_leftovers() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("s3").join(FIRST);
    let embedded = open(folder.path()).unwrap();
    put(&store(&embedded), "k", noise(1000)).await;
    let id = embedded.credentials().access_key_id.clone();
    drop(embedded);
    fs::write(bucket.join("temporary/leftover"), b"half of it").unwrap();

    let embedded = reopen(folder.path()).await;
    assert_eq!(embedded.credentials().access_key_id, id);
    assert_eq!(keys(&store(&embedded)).await, ["k"]);
    assert!(files(&bucket.join("temporary")).is_empty());
}

#[tokio::test]
async fn the_index_is_rebuilt_when_lost_damaged_or_noted_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = open(folder.path()).unwrap();
    for n in 0..50 {
        put(&store(&embedded), &format!("k/{n:02}"), noise(n)).await;
    }
    let expected = store(&embedded).list("", None, 1000).await.unwrap();
    assert_eq!(expected.len(), 50);
    drop(embedded);

    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("lost", |path| fs::remove_file(path).unwrap()),
        ("overwritten", |path| fs::write(path, vec![0xA5; 100_000]).unwrap()),
        ("cut", |path| fs::File::options().write(true).open(path).unwrap().set_len(5_000).unwrap()),
        ("noted", |path| fs::write(path.with_extension("damaged"), b"").unwrap()),
    ];
    for (name, harm) in harms {
        drop(reopen(folder.path()).await);
        harm(&index(folder.path()));
        let embedded = reopen(folder.path()).await;
        assert_eq!(store(&embedded).list("", None, 1000).await.unwrap(), expected, "{name}");
        assert!(!index(folder.path()).with_extension("damaged").exists());
    }
}

#[tokio::test]
async fn one_process_owns_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    assert!(error.to_string().contains("another process uses"), "{error}");
    drop(first);
    reopen(folder.path()).await;
}

#[tokio::test]
async fn uploads_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = super::support::Serving::start(open(folder.path()).unwrap()).await;
    let created = server.client.create_multipart_upload().bucket(FIRST).key("m").send().await.unwrap();
    let id = created.upload_id.unwrap();
    let part = server.client.upload_part().bucket(FIRST).key("m").upload_id(&id).part_number(1);
    let part = part.body(b"part one".to_vec().into()).send().await.unwrap();
    server.stop().await;

    let server = super::support::Serving::start(reopen(folder.path()).await).await;
    let part = aws_sdk_s3::types::CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(part).build();
    let complete = server.client.complete_multipart_upload().bucket(FIRST).key("m").upload_id(&id);
    complete.multipart_upload(parts).send().await.unwrap();
    assert_eq!(super::support::bytes(&server.client, "m").await, b"part one");
    server.stop().await;
}

/// Set in the child that [`acknowledged_writes_survive_kill_9`] starts and kills.
const CHILD: &str = "SNAPHAVEN_TEST_KILLED_CHILD";

/// Not a test of its own: writes, replaces and deletes until it is killed, and says what was acknowledged.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the parent test speaks to its child by a variable")]
async fn child_that_writes_until_it_is_killed() {
    use std::io::Write;

    let Ok(folder) = std::env::var(CHILD) else { return };
    let embedded = EmbeddedS3::open(options(Path::new(&folder), Durability::Full)).unwrap();
    let store = store(&embedded);
    for n in 0_usize.. {
        let key = format!("k/{:02}", n % 20);
        if n % 7 == 6 {
            store.delete(&key).await.unwrap();
            println!("ACK {key} -");
        } else {
            put(&store, &key, noise(n * 997 % 400_000)).await;
            println!("ACK {key} {}", n * 997 % 400_000);
        }
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_kill_9() {
    use std::collections::BTreeMap;
    use tokio::io::{AsyncBufReadExt, BufReader};

    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for round in 0..4 {
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["embedded_s3::crashes::child_that_writes_until_it_is_killed", "--exact", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = None;
        let mut count = 0;
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(at) = line.find("ACK ") {
                let (key, length) = line[at + 4..].split_once(' ').unwrap();
                acknowledged.insert(key.to_owned(), length.parse().ok());
                last = Some(key.to_owned());
                count += 1;
            }
            if count == 25 + round * 9 {
                child.start_kill().unwrap();
            }
        }
        child.wait().await.unwrap();
        assert!(last.is_some());

        let embedded = reopen(folder.path()).await;
        let store = store(&embedded);
        let listed: BTreeMap<_, _> =
            store.list("", None, 1000).await.unwrap().into_iter().map(|line| (line.key.clone(), line)).collect();
        // The listing and the objects agree, also of the write that was under way.
        for (key, line) in &listed {
            let head = store.head(key).await.unwrap().unwrap();
            assert_eq!((head.bytes, &head.etag), (line.bytes, &line.etag), "{key}");
        }
        // The child wrote one key at a time: at most one differs from what it said, that of its next write.
        let differing: Vec<_> =
            acknowledged.iter().filter(|(key, length)| listed.get(*key).map(|line| line.bytes) != **length).collect();
        assert!(differing.len() <= 1, "round {round}: {differing:?}");
        for key in differing.into_iter().map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            let length = listed.get(&key).map(|line| line.bytes);
            acknowledged.insert(key, length);
        }
        let unknown: Vec<_> = listed.keys().filter(|key| !acknowledged.contains_key(*key)).collect();
        assert!(unknown.len() <= 1, "{unknown:?}");
        assert!(files(&folder.path().join("s3").join(FIRST).join("temporary")).is_empty());
    }
}
