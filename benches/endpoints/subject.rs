//! The server under test: the release binary in a temporary folder, with one person and their pictures.

use std::{
    io::{BufRead, BufReader, Cursor},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::multipart::{Form, Part};
use sea_orm::{ConnectionTrait, Database, DbBackend};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{crowd, load::Cpu, servers::DatabaseServer};

pub const PASSWORD: &str = "a fox jumps 7 times";

/// Killed when dropped.
pub struct Subject {
    pub app: String,
    pub token: String,
    http: reqwest::Client,
    process: Child,
    /// As the server was told, or of the SQLite file in the folder.
    database: String,
    _folder: TempDir,
}

impl Subject {
    /// On this database server, or on SQLite.
    pub async fn start(database: Option<&DatabaseServer>) -> Self {
        let url = match database {
            Some(server) => {
                let connection = Database::connect(server.maintenance_url()).await.unwrap();
                connection.execute_unprepared("CREATE DATABASE snaphaven").await.unwrap();
                server.url("snaphaven")
            }
            None => String::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_snaphaven"))
            .args(["serve", "--listen", "127.0.0.1:0", "--set", "log.filter=warn", "--set", "uploads.max_size=200 MiB"])
            .args(["--set", &format!("database.url={url}"), "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let app = lines.find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("app")).then(|| words.next().unwrap().to_owned())
        });
        // The greeting goes on; nobody may close the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let database = match url.as_str() {
            "" => format!("sqlite://{}", folder.path().join("snaphaven.sqlite").display()),
            url => url.to_owned(),
        };
        let (app, http) = (app.unwrap(), reqwest::Client::new());
        let mut subject = Self { app, token: String::new(), http, process, database, _folder: folder };
        let sign_up = json!({
            "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace", "password": PASSWORD,
        });
        let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { message } } }";
        let answer = subject.ask(query, json!({ "input": sign_up })).await;
        subject.token = answer["signUp"]["token"].as_str().unwrap().to_owned();
        subject
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn cpu(&self) -> Cpu {
        Cpu(vec![self.pid()])
    }

    /// Lets the most memory it had begin anew.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let request = self.http.post(format!("{}/graphql", self.app)).bearer_auth(&self.token);
        let request = if self.token.is_empty() { self.http.post(format!("{}/graphql", self.app)) } else { request };
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["data"].clone()
    }

    async fn upload(&self, name: &str, bytes: Vec<u8>) -> Value {
        let query =
            "mutation ($file: Upload!) { uploadFile(input: { file: $file }) { file { id downloadUrl { url } } } }";
        let operations = json!({ "query": query, "variables": { "file": null } }).to_string();
        let form = Form::new().text("operations", operations).text("map", r#"{"0":["variables.file"]}"#);
        let form = form.part("0", Part::bytes(bytes).file_name(name.to_owned()));
        let request = self.http.post(format!("{}/graphql", self.app)).bearer_auth(&self.token).multipart(form);
        request.send().await.unwrap().json::<Value>().await.unwrap()["data"]["uploadFile"]["file"].clone()
    }

    /// So many pictures, with all their renditions made.
    pub async fn upload_pictures(&self, count: usize) {
        for number in 0..count {
            let uploaded = self.upload(&format!("{number}.png"), picture(number)).await;
            assert!(uploaded["id"].is_string(), "{uploaded}");
        }
        let query = "{ files(first: 50) { nodes { a: rendition(size: SQUARE_150) { state } \
             b: rendition(size: FIT_320) { state } c: rendition(size: FIT_1280) { state } } } }";
        while self.ask(query, json!({})).await.to_string().matches("READY").count() < 3 * count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One file of this name becomes so many, half of which are found by its words but `needle`, and by its tag.
    pub async fn multiply_files(&self, name: &str, count: u64) {
        let file = self.upload(name, b"a file".to_vec()).await;
        let query =
            "mutation ($id: ID!) { editFile(input: { id: $id, revision: 1, tags: [\"half\"] }) { file { id } } }";
        self.ask(query, json!({ "id": file["id"] })).await;
        let connection = Database::connect(&self.database).await.unwrap();
        crowd::multiply(&connection, count).await;
        crowd::make_findable(&connection).await;
    }

    /// Makes its one person an admin, and returns their id.
    pub async fn promote(&self) -> String {
        let connection = Database::connect(&self.database).await.unwrap();
        let user = if connection.get_database_backend() == DbBackend::MySql { "`user`" } else { "\"user\"" };
        connection.execute_unprepared(&format!("UPDATE {user} SET role = 'ADMIN'")).await.unwrap();
        let viewer = self.ask("{ viewer { id role } }", json!({})).await["viewer"].clone();
        assert_eq!(viewer["role"], "ADMIN");
        viewer["id"].as_str().unwrap().to_owned()
    }

    /// The URL of a thumbnail, and its bytes.
    pub async fn thumbnail(&self) -> (String, Vec<u8>) {
        self.upload_pictures(1).await;
        let found = self.ask("{ files { nodes { rendition(size: SQUARE_150) { url } } } }", json!({})).await;
        let url = found["files"]["nodes"][0]["rendition"]["url"].as_str().unwrap().to_owned();
        let bytes = self.http.get(&url).send().await.unwrap().bytes().await.unwrap();
        (url, bytes.to_vec())
    }

    /// The download URL of a file with these bytes.
    pub async fn upload_large(&self, bytes: Vec<u8>) -> String {
        self.upload("large.bin", bytes).await["downloadUrl"]["url"].as_str().unwrap().to_owned()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A small picture unlike the others, as PNG.
fn picture(number: usize) -> Vec<u8> {
    let number = number as u32;
    let pixels = image::RgbImage::from_fn(480, 320, |x, y| {
        image::Rgb([(x / 2 + number) as u8, (y + 3 * number) as u8, ((x ^ y) + number) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
