//! Manifests: all of the database in one file, from any database to any other, and nothing less.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};

use entity::object::{Kind, State};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::{Value, json};
use snaphaven::{
    app::App,
    clock::Clock,
    config,
    db::Db,
    ledger,
    manifest::{self, Brought, ManifestError},
    notary,
    viewer::Viewer,
};
use tempfile::NamedTempFile;

use super::snaps::{send, with_friends};
use crate::{images::fixtures::Picture, servers::TestDatabase, support::TestServer};

const OPS: Viewer = Viewer::System("test");

/// What differs from one server to the one that is rebuilt: evidence, epochs, leases.
const OF_THE_MOMENT: [&str; 3] = ["object_copy", "site_role", "job"];

async fn connect(url: &str, folder: &Path) -> Db {
    let defaults: config::Config = toml::from_str(config::DEFAULTS).unwrap();
    let settings = config::Database { url: url.to_owned().into(), ..defaults.database };
    Db::connect(&settings, folder, Clock::system()).await.unwrap()
}

async fn newest(server: &TestServer) -> Brought {
    manifest::bring(&*server.second, None, NamedTempFile::new().unwrap()).await.unwrap()
}

fn keys(app: &App) -> Vec<notary::PublicKey> {
    notary::known_keys(&app.config, &[] as &[&Path]).unwrap()
}

/// The rows of each table, as a manifest's lines have them.
fn rows(path: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let (mut tables, mut table) = (BTreeMap::<_, BTreeSet<_>>::new(), String::new());
    for line in text.lines().skip(1) {
        match serde_json::from_str(line).unwrap() {
            Value::Object(line) if line.contains_key("table") => {
                table = line["table"].as_str().unwrap().to_owned();
                tables.entry(table.clone()).or_default();
            }
            Value::Array(_) => drop(tables.get_mut(&table).unwrap().insert(line.to_owned())),
            _ => {}
        }
    }
    tables
}

/// The tables that the database has, but for the migrations' own and the lease of the moment.
async fn tables(db: &Db) -> BTreeSet<String> {
    let sql = match db.backend() {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        DbBackend::Postgres => {
            "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
        }
        _ => "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()",
    };
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    let names = rows.iter().map(|row| row.try_get::<String>("", "name").unwrap());
    names.filter(|name| !["seaql_migrations", "lease"].contains(&name.as_str())).collect()
}

/// Something in nearly every table.
async fn lived_in() -> TestServer {
    let server = TestServer::start().await;
    let (ada, [bob]) = with_friends(&server, ["bob"]).await;
    let file = ada.upload("picture.png", Picture::quarters(40, 30).png()).await;
    let text = ada.upload("odd \"ä\" \\ \u{1f980} name", *b"22").await;
    ada.replace(&text, "text.txt", *b"another", json!({})).await;
    let input = json!({
        "id": file["id"], "revision": file["revision"], "tags": ["one", "two"], "metadata": { "a": [1, null, "x"] },
    });
    assert_eq!(ada.mutate("editFile", "file { tags }", input).await["file"]["tags"], json!(["one", "two"]));
    ada.mutate("createShareLink", "url", json!({ "fileId": file["id"] })).await;
    let (trashed, erased) = (ada.upload("trashed", *b"333").await, ada.upload("erased", *b"4444").await);
    ada.trash(&[&trashed, &erased]).await;
    ada.purge(&[&erased]).await;
    send(&ada, &[&bob], json!({ "caption": "hello" })).await;
    let admin = server.admin().await;
    let removal = json!({ "ids": [text["id"]], "reason": "a \"reason\"\n" });
    admin.mutate("removeFiles", "files { id }", removal).await;
    admin.mutate("verifyReplicas", "run { id }", json!({})).await;
    server.settle_for_an_hour().await;
    for kind in ["audit.seal", "notary.sign"] {
        server.schedule(kind).await;
        server.settle_for_an_hour().await;
    }
    server
}

#[tokio::test]
async fn a_manifest_has_every_row_and_every_database_reads_it() {
    let server = lived_in().await;
    manifest::write(&server.app, &OPS).await.unwrap();
    server.settle_for_an_hour().await;
    let brought = newest(&server).await;
    let verified = manifest::verify(&brought.path, keys(&server.app)).await.unwrap();
    assert!(verified.known);
    let original = rows(&brought.path);
    assert_eq!(original.keys().cloned().collect::<BTreeSet<_>>(), tables(&server.app.db).await);
    for table in
        ["user", "file", "file_version", "rendition", "snap", "share_link", "friendship", "audit_checkpoint", "event"]
    {
        assert!(!original[table].is_empty(), "{table}");
    }

    // To SQLite, and from there to this database again.
    let folder = tempfile::tempdir().unwrap();
    let sqlite = connect("", folder.path()).await;
    manifest::load(&sqlite, &verified, None, None).await.unwrap();
    let there = write_again(&server, &sqlite).await;
    let back = TestDatabase::empty().await;
    let other = tempfile::tempdir().unwrap();
    let again = connect(&back.url, other.path()).await;
    manifest::load(&again, &manifest::verify(&there, keys(&server.app)).await.unwrap(), None, None).await.unwrap();
    let here = write_again(&server, &again).await;
    for copy in [&there, &here] {
        let copied = rows(copy);
        for (table, rows) in &original {
            if OF_THE_MOMENT.contains(&table.as_str()) {
                assert_eq!(copied[table].len(), rows.len(), "{table}");
            } else {
                assert_eq!(&copied[table], rows, "{table}");
            }
        }
    }
    // What was known of the copies is known no longer, and whoever thinks itself the former server is of an older epoch.
    let roles = ledger::roles(again.read()).await.unwrap();
    let before = ledger::roles(server.app.db.read()).await.unwrap();
    assert_eq!((roles.primary, roles.epoch), (before.primary, before.epoch + 2));
    let exposure = ledger::exposure(again.read(), roles).await.unwrap();
    assert_eq!(exposure.objects, ledger::count_live(again.read()).await.unwrap().0);

    // The audit log's chain is whole, and its signatures hold.
    let report = notary::verify(again.read(), None, &keys(&server.app)).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());

    // A database that is lived in is not written over.
    let refused = manifest::load(&server.app.db, &verified, None, None).await.unwrap_err();
    assert!(matches!(refused, ManifestError::NotEmpty), "{refused}");
    again.read().pool().clone().close().await.unwrap();
    server.finish().await;
}

#[tokio::test]
async fn manifests_are_written_when_they_are_due_and_old_ones_are_gone() {
    let server = TestServer::with(|config| {
        config.manifest.interval = Duration::from_secs(3600);
        config.manifest.keep = 2;
    })
    .await;
    let manifests = async || {
        let objects = server.objects().await.into_iter().filter(|object| object.kind == Kind::Manifest);
        objects.map(|object| object.state).collect::<Vec<_>>()
    };
    let look = async || {
        server.schedule("manifest.write").await;
        server.settle_for_an_hour().await;
    };
    // There is nobody yet.
    look().await;
    assert_eq!(manifests().await, []);
    let ada = server.person("ada").await;
    ada.upload("a", *b"1").await;
    look().await;
    assert_eq!(manifests().await, [], "nobody has been there for long");
    server.advance(Duration::from_secs(3600));
    look().await;
    assert_eq!(manifests().await, [State::Live]);
    server.advance(Duration::from_secs(3599));
    look().await;
    assert_eq!(manifests().await, [State::Live], "it was not due");
    for _ in 0..3 {
        server.advance(Duration::from_secs(3600));
        look().await;
    }
    assert_eq!(manifests().await, [State::Erased, State::Erased, State::Live, State::Live]);
    let keys = server.keys(&server.second).await;
    assert_eq!(keys.iter().filter(|key| key.starts_with("manifest/")).count(), 2, "{keys:?}");
    assert_eq!(manifest::list(&*server.second).await.unwrap().len(), 2);
    server.finish().await;
}

#[tokio::test]
async fn what_was_altered_or_cut_or_is_of_another_release_fills_no_database() {
    let server = lived_in().await;
    manifest::write(&server.app, &OPS).await.unwrap();
    server.settle_for_an_hour().await;
    let bytes = std::fs::read(&newest(&server).await.path).unwrap();
    let mut lines = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("manifest");
    let held = async |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        manifest::verify(&path, keys(&server.app)).await
    };
    let packed = |text: &str| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    assert!(held(&packed(&text)).await.is_ok(), "the control");
    for at in (0..bytes.len()).step_by(bytes.len() / 50) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        // A bit of gzip's own header may mean nothing; a line may not.
        if let Ok(verified) = held(&altered).await {
            assert!(at < 10, "byte {at}");
            assert!(verified.known);
        }
    }
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    for cut in [0, ends[0], ends[ends.len() / 2], ends[ends.len() - 2], text.len() - 2] {
        let damaged = held(&packed(&text[..cut])).await.unwrap_err();
        assert!(matches!(damaged, ManifestError::Damaged(_)), "{damaged}");
    }
    // One row less, or one twice, or another name; the signature is over all of them.
    let all: Vec<&str> = text.lines().collect();
    let row = all.iter().position(|line| line.starts_with('[') && line.contains("ada@example.org")).unwrap();
    for altered in [
        [&all[..row], &all[row + 1..]].concat().join("\n") + "\n",
        [&all[..=row], &all[row..]].concat().join("\n") + "\n",
        text.replace("ada@example.org", "eve@example.org"),
        text.clone() + all[1] + "\n",
        text.replace(&format!("\"signature\":\"{}", signature(&text, 4)), "\"signature\":\"0000"),
    ] {
        assert!(altered != text);
        let damaged = held(&packed(&altered)).await.unwrap_err();
        assert!(matches!(damaged, ManifestError::Damaged(_)), "{damaged}");
    }
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(matches!(held(&packed(&newer)).await.unwrap_err(), ManifestError::Newer(_)));
    // Signed by a key that is not known here it is told as such, and the command may refuse it.
    std::fs::write(&path, &bytes).unwrap();
    assert!(!manifest::verify(&path, Vec::new()).await.unwrap().known);

    // Of a newer schema, or into one.
    let mut verified = manifest::verify(&path, keys(&server.app)).await.unwrap();
    verified.head.migrations.push("m9999_to_come".to_owned());
    let database = TestDatabase::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let db = connect(&database.url, folder.path()).await;
    assert!(matches!(manifest::load(&db, &verified, None, None).await.unwrap_err(), ManifestError::Newer(_)));
    verified.head.migrations.truncate(20);
    db.migrate().await.unwrap();
    assert!(matches!(manifest::load(&db, &verified, None, None).await.unwrap_err(), ManifestError::NewerDatabase(_)));
    db.read().pool().clone().close().await.unwrap();
    server.finish().await;
}

/// The first digits of its signature.
fn signature(text: &str, digits: usize) -> &str {
    let (_, rest) = text.rsplit_once("\"signature\":\"").unwrap();
    &rest[..digits]
}

/// A manifest of this database, signed by the server's key.
async fn write_again(server: &TestServer, db: &Db) -> tempfile::TempPath {
    let file = NamedTempFile::new().unwrap();
    manifest::write_to(&server.app.config, db, file.reopen().unwrap()).await.unwrap();
    file.into_temp_path()
}
