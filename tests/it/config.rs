//! Settings, through the binary: layers, refusals, masking, exit codes.

use std::{
    fs,
    process::{Command, Output},
};

use snaphaven::config::{DEFAULTS, Sources};
use tempfile::TempDir;

/// Runs the binary with these arguments and variables only.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

/// What `config show` prints.
fn show(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(&[arguments, &["config", "show"]].concat(), variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is refused with exit code 2.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(&[arguments, &["config", "show"]].concat(), variables);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snaphaven.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The first line of a setting.
fn shown<'a>(text: &'a str, setting: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(&format!("{setting} = "))).unwrap()
}

#[test]
fn what_is_shown_without_settings_is_the_reference() {
    let reference: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let printed: toml::Table = toml::from_str(&show(&[], &[])).unwrap();
    assert_eq!(printed, reference);
}

#[test]
fn every_setting_of_the_reference_has_a_type_and_every_type_a_setting() {
    Sources::default().load().unwrap();
    // The types refuse a setting they do not know, and a missing one: so long as none is optional, both lists are the same.
    let types = include_str!("../../src/config.rs");
    assert_eq!(types.matches("#[serde(deny_unknown_fields)]").count(), types.matches("pub struct ").count());
    assert!(!types.contains("serde(default") && !types.contains(": Option<"));
}

#[test]
fn each_layer_replaces_single_values_of_the_one_before() {
    let (_folder, path) =
        file("data_dir = \"/file\"\n[jobs]\nconcurrency = 5\nlease = \"5m\"\n[graphql]\nmax_depth = 9\n");
    let variables =
        [("SNAPHAVEN_JOBS__CONCURRENCY", "6"), ("SNAPHAVEN_DATA_DIR", "/variable"), ("SNAPHAVEN_CONFIG", &path)];
    let text = show(&["--data-dir", "/flag", "--set", "graphql.max_aliases=7"], &variables);
    assert_eq!(shown(&text, "data_dir"), "data_dir = \"/flag\"  # from the flag --data-dir");
    assert_eq!(shown(&text, "concurrency"), "concurrency = 2", "of [images], which nobody set");
    assert!(text.contains("concurrency = 6  # from the variable SNAPHAVEN_JOBS__CONCURRENCY"));
    assert_eq!(shown(&text, "lease"), format!("lease = \"5m\"  # in {path}"));
    assert_eq!(shown(&text, "max_aliases"), "max_aliases = 7  # from the flag --set");
    assert_eq!(shown(&text, "max_directives"), "max_directives = 50");
}

#[test]
fn text_takes_the_type_of_its_setting() {
    let text = show(
        &["--set", "server.graphiql=false"],
        &[
            ("SNAPHAVEN_OBJECTS__FIRST__ACCESS_KEY_ID", "0123"),
            ("SNAPHAVEN_OBJECTS__FIRST__SECRET_ACCESS_KEY", "0456"),
            ("SNAPHAVEN_SERVER__ALLOWED_ORIGINS", "https://a.example, https://b.example:8443"),
            ("SNAPHAVEN_TEST_ANYTHING", "is no setting"),
        ],
    );
    assert!(text.contains("access_key_id = \"0123\"  #"));
    assert!(text.contains("secret_access_key = \"•••\"  #"));
    assert!(
        shown(&text, "allowed_origins")
            .starts_with(r#"allowed_origins = ["https://a.example", "https://b.example:8443"]"#)
    );
    assert!(shown(&text, "graphiql").starts_with("graphiql = false"));
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_name() {
    let (_folder, path) = file("[server]\nlistn = \"127.0.0.1:1\"\n[serverr]\n");
    let text = refusal(
        &["--config", &path, "--set", "grafql.max_depth=3", "--set", "objects.first=x"],
        &[("SNAPHAVEN_SERVER__LISTN", "127.0.0.1:2"), ("SNAPHAVEN_SERVER_LISTEN", "127.0.0.1:3")],
    );
    for expected in [
        format!("error: server.listn = \"127.0.0.1:1\" (in {path}): there is no such setting\nhelp: did you mean server.listen?"),
        format!("error: serverr = {{}} (in {path}): there is no such setting"),
        "(from the variable SNAPHAVEN_SERVER__LISTN): there is no such setting\nhelp: did you mean SNAPHAVEN_SERVER__LISTEN?".into(),
        "(from the variable SNAPHAVEN_SERVER_LISTEN): there is no such setting\nhelp: did you mean SNAPHAVEN_SERVER__LISTEN?".into(),
        "help: did you mean --set graphql.max_depth=…?".into(),
        "help: objects.first is a table of settings, such as --set objects.first.access_key_id=…".into(),
    ] {
        assert!(text.contains(&expected), "{expected}\nis not in\n{text}");
    }
}

#[test]
fn wrong_values_are_refused_all_at_once_with_the_expected_form() {
    let (_folder, path) = file("[log]\nformat = \"xml\"\n[objects.first]\nbucket = \"UPPER\"\nregion = 7\n");
    let text = refusal(
        &[
            "--config",
            &path,
            "--set",
            "server.listen=nowhere",
            "--set",
            "jobs.lease=fast",
            "--set",
            "uploads.max_size=much",
        ],
        &[("SNAPHAVEN_JOBS__CONCURRENCY", "many"), ("SNAPHAVEN_DATABASE__MIGRATE", "yes")],
    );
    for expected in [
        "there is no such choice\nhelp: write `text` or `json`",
        "help: write it as the default is, \"127.0.0.1:8080\"",
        "help: write it as the default is, \"60s\"",
        "help: write it as the default is, \"10 MiB\"",
        "jobs.concurrency = \"many\" (from the variable SNAPHAVEN_JOBS__CONCURRENCY): it is not a whole number",
        "help: write true or false",
        "objects.first.bucket = \"UPPER\"",
        "objects.first.region = 7",
    ] {
        assert!(text.contains(expected), "{expected}\nis not in\n{text}");
    }
    assert_eq!(text.matches("error: ").count(), 8, "{text}");
}

#[test]
fn values_that_cannot_work_together_are_refused() {
    for (settings, named) in [
        (&["downloads.window=16m"][..], "downloads.window"),
        (&["downloads.default_ttl=10m", "downloads.max_ttl=5m"], "downloads.default_ttl"),
        (&["downloads.max_ttl=16m"], "downloads.max_ttl"),
        (&["downloads.base_url=https://cdn.example?x=1"], "downloads.base_url"),
        (&["downloads.base_url=cdn.example"], "downloads.base_url"),
        (&["alerts.sink=sns"], "alerts.topic_arn"),
        (&["objects.second.bucket=snaphaven-first"], "objects.second.bucket"),
        (&["objects.backend=s3", "objects.first.region="], "objects.first.region"),
        (&["objects.backend=s3", "objects.second.access_key_id=a"], "objects.second.access_key_id"),
        (&["objects.replication=s3-crr"], "objects.replication"),
        (&["object_events.queue_url=https://sqs.example/1/haven"], "object_events.queue_url"),
        (&["objects.backend=s3", "object_events.queue_url=haven"], "object_events.queue_url"),
        (&["objects.backend=s3", "object_events.queue_url=https://sqs.example/"], "object_events.queue_url"),
        (
            &["objects.backend=s3", "object_events.queue_url=https://q.example/1/q", "object_events.access_key_id=a"],
            "object_events.access_key_id",
        ),
        (&["uploads.idle_after=0s"], "uploads.idle_after"),
        (&["database.url=redis://localhost"], "database.url"),
        (&["jobs.concurrency=0"], "jobs.concurrency"),
        (&["jobs.lease=0s"], "jobs.lease"),
        (&["jobs.backoff_min=1h"], "jobs.backoff_min"),
        (&["accounts.hash_memory=1 MiB"], "accounts.hash_memory"),
        (&["embedded.edge_cache=1 KiB"], "embedded.edge_cache_object"),
        (&["embedded.s3_listen=127.0.0.1:8080"], "embedded.s3_listen"),
        (&["server.metrics_listen=9100"], "server.metrics_listen"),
        (&["server.allowed_origins=*"], "server.allowed_origins"),
        (&["server.allowed_origins=https://app.example/"], "server.allowed_origins"),
        (&["server.public_url=https://app.example/haven"], "server.public_url"),
        (&["log.filter=a=b=c"], "log.filter"),
    ] {
        let flags: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let text = refusal(&flags, &[]);
        assert!(text.starts_with(&format!("error: {named} = ")), "{settings:?}: {text}");
        assert!(text.contains("help: "), "{text}");
    }
}

#[test]
fn no_secret_is_ever_printed() {
    let secret = "hunter2";
    let url = format!("postgres://haven:p/{secret}@db.example/haven?sslpassword={secret}");
    let text = show(&["--database-url", &url], &[("SNAPHAVEN_OBJECTS__FIRST__SECRET_ACCESS_KEY", secret)]);
    assert!(!text.contains(secret) && text.contains("postgres://haven:•••@db.example/haven?sslpassword=•••"), "{text}");
    let (_folder, path) = file(&format!(
        "[alerts]\nsecret_acces_key = \"{secret}\"\n[objects.first]\nsecret_access_key = [\"{secret}\"]\n"
    ));
    let text = refusal(
        &["--config", &path, "--set", &format!("database.url=redis://u:{secret}@h")],
        &[("SNAPHAVEN_DATABASE_URL", &url), ("SNAPHAVEN_OBJECTS__FIRST__PASSWORD", secret)],
    );
    assert!(!text.contains(secret), "{text}");
    assert_eq!(text.matches("error: ").count(), 5, "{text}");
}

#[test]
fn a_missing_or_broken_file_is_refused() {
    let text = refusal(&["--config", "/nowhere/snaphaven.toml"], &[]);
    assert!(text.contains("/nowhere/snaphaven.toml") && text.contains("help: check the path"), "{text}");
    let (_folder, path) = file("[server\n");
    assert!(refusal(&["--config", &path], &[]).contains("is not valid TOML"));
}

#[test]
fn exit_codes_tell_usage_from_faults() {
    assert_eq!(run(&["--nonsense"], &[]).status.code(), Some(2));
    assert_eq!(run(&["admin", "create", "--password", "x"], &[]).status.code(), Some(2));
    assert_eq!(run(&["--listen", "127.0.0.1:1", "worker"], &[]).status.code(), Some(2));
    let version = run(&["--version"], &[]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("snaphaven {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.status.code(), Some(0));
}
