//! The steps, in the order in which a person would take them.

mod change;
mod delete;
mod snap;

use std::{path::Path, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use bytesize::ByteSize;
use serde_json::json;

use super::{
    api,
    buckets::Buckets,
    report::{step, while_doing},
    samples::{self, Sample},
};
use crate::{
    cli::{Failure, client::Client},
    config::Loaded,
    images::Images,
};

/// For whatever a job does in the background.
const WAIT: Duration = Duration::from_secs(60);

/// One run: an account of its own, and what it uploaded.
pub struct Walk {
    client: Client,
    url: String,
    signed_up: bool,
    images: Images,
    files: Vec<Uploaded>,
}

/// A file on the server, and what must be gone after its purge.
struct Uploaded {
    id: String,
    name: String,
    revision: i32,
    bytes: Bytes,
    /// A rendition that fails is a failure.
    is_picture: bool,
    /// SHA-256 of every content it had.
    versions: Vec<String>,
    renditions: usize,
    /// Every signed URL that was used.
    urls: Vec<String>,
}

impl Walk {
    pub fn new(url: &str, settings: &Loaded) -> Result<Self, Failure> {
        let client = Client::new(url).map_err(|error| {
            Failure::usage(error.to_string(), "write --url as in the server's greeting, such as http://127.0.0.1:8080")
        })?;
        let images = Images::new((&settings.config.images).into());
        Ok(Self { client, url: url.to_owned(), signed_up: false, images, files: Vec::new() })
    }

    /// The whole walk; the summary on success.
    pub async fn through(&mut self, file: Option<&Path>, buckets: Option<&Buckets>) -> Result<String, Failure> {
        let limits = self.limits().await?;
        let given = match file {
            Some(path) => Some(samples::read(path, limits.upload_size).await?),
            None => None,
        };
        let seed = rand::random();
        let samples = step(async {
            let samples = samples::make(seed, limits.upload_size).await?;
            let names: Vec<_> = samples.iter().map(described).collect();
            Ok((samples, format!("made {}", names.join(", "))))
        })
        .await?;
        sign_up(&mut self.client, limits.password_min_length).await?;
        self.signed_up = true;
        for sample in samples.into_iter().chain(given) {
            self.upload(sample).await?;
        }
        for at in 0..self.files.len() {
            self.settle(at).await?;
            self.download(at).await?;
        }
        self.edit(1).await?;
        self.replace(0, samples::make_replacement(seed.wrapping_add(1)).await?).await?;
        self.settle(0).await?;
        self.download(0).await?;
        self.trash().await?;
        self.restore().await?;
        self.purge().await?;
        let mut keys = self.prove_erased().await?;
        self.check_urls_are_dead().await?;
        let picture = samples::make_replacement(seed.wrapping_add(2)).await?;
        keys.push(self.snap(limits.password_min_length, picture).await?);
        if let Some(buckets) = buckets {
            step(async { Ok(((), buckets.hold_none_of(&keys).await?)) }).await?;
        }
        self.log_out().await;
        let count = self.files.len();
        Ok(format!("{count} files and a snap, {} stored objects, each proven erased at both sites", keys.len()))
    }

    async fn limits(&self) -> Result<api::Limits, Failure> {
        let answer: api::Limited =
            self.client.query(api::LIMITS, json!({})).await.map_err(while_doing("cannot ask for the limits"))?;
        Ok(answer.limits)
    }

    /// The session is of no use to anyone from here on. A failure is none of the test's business.
    async fn log_out(&mut self) {
        if std::mem::take(&mut self.signed_up) {
            let _ = self.client.query::<serde_json::Value>(api::LOG_OUT, json!({})).await;
        }
    }

    /// After a failure: purges whatever the account has, also an upload whose answer was lost.
    pub async fn clean_up(&mut self) {
        if !self.signed_up {
            return;
        }
        match self.purge_all().await {
            Ok(0) => {}
            Ok(count) => eprintln!("Purged the {count} files of the test."),
            Err(failure) => eprint!("Cannot purge the files of the test.\n{failure}"),
        }
        self.log_out().await;
    }

    async fn purge_all(&self) -> Result<usize, Failure> {
        let answer = self.client.query::<api::Mine>(api::MINE, json!({})).await;
        let mine = answer.map_err(while_doing("cannot list the files"))?;
        let ids: Vec<_> = mine.active.nodes.into_iter().chain(mine.trashed.nodes).map(|file| file.id).collect();
        if !ids.is_empty() {
            let answer = self.client.mutate::<api::Purged>(api::PURGE, json!({ "ids": ids })).await;
            answer.map_err(while_doing("cannot purge"))?;
        }
        Ok(ids.len())
    }
}

/// Makes an account of a random name, and lets the client be it.
async fn sign_up(client: &mut Client, password_min_length: usize) -> Result<api::SignedUp, Failure> {
    let username = format!("smoke-{:016x}", rand::random::<u64>());
    // Random letters and digits, as long as the server wants and never short.
    let mut password = String::new();
    while password.len() < password_min_length.max(32) {
        password.push_str(&format!("{:032x}", rand::random::<u128>()));
    }
    let input = json!({
        "username": username, "email": format!("{username}@example.org"),
        "firstName": "Smoke", "lastName": "Test", "password": password,
    });
    let signed_up = step(async {
        let answer = client.mutate::<api::SignedUp>(api::SIGN_UP, input).await;
        let failed = while_doing(format!("cannot sign up as {username}"));
        let answer = answer.map_err(|error| match error.code() {
            Some("SIGN_UP_CLOSED") => {
                failed(error).help("the test needs accounts of its own: set accounts.sign_up = true for it")
            }
            Some("NAME_TAKEN" | "EMAIL_TAKEN") => failed(error).help("run it again; the name is random"),
            Some("TOO_MANY_ATTEMPTS") => failed(error).help("wait as long as it says, then run it again"),
            _ => failed(error),
        })?;
        Ok((answer, format!("signed up as {username}")))
    })
    .await?;
    client.set_token(signed_up.token.clone().into());
    Ok(signed_up)
}

fn described(sample: &Sample) -> String {
    format!("{} ({})", sample.file.name, ByteSize(sample.file.bytes.len() as u64))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
