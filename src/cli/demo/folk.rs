//! The people of the demo, each with a client of their own.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Failure, Step};
use crate::cli::client::{Attachment, Client, ClientError};

/// User name, first and last name: people who saw far.
const NAMES: [(&str, &str, &str); 10] = [
    ("ada", "Ada", "Lovelace"),
    ("galileo", "Galileo", "Galilei"),
    ("hypatia", "Hypatia", ""),
    ("ibn-al-haytham", "Hasan", "ibn al-Haytham"),
    ("maria-m", "Maria", "Mitchell"),
    ("niepce", "Nicéphore", "Niépce"),
    ("anna-atkins", "Anna", "Atkins"),
    ("shen-kuo", "Shen", "Kuo"),
    ("vera-r", "Vera", "Rubin"),
    ("emmy", "Emmy", "Noether"),
];

pub struct Folk {
    pub people: Vec<Person>,
    /// Everybody's.
    pub password: String,
}

pub struct Person {
    pub username: String,
    pub id: String,
    client: Client,
}

impl Folk {
    /// Signs everybody up. Where a name is taken it gets a tag, so that the demo can be played again.
    pub async fn sign_up(url: &str) -> Result<Self, Failure> {
        let tag = Uuid::new_v4().simple().to_string();
        let password = format!("demo-{}", &tag[..12]);
        let mut step = Step::new("people", NAMES.len());
        let mut people = Vec::new();
        for (username, first, last) in NAMES {
            let person = match Person::sign_up(url, username, [first, last], &password).await {
                Err(error) if matches!(error.code(), Some("NAME_TAKEN" | "EMAIL_TAKEN")) => {
                    Person::sign_up(url, &format!("{username}-{}", &tag[12..16]), [first, last], &password).await?
                }
                outcome => outcome?,
            };
            people.push(person);
            step.one_more()?;
        }
        step.end()?;
        Ok(Self { people, password })
    }

    /// The person of a number, round and round.
    pub fn person(&self, number: usize) -> &Person {
        &self.people[number % self.people.len()]
    }
}

impl Person {
    async fn sign_up(url: &str, username: &str, [first, last]: [&str; 2], password: &str) -> Result<Self, ClientError> {
        let mut client = Client::new(url)?;
        let input = json!({
            "username": username, "email": format!("{username}@example.org"), "firstName": first, "lastName": last,
            "password": password, "session": "TOKEN",
        });
        let document = mutation("signUp", "token user { id }");
        let payload: Value = client.mutate(&document, input).await?;
        client.set_token(text(&payload, "/token").into());
        Ok(Self { username: username.to_owned(), id: text(&payload, "/user/id"), client })
    }

    /// Runs a mutation, and returns what it wanted of the payload.
    pub async fn does(&self, name: &str, want: &str, input: Value) -> Result<Value, ClientError> {
        self.client.mutate(&mutation(name, want), input).await
    }

    /// The same with a picture sent along.
    pub async fn sends(&self, name: &str, want: &str, input: Value, picture: Attachment) -> Result<Value, ClientError> {
        self.client.upload(&mutation(name, want), input, picture).await
    }

    /// Gets a URL of the app in this person's name.
    pub async fn fetches(&self, url: &str) -> Result<(), ClientError> {
        self.client.fetch(url).await.map(drop)
    }
}

fn mutation(name: &str, want: &str) -> String {
    let input = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    format!("mutation ($input: {input}!) {{ {name}(input: $input) {{ {want} userErrors {{ code message }} }} }}")
}

/// The text at a place of a payload; empty where there is none.
pub fn text(payload: &Value, pointer: &str) -> String {
    payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
