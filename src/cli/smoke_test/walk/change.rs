//! A file comes, is looked at from every side, and changes.

use bytes::Bytes;
use bytesize::ByteSize;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    super::{
        api::{self, File},
        report::{Seen, expect, step, unexpected, wait, while_doing},
        samples::Sample,
    },
    Uploaded, WAIT, Walk, hash,
};
use crate::{
    cli::{Failure, client::Attachment},
    images::{Probe, sniff},
};

/// What an edit calls a file.
const EDITED_NAME: &str = "Möwe im Hafen.png";

impl Walk {
    pub(super) async fn upload(&mut self, Sample { file, is_picture }: Sample) -> Result<(), Failure> {
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

    pub(super) async fn file(&self, id: &str) -> Result<Option<File>, Failure> {
        let answer: api::Node<File> =
            self.client.query(api::FILE, json!({ "id": id })).await.map_err(while_doing("cannot read a file"))?;
        Ok(answer.node)
    }

    /// Waits for the renditions of a picture and checks them; waits for both copies.
    pub(super) async fn settle(&mut self, at: usize) -> Result<(), Failure> {
        let Uploaded { id, is_picture, .. } = &self.files[at];
        let has_renditions = self.existing(id).await?.renditions().count() > 0;
        if *is_picture || has_renditions {
            let urls = step(self.check_renditions(at)).await?;
            self.files[at].renditions += urls.len();
            self.files[at].urls.extend(urls);
        }
        step(self.check_copies(at)).await
    }

    /// The URLs of all renditions, each a picture as it should be.
    async fn check_renditions(&self, at: usize) -> Result<(Vec<String>, String), Failure> {
        let Uploaded { id, name, is_picture, .. } = &self.files[at];
        let file = wait(format!("renditions of {name}"), "none PENDING", WAIT, async || {
            let file = self.existing(id).await?;
            let pending = file.renditions().filter(|rendition| rendition.state == "PENDING").count();
            Ok(if pending == 0 { Seen::There(file) } else { Seen::NotYet(format!("{pending} PENDING")) })
        })
        .await?;
        let (mut urls, mut sides) = (Vec::new(), Vec::new());
        for rendition in file.renditions() {
            match (rendition.state.as_str(), &rendition.url) {
                ("READY", Some(url)) => {
                    sides.push(self.check_rendition(name, rendition, url).await?);
                    urls.push(url.clone());
                }
                // A given file may well be a picture that nobody can read.
                ("FAILED", _) if !is_picture => {
                    let why = rendition.error.as_deref().unwrap_or("no reason given");
                    return Ok((urls, format!("{name}: no renditions, {why}")));
                }
                (state, _) => {
                    let why = rendition.error.as_deref().unwrap_or("no URL");
                    let what = format!("rendition {} of {name}", rendition.size);
                    return Err(unexpected(what, "READY with a URL", format!("{state} ({why})")));
                }
            }
        }
        expect(format!("renditions of {name}"), 3, urls.len())?;
        Ok((urls, format!("{name}: renditions {}", sides.join(", "))))
    }

    async fn check_copies(&self, at: usize) -> Result<((), String), Failure> {
        let Uploaded { id, name, .. } = &self.files[at];
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
    }

    pub(super) async fn existing(&self, id: &str) -> Result<File, Failure> {
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
        let probe = self.probe(&what, &bytes).await?;
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

    /// What a picture is that can be shown.
    pub(super) async fn probe(&self, what: &str, bytes: &Bytes) -> Result<Probe, Failure> {
        let unreadable = |error: &dyn std::fmt::Display| Failure::fault(format!("{what} cannot be read: {error}"));
        let on_disk = tempfile::NamedTempFile::new().map_err(|error| unreadable(&error))?;
        tokio::fs::write(on_disk.path(), bytes).await.map_err(|error| unreadable(&error))?;
        self.images.probe(on_disk.path().to_owned()).await.map_err(|error| unreadable(&error))
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
    pub(super) async fn download(&mut self, at: usize) -> Result<(), Failure> {
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
    pub(super) async fn edit(&mut self, at: usize) -> Result<(), Failure> {
        let Uploaded { id, name, revision, .. } = &self.files[at];
        let new_name = EDITED_NAME.to_owned();
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
            Ok((got.revision, format!("edited {name}: now {new_name}, with description, tags and metadata")))
        })
        .await?;
        step(async {
            let what = "an edit with a stale revision";
            let late = json!({ "id": id, "revision": revision, "description": "Too late" });
            match self.client.mutate::<api::OneFile>(api::EDIT, late).await {
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

    pub(super) async fn replace(&mut self, at: usize, content: Attachment) -> Result<(), Failure> {
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
}
