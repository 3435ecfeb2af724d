//! File names that break headers, paths, displays or databases: kept exactly as given (NFC) and harmless in every
//! header, or refused in words that say what to do.

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

/// The parts of a `Content-Disposition` (RFC 6266, section 4.1), by a parser that knows nothing of the server's.
struct Disposition {
    kind: String,
    fallback: String,
    name: String,
}

fn parse(header: &str) -> Disposition {
    assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "printable ASCII: {header:?}");
    let (kind, rest) = header.split_once("; filename=\"").unwrap();
    let (fallback, rest) = rest.split_once('"').unwrap();
    // `ext-value` of RFC 5987, section 3.2.1.
    let encoded = rest.strip_prefix("; filename*=UTF-8''").unwrap();
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            assert!(byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte), "{encoded}");
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).unwrap();
    Disposition { kind: kind.to_owned(), fallback: fallback.to_owned(), name }
}

/// What a browser that follows the URL is told.
async fn downloaded(person: &Person, file: &Value) -> Disposition {
    let file = person.file(file, "downloadUrl { url }").await;
    let response = reqwest::get(file["downloadUrl"]["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().get("x-evil").is_none(), "a header was smuggled in");
    let values: Vec<_> = response.headers().get_all("content-disposition").iter().collect();
    assert_eq!(values.len(), 1);
    let disposition = parse(values[0].to_str().unwrap());
    assert_eq!(response.bytes().await.unwrap(), "x");
    disposition
}

/// Characters that change how the text around them is shown (UAX #9), or break its line.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[tokio::test]
async fn a_name_comes_back_as_given_and_its_download_is_harmless() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let letters = format!("{}.jpg", "a".repeat(251));
    let umlauts = format!("{}.jpg", "ä".repeat(251));
    let faces = "😀".repeat(255);
    let stacked = format!("Z{}.txt", "\u{354}".repeat(200));
    for (given, shown, saved) in [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("photo\u{202e}gpj.exe", "photo\u{202e}gpj.exe", "photogpj.exe"),
        ("a\u{2066}b\u{2069}c\u{200f}.txt", "a\u{2066}b\u{2069}c\u{200f}.txt", "abc.txt"),
        ("line\u{2028}separator", "line\u{2028}separator", "line_separator"),
        ("../../etc/passwd", "../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "..\\..\\boot.ini", "_.._boot.ini"),
        ("C:\\x", "C:\\x", "C:_x"),
        (".htaccess", ".htaccess", "htaccess"),
        ("...", "...", "download"),
        ("  two spaces.txt", "  two spaces.txt", "two spaces.txt"),
        ("ends with a dot.", "ends with a dot.", "ends with a dot"),
        ("CON", "CON", "CON"),
        ("nul.txt", "nul.txt", "nul.txt"),
        ("LPT1.tar.gz", "LPT1.tar.gz", "LPT1.tar.gz"),
        ("%2e%2e%2fpasswd%00.txt", "%2e%2e%2fpasswd%00.txt", "%2e%2e%2fpasswd%00.txt"),
        ("a\"; x-evil=\"1\".txt", "a\"; x-evil=\"1\".txt", "a\"; x-evil=\"1\".txt"),
        ("it's; a=b, c*=d'e'f.txt", "it's; a=b, c*=d'e'f.txt", "it's; a=b, c*=d'e'f.txt"),
        ("<script>alert(1)</script>.svg", "<script>alert(1)</script>.svg", "<script>alert(1)<_script>.svg"),
        ("Gru\u{308}ße.txt", "Grüße.txt", "Grüße.txt"),
        ("\u{212b}ngstr\u{f6}m", "Ångström", "Ångström"),
        ("\u{feff}bom.txt", "\u{feff}bom.txt", "bom.txt"),
        ("😀👩‍👩‍👧.png", "😀👩‍👩‍👧.png", "😀👩‍👩‍👧.png"),
        ("'; DROP TABLE file; --", "'; DROP TABLE file; --", "'; DROP TABLE file; --"),
        ("{{7*7}}${7*7}.txt", "{{7*7}}${7*7}.txt", "{{7*7}}${7*7}.txt"),
        (&letters, &letters, &letters),
        (&umlauts, &umlauts, &format!("{}.jpg", "ä".repeat(125))),
        (&faces, &faces, &"😀".repeat(63)),
        (&stacked, &stacked, &format!("Z{}.txt", "\u{354}".repeat(125))),
    ] {
        let payload = ada.try_upload("x", *b"x", json!({ "name": given })).await;
        assert_eq!(payload["file"]["name"], shown, "{payload}");
        let Disposition { kind, fallback, name } = downloaded(&ada, &payload["file"]).await;
        assert_eq!(kind, "attachment");
        assert_eq!(name, saved, "of {given:?}");
        assert!(!name.chars().any(deceives) && !name.contains(['/', '\\']) && name.len() <= 255, "{name:?}");
        assert!(!fallback.contains(['"', '\\', '%', '/']) && !fallback.starts_with('.'), "{fallback:?}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_kept_is_refused_in_words_that_help() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let whole = ada.upload("x", *b"x").await;
    let long = ["a".repeat(256), "ä".repeat(300), "😀".repeat(256), "a".repeat(100_000)];
    let mut bad = vec![
        ("", "name"),
        ("   ", "name"),
        ("\u{a0}\u{3000}", "name"),
        ("a\r\nx-evil: 1", "line breaks"),
        ("a\nb", "line breaks"),
        ("a\0b", "control"),
        ("\u{1b}[31mred", "control"),
        ("a\u{7f}b", "control"),
        ("a\u{85}b", "control"),
    ];
    bad.extend(long.iter().map(|name| (name.as_str(), "255")));
    for (name, word) in bad {
        let uploaded = ada.try_upload("x", *b"x", json!({ "name": name })).await;
        let input = json!({ "id": whole["id"], "revision": whole["revision"], "name": name });
        let edited = ada.mutate("editFile", "file { id }", input).await;
        for payload in [uploaded, edited] {
            let error = &payload["userErrors"][0];
            assert_eq!(
                (&payload["file"], &error["code"], &error["field"]),
                (&Value::Null, &json!("INVALID_NAME"), &json!("name"))
            );
            assert!(error["message"].as_str().unwrap().contains(word), "{name:.20?}: {error}");
        }
    }
    assert_eq!(server.objects().await.len(), 1, "what is refused leaves nothing behind");
    server.finish().await;
}

/// The same names as the multipart part's own: what its header can carry is kept, the rest is refused.
#[tokio::test]
async fn the_uploads_own_name_follows_the_same_rules() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for name in ["../../etc/passwd", "photo\u{202e}gpj.exe", "a b.txt", "😀.png", "%2e%2e%2f", "CON"] {
        let file = ada.upload(name, *b"x").await;
        assert_eq!(file["name"], name);
        let saved = downloaded(&ada, &file).await.name;
        assert!(!saved.contains('/') && !saved.chars().any(deceives), "{saved:?}");
    }
    for name in ["", " ", &"a".repeat(256)] {
        let payload = ada.try_upload(name, *b"x", json!({})).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_NAME", "{name:.20?}");
    }
    server.finish().await;
}
