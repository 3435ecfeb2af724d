//! People who sign up, upload a little and close their account, over and over, while their server is killed. Afterwards
//! nothing is left of those who left, and everything of those who did not.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use snaphaven::id::NodeKind;
use uuid::Uuid;

use super::{
    Failure,
    audit::Auditor,
    client::{Client, NoAnswer},
    content::Contents,
    work::{Act, Notes, Round},
};

/// One person after the other.
pub struct Leaver {
    pub accounts: Vec<Account>,
    number: u32,
    seed: u64,
    contents: Contents,
    notes: Notes,
}

pub struct Account {
    name: String,
    client: Client,
    pub id: Uuid,
    /// Chosen before the account is closed.
    receipt: String,
    /// Acknowledged uploads.
    files: usize,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// A closing without an answer, and the round that it belongs to.
    Asked(u32),
    Closed,
}

impl Leaver {
    pub fn new(seed: u64, number: u32, contents: Contents, notes: Notes) -> Self {
        Self { accounts: Vec::new(), number, seed, contents, notes }
    }

    /// Works until told to stop; a request under way is waited for.
    pub async fn work(&mut self, round: &Round) {
        let mut rng =
            StdRng::seed_from_u64(self.seed ^ (u64::from(round.number) << 32) ^ (u64::from(self.number) << 48));
        while !round.stop.is_cancelled() {
            // Only once the process that got the request is dead.
            let unknown =
                |account: &Account| matches!(account.standing, Standing::Asked(asked) if asked < round.number);
            match self.accounts.iter().position(unknown) {
                Some(at) if rng.random_bool(0.7) => self.settle(round, at).await,
                _ => self.arrive(round, &mut rng).await,
            }
        }
    }

    /// An account that is opened, used and closed. One whose opening got no answer is nobody's.
    async fn arrive(&mut self, round: &Round, rng: &mut StdRng) {
        let name = format!("leaver{}x{}x{}", self.number, round.number, self.accounts.len());
        let opened = async {
            let client = Client::sign_up(round.client.url(), &name).await?;
            let id = client.id().await?;
            Ok::<_, NoAnswer>((client, id))
        };
        let Ok((client, id)) = opened.await else { return };
        let Some(id) = NodeKind::User.parse(&id) else { return };
        let receipt = format!("shc_{name:x<43}");
        let mut account = Account { name, client, id, receipt, files: 0, standing: Standing::Open };
        for number in 0..rng.random_range(0..4) {
            let content = self.contents.next(rng);
            let name = format!("{number}.bin");
            let Ok(file) = account.client.upload(&name, &content.bytes, &name).await else { break };
            account.files += 1;
            if rng.random_bool(0.3) && account.client.trash(&file.id).await.is_err() {
                break;
            }
        }
        self.accounts.push(account);
        self.close(round, self.accounts.len() - 1).await;
    }

    async fn close(&mut self, round: &Round, at: usize) {
        let account = &mut self.accounts[at];
        account.standing = Standing::Asked(round.number);
        _ = round.started.send(Act::Close);
        match account.client.close(&account.receipt).await {
            Ok(()) => {
                account.standing = Standing::Closed;
                self.notes.acknowledged(Act::Close);
            }
            Err(error) if error.to_string().contains("UNAUTHENTICATED") => {
                let what = format!("{}: the session has ended, and there is no closure", account.name);
                self.notes.violation(what);
            }
            Err(error) => {
                if !self.notes.unknown(&error) {
                    self.notes.violation(format!("{}: a closing was {error}", account.name));
                }
            }
        }
    }

    /// Looks by the receipt what became of a closing, and sends it again where nothing did.
    async fn settle(&mut self, round: &Round, at: usize) {
        let account = &mut self.accounts[at];
        let Ok(client) = account.client.at(round.client.url()) else { return };
        account.client = client;
        match account.client.closure(&account.receipt).await {
            Ok(Some(_)) => {
                account.standing = Standing::Closed;
                self.notes.settled();
            }
            Ok(None) => self.close(round, at).await,
            Err(_) => {}
        }
    }

    /// Nothing but a look by the receipt, and then everything else.
    ///
    /// # Errors
    /// The server or the database cannot be asked.
    pub async fn judge(&mut self, url: &str, auditor: &Auditor) -> Result<Vec<String>, Failure> {
        let mut violations = Vec::new();
        for account in &mut self.accounts {
            account.client = account.client.at(url)?;
            let closure = account.client.closure(&account.receipt).await?;
            let name = &account.name;
            match (account.standing, closure) {
                (Standing::Closed | Standing::Asked(_), Some(state)) => {
                    account.standing = Standing::Closed;
                    if state != "ERASED" {
                        violations.push(format!("{name}: the closure is {state}"));
                    }
                    let left = auditor.left_of(account.id).await?;
                    violations.extend(left.into_iter().map(|what| format!("{name}: {what} is left")));
                }
                (Standing::Open | Standing::Asked(_), None) => {
                    account.standing = Standing::Open;
                    let files = account.client.files().await?.len();
                    if files < account.files {
                        violations.push(format!("{name}: {files} files of {}", account.files));
                    }
                }
                (standing, closure) => violations.push(format!("{name} is {standing:?}, the closure {closure:?}")),
            }
        }
        Ok(violations)
    }
}
