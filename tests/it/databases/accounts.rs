//! Accounts: sign-up, log-in, throttling, sessions, API tokens, profiles, and who sees what.

use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordVerifier as _};
use entity::{session, throttle, user};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use secrecy::SecretString;
use serde_json::{Value, json};
use snaphaven::{
    accounts::{self, AccountsError, NewAccount, Problem},
    error::Fault,
    jobs::{Registry, run},
    viewer::{Denied, Viewer},
};
use tokio::task::JoinSet;

use crate::support::{Client, Cookie, PASSWORD, TestApp, problems};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SYSTEM: Viewer = Viewer::System("test");

fn one(code: &str, field: Option<&str>) -> Vec<(String, Option<String>)> {
    vec![(code.to_owned(), field.map(str::to_owned))]
}

#[tokio::test]
async fn a_person_signs_up_logs_in_and_is_known_by_the_token() {
    let server = TestApp::new().await;
    let signed_up = server.client().sign_up("Ada.Lovelace", "Ada@Example.org").await;
    assert_eq!(signed_up["user"]["username"], "Ada.Lovelace");
    assert_eq!(signed_up["user"]["email"], "Ada@Example.org", "who has just come in sees their own address");
    assert_eq!(signed_up["user"]["role"], "USER");
    let first = signed_up["token"].as_str().unwrap();
    assert!(first.starts_with("shs_") && first.len() == 47, "{first}");
    assert_eq!(server.client().with_token(first).me().await.as_deref(), Some("Ada.Lovelace"));

    for login in ["ada.lovelace", "ADA.LOVELACE", " ada@example.ORG ", "ａｄａ.lovelace"] {
        let logged_in = server.client().log_in(login, PASSWORD).await;
        assert_eq!(logged_in["userErrors"], json!([]), "{login}");
        assert_eq!(logged_in["user"]["id"], signed_up["user"]["id"]);
        assert_ne!(logged_in["token"], signed_up["token"], "each log-in has a token of its own");
    }
    assert_eq!(server.client().me().await, None);
    for token in ["", "shs_", "shs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "nonsense", &first[..46]] {
        assert_eq!(server.client().with_token(token).me().await, None, "{token}");
    }
}

#[tokio::test]
async fn only_hashes_of_secrets_are_kept() {
    let server = TestApp::new().await;
    let answer = server.client().sign_up("ada", "ada@example.org").await;
    let user = user::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    assert!(user.password_hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", user.password_hash);
    let session = session::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    let token = answer["token"].as_str().unwrap();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    assert_eq!(session.token_hash, hash.as_ref());
    assert_eq!((session.address.as_str(), session.user_agent.as_str()), ("192.0.2.1", "tests"));
}

#[tokio::test]
async fn sign_up_names_every_problem_at_once() {
    let server = TestApp::new().await;
    let input =
        json!({ "username": "a", "email": "nowhere", "firstName": "", "lastName": "x\u{7}", "password": "short" });
    let answer = server.client().mutate("signUp", "user { id } token", input).await;
    assert_eq!((&answer["user"], &answer["token"]), (&Value::Null, &Value::Null));
    let expected = [
        ("INVALID_USERNAME", "username"),
        ("INVALID_EMAIL", "email"),
        ("INVALID_NAME", "firstName"),
        ("INVALID_NAME", "lastName"),
        ("WEAK_PASSWORD", "password"),
    ];
    let expected: Vec<_> = expected.iter().map(|(code, field)| (code.to_string(), Some(field.to_string()))).collect();
    assert_eq!(problems(&answer), expected);
    assert_eq!(user::Entity::find().count(server.app.db.read()).await.unwrap(), 0);
}

#[test]
fn user_names_of_all_scripts_and_no_others() {
    for (name, key) in [
        ("Ada", "ada"),
        ("a.b_c-9", "a.b_c-9"),
        ("9lives", "9lives"),
        ("Jürgen", "jürgen"),
        ("Ju\u{308}rgen", "jürgen"),
        ("ＡＤＡ", "ada"),
        ("𝒜𝒹𝒶", "ada"),
        ("ﬁnn", "finn"),
        ("Ольга", "ольга"),
        ("山田太郎", "山田太郎"),
        ("नमस्ते", "नमस्ते"),
        ("دانيال", "دانيال"),
    ] {
        let parsed = accounts::Username::parse(name).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(parsed.key, key, "{name}");
    }
    let long = "a".repeat(33);
    let huge = "a".repeat(1_000_000);
    for name in [
        "",
        "ab",
        ".ada",
        "_ada",
        "-ada",
        "ada lovelace",
        " ada",
        "ada@home",
        "ada/..",
        "ada\0",
        "ada\n",
        "ada\u{200b}",
        "ada\u{202e}",
        "☃☃☃",
        "a\u{300}/b",
        "abcא",
        &long,
        &huge,
    ] {
        assert_eq!(
            accounts::Username::parse(name),
            Err(Problem::InvalidUsername),
            "{:.40}",
            name.escape_debug().to_string()
        );
    }
}

#[test]
fn addresses_that_look_like_addresses() {
    for address in ["a@b.cd", "Ada+tag@Example.org", "o'neil@mail.example.co.uk", "用户@例え.jp", " ada@example.org "]
    {
        assert!(accounts::Email::parse(address).is_ok(), "{address}");
    }
    assert_eq!(accounts::Email::parse("Ada@Example.ORG").unwrap().key, "ada@example.org");
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long = format!("a@{}example.org", "abcdefghi.".repeat(26));
    for address in [
        "",
        "@",
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "a b@example.org",
        "ada@exa mple.org",
        "ada@.org",
        "ada@example..org",
        "ada@-example.org",
        ".ada@example.org",
        "a..b@example.org",
        "ada@example.org\r\nBcc: x@y.zz",
        "a@b@example.org",
        "<ada@example.org>",
        &long_local,
        &long,
    ] {
        assert_eq!(accounts::Email::parse(address), Err(Problem::InvalidEmail), "{address:?}");
    }
}

#[tokio::test]
async fn weak_passwords_are_refused() {
    let server = TestApp::new().await;
    for (password, message) in [
        ("ninechars", "at least 10"),
        ("ééééééééé", "at least 10"),
        (&"long".repeat(257)[..], "at most 1024 bytes"),
        ("Password123", "attackers try"),
        ("qwertyuiop", "attackers try"),
        ("7777777777777", "attackers try"),
        ("Ada.Lovelace", "user name"),
        ("ada@example.org", "e-mail"),
    ] {
        let input = json!({ "username": "ada.lovelace", "email": "ada@example.org", "firstName": "A", "lastName": "", "password": password });
        let answer = server.client().mutate("signUp", "token", input).await;
        assert_eq!(problems(&answer), one("WEAK_PASSWORD", Some("password")), "{password}");
        assert!(answer["userErrors"][0]["message"].as_str().unwrap().contains(message), "{answer}");
    }
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_are_composed() {
    let server = TestApp::new().await;
    let input = json!({ "username": "ada", "email": "ada@example.org", "firstName": "A", "lastName": "", "password": "Schlüsselbund" });
    server.client().mutate("signUp", "token", input).await;
    let answer = server.client().log_in("ada", "Schlu\u{308}sselbund").await;
    assert_eq!(answer["userErrors"], json!([]));
}

#[tokio::test]
async fn names_and_addresses_are_unique_whatever_the_case() {
    let server = TestApp::new().await;
    server.sign_up("ada").await;
    let answer = server.client().sign_up("ADA", "other@example.org").await;
    assert_eq!(problems(&answer), one("NAME_TAKEN", Some("username")));
    let answer = server.client().sign_up("other", "ADA@example.org").await;
    assert_eq!(problems(&answer), one("EMAIL_TAKEN", Some("email")));
    let answer = server.client().sign_up("Ada", "ada@EXAMPLE.org").await;
    assert_eq!(problems(&answer), [one("NAME_TAKEN", Some("username")), one("EMAIL_TAKEN", Some("email"))].concat());
    assert_eq!(
        session::Entity::find().count(server.app.db.read()).await.unwrap(),
        1,
        "a refused sign-up opens nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_who_want_one_name_one_gets_it() {
    let first = TestApp::new().await;
    let second = first.another().await;
    let variants = ["Jürgen", "JÜRGEN", "ju\u{308}rgen", "ｊüｒｇｅｎ", "𝒋ü𝒓𝒈𝒆𝒏", "jÜRgen"];
    let mut racers = JoinSet::new();
    for racer in 0..100 {
        let client = if racer % 2 == 0 { first.client() } else { second.client() };
        let name = variants[racer % variants.len()];
        racers.spawn(async move { client.sign_up(name, &format!("racer{racer}@example.org")).await });
    }
    let answers = racers.join_all().await;
    let winners = answers.iter().filter(|answer| answer["userErrors"] == json!([])).count();
    let losers = answers.iter().filter(|answer| problems(answer) == one("NAME_TAKEN", Some("username"))).count();
    assert_eq!((winners, losers), (1, 99));
    assert_eq!(user::Entity::find().count(first.app.db.read()).await.unwrap(), 1);
}

#[tokio::test]
async fn sign_up_can_be_closed_and_admins_are_still_made() {
    let server = TestApp::with(|config| config.accounts.sign_up = false).await;
    let answer = server.client().sign_up("ada", "ada@example.org").await;
    assert_eq!(problems(&answer), one("SIGN_UP_CLOSED", None));

    assert!(!accounts::has_admin(&server.app, &SYSTEM).await.unwrap());
    let admin = make_admin(&server, "root.admin").await;
    assert!(accounts::has_admin(&server.app, &SYSTEM).await.unwrap());
    let me = admin.query("{ viewer { role status } }", json!({})).await;
    assert_eq!(me["viewer"], json!({ "role": "ADMIN", "status": "ACTIVE" }));

    let viewer = admin.viewer().await;
    let refused = accounts::create_admin(&server.app, &viewer, &new_account("second.admin")).await;
    assert!(matches!(refused, Err(AccountsError::Fault(Fault::Denied(Denied::Forbidden)))), "no request makes admins");
}

#[tokio::test]
async fn unknown_user_and_wrong_password_get_one_answer() {
    let server = TestApp::new().await;
    server.sign_up("ada").await;
    let wrong = server.client().log_in("ada", "not the password").await;
    assert_eq!(problems(&wrong), one("BAD_CREDENTIALS", None));
    for (login, password) in [
        ("nobody", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("", PASSWORD),
        ("@", ""),
        ("ada", ""),
        ("ada\0", PASSWORD),
        ("ada", &"x".repeat(100_000)),
    ] {
        assert_eq!(server.client().log_in(login, password).await, wrong, "{login:?}");
    }
}

#[tokio::test]
async fn unknown_user_and_wrong_password_take_the_same_time() {
    // Expensive enough to stand out of the rest of a request.
    let server = TestApp::with(|config| {
        config.accounts.hash_memory = bytesize::ByteSize::mib(8);
        config.accounts.log_in_failures_per_account = 1_000;
    })
    .await;
    server.sign_up("ada").await;
    let client = server.client();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..9 {
        for (login, times) in ["ada", "nobody"].into_iter().zip(&mut times) {
            let start = Instant::now();
            assert_eq!(problems(&client.log_in(login, "not the password").await), one("BAD_CREDENTIALS", None));
            times.push(start.elapsed());
        }
    }
    let [wrong, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    });
    assert!((0.4..2.5).contains(&(unknown / wrong)), "wrong password {wrong} s, unknown user {unknown} s");
}

#[tokio::test]
async fn a_suspended_account_is_told_so_only_with_the_right_password() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    assert_eq!(ada.me().await.as_deref(), Some("ada"));
    suspend(&server, "ada").await;
    assert_eq!(ada.me().await, None, "its sessions end at once");
    let answer = server.client().log_in("ada", PASSWORD).await;
    assert_eq!(problems(&answer), one("ACCOUNT_SUSPENDED", None));
    assert_eq!(answer["token"], Value::Null);
    assert_eq!(problems(&server.client().log_in("ada", "not the password").await), one("BAD_CREDENTIALS", None));
}

#[tokio::test]
async fn failed_log_ins_are_throttled_across_processes() {
    let first = TestApp::new().await;
    let second = first.another().await;
    first.sign_up("ada").await;
    // One account by either process, whichever way its name is written; an unknown one just the same.
    for (name, spellings) in [("ada", ["ada", "ADA"]), ("nobody", ["nobody", "Nobody"])] {
        for attempt in 0..10 {
            let server = [&first, &second][attempt % 2];
            let answer = server.client().log_in(spellings[attempt % 2], "not the password").await;
            assert_eq!(problems(&answer), one("BAD_CREDENTIALS", None), "{name} {attempt}");
        }
        for server in [&first, &second] {
            let answer = server.client().log_in(name, PASSWORD).await;
            assert_eq!(problems(&answer), one("TOO_MANY_ATTEMPTS", None), "{name}, the right password too");
            assert_eq!(answer["userErrors"][0]["retryAfter"], 15 * 60);
        }
    }
    first.advance(Duration::from_secs(15 * 60 - 1));
    let answer = second.client().log_in("ada", PASSWORD).await;
    assert_eq!(answer["userErrors"][0]["retryAfter"], 1, "attempts while throttled do not lengthen the wait");
    first.advance(Duration::from_secs(1));
    assert_eq!(second.client().log_in("ada", PASSWORD).await["userErrors"], json!([]));
}

#[tokio::test]
async fn a_successful_log_in_clears_the_account_but_not_the_address() {
    let server = TestApp::with(|config| config.accounts.log_in_failures_per_address = 25).await;
    server.sign_up("ada").await;
    for _ in 0..2 {
        for _ in 0..9 {
            server.client().log_in("ada", "not the password").await;
        }
        assert_eq!(server.client().log_in("ada", PASSWORD).await["userErrors"], json!([]));
    }
    for account in 0..7 {
        let answer = server.client().log_in(&format!("other{account}"), "not the password").await;
        assert_eq!(problems(&answer), one("BAD_CREDENTIALS", None));
    }
    assert_eq!(problems(&server.client().log_in("ada", PASSWORD).await), one("TOO_MANY_ATTEMPTS", None));
    let elsewhere = server.client().with_address([198, 51, 100, 7]);
    assert_eq!(elsewhere.log_in("ada", PASSWORD).await["userErrors"], json!([]));
}

#[tokio::test]
async fn neighbours_in_one_ipv6_network_share_a_counter() {
    let server = TestApp::with(|config| config.accounts.log_in_failures_per_address = 3).await;
    let from = |address: &str| server.client().with_address(address.parse::<std::net::IpAddr>().unwrap());
    for host in 1..=3 {
        from(&format!("2001:db8:1:2::{host}")).log_in(&format!("user{host}"), "wrong wrong").await;
    }
    let answer = from("2001:db8:1:2:ffff::9").log_in("user9", "wrong wrong").await;
    assert_eq!(problems(&answer), one("TOO_MANY_ATTEMPTS", None));
    let answer = from("2001:db8:1:3::1").log_in("user9", "wrong wrong").await;
    assert_eq!(problems(&answer), one("BAD_CREDENTIALS", None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_guesses_do_not_get_past_the_limit() {
    let first = TestApp::new().await;
    let second = first.another().await;
    first.sign_up("ada").await;
    let mut guesses = JoinSet::new();
    for guess in 0..60 {
        let client = [&first, &second][guess % 2].client();
        guesses.spawn(async move { client.log_in("ada", "not the password").await });
    }
    let answers = guesses.join_all().await;
    let wrong = answers.iter().filter(|answer| problems(answer) == one("BAD_CREDENTIALS", None)).count();
    let throttled = answers.iter().filter(|answer| problems(answer) == one("TOO_MANY_ATTEMPTS", None)).count();
    assert_eq!((wrong, throttled), (10, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_log_ins_with_the_right_password_all_succeed() {
    let server = TestApp::new().await;
    server.sign_up("ada").await;
    let mut log_ins = JoinSet::new();
    for _ in 0..60 {
        let client = server.client();
        log_ins.spawn(async move { client.log_in("ada", PASSWORD).await });
    }
    for answer in log_ins.join_all().await {
        assert_eq!(answer["userErrors"], json!([]));
    }
}

#[tokio::test]
async fn a_log_in_renews_a_hash_made_with_other_settings() {
    let server = TestApp::new().await;
    server.sign_up("ada").await;
    let stronger = server.another_with(|config| config.accounts.hash_passes = 3).await;
    assert_eq!(stronger.client().log_in("ada", PASSWORD).await["userErrors"], json!([]));
    let user = user::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    assert!(user.password_hash.starts_with("$argon2id$v=19$m=8,t=3,p=1$"), "{}", user.password_hash);
    // Memory that other hashes have used makes no other hash: the library, with memory of its own, agrees.
    let verified = Argon2::default().verify_password(PASSWORD.as_bytes(), user.password_hash.as_str());
    assert_eq!(verified, Ok(()));
    assert_eq!(stronger.client().log_in("ada", PASSWORD).await["userErrors"], json!([]));
}

#[tokio::test]
async fn a_session_lives_on_while_it_is_used() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    for _ in 0..3 {
        server.advance(29 * DAY);
        assert!(ada.me().await.is_some());
    }
    server.advance(30 * DAY);
    assert_eq!(ada.me().await, None);
}

#[tokio::test]
async fn uses_are_written_at_most_once_a_minute() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let row = async || session::Entity::find().one(server.app.db.read()).await.unwrap().unwrap();
    let opened = row().await;
    server.advance(Duration::from_secs(59));
    ada.me().await;
    assert_eq!(row().await, opened);
    server.advance(Duration::from_secs(1));
    ada.me().await;
    let used = row().await;
    assert_eq!(used.last_used_at, server.app.now());
    assert_eq!(used.expires_at, Some(server.app.now().plus(server.app.config.accounts.session_ttl)));
}

#[tokio::test]
async fn log_out_ends_this_session_alone() {
    let server = TestApp::new().await;
    let here = server.sign_up("ada").await;
    let there = log_in(&server, "ada").await;
    let answer = here.query("mutation { logOut { sessionId userErrors { code } } }", json!({})).await;
    assert!(answer["logOut"]["sessionId"].as_str().unwrap().starts_with("session_"));
    assert_eq!((here.me().await, there.me().await.is_some()), (None, true));
}

#[tokio::test]
async fn a_session_becomes_a_cookie_only_where_asked() {
    let server = TestApp::new().await;
    let client = server.client();
    client.sign_up("ada", "ada@example.org").await;
    assert_eq!(client.cookie(), Cookie::Untouched);

    let input = json!({ "login": "ada", "password": PASSWORD, "session": "COOKIE" });
    let answer = client.mutate("logIn", "user { username } token expiresAt", input.clone()).await;
    assert_eq!((&answer["token"], &answer["user"]["username"]), (&Value::Null, &json!("ada")));
    let Cookie::Set(token) = client.cookie() else { panic!("no cookie") };
    let browser = client.clone().with_token(&token);
    assert_eq!(browser.me().await.as_deref(), Some("ada"));
    browser.query("mutation { logOut { sessionId } }", json!({})).await;
    assert_eq!(client.cookie(), Cookie::Cleared);

    let wrong = server.client();
    wrong.mutate("logIn", "token", json!({ "login": "ada", "password": "wrong wrong", "session": "COOKIE" })).await;
    assert_eq!(wrong.cookie(), Cookie::Untouched);
}

#[tokio::test]
async fn sessions_are_listed_and_revoked() {
    let server = TestApp::new().await;
    let here = server.sign_up("ada").await;
    server.advance(Duration::from_secs(1));
    let there = log_in(&server, "ada").await;
    let query = "query ($after: String) { viewer { sessions(first: 1, after: $after) {
        nodes { id current userAgent address createdAt lastUsedAt expiresAt } pageInfo { hasNextPage endCursor } } } }";
    let newest = here.query(query, json!({})).await["viewer"]["sessions"].take();
    assert_eq!(newest["nodes"][0]["current"], false);
    assert_eq!(newest["nodes"][0]["address"], "192.0.2.1");
    assert_eq!(newest["pageInfo"]["hasNextPage"], true);
    let oldest =
        here.query(query, json!({ "after": newest["pageInfo"]["endCursor"] })).await["viewer"]["sessions"].take();
    assert_eq!(oldest["nodes"][0]["current"], true);
    assert_eq!(oldest["pageInfo"]["hasNextPage"], false);

    let id = newest["nodes"][0]["id"].clone();
    let answer = here.mutate("revokeSession", "sessionId", json!({ "id": id })).await;
    assert_eq!(answer, json!({ "sessionId": id, "userErrors": [] }));
    assert_eq!((there.me().await, here.me().await.is_some()), (None, true));
}

#[tokio::test]
async fn another_persons_session_answers_as_a_missing_one() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let bob = server.sign_up("bob").await;
    let sessions = bob.query("{ viewer { sessions { nodes { id } } } }", json!({})).await;
    let of_bob = sessions["viewer"]["sessions"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    let token = bob.mutate("createApiToken", "apiToken { id }", json!({ "name": "mine" })).await;
    let token_of_bob = token["apiToken"]["id"].as_str().unwrap().to_owned();

    let missing =
        ada.mutate("revokeSession", "sessionId", json!({ "id": "session_00000000000000000000000000000000" })).await;
    assert_eq!(problems(&missing), one("NOT_FOUND", Some("id")));
    for id in [of_bob.as_str(), &token_of_bob, "user_1", "", "session_x"] {
        assert_eq!(ada.mutate("revokeSession", "sessionId", json!({ "id": id })).await, missing, "{id}");
    }
    for id in [token_of_bob.as_str(), &of_bob, "token_"] {
        let answer = ada.mutate("revokeApiToken", "apiTokenId", json!({ "id": id })).await;
        assert_eq!(problems(&answer), one("NOT_FOUND", Some("id")), "{id}");
    }
    assert!(bob.me().await.is_some());

    let seen = ada
        .query(r#"{ user(username: "bob") { sessions { nodes { id } } apiTokens { nodes { id } } } }"#, json!({}))
        .await;
    assert_eq!(seen["user"], json!({ "sessions": null, "apiTokens": null }));
}

#[tokio::test]
async fn api_tokens_are_made_listed_expire_and_are_revoked() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let fields = "token apiToken { id name createdAt expiresAt }";
    let short = ada.mutate("createApiToken", fields, json!({ "name": "backup", "expiresIn": 3600 })).await;
    let endless = ada.mutate("createApiToken", fields, json!({ "name": " sync " })).await;
    assert_eq!((&endless["apiToken"]["name"], &endless["apiToken"]["expiresAt"]), (&json!("sync"), &Value::Null));
    let client = |answer: &Value| server.client().with_token(answer["token"].as_str().unwrap());
    let (short, endless_id, endless) = (client(&short), endless["apiToken"]["id"].clone(), client(&endless));
    assert!(short.me().await.is_some() && endless.me().await.is_some());

    let names = async || {
        let data = ada.query("{ viewer { apiTokens { nodes { name } } } }", json!({})).await;
        data["viewer"]["apiTokens"]["nodes"].clone()
    };
    assert_eq!(names().await, json!([{ "name": "sync" }, { "name": "backup" }]));

    server.advance(Duration::from_secs(3599));
    assert!(short.me().await.is_some());
    server.advance(Duration::from_secs(1));
    assert_eq!(short.me().await, None, "use does not lengthen a token's life");
    assert_eq!(names().await, json!([{ "name": "sync" }]));

    let answer = ada.mutate("revokeApiToken", "apiTokenId", json!({ "id": endless_id })).await;
    assert_eq!(answer["apiTokenId"], endless_id);
    assert_eq!(endless.me().await, None);
}

#[tokio::test]
async fn an_api_token_cannot_make_another_nor_log_out() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let made = ada.mutate("createApiToken", "token", json!({ "name": "sync", "expiresIn": 60 })).await;
    assert!(made["token"].as_str().unwrap().starts_with("sht_"));
    let program = server.client().with_token(made["token"].as_str().unwrap());
    let answer = program.mutate("createApiToken", "token", json!({ "name": "for ever" })).await;
    assert_eq!(problems(&answer), one("SESSION_REQUIRED", None));
    let answer = program.query("mutation { logOut { sessionId userErrors { code } } }", json!({})).await;
    assert_eq!(answer["logOut"]["userErrors"], json!([{ "code": "SESSION_REQUIRED" }]));
}

#[tokio::test]
async fn api_tokens_need_a_name_and_a_sensible_life() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    for (input, expected) in [
        (json!({ "name": " " }), one("INVALID_NAME", Some("name"))),
        (json!({ "name": "x".repeat(101) }), one("INVALID_NAME", Some("name"))),
        (json!({ "name": "x", "expiresIn": 0 }), one("INVALID_EXPIRY", Some("expiresIn"))),
        (json!({ "name": "x", "expiresIn": -5 }), one("INVALID_EXPIRY", Some("expiresIn"))),
        (json!({ "name": "x", "expiresIn": i32::MAX }), one("INVALID_EXPIRY", Some("expiresIn"))),
    ] {
        assert_eq!(problems(&ada.mutate("createApiToken", "token", input).await), expected);
    }
}

#[tokio::test]
async fn changing_the_password_ends_other_sessions() {
    let server = TestApp::new().await;
    let here = server.sign_up("ada").await;
    let there = log_in(&server, "ada").await;
    let made = here.mutate("createApiToken", "token", json!({ "name": "sync" })).await;
    let program = server.client().with_token(made["token"].as_str().unwrap());

    let wrong = here
        .mutate(
            "changePassword",
            "revoked",
            json!({ "currentPassword": "not this one", "newPassword": "another fox, 8 times" }),
        )
        .await;
    assert_eq!(problems(&wrong), one("WRONG_PASSWORD", Some("currentPassword")));
    let weak = here
        .mutate("changePassword", "revoked", json!({ "currentPassword": PASSWORD, "newPassword": "1234567890" }))
        .await;
    assert_eq!(problems(&weak), one("WEAK_PASSWORD", Some("newPassword")));
    assert!(there.me().await.is_some());

    let input = json!({ "currentPassword": PASSWORD, "newPassword": "another fox, 8 times" });
    let changed = here.mutate("changePassword", "user { username } revoked", input).await;
    assert_eq!(changed, json!({ "user": { "username": "ada" }, "revoked": 1, "userErrors": [] }));
    assert_eq!((here.me().await.is_some(), there.me().await, program.me().await.is_some()), (true, None, true));
    assert_eq!(problems(&server.client().log_in("ada", PASSWORD).await), one("BAD_CREDENTIALS", None));
    assert_eq!(server.client().log_in("ada", "another fox, 8 times").await["userErrors"], json!([]));

    let input = json!({ "currentPassword": "another fox, 8 times", "newPassword": PASSWORD, "revokeApiTokens": true });
    assert_eq!(here.mutate("changePassword", "revoked", input).await["revoked"], 2);
    assert_eq!((here.me().await.is_some(), program.me().await), (true, None));
}

#[tokio::test]
async fn guesses_of_the_current_password_are_throttled() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let guess = async |current: &str| {
        let input = json!({ "currentPassword": current, "newPassword": "another fox, 8 times" });
        problems(&ada.mutate("changePassword", "revoked", input).await)
    };
    for _ in 0..10 {
        assert_eq!(guess("not this one").await, one("WRONG_PASSWORD", Some("currentPassword")));
    }
    assert_eq!(guess(PASSWORD).await, one("TOO_MANY_ATTEMPTS", None));
    assert_eq!(
        server.client().log_in("ada", PASSWORD).await["userErrors"],
        json!([]),
        "log-ins have a counter of their own"
    );
}

#[tokio::test]
async fn a_reset_password_ends_everything() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    let made = ada.mutate("createApiToken", "token", json!({ "name": "sync" })).await;
    let program = server.client().with_token(made["token"].as_str().unwrap());
    let new = SecretString::from("another fox, 8 times");
    for viewer in [Viewer::Anonymous, ada.viewer().await] {
        let refused = accounts::reset_password(&server.app, &viewer, "ada", &new).await;
        assert!(matches!(refused, Err(AccountsError::Fault(Fault::Denied(_)))));
    }
    let missing = accounts::reset_password(&server.app, &SYSTEM, "nobody", &new).await;
    assert!(matches!(missing, Err(AccountsError::Refused(problems)) if problems == [Problem::NoSuchAccount]));
    accounts::reset_password(&server.app, &SYSTEM, "ada@example.org", &new).await.unwrap();
    assert_eq!((ada.me().await, program.me().await), (None, None));
    assert_eq!(server.client().log_in("ada", "another fox, 8 times").await["userErrors"], json!([]));
}

#[tokio::test]
async fn a_profile_changes_field_by_field() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    server.sign_up("bob").await;
    let fields = "user { firstName lastName displayName about email }";
    let answer = ada.mutate("updateProfile", fields, json!({ "lastName": "", "about": "One.\nTwo. 🦊" })).await;
    let user = json!({ "firstName": "Ada", "lastName": "", "displayName": "Ada", "about": "One.\nTwo. 🦊", "email": "ada@example.org" });
    assert_eq!(answer, json!({ "user": user, "userErrors": [] }));
    let answer = ada.mutate("updateProfile", fields, json!({})).await;
    assert_eq!(answer["user"], user);
    let answer = ada.mutate("updateProfile", fields, json!({ "email": "countess@example.org" })).await;
    assert_eq!(answer["user"]["email"], "countess@example.org");
    assert_eq!(server.client().log_in("countess@example.org", PASSWORD).await["userErrors"], json!([]));
    assert_eq!(
        problems(&ada.mutate("updateProfile", fields, json!({ "email": "BOB@example.org" })).await),
        one("EMAIL_TAKEN", Some("email"))
    );

    let bad = json!({ "firstName": "\u{202e}adA", "about": "x".repeat(2_001), "email": "x" });
    let expected = [
        one("INVALID_EMAIL", Some("email")),
        one("INVALID_NAME", Some("firstName")),
        one("INVALID_ABOUT", Some("about")),
    ];
    assert_eq!(problems(&ada.mutate("updateProfile", fields, bad).await), expected.concat());
}

#[tokio::test]
async fn addresses_roles_and_states_are_private() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    server.sign_up("bob").await;
    let query = r#"{ user(username: "BOB") { username displayName email role status } }"#;
    let seen = ada.query(query, json!({})).await;
    let public =
        json!({ "username": "bob", "displayName": "Ada Lovelace", "email": null, "role": null, "status": null });
    assert_eq!(seen["user"], public);
    let listed = ada.query("{ users { nodes { username email } } }", json!({})).await;
    let emails: Vec<_> =
        listed["users"]["nodes"].as_array().unwrap().iter().map(|user| user["email"].clone()).collect();
    assert_eq!(emails, [json!("ada@example.org"), Value::Null]);

    let admin = make_admin(&server, "root.admin").await;
    let seen = admin.query(query, json!({})).await;
    assert_eq!((&seen["user"]["email"], &seen["user"]["role"]), (&json!("bob@example.org"), &json!("USER")));
}

#[tokio::test]
async fn users_are_searched_by_prefix_and_paged_both_ways() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    for name in ["Bob_1", "bob%2", "bobx3", "Bob_4", "zoe"].map(|name| name.replace('%', "-")) {
        server.sign_up(&name).await;
    }
    let query = "query ($search: String, $first: Int, $after: String, $last: Int, $before: String) {
        users(search: $search, first: $first, after: $after, last: $last, before: $before) {
            nodes { username } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let page = async |variables: Value| {
        let users = ada.query(query, variables).await["users"].take();
        let names = users["nodes"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), users["pageInfo"].clone())
    };
    assert_eq!(page(json!({ "search": "BOB_" })).await.0, ["Bob_1", "Bob_4"]);
    assert_eq!(page(json!({ "search": "ｂob" })).await.0, ["bob-2", "Bob_1", "Bob_4", "bobx3"]);
    assert_eq!(page(json!({ "search": "%" })).await.0, Vec::<String>::new());

    let (names, info) = page(json!({ "first": 4 })).await;
    assert_eq!(names, ["ada", "bob-2", "Bob_1", "Bob_4"]);
    assert_eq!(info["hasNextPage"], true);
    let (names, info) = page(json!({ "first": 4, "after": info["endCursor"] })).await;
    assert_eq!(names, ["bobx3", "zoe"]);
    assert_eq!(info["hasNextPage"], false);
    let (names, info) = page(json!({ "last": 2, "before": info["startCursor"] })).await;
    assert_eq!(names, ["Bob_1", "Bob_4"]);
    assert_eq!(info["hasPreviousPage"], true);
    assert_eq!(ada.error_code(query, json!({ "first": 101 })).await, "BAD_USER_INPUT");
    assert_eq!(ada.error_code(query, json!({ "after": "nonsense" })).await, "BAD_USER_INPUT");
}

#[tokio::test]
async fn anonymous_is_refused_everywhere() {
    let server = TestApp::new().await;
    server.sign_up("ada").await;
    let nobody = server.client();
    for query in [
        r#"{ user(username: "ada") { id } }"#,
        "{ users { nodes { id } } }",
        "mutation { logOut { sessionId } }",
        r#"mutation { changePassword(input: { currentPassword: "x", newPassword: "y" }) { revoked } }"#,
        r#"mutation { updateProfile(input: { about: "x" }) { user { id } } }"#,
        r#"mutation { createApiToken(input: { name: "x" }) { token } }"#,
        r#"mutation { revokeApiToken(input: { id: "x" }) { apiTokenId } }"#,
        r#"mutation { revokeSession(input: { id: "x" }) { sessionId } }"#,
    ] {
        assert_eq!(nobody.error_code(query, json!({})).await, "UNAUTHENTICATED", "{query}");
    }
    assert_eq!(nobody.query("{ viewer { id } }", json!({})).await, json!({ "viewer": null }));
}

#[tokio::test]
async fn housekeeping_deletes_what_has_expired() {
    let server = TestApp::new().await;
    let ada = server.sign_up("ada").await;
    ada.mutate("createApiToken", "token", json!({ "name": "endless" })).await;
    ada.mutate("createApiToken", "token", json!({ "name": "short", "expiresIn": 60 })).await;
    server.client().log_in("ada", "not the password").await;
    server.advance(31 * DAY);
    let fresh = log_in(&server, "ada").await;
    server.client().log_in("nobody", "not the password").await;

    let mut registry = Registry::default();
    accounts::register(&mut registry).unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let worker = tokio::spawn(run(server.app.clone(), registry.into(), stop.clone()));
    let connection = server.app.db.read();
    tokio::time::timeout(Duration::from_secs(20), async {
        while session::Entity::find().count(connection).await.unwrap() > 2
            || throttle::Entity::find().count(connection).await.unwrap() > 2
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("housekeeping runs");
    stop.cancel();
    worker.await.unwrap();
    assert!(fresh.me().await.is_some());
    let names: Vec<_> =
        session::Entity::find().all(connection).await.unwrap().into_iter().map(|row| row.name).collect();
    assert!(names.contains(&"endless".to_owned()) && !names.contains(&"short".to_owned()), "{names:?}");
}

fn new_account(username: &str) -> NewAccount {
    NewAccount {
        username: username.to_owned(),
        email: format!("{username}@example.org"),
        first_name: "Root".to_owned(),
        last_name: String::new(),
        password: SecretString::from(PASSWORD),
    }
}

async fn make_admin(server: &TestApp, username: &str) -> Client {
    accounts::create_admin(&server.app, &SYSTEM, &new_account(username)).await.unwrap();
    log_in(server, username).await
}

async fn log_in(server: &TestApp, username: &str) -> Client {
    let answer = server.client().log_in(username, PASSWORD).await;
    server.client().with_token(answer["token"].as_str().unwrap())
}

/// As the moderation of a later module does.
async fn suspend(server: &TestApp, username: &str) {
    user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(user::Status::Suspended))
        .filter(user::Column::UsernameKey.eq(username))
        .exec(server.app.db.read())
        .await
        .unwrap();
}
