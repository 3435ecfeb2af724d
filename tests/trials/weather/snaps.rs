//! Snaps at servers whose clocks are hours apart: by the database's time nothing is opened late, lost early or shown twice.

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use snaphaven::images::generate;
use tokio::time::{Instant, sleep_until};

use crate::common::{
    Failure,
    audit::Auditor,
    client::{Client, NoAnswer},
    snaps::{Fetched, NewSnap},
};

/// What the servers are set to for `snaps.fetch_within`.
pub const FETCH: Duration = Duration::from_secs(5);
/// Until a snap expires that nobody opens, and one that somebody does.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(300);
/// After a moment, to be past it.
const PAST: Duration = Duration::from_millis(300);

static PICTURE: LazyLock<Bytes> =
    LazyLock::new(|| generate::photo_jpeg(1, 320, 240, 30_000).map(Bytes::from).unwrap_or_default());

/// Two friends, who meet every server.
pub struct Friends {
    sender: Client,
    friend: Client,
    id: String,
}

impl Friends {
    pub async fn meet(name: &str, url: &str) -> Result<Self, Failure> {
        let sender = Client::sign_up(url, &format!("{name}-s")).await?;
        let friend = Client::sign_up(url, &format!("{name}-r")).await?;
        sender.befriend(&friend).await?;
        let id = friend.id().await?;
        Ok(Self { sender, friend, id })
    }

    async fn send(&self, here: &str, key: &str, expires: Duration) -> Result<String, Failure> {
        let to = [self.id.as_str()];
        let expires = u32::try_from(expires.as_secs())?;
        let snap = NewSnap { key, picture: &PICTURE, to: &to, seconds: Some(1), expires: Some(expires) };
        Ok(self.sender.at(here)?.send_snap(snap).await?)
    }

    /// Sends snaps at one server, and opens them at all. `key` tells the snaps of one time from those of another; `fault`
    /// shifts their times by these hours.
    ///
    /// # Errors
    /// What is wrong, or what kept it from being seen.
    pub async fn hold(
        &self,
        key: &str,
        here: &str,
        everywhere: &[String],
        fault: Option<(&Auditor, i64)>,
    ) -> Result<Vec<String>, Failure> {
        let mut wrong = Vec::new();
        let names = ["seen", "kept", "expired"].map(|name| format!("{key}-{name}"));
        let seen = self.send(here, &names[0], LATER).await?;
        let kept = self.send(here, &names[1], LATER).await?;
        let expired = self.send(here, &names[2], SOON).await?;
        let sent = Instant::now();
        if let Some((auditor, hours)) = fault {
            for snap in [&seen, &kept, &expired] {
                auditor.shift_expiry(snap, hours).await?;
            }
        }
        let mut friends = Vec::new();
        for url in everywhere {
            friends.push(self.friend.at(url)?);
        }
        let at_home = self.friend.at(here)?;
        match at_home.open_snap(&seen, &one(&seen)).await {
            Ok(url) => self.once(&friends, &seen, &url, &mut wrong).await?,
            Err(error) => wrong.push(format!("{seen} could not be opened: {error}")),
        }
        let begun = Instant::now();
        let view = match at_home.open_snap(&kept, &one(&kept)).await {
            Ok(view) => view,
            Err(error) => {
                wrong.push(format!("{kept} could not be opened: {error}"));
                return Ok(wrong);
            }
        };
        for friend in &friends {
            if refused(friend.open_snap(&kept, &another(&kept)).await)?.is_none() && begun.elapsed() < FETCH {
                wrong.push(format!("{kept} was opened while another view of it was open"));
            }
        }
        sleep_until(sent + SOON + PAST).await;
        for friend in &friends {
            match refused(friend.open_snap(&expired, &one(&expired)).await)? {
                Some(why) if why.contains("EXPIRED") => {}
                other => wrong.push(format!("{expired} has expired, and its opening was {other:?}")),
            }
        }
        // Nobody fetched it in time: that is over everywhere, and it is as it was.
        sleep_until(Instant::now().max(begun + FETCH + PAST)).await;
        for friend in &friends {
            if let Fetched::Bytes { .. } = friend.fetch_view(&view, 0, false).await? {
                wrong.push(format!("{kept} was shown after its time"));
            }
        }
        let last = friends.last().ok_or("no server")?;
        match last.open_snap(&kept, &another(&kept)).await {
            Ok(url) => self.once(&friends, &kept, &url, &mut wrong).await?,
            Err(error) => wrong.push(format!("nobody has seen {kept}, and its opening was {error}")),
        }
        Ok(wrong)
    }

    /// The picture comes from the last server, and from none a second time.
    async fn once(&self, friends: &[Client], snap: &str, url: &str, wrong: &mut Vec<String>) -> Result<(), Failure> {
        let mut shown = 0;
        for friend in friends.iter().rev().chain(friends) {
            if let Fetched::Bytes { bytes, of, .. } = friend.fetch_view(url, 0, false).await? {
                shown += u32::from(bytes.len() == of);
            }
        }
        for friend in friends {
            for key in [one(snap), another(snap), format!("{snap}-more")] {
                shown += u32::from(refused(friend.open_snap(snap, &key).await)?.is_none());
            }
        }
        if shown != 1 {
            wrong.push(format!("{snap} was shown {shown} times"));
        }
        Ok(())
    }
}

/// Keys of openings: of each snap its own.
fn one(snap: &str) -> String {
    format!("{snap}-one")
}

fn another(snap: &str) -> String {
    format!("{snap}-another")
}

/// Why it was refused; `None`: it was not.
fn refused(answer: Result<String, NoAnswer>) -> Result<Option<String>, Failure> {
    match answer {
        Ok(_) => Ok(None),
        Err(NoAnswer::Refused(why)) => Ok(Some(why)),
        Err(error) => Err(error.into()),
    }
}
