//! Whose files: owners, strangers to a file, operators and admins.

use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn another_persons_file_is_as_if_it_were_not_there() {
    let server = TestServer::start().await;
    let (ada, bob, watch) = (server.person("ada").await, server.person("bob").await, server.operator().await);
    let file = ada.upload("a.txt", *b"a").await;
    for other in [&bob, &watch] {
        assert_eq!(other.file(&file, "id").await, Value::Null);
        for payload in [other.trash(&[&file]).await, other.restore(&[&file]).await, other.purge(&[&file]).await] {
            assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
        }
        let input = json!({ "id": file["id"], "revision": 1, "name": "mine" });
        assert_eq!(other.mutate("editFile", "file { id }", input).await["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(other.replace(&file, "x", *b"x", json!({})).await["userErrors"][0]["code"], "NOT_FOUND");
        for filter in [json!({ "everyone": true }), json!({ "ownerId": ada.id })] {
            let query = "query ($filter: FileFilter) { files(filter: $filter) { totalCount } }";
            assert_eq!(other.error(query, json!({ "filter": filter })).await, "FORBIDDEN");
        }
    }
    ada.purge(&[&file]).await;
    assert_eq!(bob.purge(&[&file]).await["userErrors"][0]["code"], "NOT_FOUND", "also once it is purged");
    assert_eq!(server.stranger().send("{ files { totalCount } }", json!({})).await["data"], Value::Null);
    server.finish().await;
}

#[tokio::test]
async fn an_admin_lists_removes_and_purges_everyones_files() {
    let server = TestServer::start().await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let [one, two] = [ada.upload("1", *b"1").await, bob.upload("2", *b"2").await];
    let list = "query ($filter: FileFilter) { files(filter: $filter) { totalCount nodes { id owner { username } } } }";
    let all = root.query(list, json!({ "filter": { "everyone": true } })).await["files"].clone();
    assert_eq!(all["totalCount"], 2);
    assert_eq!(all["nodes"][0]["owner"]["username"], "bob", "newest first");
    let adas = root.query(list, json!({ "filter": { "ownerId": ada.id } })).await["files"].clone();
    assert_eq!((&adas["totalCount"], &adas["nodes"][0]["id"]), (&json!(1), &one["id"]));
    assert_eq!(root.query(list, json!({})).await["files"]["totalCount"], 0, "an admin's own are none");
    assert_eq!(root.error(list, json!({ "filter": { "everyone": true, "ownerId": ada.id } })).await, "BAD_USER_INPUT");
    assert_eq!(root.error(list, json!({ "filter": { "ownerId": one["id"] } })).await, "BAD_USER_INPUT");
    let edit = json!({ "id": one["id"], "revision": 1, "name": "x" });
    let edited = root.mutate("editFile", "file { id }", edit).await;
    assert_eq!(edited["userErrors"][0]["code"], "NOT_FOUND", "what is said about a file is its owner's");

    let removed = root.trash(&[&one, &two]).await;
    assert_eq!(removed["files"][0]["state"], "REMOVED");
    assert_eq!(removed["alert"]["kind"], "FILES_REMOVED");
    assert_eq!(ada.file(&one, "state viewerCan { restore }").await["viewerCan"]["restore"], false);
    assert_eq!(ada.restore(&[&one]).await["userErrors"][0]["code"], "WRONG_STATE");
    assert_eq!(ada.trash(&[&one]).await["files"][0]["state"], "REMOVED", "trashing does not soften it");
    assert_eq!(root.restore(&[&one]).await["files"][0]["state"], "ACTIVE");
    let purged = root.purge(&[&two]).await;
    assert_eq!(
        (&purged["erasures"][0]["reason"], &purged["alert"]["kind"]),
        (&json!("REMOVED"), &json!("FILES_REMOVED"))
    );
    assert_eq!(purged["erasures"][0]["requestedBy"]["id"], json!(root.id));
    server.settle().await;
    assert_eq!(server.keys(&server.second).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn every_node_answers_its_viewer_and_nobody_else() {
    let server = TestServer::start().await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let watch = server.operator().await;
    let kept = ada.upload("kept", *b"1").await;
    let gone = ada.upload("gone", *b"2").await;
    let version = ada.file(&kept, "versions { nodes { id } }").await["versions"]["nodes"][0]["id"].clone();
    let purged = ada.purge(&[&gone]).await;
    server.settle().await;
    let (erasure, alert) = (&purged["erasures"][0]["id"], &purged["alert"]["id"]);
    let node = "query ($id: ID!) { node(id: $id) { __typename id } }";
    for (id, kind, stranger, other, operator) in [
        (&json!(ada.id), "User", false, true, true),
        (&kept["id"], "File", false, false, false),
        (&version, "FileVersion", false, false, false),
        (erasure, "Erasure", false, false, true),
        (alert, "Alert", false, false, true),
    ] {
        let seen = json!({ "__typename": kind, "id": id });
        for (person, may) in
            [(&ada, true), (&root, true), (&bob, other), (&watch, operator), (&server.stranger(), stranger)]
        {
            let answer = person.send(node, json!({ "id": id })).await;
            let expected = if may { &seen } else { &Value::Null };
            assert_eq!(&answer["data"]["node"], expected, "{kind}: {answer}");
        }
    }
    for id in
        ["", "file_", "file_zz", "nothing_00000000000000000000000000000000", "file_00000000000000000000000000000000"]
    {
        assert_eq!(ada.query(node, json!({ "id": id })).await["node"], Value::Null);
    }
    server.finish().await;
}

#[tokio::test]
async fn erasures_are_for_their_owner_and_operators() {
    let server = TestServer::start().await;
    let (ada, bob, watch) = (server.person("ada").await, server.person("bob").await, server.operator().await);
    let file = ada.upload("a", *b"a").await;
    ada.purge(&[&file]).await;
    server.settle().await;
    let query = "query ($f: ErasureFilter) { erasures(filter: $f) { nodes { fileId } } }";
    for (person, count) in [(&ada, 1), (&bob, 0), (&watch, 1)] {
        for filter in [json!({}), json!({ "fileId": file["id"] }), json!({ "erased": true })] {
            let data = person.query(query, json!({ "f": filter })).await;
            assert_eq!(data["erasures"]["nodes"].as_array().unwrap().len(), count);
        }
        let under_way = person.query(query, json!({ "f": { "erased": false } })).await;
        assert_eq!(under_way["erasures"]["nodes"], json!([]));
    }
    assert_eq!(server.stranger().error(query, json!({})).await, "UNAUTHENTICATED");
    assert_eq!(ada.error(query, json!({ "f": { "fileId": "x" } })).await, "BAD_USER_INPUT");
    server.finish().await;
}
