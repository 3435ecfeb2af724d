//! Signed URLs against openssl and AWS's own signer, their caching and their life, and file names in headers.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use aws_sdk_cloudfront::{
    Client,
    types::{DefaultCacheBehavior, DistributionConfig, Origin, Origins, ViewerProtocolPolicy},
};
use entity::Timestamp;
use snaphaven::{
    adapters::{
        aws::sdk_config,
        cdn::{
            CachePurger as _, CloudFrontPurger, Disposition, KeyError, NoPurger, PurgeError, Refusal, SigningKey,
            UrlSigner, UrlVerifier, VerifyingKey, content_disposition,
        },
    },
    embedded::keys,
};

use crate::moto::Moto;

pub const BASE: &str = "https://d111111abcdef8.cloudfront.net";
const KEY: &str = "original/ab/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const NOW: Timestamp = Timestamp(1_800_000_123_456_789);
const MINUTE: Duration = Duration::from_secs(60);

/// Runs a command that has to succeed, with this standard input.
pub fn run(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed for this test: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn openssl(args: &[&str], input: &str) -> String {
    String::from_utf8(run("openssl", args, input.as_bytes())).unwrap()
}

pub fn ecdsa_pem() -> String {
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "")
}

pub fn rsa_pem() -> String {
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "")
}

/// Signs with `@aws-sdk/cloudfront-signer`; each request: URL, private key PEM, expiry in seconds.
pub fn npm_signed(key_pair_id: &str, requests: &[(String, &str, i64)]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
    assert!(folder.join("node_modules").exists(), "npm packages are missing: run scripts/test-node.sh");
    let requests: Vec<_> = requests
        .iter()
        .map(|(url, pem, expires)| {
            serde_json::json!({
                "url": url, "keyPairId": key_pair_id, "privateKey": pem, "algorithm": "SHA256",
                "dateLessThan": expires * 1000,
            })
        })
        .collect();
    let script = folder.join("sign.mjs");
    let output = run("node", &[script.to_str().unwrap()], serde_json::to_string(&requests).unwrap().as_bytes());
    serde_json::from_slice(&output).unwrap()
}

fn signer(key: SigningKey) -> UrlSigner {
    UrlSigner::new(key, "K2JCJMDEHXQW5F", BASE, 5 * MINUTE, 15 * MINUTE).unwrap()
}

fn verifier(key: &SigningKey) -> UrlVerifier {
    UrlVerifier::new(BASE, [("K2JCJMDEHXQW5F".to_owned(), key.verifying_key().unwrap())]).unwrap()
}

fn parameter<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').unwrap().1;
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).unwrap().1
}

#[test]
fn our_urls_verify_with_openssl() {
    for pem in [ecdsa_pem(), rsa_pem()] {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let disposition = content_disposition(Disposition::Attachment, "Möwe 1.jpg");
        let query = [("response-content-disposition", disposition.as_str())];
        let url =
            signer(SigningKey::from_pem(&pem).unwrap()).sign(KEY, &query, Timestamp(1_800_000_000_000_000)).unwrap();

        let resource = format!(
            "{BASE}/{KEY}?response-content-disposition=attachment%3B%20filename%3D%22M_we%201.jpg%22%3B%20\
             filename%2A%3DUTF-8%27%27M%25C3%25B6we%25201.jpg"
        );
        let signature = parameter(&url, "Signature");
        assert_eq!(
            url,
            format!(
                "{resource}&Expires=1800000000&Signature={signature}&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"
            )
        );
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":1800000000}}}}}}]}}"#
        );
        let base64 = signature.replace('-', "+").replace('_', "=").replace('~', "/");
        fs::write(file("signature"), run("openssl", &["base64", "-d", "-A"], base64.as_bytes())).unwrap();
        fs::write(file("public.pem"), openssl(&["pkey", "-pubout"], &pem)).unwrap();
        let args = ["dgst", "-sha256", "-verify", &file("public.pem"), "-signature", &file("signature")];
        assert_eq!(openssl(&args, &policy).trim(), "Verified OK");
    }
}

#[test]
fn keys_are_read_in_every_usual_form() {
    let (ecdsa, rsa) = (ecdsa_pem(), rsa_pem());
    let sec1 = openssl(&["ec"], &ecdsa);
    let with_parameters = openssl(&["ecparam", "-name", "prime256v1", "-genkey"], "");
    let pkcs1 = openssl(&["rsa", "-traditional"], &rsa);
    assert!(sec1.contains("BEGIN EC PRIVATE KEY") && pkcs1.contains("BEGIN RSA PRIVATE KEY"));
    assert!(with_parameters.contains("BEGIN EC PARAMETERS"));
    for pem in [&ecdsa, &rsa, &sec1, &pkcs1, &with_parameters] {
        let key = SigningKey::from_pem(pem).unwrap();
        assert_eq!(key.verifying_key().unwrap().to_pem(), openssl(&["pkey", "-pubout"], pem));
        assert_eq!(SigningKey::from_pem(&key.to_pem().unwrap()).unwrap().to_pem(), key.to_pem());
        let url = signer(key).sign(KEY, &[], NOW.plus(MINUTE)).unwrap();
        let path = url.strip_prefix(BASE).unwrap();
        assert!(verifier(&SigningKey::from_pem(pem).unwrap()).verify(path, NOW).is_ok());
    }
}

#[test]
fn other_keys_are_refused_with_the_reason() {
    let error = |pem: &str| SigningKey::from_pem(pem).unwrap_err();
    assert_eq!(error(""), KeyError::NoPrivateKey);
    let public = openssl(&["pkey", "-pubout"], &ecdsa_pem());
    assert_eq!(error(&public), KeyError::NoPrivateKey);
    let private = ecdsa_pem();
    assert_eq!(VerifyingKey::from_pem(&private).unwrap_err(), KeyError::NoPublicKey);
    let p384 = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "");
    assert_eq!(error(&p384), KeyError::Unsupported);
    assert_eq!(error(&openssl(&["ec"], &p384)), KeyError::Unsupported);
    let rsa3072 = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "");
    assert_eq!(error(&rsa3072), KeyError::Unsupported);
    assert_eq!(error(&openssl(&["genpkey", "-algorithm", "ED25519"], "")), KeyError::Unsupported);
    let encrypted = openssl(&["pkcs8", "-topk8", "-passout", "pass:secret"], &private);
    assert_eq!(error(&encrypted), KeyError::Encrypted);
    let old = openssl(&["ec", "-aes128", "-passout", "pass:secret"], &private);
    assert_eq!(error(&old), KeyError::Encrypted);
    assert!(matches!(error(&private.replace("-----END", "-----AND")), KeyError::Pem(_)));
    assert!(!format!("{:?}", SigningKey::from_pem(&private).unwrap()).contains("BEGIN"));
}

#[test]
fn urls_of_awss_signer_are_accepted() {
    let expires = NOW.unix_seconds() + 60;
    for pem in [ecdsa_pem(), rsa_pem()] {
        let key = SigningKey::from_pem(&pem).unwrap();
        let urls = npm_signed(
            "K2JCJMDEHXQW5F",
            &[
                (format!("{BASE}/{KEY}"), &pem, expires),
                (format!("{BASE}/{KEY}?response-content-type=image%2Fpng&x=1"), &pem, expires),
            ],
        );
        let verifier = verifier(&key);
        for url in &urls {
            let path = url.strip_prefix(BASE).unwrap();
            assert_eq!(verifier.verify(path, NOW).unwrap().expires, expires, "{url}");
        }
        // The other way round: the same resource is signed, so that only order and signature differ.
        let ours = signer(key);
        let url = ours.sign(KEY, &[("response-content-type", "image/png"), ("x", "1")], NOW.plus(MINUTE)).unwrap();
        assert_eq!(url.split("&Expires").next(), urls[1].split("&Expires").next());
    }
}

#[test]
fn a_url_is_refused_when_anything_differs() {
    let key = SigningKey::generate().unwrap();
    let verifier = verifier(&key);
    let signer = signer(key);
    let url = signer.sign(KEY, &[("a", "b")], NOW.plus(MINUTE)).unwrap();
    let path = url.strip_prefix(BASE).unwrap();
    let refusal = |path: &str| verifier.verify(path, NOW).unwrap_err();
    assert_eq!(verifier.verify(path, NOW).unwrap().query, "a=b");
    assert_eq!(verifier.verify(path, NOW.plus(MINUTE)).unwrap_err(), Refusal::Expired);
    // The second of the expiry itself has begun.
    assert!(verifier.verify(path, Timestamp((NOW.unix_seconds() + 60) * 1_000_000 - 1)).is_ok());
    assert_eq!(verifier.verify(path, Timestamp((NOW.unix_seconds() + 60) * 1_000_000)).unwrap_err(), Refusal::Expired);

    let expires = format!("Expires={}", parameter(&url, "Expires"));
    assert_eq!(refusal(&format!("/{KEY}")), Refusal::Unsigned);
    assert_eq!(refusal(&format!("/{KEY}?a=b")), Refusal::Unsigned);
    assert_eq!(refusal(&path.replace("a=b&", "")), Refusal::BadSignature);
    assert_eq!(refusal(&path.replace("a=b&", "a=b&&")), Refusal::BadSignature);
    assert_eq!(refusal(&path.replace("a=b&", "&a=b&")), Refusal::BadSignature);
    assert_eq!(refusal(&path.replace("a=b", "a=%62")), Refusal::BadSignature);
    assert_eq!(refusal(&path.replace("original/", "original//")), Refusal::BadSignature);
    assert_eq!(refusal(&path.replace("original/", "x/../original/")), Refusal::BadSignature);
    assert_eq!(refusal(&format!("{path}&c=d")), Refusal::Malformed);
    assert_eq!(refusal(&format!("{path}&{expires}")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("a=b", &expires)), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("a=b", "Policy=x")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("Expires=", "Expires=0")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("Expires=", "Expires=%2B")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("=SHA256", "=SHA1")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("&Hash-Algorithm=SHA256", "")), Refusal::Malformed);
    assert_eq!(refusal(&path.replace("K2JCJMDEHXQW5F", "K2JCJMDEHXQW5G")), Refusal::UnknownKey);
    assert_eq!(refusal(&path.replace("a=b", "a=\"")), Refusal::Malformed);
    assert_eq!(refusal(&format!("{path}{}", "x".repeat(9000))), Refusal::Malformed);

    let foreign = UrlSigner::new(SigningKey::generate().unwrap(), "K2JCJMDEHXQW5F", BASE, MINUTE, MINUTE).unwrap();
    let url = foreign.sign(KEY, &[], NOW.plus(MINUTE)).unwrap();
    assert_eq!(refusal(url.strip_prefix(BASE).unwrap()), Refusal::BadSignature);
    let elsewhere = UrlVerifier::new(
        "https://other.example",
        [("K2JCJMDEHXQW5F".to_owned(), signer.key().verifying_key().unwrap())],
    );
    assert_eq!(elsewhere.unwrap().verify(path, NOW).unwrap_err(), Refusal::BadSignature);
}

#[test]
fn one_window_has_one_url_that_never_outlives_what_was_asked() {
    let signer = signer(SigningKey::generate().unwrap());
    let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
    let url = |ttl: Duration, now: Timestamp| signer.signed_url(KEY, &[], ttl, now).unwrap();
    let mut changes = 0;
    let mut last = url(15 * MINUTE, NOW);
    for second in 0..1200 {
        let now = at(second);
        let next = url(15 * MINUTE, now);
        if next.url == last.url {
            assert_eq!(next.expires_at, last.expires_at);
            assert!(Arc::ptr_eq(&next.url, &last.url), "not signed again");
        } else {
            changes += 1;
        }
        let left = next.expires_at.since(now);
        assert!(left <= 15 * MINUTE && left >= 10 * MINUTE - Duration::from_secs(1), "{left:?}");
        last = next;
    }
    assert_eq!(changes, 4, "twenty minutes are four windows");
    for ttl in [2, 3, 10, 59, 60, 61, 299, 300, 301, 600, 899, 900, 901, 86_400] {
        for step in 0..700 {
            let now = Timestamp(NOW.0 + step * 999_983);
            let ttl = Duration::from_secs(ttl);
            let left = url(ttl, now).expires_at.since(now);
            let cap = ttl.min(15 * MINUTE);
            assert!(left <= cap && left + Duration::from_secs(1) >= cap / 2, "{ttl:?}: {left:?}");
        }
    }
    let inline = signer.signed_url(KEY, &[("x", "1")], MINUTE, NOW).unwrap();
    assert_ne!(inline.url, url(MINUTE, NOW).url, "the query is part of what is cached");
}

#[test]
fn only_an_origin_is_a_base() {
    for base in [
        "",
        "cdn.example",
        "ftp://cdn.example",
        "https://cdn.example/path",
        "https://cdn.example/?x",
        "https://cdn.example//",
        "https://me@cdn.example",
        "https://",
    ] {
        let key = SigningKey::generate().unwrap();
        assert!(UrlSigner::new(key, "K", base, MINUTE, MINUTE).is_err(), "{base}");
    }
    for base in ["http://127.0.0.1:8082", "http://127.0.0.1:8082/", "http://[::1]:8082"] {
        let signer = UrlSigner::new(SigningKey::generate().unwrap(), "K", base, MINUTE, MINUTE).unwrap();
        let url = signer.sign("snap/00/ä b", &[], NOW).unwrap();
        assert!(url.starts_with(&format!("{}/snap/00/%C3%A4%20b?Expires=", base.trim_end_matches('/'))), "{url}");
    }
}

#[test]
fn the_embedded_key_is_made_once_and_kept_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| keys::load_or_create(data.path()).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let again = keys::load_or_create(data.path()).unwrap();
    assert!(made.iter().all(|key| key.id == again.id && key.key.to_pem() == again.key.to_pem()));
    assert!(again.id.len() == 14 && again.id.starts_with('K'));
    let file = data.path().join("keys/url-signing-key.pem");
    assert_eq!(fs::read_dir(data.path().join("keys")).unwrap().count(), 1, "no temporary file is left");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    keys::load_or_create(data.path()).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, "rubbish").unwrap();
    let error = keys::load_or_create(data.path()).unwrap_err().to_string();
    assert!(error.contains("url-signing-key.pem") && error.contains("no private key"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "rubbish", "a broken key is never replaced");
}

#[test]
fn any_file_name_makes_a_harmless_header() {
    let header = |name: &str| content_disposition(Disposition::Attachment, name);
    assert_eq!(header("plan.pdf"), "attachment; filename=\"plan.pdf\"; filename*=UTF-8''plan.pdf");
    assert_eq!(
        content_disposition(Disposition::Inline, "Möwe \"1\" 100%.jpg"),
        "inline; filename=\"M_we _1_ 100_.jpg\"; filename*=UTF-8''M%C3%B6we%20%221%22%20100%25.jpg"
    );
    assert_eq!(
        header("a\r\nSet-Cookie: x=1\0.txt"),
        "attachment; filename=\"a__Set-Cookie: x=1_.txt\"; filename*=UTF-8''a__Set-Cookie%3A%20x%3D1_.txt"
    );
    assert_eq!(header("../../etc/passwd"), "attachment; filename=\"_.._etc_passwd\"; filename*=UTF-8''_.._etc_passwd");
    assert_eq!(header("..\\..\\boot.ini"), "attachment; filename=\"_.._boot.ini\"; filename*=UTF-8''_.._boot.ini");
    assert_eq!(header("exe.\u{202E}gpj"), "attachment; filename=\"exe.gpj\"; filename*=UTF-8''exe.gpj");
    for empty in ["", ".", "..", " ", "\u{202E}"] {
        assert_eq!(header(empty), "attachment; filename=\"download\"; filename*=UTF-8''download");
    }
    let long = format!("{}.jpeg", "ü".repeat(300));
    let encoded = header(&long).split_once("UTF-8''").unwrap().1.to_owned();
    let name = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap().into_owned();
    assert!(name.len() <= 255 && name.len() > 250 && name.starts_with("üü") && name.ends_with("ü.jpeg"));
    for code in (0..=0x2100).chain(0x1F600..0x1F610).filter_map(char::from_u32) {
        let value = header(&format!("a{code}b.txt"));
        assert!(value.bytes().all(|byte| (0x20..0x7F).contains(&byte)), "{code:?}");
        assert_eq!(value.matches('"').count(), 2, "{code:?}");
        assert!(http::HeaderValue::from_str(&value).is_ok());
    }
}

#[tokio::test]
async fn cloudfront_is_told_to_forget_once_per_reference() {
    let moto = Moto::start().await;
    let cloudfront = Client::new(&sdk_config(&moto.access(), MINUTE).await);
    let distribution_id = distribution(&cloudfront).await;
    let purger = CloudFrontPurger::connect(&moto.access(), &distribution_id).await;
    let keys: Vec<_> = (0..20).map(|n| format!("original/00/{n}")).collect();
    purger.purge(&keys, "erase-1").await.unwrap();
    purger.purge(&[], "erase-2").await.unwrap();

    let list = cloudfront.list_invalidations().distribution_id(&distribution_id).send().await.unwrap();
    let mut found = Vec::new();
    for summary in list.invalidation_list.unwrap().items.unwrap() {
        let call = cloudfront.get_invalidation().distribution_id(&distribution_id).id(summary.id);
        let batch = call.send().await.unwrap().invalidation.unwrap().invalidation_batch.unwrap();
        found.push((batch.caller_reference, batch.paths.unwrap().items.unwrap()));
    }
    found.sort();
    let paths = |keys: &[String]| keys.iter().map(|key| format!("/{key}*")).collect::<Vec<_>>();
    assert_eq!(found, [("erase-1-0".to_owned(), paths(&keys[..15])), ("erase-1-1".to_owned(), paths(&keys[15..]))]);

    let nowhere = CloudFrontPurger::connect(&moto.access(), "ENONE").await;
    assert!(matches!(nowhere.purge(&keys, "erase-3").await, Err(PurgeError::Refused(_))));
    assert!(NoPurger.purge(&keys, "erase-4").await.is_ok());
}

async fn distribution(cloudfront: &Client) -> String {
    let origin = Origin::builder().id("first").domain_name("first.s3.amazonaws.com").build().unwrap();
    #[expect(deprecated, reason = "the shortest configuration that the API takes")]
    let behaviour = DefaultCacheBehavior::builder()
        .target_origin_id("first")
        .viewer_protocol_policy(ViewerProtocolPolicy::HttpsOnly)
        .min_ttl(0)
        .build()
        .unwrap();
    let config = DistributionConfig::builder()
        .caller_reference("test")
        .comment("test")
        .enabled(true)
        .origins(Origins::builder().quantity(1).items(origin).build().unwrap())
        .default_cache_behavior(behaviour)
        .build()
        .unwrap();
    let made = cloudfront.create_distribution().distribution_config(config).send().await.unwrap();
    made.distribution.unwrap().id
}
