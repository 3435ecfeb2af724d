//! Many sign-ups for one name, or one e-mail address, each written another way.

use entity::{session, user};
use rand::{RngExt, rngs::StdRng};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use unicode_normalization::UnicodeNormalization;

use super::{
    arena::Arena,
    door::{PASSWORD, volley},
    tally::{Tally, count},
};
use crate::common::Failure;

/// What every round makes so many sign-ups of.
const SIGN_UPS: usize = 100;

pub async fn round(arena: &Arena, rng: &mut StdRng, tally: &mut Tally, sign_ups: usize) -> Result<(), Failure> {
    let name = arena.fresh("möwekfisch");
    let email = arena.fresh("möwe.kfisch");
    let (same_name, same_email) = [(true, false), (false, true), (true, true)][tally.rounds as usize % 3];
    let users = user::Entity::find().count(&arena.tables).await?;
    let sessions = session::Entity::find().count(&arena.tables).await?;
    let mut requests = Vec::new();
    for number in 0..sign_ups {
        let name = if same_name { variant(&name, rng) } else { format!("{}x{number}", arena.fresh("other")) };
        let email = if same_email { case(&email, rng) } else { format!("{}x{number}", arena.fresh("other")) };
        let door = arena.doors[number % 2].clone();
        requests.push(async move { door.sign_up(&name, &format!("{email}@example.org")).await });
    }
    let answers = volley(requests).await;
    let taken: &[&str] = match (same_name, same_email) {
        (true, false) => &["ok", "NAME_TAKEN"],
        (false, true) => &["ok", "EMAIL_TAKEN"],
        _ => &["ok", "NAME_TAKEN+EMAIL_TAKEN"],
    };
    tally.take(&answers, taken);
    tally.expect(count(&answers, "ok") == 1, || format!("{} accounts were made", count(&answers, "ok")));
    let made = user::Entity::find().count(&arena.tables).await? - users;
    let opened = session::Entity::find().count(&arena.tables).await? - sessions;
    tally.expect(made == 1 && opened == 1, || format!("{made} accounts and {opened} sessions are in the tables"));
    if same_name {
        let key = name.to_lowercase();
        let rows = user::Entity::find().filter(user::Column::UsernameKey.eq(&key)).count(&arena.tables).await?;
        tally.expect(rows == 1, || format!("{rows} rows have the key {key}"));
    }
    // The one that was made is whole: its session holds at both doors, and its password in any spelling.
    if let Some(winner) = answers.iter().find(|answer| answer.is_ok()) {
        let username = winner.text("/user/username");
        for door in &arena.doors {
            let seen = door.viewer(&winner.text("/token")).await.text("/username");
            tally.expect(seen == username && !seen.is_empty(), || format!("{username} is seen as {seen:?}"));
        }
        let login = if same_name { variant(&name, rng) } else { username };
        let again = arena.doors[1].log_in(&login, PASSWORD).await;
        tally.take(&[again], &["ok"]);
    }
    for table in ["sessions of nobody", "accounts without a key"] {
        let sql = match table {
            "sessions of nobody" => "SELECT COUNT(*) FROM session WHERE user_id NOT IN (SELECT id FROM {user})",
            _ => "SELECT COUNT(*) FROM {user} WHERE username_key = '' OR email_key = ''",
        };
        let user = if arena.is_mysql() { "`user`" } else { "\"user\"" };
        let rows = arena.number(&sql.replace("{user}", user)).await?;
        tally.expect(rows == 0, || format!("{rows} {table}"));
    }
    Ok(())
}

pub async fn full(arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
    round(arena, rng, tally, SIGN_UPS).await
}

/// The same name to the server: other cases, composed or not, full width, a ligature, a Kelvin sign, a long s.
fn variant(name: &str, rng: &mut StdRng) -> String {
    let ligature = rng.random_bool(0.3);
    let name = if ligature { name.replace("fi", "\u{fb01}") } else { name.to_owned() };
    let spelled: String = name.chars().map(|c| spell(c, rng)).collect();
    if rng.random_bool(0.3) { spelled.nfd().collect() } else { spelled }
}

fn spell(c: char, rng: &mut StdRng) -> char {
    let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c);
    match (c, rng.random_range(0..6)) {
        ('k', 0) => '\u{212a}',
        ('s', 0) => '\u{17f}',
        ('a'..='z', 1) => wide(c),
        ('a'..='z', 2) => wide(c.to_ascii_uppercase()),
        ('0'..='9', 1) => wide(c),
        // Mathematical bold digits.
        ('0'..='9', 2) => char::from_u32(0x1d7ce + u32::from(c) - u32::from('0')).unwrap_or(c),
        ('ö', 3) => 'Ö',
        ('a'..='z', 3) => c.to_ascii_uppercase(),
        _ => c,
    }
}

/// An e-mail address is the same in other cases, composed or not.
fn case(email: &str, rng: &mut StdRng) -> String {
    let upper = |c: char, rng: &mut StdRng| if rng.random_bool(0.5) { c.to_uppercase().next().unwrap_or(c) } else { c };
    let spelled: String = email.chars().map(|c| upper(c, rng)).collect();
    if rng.random_bool(0.3) { spelled.nfd().collect() } else { spelled }
}

/// Without the unique key: whether the race shows what it should.
pub async fn planted(arena: &Arena, rng: &mut StdRng) -> Result<Option<String>, Failure> {
    let on = if arena.is_mysql() { " ON `user`" } else { "" };
    arena.run(&format!("DROP INDEX user_username_key{on}")).await?;
    let mut tally = Tally::default();
    for _ in 0..5 {
        round(arena, rng, &mut tally, SIGN_UPS).await?;
        let found = tally.violations.iter().find(|violation| violation.contains("accounts were made"));
        if let Some(violation) = found {
            return Ok(Some(violation.clone()));
        }
    }
    Ok(None)
}
