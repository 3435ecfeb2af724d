//! A file goes: to the trash and back, and then for good, with the proof.

use std::{collections::BTreeMap, time::Duration};

use reqwest::StatusCode;
use serde_json::json;

use super::{
    super::{
        api::{self, File},
        report::{Seen, expect, step, unexpected, wait, while_doing},
    },
    Uploaded, WAIT, Walk,
};
use crate::cli::Failure;

/// An erasure is proven only after the deadline of a write whose reply was lost.
pub(super) const ERASURE_WAIT: Duration = Duration::from_secs(120);

impl Walk {
    fn ids(&self) -> serde_json::Value {
        json!({ "ids": self.files.iter().map(|file| &file.id).collect::<Vec<_>>() })
    }

    /// Trashes every file and waits for the alert.
    pub(super) async fn trash(&self) -> Result<(), Failure> {
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

    pub(super) async fn restore(&self) -> Result<(), Failure> {
        step(async {
            let answer = self.client.mutate::<api::Restored>(api::RESTORE, self.ids()).await;
            let files = answer.map_err(while_doing("cannot restore the files"))?.files;
            self.expect_state(&files, "ACTIVE")?;
            Ok(((), format!("restored {} files", files.len())))
        })
        .await
    }

    /// Purges every file and waits for the alert.
    pub(super) async fn purge(&self) -> Result<(), Failure> {
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
    pub(super) async fn prove_erased(&self) -> Result<Vec<String>, Failure> {
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
                let said = format!(
                    "{name}: {} and {}, each proven erased at both sites",
                    counted(versions.len(), "version"),
                    counted(small, "rendition")
                );
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
    pub(super) async fn check_urls_are_dead(&self) -> Result<(), Failure> {
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
}

fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
