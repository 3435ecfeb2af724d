//! The three examples of the GraphQL multipart request specification with curl, exactly as it has them, against a
//! schema that has their fields.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use async_graphql::{Context, EmptySubscription, Object, Schema, SimpleObject};
use async_trait::async_trait;
use entity::user::Role;
use serde_json::{Value, json};
use snaphaven::{
    config::{Config, Sources},
    http::{
        self, AuthError, Authenticate, Credentials, SessionCookie, Supervisor,
        graphql::{Endpoint, Limits, Live, Upload},
    },
    viewer::Viewer,
};
use tokio::process::Command;
use uuid::Uuid;

struct Query;

#[Object]
impl Query {
    async fn ok(&self) -> bool {
        true
    }
}

struct Mutation;

#[derive(SimpleObject)]
struct Received {
    id: String,
}

#[Object]
impl Mutation {
    async fn single_upload(&self, ctx: &Context<'_>, file: Upload) -> Received {
        received(ctx, file)
    }

    async fn multiple_upload(&self, ctx: &Context<'_>, files: Vec<Upload>) -> Vec<Received> {
        files.into_iter().map(|file| received(ctx, file)).collect()
    }
}

/// Its name and content.
fn received(ctx: &Context<'_>, file: Upload) -> Received {
    let spooled = file.spooled(ctx).unwrap();
    let content = std::io::read_to_string(spooled.open().unwrap()).unwrap();
    Received { id: format!("{}: {content}", spooled.name) }
}

struct Open;

#[async_trait]
impl Authenticate for Open {
    async fn authenticate(&self, _: Credentials) -> Result<Viewer, AuthError> {
        Ok(Viewer::Anonymous)
    }

    async fn standing(&self, _: &[Uuid]) -> Result<HashMap<Uuid, Role>, AuthError> {
        Ok(HashMap::new())
    }
}

async fn serve(config: &Config, supervisor: &Supervisor) -> SocketAddr {
    let endpoint = Endpoint {
        executor: Schema::new(Query, Mutation, EmptySubscription),
        authenticate: Arc::new(Open),
        cookie: SessionCookie { secure: false },
        limits: Limits::new(config, std::env::temp_dir()),
        live: Live::new(config, supervisor.token()),
    };
    let listener = http::bind(config.server.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    supervisor.serve("app", listener, http::around(&config.server, endpoint.router()));
    address
}

/// Runs curl with these forms, in a folder with the example's files.
async fn curl(forms: &[&str]) -> Value {
    let config = Sources::default().set("server.listen", "127.0.0.1:0").load().unwrap().config;
    let supervisor = Supervisor::new(config.server.shutdown_deadline);
    let address = serve(&config, &supervisor).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(folder.path().join(format!("{name}.txt")), format!("content of {name}")).unwrap();
    }
    let mut curl = Command::new("curl");
    curl.arg("--silent").arg(format!("http://{address}/graphql"));
    for form in forms {
        curl.args(["-F", form]);
    }
    let output = curl.current_dir(folder.path()).kill_on_drop(true).output().await.unwrap();
    supervisor.token().cancel();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_single_file() {
    let answer = curl(&[
        r#"operations={ "query": "mutation ($file: Upload!) { singleUpload(file: $file) { id } }", "variables": { "file": null } }"#,
        r#"map={ "0": ["variables.file"] }"#,
        "0=@a.txt",
    ]);
    assert_eq!(answer.await["data"], json!({ "singleUpload": { "id": "a.txt: content of a" } }));
}

#[tokio::test]
async fn a_file_list() {
    let answer = curl(&[
        r#"operations={ "query": "mutation($files: [Upload!]!) { multipleUpload(files: $files) { id } }", "variables": { "files": [null, null] } }"#,
        r#"map={ "0": ["variables.files.0"], "1": ["variables.files.1"] }"#,
        "0=@b.txt",
        "1=@c.txt",
    ]);
    let ids = json!([{ "id": "b.txt: content of b" }, { "id": "c.txt: content of c" }]);
    assert_eq!(answer.await["data"], json!({ "multipleUpload": ids }));
}

#[tokio::test]
async fn batching_is_refused_with_the_reason() {
    let answer = curl(&[
        r#"operations=[{ "query": "mutation ($file: Upload!) { singleUpload(file: $file) { id } }", "variables": { "file": null } }, { "query": "mutation($files: [Upload!]!) { multipleUpload(files: $files) { id } }", "variables": { "files": [null, null] } }]"#,
        r#"map={ "0": ["0.variables.file"], "1": ["1.variables.files.0"], "2": ["1.variables.files.1"] }"#,
        "0=@a.txt",
        "1=@b.txt",
        "2=@c.txt",
    ]);
    let answer = answer.await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert_eq!(answer["errors"][0]["message"], "Send one operation a request; a list of them is not taken.");
}
