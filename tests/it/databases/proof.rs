//! Proofs: of a live file, one in the trash and one that is gone, checked by the script that needs openssl alone, and refused with
//! any byte changed.

use std::{path::Path, process::Command};

use entity::object::State;
use serde_json::{Value, json};
use snaphaven::{
    id::GlobalId,
    proof::{self, Proof, Subject, Verdict},
    viewer::Viewer,
};

use crate::support::{TestServer, process::repository};

const OPS: Viewer = Viewer::System("test");

fn subject(of: &Value) -> Subject {
    of["id"].as_str().unwrap().parse().unwrap()
}

async fn prove(server: &TestServer, of: &Value, reading: bool) -> Proof {
    proof::prove(&server.app, &OPS, subject(of), reading, usize::MAX).await.unwrap().unwrap()
}

/// What the script says of a document; an error is its last line.
fn check(folder: &Path, document: &[u8], key: Option<&Path>) -> Result<String, String> {
    let path = folder.join("receipt.json");
    std::fs::write(&path, document).unwrap();
    let mut script = Command::new(repository().join("scripts/verify-receipt"));
    let output = script.arg(&path).args(key).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test]
async fn what_is_there_and_what_is_gone_is_proven_to_whoever_has_openssl() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let (live, erased) = (ada.upload("live.txt", *b"1").await, ada.upload("gone", *b"333").await);
    let trashed = ada.upload("odd \"ä\" \\ name", *b"22").await;
    // The audit log has the names of what admins remove.
    let admin = server.admin().await;
    let removal = json!({ "ids": [trashed["id"]], "reason": "a \"reason\", with: {signs}\n" });
    admin.mutate("removeFiles", "files { id }", removal).await;
    ada.trash(&[&erased]).await;
    ada.purge(&[&erased]).await;
    server.settle().await;
    for kind in ["audit.seal", "notary.sign"] {
        server.schedule(kind).await;
        server.settle_for_an_hour().await;
    }

    let mut documents = Vec::new();
    for (file, verdict) in [
        (&live, Verdict { kept: 1, ..Verdict::default() }),
        (&trashed, Verdict { kept: 1, ..Verdict::default() }),
        (&erased, Verdict { gone: 1, ..Verdict::default() }),
    ] {
        for reading in [true, false] {
            let proof = prove(&server, file, reading).await;
            assert_eq!(proof.verdict, verdict, "{}", proof.document);
            let said = check(folder.path(), proof.document.as_bytes(), None).unwrap();
            assert!(said.contains(&format!("VERIFIED: {}", file["id"].as_str().unwrap())), "{said}");
            serde_json::from_str::<Value>(&proof.document).unwrap();
            documents.push(proof.document);
        }
    }
    let whole: Value = serde_json::from_str(&documents[0]).unwrap();
    let object = &whole["statement"]["objects"][0];
    assert_eq!(object["sha256"], object["copies"][0]["now"]["sha256"]);
    assert_eq!(object["sha256"], object["copies"][1]["now"]["sha256"]);
    let gone: Value = serde_json::from_str(&documents[4]).unwrap();
    let object = &gone["statement"]["objects"][0];
    assert!(object["erased_at"].is_string() && object["copies"][1]["ledger"]["gone_at"].is_string(), "{object}");
    assert_eq!(object["copies"][1]["now"]["versions"], 0);
    let removed: Value = serde_json::from_str(&documents[2]).unwrap();
    let entries = removed["statement"]["audit"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["seq"].is_i64() && entry["hash"].is_string()), "{entries:?}");
    assert!(gone["statement"]["about"]["newest_checkpoint"]["signature"].is_string());

    // Of a person and of everything that they ever had.
    let me = json!({ "id": ada.query("{ viewer { id } }", json!({})).await["viewer"]["id"] });
    let person = prove(&server, &me, true).await;
    assert_eq!(person.verdict, Verdict { kept: 2, gone: 1, ..Verdict::default() });
    assert!(check(folder.path(), person.document.as_bytes(), None).is_ok());

    // No byte can be another, wherever it stands.
    let document = documents[2].clone().into_bytes();
    let line = document.iter().position(|byte| *byte == b'\n').unwrap();
    let everywhere = (0..document.len()).step_by(document.len() / 40);
    for at in (0..=line).step_by(7).chain(everywhere).chain([document.len() - 2, document.len() - 1]) {
        let mut altered = document.clone();
        altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
        check(folder.path(), &altered, None).expect_err(&format!("byte {at} of {}", document.len()));
    }
    // Nor is another's signature taken for the operator's.
    let other = folder.path().join("other.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&other).status().unwrap();
    assert!(made.success());
    let public = folder.path().join("other.pub.pem");
    let written =
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&other).arg("-out").arg(&public).status();
    assert!(written.unwrap().success());
    assert!(check(folder.path(), &document, Some(&public)).is_err());

    // What is not as the ledger says is told, and who asks for what never was gets nothing.
    let key = server.objects().await.into_iter().find(|object| object.state == State::Live).unwrap().key;
    server.second.delete_latest(&key);
    let wanting = prove(&server, &me, true).await;
    assert_eq!(wanting.verdict, Verdict { kept: 1, gone: 1, wanting: 1, ..Verdict::default() });
    let never: GlobalId = format!("file_{}", "0".repeat(32)).parse().unwrap();
    assert_eq!(proof::prove(&server.app, &OPS, Subject::File(never.key), true, 9).await.unwrap(), None);
    assert!(proof::prove(&server.app, &Viewer::Anonymous, subject(&live), true, 9).await.is_err());
    assert!(proof::prove(&server.app, &OPS, subject(&me), true, 2).await.is_err(), "three objects");

    // The same in GraphQL, from what the sites tell.
    let query = "query ($id: ID!) { receipt(id: $id) { document kept gone underWay wanting } }";
    let receipt = admin.query(query, json!({ "id": me["id"] })).await["receipt"].take();
    let document = receipt["document"].as_str().unwrap();
    assert_eq!(receipt, json!({ "document": document, "kept": 1, "gone": 1, "underWay": 0, "wanting": 1 }));
    let said = check(folder.path(), document.as_bytes(), None).unwrap();
    assert!(said.contains(&format!("VERIFIED: {}", me["id"].as_str().unwrap())), "{said}");
    assert_eq!(admin.query(query, json!({ "id": never.to_string() })).await["receipt"], Value::Null);
    assert_eq!(admin.error(query, json!({ "id": "job_1" })).await, "BAD_USER_INPUT");
    server.abandon();
}
