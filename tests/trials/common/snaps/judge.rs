//! The end of the trial: what was sent is seen once by whom it was sent to, and then gone, with proof; and whether this
//! judge finds what it should.

use std::{collections::HashSet, time::Duration};

use rand::{SeedableRng as _, rngs::StdRng};

use super::{Circle, Round, Stage};
use crate::common::{Failure, audit::Auditor};

/// How long the server may take to copy a picture.
const SETTLE: Duration = Duration::from_secs(60);

impl Circle {
    /// Settles everything, sees what is still unseen, tries to see everything again, and ends it.
    ///
    /// # Errors
    /// The server does not answer. What is wrong goes to the notes.
    pub async fn conclude(&mut self, round: &Round) -> Result<(), Failure> {
        if self.people.is_none() {
            return Ok(());
        }
        self.meet(round).await?;
        while self.settle(round).await {}
        for snap in 0..self.sent.len() {
            if self.sent[snap].id.is_none() {
                self.violation(snap, "it cannot be sent, although its key is repeated");
                continue;
            }
            for look in 0..self.sent[snap].looks.len() {
                self.end_of(round, (snap, look)).await?;
            }
        }
        let sent = self.people().sender.sent_snaps().await?;
        let shown: Vec<&str> = sent.iter().map(|snap| snap.id.as_str()).collect();
        self.compare(&shown);
        Ok(())
    }

    async fn end_of(&mut self, round: &Round, at: (usize, usize)) -> Result<(), Failure> {
        let stage = |circle: &Self| circle.sent[at.0].looks[at.1].stage;
        // A view that was opened and never fetched may be over: then it is opened once more.
        for _ in 0..2 {
            if matches!(stage(self), Stage::Sealed | Stage::Asked | Stage::Open) {
                self.look(round, at).await;
            }
        }
        match stage(self) {
            Stage::Seen | Stage::Lost | Stage::Revoked => {}
            other => self.violation(at.0, &format!("it was delivered and cannot be seen, but is {other:?}")),
        }
        self.pry(at).await;
        let look = &self.sent[at.0].looks[at.1];
        if look.seen > 1 {
            self.violation(at.0, &format!("it was seen {} times", look.seen));
        }
        let (client, id) = self.of(at);
        if stage(self) != Stage::Revoked {
            client.close_snap(&id).await?;
        }
        Ok(())
    }

    /// Each snap that was sent is there, once, and no other.
    fn compare(&self, shown: &[&str]) {
        let known: HashSet<&str> = self.sent.iter().filter_map(|sent| sent.id.as_deref()).collect();
        let there: HashSet<&str> = shown.iter().copied().collect();
        if known != there || there.len() != shown.len() {
            let what =
                format!("{} snaps were sent, and {} are there, {} different", known.len(), shown.len(), there.len());
            self.notes.violation(what);
        }
    }

    /// Once everything is at rest: each picture is proven gone at both sites.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn judge(&self) -> Result<usize, Failure> {
        let Some(people) = &self.people else { return Ok(0) };
        let sent = people.sender.sent_snaps().await?;
        for snap in sent.iter().filter(|snap| !(snap.is_gone && snap.is_erased)) {
            self.notes.violation(format!("all are done with {}, and it is {snap:?}", snap.id));
        }
        Ok(sent.len())
    }

    /// How many looks ended so.
    pub fn looks(&self) -> [usize; 3] {
        let looks = || self.sent.iter().flat_map(|sent| &sent.looks);
        [Stage::Seen, Stage::Lost, Stage::Revoked].map(|stage| looks().filter(|look| look.stage == stage).count())
    }
}

/// The judge judged: an opening that is forgotten, a snap without bytes, and one that was sent twice.
///
/// # Errors
/// The first fault that was not found.
pub async fn planted(circle: &mut Circle, round: &Round, auditor: &Auditor) -> Result<Vec<&'static str>, Failure> {
    let mut rng = StdRng::seed_from_u64(1);
    let found = |circle: &Circle, what: &str| {
        let violations = circle.notes.take_violations();
        if violations.iter().any(|violation| violation.contains(what)) {
            Ok(())
        } else {
            Err(Failure::from(format!("a planted fault was not found: {what}; only {violations:?}")))
        }
    };
    let mut caught = Vec::new();
    circle.send(round, &mut rng).await;
    let at = (circle.sent.len() - 1, 0);
    circle.look(round, at).await;
    let id = circle.sent[at.0].id.clone().ok_or("no snap to plant a fault in")?;
    auditor.forget_that_it_was_seen(&id).await?;
    circle.pry(at).await;
    found(circle, "shown again")?;
    caught.push("a snap that shows its picture twice");

    circle.send(round, &mut rng).await;
    let at = (circle.sent.len() - 1, 0);
    let id = circle.sent[at.0].id.clone().ok_or("no snap to plant a fault in")?;
    // Not while it is being copied: that would bring it back.
    auditor.quiet(SETTLE).await?;
    auditor.lose_picture(&id).await?;
    circle.end_of(round, at).await.ok();
    found(circle, "cannot be seen")?;
    caught.push("a snap without bytes");

    circle.compare(&[id.as_str(), id.as_str()]);
    found(circle, "are there")?;
    caught.push("a snap that was sent twice");
    Ok(caught)
}
