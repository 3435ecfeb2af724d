//! The steps, in the order in which a person would take them.

use std::{collections::BTreeMap, path::Path, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use bytesize::ByteSize;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    api::{self, File},
    buckets::Buckets,
    report::{Seen, expect, step, unexpected, wait, while_doing},
    samples::{self, Sample},
};
use crate::{
    cli::{
        Failure,
        client::{Attachment, Client},
    },
    config::Loaded,
    images::{Images, sniff},
};

/// For whatever a job does in the background.
const WAIT: Duration = Duration::from_secs(60);
/// An erasure is proven only after the deadline of a write whose reply was lost.
const ERASURE_WAIT: Duration = Duration::from_secs(120);

/// One run: an account of its own, and what it uploaded.
pub struct Walk {
    client: Client,
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
        Ok(Self { client, signed_up: false, images, files: Vec::new() })
    }

    /// The whole walk; the summary on success.
    pub async fn through(&mut self, file: Option<&Path>, buckets: Option<&Buckets>) -> Result<String, Failure> {
        let limits = self.limits().await?;
        let seed = rand::random();
        let mut samples = step(async {
            let samples = samples::make(seed, limits.upload_size).await?;
            let names: Vec<_> = samples.iter().map(described).collect();
            Ok((samples, format!("made {}", names.join(", "))))
        })
        .await?;
        if let Some(path) = file {
            samples.push(samples::read(path, limits.upload_size).await?);
        }
        self.sign_up(limits.password_min_length).await?;
        for sample in samples {
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
        let keys = self.prove_erased().await?;
        self.check_urls_are_dead().await?;
        if let Some(buckets) = buckets {
            step(async { Ok(((), buckets.hold_none_of(&keys).await?)) }).await?;
        }
        self.log_out().await;
        Ok(format!("{} files, {} stored objects, each proven erased at both sites", self.files.len(), keys.len()))
    }

    async fn limits(&self) -> Result<api::Limits, Failure> {
        let answer: api::Limited =
            self.client.query(api::LIMITS, json!({})).await.map_err(while_doing("cannot ask for the limits"))?;
        Ok(answer.limits)
    }

    async fn sign_up(&mut self, password_min_length: usize) -> Result<(), Failure> {
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
        let token = step(async {
            let answer = self.client.mutate::<api::SignedUp>(api::SIGN_UP, input).await;
            let failed = while_doing(format!("cannot sign up as {username}"));
            let answer = answer.map_err(|error| match error.code() {
                Some("SIGN_UP_CLOSED") => {
                    failed(error).help("the test needs an account of its own: set accounts.sign_up = true for it")
                }
                Some("NAME_TAKEN" | "EMAIL_TAKEN") => failed(error).help("run it again; the name is random"),
                Some("TOO_MANY_ATTEMPTS") => failed(error).help("wait as long as it says, then run it again"),
                _ => failed(error),
            })?;
            Ok((answer.token, format!("signed up as {username}")))
        })
        .await?;
        self.client.set_token(token.into());
        self.signed_up = true;
        Ok(())
    }

    async fn upload(&mut self, Sample { file, is_picture }: Sample) -> Result<(), Failure> {
        let client = &self.client;
        let uploaded = step(async {
            let name = file.name.clone();
            let answer = client.upload::<api::OneFile>(api::UPLOAD, json!({}), file.clone()).await;
            let got = answer.map_err(while_doing(format!("cannot upload {name}")))?.file;
            let sha256 = hash(&file.bytes);
            expect(format!("name of {name}"), name.as_str(), &got.name)?;
            expect(format!("size of {name}"), file.bytes.len() as u64, got.size)?;
            expect(
                format!("SHA-256 of {name} at the server"),
                sha256.as_str(),
                got.sha256.as_deref().unwrap_or("null"),
            )?;
            let sides = match (got.width, got.height) {
                (Some(width), Some(height)) => format!(", {width} × {height}"),
                _ => String::new(),
            };
            let said = format!("uploaded {name}, {}, {}{sides}", ByteSize(got.size), got.content_type);
            let uploaded = Uploaded {
                id: got.id,
                name,
                revision: got.revision,
                bytes: file.bytes,
                is_picture,
                versions: vec![sha256],
                renditions: 0,
                urls: Vec::new(),
            };
            Ok((uploaded, said))
        })
        .await?;
        self.files.push(uploaded);
        Ok(())
    }

    async fn file(&self, id: &str) -> Result<Option<File>, Failure> {
        let answer: api::Node<File> =
            self.client.query(api::FILE, json!({ "id": id })).await.map_err(while_doing("cannot read a file"))?;
        Ok(answer.node)
    }

    /// Waits for the renditions of a picture, checks them, and waits for both copies.
    async fn settle(&mut self, at: usize) -> Result<(), Failure> {
        let Uploaded { id, name, is_picture, .. } = &self.files[at];
        let (made, urls) = step(async {
            let file = wait(format!("renditions of {name}"), "none PENDING", WAIT, async || {
                let file = self.existing(id).await?;
                let pending = file.renditions().filter(|rendition| rendition.state == "PENDING").count();
                Ok(if pending == 0 { Seen::There(file) } else { Seen::NotYet(format!("{pending} PENDING")) })
            })
            .await?;
            let mut said = Vec::new();
            let mut urls = Vec::new();
            for rendition in file.renditions() {
                match (rendition.state.as_str(), &rendition.url) {
                    ("READY", Some(url)) => {
                        said.push(self.check_rendition(name, rendition, &url.url).await?);
                        urls.push(url.url.clone());
                    }
                    // A given file may well be a damaged picture.
                    ("FAILED", _) if !is_picture => said.push("none can be made".to_owned()),
                    (state, _) => {
                        let why = rendition.error.as_deref().unwrap_or("no URL");
                        return Err(unexpected(
                            format!("rendition {} of {name}", rendition.size),
                            "READY with a URL",
                            format!("{state} ({why})"),
                        ));
                    }
                }
            }
            if *is_picture {
                expect(format!("renditions of {name}"), 3, urls.len())?;
            }
            said.dedup();
            let said = if said.is_empty() { "none, it is no picture".to_owned() } else { said.join(", ") };
            Ok(((urls.len(), urls), format!("{name}: renditions {said}")))
        })
        .await?;
        step(async {
            let copies = wait(format!("copies of {name}"), "VERIFIED at two sites", WAIT, async || {
                let copies = self.existing(id).await?.copies;
                let verified = copies.iter().filter(|copy| copy.state == "VERIFIED").count();
                let shown = |copy: &api::Copy| format!("{} in {}", copy.state, copy.region);
                let states: Vec<_> = copies.iter().map(shown).collect();
                Ok(if verified >= 2 { Seen::There(copies) } else { Seen::NotYet(states.join(", ")) })
            })
            .await?;
            let regions: Vec<_> = copies.into_iter().map(|copy| copy.region).collect();
            Ok(((), format!("{name}: copies verified in {}", regions.join(" and "))))
        })
        .await?;
        let uploaded = &mut self.files[at];
        uploaded.renditions += made;
        uploaded.urls.extend(urls);
        Ok(())
    }

    async fn existing(&self, id: &str) -> Result<File, Failure> {
        self.file(id).await?.ok_or_else(|| unexpected(format!("file {id}"), "there", "null"))
    }

    /// Fetches a rendition: a whole picture of the announced type and size. Says its sides.
    async fn check_rendition(&self, name: &str, rendition: &api::Rendition, url: &str) -> Result<String, Failure> {
        let what = format!("rendition {} of {name}", rendition.size);
        let bytes = self.get(&what, url).await?;
        let content_type = sniff(&bytes, "");
        if !matches!(content_type, "image/jpeg" | "image/png" | "image/webp") {
            return Err(unexpected(what, "a JPEG, PNG or WebP", content_type));
        }
        expect(format!("type of {what}"), rendition.content_type.as_deref().unwrap_or("null"), content_type)?;
        let unreadable = |error: &dyn std::fmt::Display| Failure::fault(format!("{what} cannot be read: {error}"));
        let on_disk = tempfile::NamedTempFile::new().map_err(|error| unreadable(&error))?;
        tokio::fs::write(on_disk.path(), &bytes).await.map_err(|error| unreadable(&error))?;
        let probe = self.images.probe(on_disk.path().to_owned()).await.map_err(|error| unreadable(&error))?;
        let sides = format!("{} × {}", probe.width, probe.height);
        let announced = format!("{} × {}", rendition.width.unwrap_or(0), rendition.height.unwrap_or(0));
        expect(format!("sides of {what}"), &announced, &sides)?;
        let longest = probe.width.max(probe.height);
        let fits = match rendition.size.as_str() {
            "SQUARE_150" => (probe.width, probe.height) == (150, 150),
            "FIT_320" => longest <= 320,
            _ => longest <= 1280,
        };
        if fits { Ok(sides) } else { Err(unexpected(format!("sides of {what}"), "what its name says", sides)) }
    }

    /// The body behind a signed URL, which must answer 200.
    async fn get(&self, what: &str, url: &str) -> Result<Bytes, Failure> {
        let answer = self.client.download(url).await.map_err(while_doing(format!("cannot download {what}")))?;
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        Err(unexpected(format!("the signed URL of {what}"), "200 OK", answer.status))
    }

    /// Downloads the current content, and with it compares what was sent.
    async fn download(&mut self, at: usize) -> Result<(), Failure> {
        let Uploaded { id, name, bytes, .. } = &self.files[at];
        let url = step(async {
            let signed = self.existing(id).await?.download_url;
            let url = signed.ok_or_else(|| unexpected(format!("downloadUrl of {name}"), "a signed URL", "null"))?.url;
            let body = self.get(name, &url).await?;
            expect(format!("SHA-256 of {name} as downloaded"), hash(bytes), hash(&body))?;
            Ok((url, format!("downloaded {name}, {}, SHA-256 equal", ByteSize(body.len() as u64))))
        })
        .await?;
        self.files[at].urls.push(url);
        Ok(())
    }

    /// Edits a file; then once more with the revision from before, which must be refused.
    async fn edit(&mut self, at: usize) -> Result<(), Failure> {
        let Uploaded { id, name, revision, .. } = &self.files[at];
        let new_name = format!("edited {name}");
        let input = json!({
            "id": id, "revision": revision, "name": new_name, "description": "Edited by the smoke test",
            "tags": ["smoke", "test"], "metadata": { "madeBy": "smoke-test" },
        });
        let current = step(async {
            let answer = self.client.mutate::<api::OneFile>(api::EDIT, input.clone()).await;
            let got = answer.map_err(while_doing(format!("cannot edit {name}")))?.file;
            expect("name after the edit", new_name.as_str(), &got.name)?;
            let description = got.description.as_deref().unwrap_or("null");
            expect("description after the edit", "Edited by the smoke test", description)?;
            expect("tags after the edit", "smoke, test", got.tags.join(", ").as_str())?;
            expect("metadata after the edit", &input["metadata"], &got.metadata)?;
            expect("revision after the edit", revision + 1, got.revision)?;
            Ok((got.revision, format!("edited {name}: name, description, tags, metadata")))
        })
        .await?;
        step(async {
            let what = "an edit with a stale revision";
            match self.client.mutate::<api::OneFile>(api::EDIT, input.clone()).await {
                Err(error) if error.code() == Some("STALE_REVISION") => {
                    Ok(((), format!("{what} is refused: STALE_REVISION")))
                }
                Err(error) => Err(unexpected(what, "STALE_REVISION", error)),
                Ok(_) => Err(unexpected(what, "STALE_REVISION", "an edit")),
            }
        })
        .await?;
        let edited = &mut self.files[at];
        (edited.name, edited.revision) = (new_name, current);
        Ok(())
    }

    async fn replace(&mut self, at: usize, content: Attachment) -> Result<(), Failure> {
        let Uploaded { id, name, revision, versions, .. } = &self.files[at];
        let sha256 = hash(&content.bytes);
        let current = step(async {
            let input = json!({ "id": id, "revision": revision });
            let answer = self.client.upload::<api::OneFile>(api::REPLACE, input, content.clone()).await;
            let got = answer.map_err(while_doing(format!("cannot replace the content of {name}")))?.file;
            expect(format!("SHA-256 of {name}"), sha256.as_str(), got.sha256.as_deref().unwrap_or("null"))?;
            let listed: Vec<_> = got.versions.nodes.into_iter().map(|version| version.sha256).collect();
            let expected: Vec<_> = [&sha256].into_iter().chain(versions.iter().rev()).cloned().collect();
            expect(format!("versions of {name}"), expected.join(", "), listed.join(", "))?;
            Ok((
                got.revision,
                format!("replaced the content of {name}: {}, version {}", ByteSize(got.size), listed.len()),
            ))
        })
        .await?;
        let replaced = &mut self.files[at];
        (replaced.revision, replaced.bytes) = (current, content.bytes);
        replaced.versions.push(sha256);
        Ok(())
    }

    fn ids(&self) -> serde_json::Value {
        json!({ "ids": self.files.iter().map(|file| &file.id).collect::<Vec<_>>() })
    }

    /// Trashes every file and waits for the alert.
    async fn trash(&self) -> Result<(), Failure> {
        let alert = step(async {
            let answer = self.client.mutate::<api::ManyFiles>(api::TRASH, self.ids()).await;
            let trashed = answer.map_err(while_doing("cannot trash the files"))?;
            self.expect_state(&trashed.files, "TRASHED")?;
            let signed = trashed.files.iter().filter(|file| file.download_url.is_some()).count();
            expect("trashed files with a new signed URL", 0, signed)?;
            Ok((trashed.alert, format!("trashed {} files", trashed.files.len())))
        })
        .await?;
        self.await_alert("trashing", alert).await
    }

    async fn restore(&self) -> Result<(), Failure> {
        step(async {
            let answer = self.client.mutate::<api::Restored>(api::RESTORE, self.ids()).await;
            let files = answer.map_err(while_doing("cannot restore the files"))?.files;
            self.expect_state(&files, "ACTIVE")?;
            Ok(((), format!("restored {} files", files.len())))
        })
        .await
    }

    /// Purges every file and waits for the alert.
    async fn purge(&self) -> Result<(), Failure> {
        let alert = step(async {
            let answer = self.client.mutate::<api::Purged>(api::PURGE, self.ids()).await;
            let purged = answer.map_err(while_doing("cannot purge the files"))?;
            expect("purged files", self.files.len(), purged.purged_ids.len())?;
            for Uploaded { id, name, .. } in &self.files {
                if self.file(id).await?.is_some() {
                    return Err(unexpected(format!("{name} after its purge"), "null", "a file"));
                }
            }
            Ok((purged.alert, format!("purged {} files", purged.purged_ids.len())))
        })
        .await?;
        self.await_alert("purging", alert).await
    }

    fn expect_state(&self, files: &[File], state: &str) -> Result<(), Failure> {
        expect(format!("files now {state}"), self.files.len(), files.len())?;
        files.iter().try_for_each(|file| expect(format!("state of {}", file.name), state, &file.state))
    }

    async fn await_alert(&self, of: &str, alert: Option<api::Id>) -> Result<(), Failure> {
        step(async {
            let id = alert.ok_or_else(|| unexpected(format!("{of} files"), "an alert", "none"))?.id;
            let message = wait(format!("the alert of {of} files"), "DELIVERED", WAIT, async || {
                let answer = self.client.query::<api::Node<api::Alert>>(api::ALERT, json!({ "id": id })).await;
                Ok(match answer.map_err(while_doing("cannot read the alert"))?.node {
                    Some(alert) if alert.state == "DELIVERED" => Seen::There(alert.message),
                    Some(alert) => {
                        let why = alert.last_error.map(|error| format!(" ({error})")).unwrap_or_default();
                        Seen::NotYet(format!("{}{why}", alert.state))
                    }
                    None => Seen::NotYet("no alert of this id".to_owned()),
                })
            })
            .await?;
            Ok(((), format!("alert delivered: “{message}”")))
        })
        .await
    }

    /// Waits until everything the files were made of is confirmed gone at both sites; the keys they had.
    async fn prove_erased(&self) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        for file in &self.files {
            let Uploaded { id, name, versions, renditions, .. } = file;
            let found = step(async {
                let erasures = wait(format!("erasures of {name}"), "all proven", ERASURE_WAIT, async || {
                    let erasures = self.erasures(id).await?;
                    let proven = erasures.iter().filter(|erasure| erasure.is_proven()).count();
                    Ok(if proven == erasures.len() {
                        Seen::There(erasures)
                    } else {
                        Seen::NotYet(format!("{proven} of {}", erasures.len()))
                    })
                })
                .await?;
                let mut originals = BTreeMap::new();
                for erasure in erasures.iter().filter(|erasure| erasure.kind == "ORIGINAL") {
                    *originals.entry(erasure.sha256.as_str()).or_insert(0) += 1;
                }
                for sha256 in versions {
                    let left = originals.get_mut(sha256.as_str()).filter(|left| **left > 0);
                    let missing =
                        || unexpected(format!("erasures of {name}"), format!("one of content {sha256}"), "none");
                    *left.ok_or_else(missing)? -= 1;
                }
                let small = erasures.iter().filter(|erasure| erasure.kind == "RENDITION").count();
                if small < *renditions {
                    return Err(unexpected(format!("erased renditions of {name}"), renditions, small));
                }
                let said =
                    format!("{name}: proven erased at both sites: {} versions, {small} renditions", versions.len());
                Ok((erasures, said))
            })
            .await?;
            keys.extend(found.into_iter().map(|erasure| erasure.key));
        }
        Ok(keys)
    }

    async fn erasures(&self, file: &str) -> Result<Vec<api::Erasure>, Failure> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let variables = json!({ "file": file, "after": after });
            let answer = self.client.query::<api::Erasures>(api::ERASURES, variables).await;
            let page = answer.map_err(while_doing("cannot read the erasures"))?.erasures;
            found.extend(page.nodes);
            if !page.page_info.has_next_page {
                return Ok(found);
            }
            after = page.page_info.end_cursor;
        }
    }

    /// Every URL that worked before answers 403 or 404.
    async fn check_urls_are_dead(&self) -> Result<(), Failure> {
        step(async {
            let mut count = 0;
            for Uploaded { name, urls, .. } in &self.files {
                for url in urls {
                    wait(format!("a signed URL of {name}"), "403 or 404", WAIT, async || {
                        let answer = self.client.download(url).await;
                        let status = answer.map_err(while_doing("cannot try a signed URL"))?.status;
                        Ok(match status {
                            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Seen::There(()),
                            status => Seen::NotYet(status.to_string()),
                        })
                    })
                    .await?;
                    count += 1;
                }
            }
            Ok(((), format!("all {count} signed URLs are refused now")))
        })
        .await
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

fn described(sample: &Sample) -> String {
    format!("{} ({})", sample.file.name, ByteSize(sample.file.bytes.len() as u64))
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
