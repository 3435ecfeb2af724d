//! Friends who send each other snaps while their server is killed. Every snap that was sent is seen once by each of its
//! recipients, whole, by nobody twice, and at the end its picture is proven erased.

mod judge;
mod requests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use snaphaven::images::generate;

pub use self::{
    judge::planted,
    requests::{Fetched, NewSnap},
};
use super::{
    client::{Client, NoAnswer},
    work::{Act, Notes, Round},
};

/// Who receives; one more person sends.
const RECIPIENTS: usize = 2;
/// A view can be gone on with for a minute (`snaps.fetch_within`); what comes later than this proves nothing.
const IN_TIME: Duration = Duration::from_secs(45);
/// What a killed process may have taken out of the store and not given to the kernel: a piece, and the connection's buffer.
const ON_ITS_WAY: usize = 132 * 1024;

/// Pictures to send, no two of the same size.
#[derive(Clone)]
pub struct Pictures(Arc<[(Bytes, (usize, usize))]>);

impl Pictures {
    pub fn new(seed: u64) -> Self {
        let picture = |n: u32| {
            let (width, height) = (1000 + 8 * n, 700 + 12 * n);
            let photo = generate::photo_jpeg(seed ^ u64::from(n), width, height, 900_000);
            (photo.expect("a picture of our own").into(), (width as usize, height as usize))
        };
        Self((0..6).map(picture).collect())
    }
}

/// What one recipient did with one snap.
#[derive(Clone, Debug)]
struct Look {
    /// Index of the recipient.
    who: usize,
    /// Of its opening.
    key: String,
    stage: Stage,
    url: String,
    /// The first attempt to open it.
    since: Option<Instant>,
    /// The round of the last attempt that got no answer.
    asked: u32,
    /// What came of its picture, and of how many bytes.
    got: Vec<u8>,
    of: usize,
    /// How often the whole picture came.
    seen: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sealed,
    /// Nobody knows whether it was opened.
    Asked,
    Open,
    /// The picture did not come whole.
    Broken,
    Seen,
    /// The last bytes of the picture were lost with the process that gave them.
    Lost,
    /// Nobody knows whether its sender took it back.
    Revoking,
    Revoked,
}

struct Sent {
    key: String,
    picture: usize,
    to: Vec<usize>,
    /// `None`: shown until it is closed.
    seconds: Option<u32>,
    /// Once acknowledged.
    id: Option<String>,
    /// The round of the last attempt.
    asked: u32,
    looks: Vec<Look>,
}

struct People {
    sender: Client,
    recipients: Vec<Client>,
    ids: Vec<String>,
}

pub struct Circle {
    number: u32,
    seed: u64,
    pictures: Pictures,
    notes: Notes,
    people: Option<People>,
    sent: Vec<Sent>,
    /// How many transfers broke off, and how many of them went on.
    pub broken: u32,
    pub resumed: u32,
}

impl Circle {
    pub fn new(seed: u64, number: u32, pictures: Pictures, notes: Notes) -> Self {
        Self { number, seed, pictures, notes, people: None, sent: Vec::new(), broken: 0, resumed: 0 }
    }

    /// Works until told to stop; a request under way is waited for.
    pub async fn work(&mut self, round: &Round) {
        let mut rng =
            StdRng::seed_from_u64(self.seed ^ (u64::from(round.number) << 32) ^ (u64::from(self.number) << 40));
        // Without an answer the next round begins with others.
        if self.meet(round).await.is_err() {
            return;
        }
        while !round.stop.is_cancelled() {
            if rng.random_bool(0.6) && self.settle(round).await {
                continue;
            }
            let act = if rng.random_bool(0.35) { round.favour } else { draw(&mut rng) };
            match act {
                Act::Open | Act::View => match self.any(&mut rng, &[Stage::Sealed, Stage::Open]) {
                    Some(at) => self.look(round, at).await,
                    None => self.send(round, &mut rng).await,
                },
                Act::End => match self.any(&mut rng, &[Stage::Seen]) {
                    Some(at) => self.end(round, at, &mut rng).await,
                    None => self.send(round, &mut rng).await,
                },
                Act::Read => {
                    if let Some(at) = self.any(&mut rng, &[Stage::Seen, Stage::Lost, Stage::Revoked]) {
                        self.pry(at).await;
                    }
                }
                _ => self.send(round, &mut rng).await,
            }
        }
    }

    /// The three become friends, or meet again at a new address.
    async fn meet(&mut self, round: &Round) -> Result<(), NoAnswer> {
        let url = round.client.url();
        if let Some(people) = &mut self.people {
            people.sender = people.sender.at(url)?;
            for recipient in &mut people.recipients {
                *recipient = recipient.at(url)?;
            }
            return Ok(());
        }
        let name = |who: &str| format!("circle{}x{}{who}", self.number, round.number);
        let sender = Client::sign_up(url, &name("s")).await?;
        let (mut recipients, mut ids) = (Vec::new(), Vec::new());
        for number in 0..RECIPIENTS {
            let recipient = Client::sign_up(url, &name(&format!("r{number}"))).await?;
            sender.befriend(&recipient).await?;
            ids.push(recipient.id().await?);
            recipients.push(recipient);
        }
        self.people = Some(People { sender, recipients, ids });
        Ok(())
    }

    fn people(&self) -> &People {
        self.people.as_ref().expect("they have met")
    }

    /// Any look at one of these stages, of a snap whose id is known.
    fn any(&self, rng: &mut StdRng, stages: &[Stage]) -> Option<(usize, usize)> {
        let known = self.sent.iter().enumerate().filter(|(_, sent)| sent.id.is_some());
        let looks = known.flat_map(|(snap, sent)| {
            sent.looks.iter().enumerate().map(move |(look, found)| ((snap, look), found.stage))
        });
        let fitting: Vec<_> = looks.filter(|(_, stage)| stages.contains(stage)).map(|(at, _)| at).collect();
        (!fitting.is_empty()).then(|| fitting[rng.random_range(0..fitting.len())])
    }

    /// Repeats what got no answer, with its key, and goes on with what broke off; whether there was any. The process that
    /// had it is dead.
    async fn settle(&mut self, round: &Round) -> bool {
        if let Some(at) = self.sent.iter().position(|sent| sent.id.is_none() && sent.asked < round.number) {
            self.attempt(round, at).await;
            if self.sent[at].id.is_some() {
                self.notes.settled();
            }
            return true;
        }
        let revoking =
            |sent: &Sent| sent.asked < round.number && sent.looks.iter().any(|look| look.stage == Stage::Revoking);
        if let Some(at) = self.sent.iter().position(revoking) {
            self.revoke(round, at).await;
            return true;
        }
        let unsettled = |look: &Look| matches!(look.stage, Stage::Asked | Stage::Broken) && look.asked < round.number;
        let found = self.sent.iter().enumerate().find_map(|(snap, sent)| {
            let look = sent.id.is_some().then(|| sent.looks.iter().position(unsettled))??;
            Some((snap, look))
        });
        let Some(at) = found else { return false };
        self.look(round, at).await;
        if !matches!(self.sent[at.0].looks[at.1].stage, Stage::Asked | Stage::Broken) {
            self.notes.settled();
        }
        true
    }

    async fn send(&mut self, round: &Round, rng: &mut StdRng) {
        let to = match rng.random_range(0..3) {
            2 => vec![0, 1],
            one => vec![one],
        };
        let key = format!("snap-{}-{}", self.number, self.sent.len());
        let look = |who: &usize| Look {
            who: *who,
            key: format!("open-{key}"),
            stage: Stage::Sealed,
            url: String::new(),
            since: None,
            asked: 0,
            got: Vec::new(),
            of: 0,
            seen: 0,
        };
        let looks = to.iter().map(look).collect();
        let picture = rng.random_range(0..self.pictures.0.len());
        let seconds = rng.random_bool(0.3).then(|| rng.random_range(1..4));
        self.sent.push(Sent { key, picture, to, seconds, id: None, asked: 0, looks });
        self.attempt(round, self.sent.len() - 1).await;
    }

    async fn attempt(&mut self, round: &Round, at: usize) {
        self.sent[at].asked = round.number;
        _ = round.started.send(Act::Snap);
        let (sent, people) = (&self.sent[at], self.people());
        let to: Vec<&str> = sent.to.iter().map(|who| people.ids[*who].as_str()).collect();
        let picture = &self.pictures.0[sent.picture].0;
        let snap = NewSnap { key: &sent.key, picture, to: &to, seconds: sent.seconds, expires: None };
        match people.sender.send_snap(snap).await {
            Ok(id) => {
                self.notes.acknowledged(Act::Snap);
                self.sent[at].id = Some(id);
            }
            Err(error) => self.no_answer(&error, "sending", at),
        }
    }

    /// Opens it where it is not open, and fetches the picture.
    async fn look(&mut self, round: &Round, at: (usize, usize)) {
        let (client, id) = self.of(at);
        let look = &mut self.sent[at.0].looks[at.1];
        if matches!(look.stage, Stage::Sealed | Stage::Asked) {
            look.asked = round.number;
            look.stage = Stage::Asked;
            look.since.get_or_insert_with(Instant::now);
            _ = round.started.send(Act::Open);
            match client.open_snap(&id, &look.key).await {
                Ok(url) => {
                    self.notes.acknowledged(Act::Open);
                    (look.url, look.stage) = (url, Stage::Open);
                }
                Err(error) => return self.no_answer(&error, "opening", at.0),
            }
        }
        if !round.stop.is_cancelled() {
            self.fetch(round, &client, at).await;
        }
    }

    async fn fetch(&mut self, round: &Round, client: &Client, at: (usize, usize)) {
        let sides = self.pictures.0[self.sent[at.0].picture].1;
        let look = &mut self.sent[at.0].looks[at.1];
        _ = round.started.send(Act::View);
        look.asked = round.number;
        let fetched = client.fetch_view(&look.url, look.got.len(), round.favour != Act::Read).await;
        let is_in_time = look.since.is_some_and(|since| since.elapsed() < IN_TIME);
        match fetched {
            Ok(Fetched::Bytes { from, bytes, of }) => {
                self.resumed += u32::from(from > 0);
                look.of = of;
                look.got.truncate(from);
                look.got.extend(bytes);
                if look.got.len() < of {
                    self.broken += 1;
                    self.notes.unknown(&NoAnswer::Unknown("a picture broke off".to_owned()));
                    look.stage = Stage::Broken;
                    return;
                }
                look.stage = Stage::Seen;
                look.seen += 1;
                self.notes.acknowledged(Act::View);
                let image = turbojpeg::decompress(&look.got, turbojpeg::PixelFormat::RGB);
                let shown = image.map(|image| (image.width, image.height));
                if shown.as_ref().ok() != Some(&sides) {
                    self.violation(at.0, &format!("the picture is {shown:?}, expected {sides:?}"));
                }
            }
            // It was opened, and never fetched: it is as it was.
            Ok(Fetched::Missing) if look.stage == Stage::Open && !is_in_time => {
                look.stage = Stage::Asked;
                look.since = None;
            }
            Ok(Fetched::Missing) => {
                let lost = look.of - look.got.len();
                let is_burnt = look.stage == Stage::Open || lost > ON_ITS_WAY;
                look.stage = Stage::Lost;
                if is_burnt && is_in_time {
                    self.violation(at.0, &format!("it is gone, and {lost} bytes of it never came"));
                }
            }
            Err(error) => {
                if !self.notes.unknown(&error) {
                    self.violation(at.0, &format!("a picture was {error}"));
                }
            }
        }
    }

    /// The recipient closes it, or the sender takes it back: what was the last look dooms the picture.
    async fn end(&mut self, round: &Round, at: (usize, usize), rng: &mut StdRng) {
        if rng.random_bool(0.2) {
            return self.revoke(round, at.0).await;
        }
        let (client, id) = self.of(at);
        _ = round.started.send(Act::End);
        match client.close_snap(&id).await {
            Ok(()) => self.notes.acknowledged(Act::End),
            Err(error) => self.no_answer(&error, "closing", at.0),
        }
    }

    async fn revoke(&mut self, round: &Round, at: usize) {
        let client = self.people().sender.clone();
        let sent = &mut self.sent[at];
        sent.asked = round.number;
        sent.looks.iter_mut().for_each(|look| look.stage = Stage::Revoking);
        _ = round.started.send(Act::End);
        match client.revoke_snap(sent.id.as_deref().unwrap_or_default()).await {
            Ok(()) => {
                self.notes.acknowledged(Act::End);
                self.sent[at].looks.iter_mut().for_each(|look| look.stage = Stage::Revoked);
            }
            Err(error) => self.no_answer(&error, "revoking", at),
        }
    }

    /// Tries to see again what was seen; whether that came to nothing.
    async fn pry(&mut self, at: (usize, usize)) -> bool {
        let (client, id) = self.of(at);
        let look = self.sent[at.0].looks[at.1].clone();
        let mut urls = vec![look.url.clone()];
        for key in [look.key.clone(), format!("{}-again", look.key)] {
            match client.open_snap(&id, &key).await {
                Ok(url) => urls.push(url),
                Err(error) => _ = self.notes.unknown(&error),
            }
        }
        let mut shown = 0;
        for url in urls.iter().filter(|url| !url.is_empty()) {
            match client.fetch_view(url, 0, false).await {
                Ok(Fetched::Bytes { bytes, .. }) => shown = shown.max(bytes.len()),
                Ok(Fetched::Missing) => {}
                Err(error) => _ = self.notes.unknown(&error),
            }
        }
        if shown > 0 {
            self.violation(at.0, &format!("{:?}, and {shown} bytes of it were shown again", look.stage));
        }
        shown == 0
    }

    /// The recipient who looks, and the snap's id.
    fn of(&self, (snap, look): (usize, usize)) -> (Client, String) {
        let sent = &self.sent[snap];
        (self.people().recipients[sent.looks[look].who].clone(), sent.id.clone().unwrap_or_default())
    }

    fn no_answer(&self, error: &NoAnswer, what: &str, at: usize) {
        if !self.notes.unknown(error) {
            self.violation(at, &format!("{what} it was {error}"));
        }
    }

    fn violation(&self, at: usize, what: &str) {
        let Sent { key, id, .. } = &self.sent[at];
        self.notes.violation(format!("{key} {}: {what}", id.as_deref().unwrap_or_default()));
    }
}

fn draw(rng: &mut StdRng) -> Act {
    match rng.random_range(0..100) {
        0..35 => Act::Snap,
        35..75 => Act::View,
        75..90 => Act::End,
        _ => Act::Read,
    }
}
