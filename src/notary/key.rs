//! The notary's key: Ed25519 (RFC 8032), a file of the operator's or one made and kept in the data folder.

use std::{fmt, fs, io, path::Path};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};

use crate::{
    adapters::cdn::key::pem_block,
    config::Config,
    embedded::keys::{self, KeyFileError},
};

const FILE: &str = "audit-signing-key.pem";
/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410, section 4).
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

#[derive(Debug, thiserror::Error)]
pub enum NotaryKeyError {
    #[error(transparent)]
    Embedded(#[from] KeyFileError),
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("{path}: {reason}")]
    Wrong { path: String, reason: &'static str },
}

/// The private key, and its public half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    pub public: PublicKey,
}

impl SigningKey {
    /// Reads PKCS#8 (RFC 8410), as PEM or DER.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let pair = match PrivatePkcs8KeyDer::from_pem_slice(bytes) {
            Ok(der) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()),
            Err(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes),
        };
        let pair = pair.ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

/// Whoever has it can check what was signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY`, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// The file cannot be read, or is no such key.
    pub fn read(path: &Path) -> Result<Self, NotaryKeyError> {
        let name = path.display().to_string();
        let pem = fs::read(path).map_err(|error| NotaryKeyError::Io { path: name.clone(), error })?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).ok();
        let raw = der.as_deref().and_then(|der| der.strip_prefix(&PREFIX)?.try_into().ok());
        let reason = "not an Ed25519 public key as PEM; `openssl pkey -pubout` writes one";
        raw.map(Self).ok_or(NotaryKeyError::Wrong { path: name, reason })
    }

    /// 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = hex::encode(digest(&SHA256, &[&PREFIX[..], &self.0].concat()));
        id.truncate(16);
        id
    }

    /// As `openssl pkey -pubout` writes it.
    #[must_use]
    pub fn pem(&self) -> String {
        pem_block("PUBLIC KEY", &[&PREFIX[..], &self.0].concat())
    }

    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// The configured key, or the one in the data folder, which is made where it is missing.
pub fn load_or_create(config: &Config) -> Result<SigningKey, NotaryKeyError> {
    let (path, bytes) = if config.audit.signing_key_file.is_empty() {
        let (path, text) = keys::read_or_create(&config.data_dir, FILE, generate)?;
        (path.display().to_string(), text.into_bytes())
    } else {
        let path = config.audit.signing_key_file.clone();
        let bytes = fs::read(&path).map_err(|error| NotaryKeyError::Io { path: path.clone(), error })?;
        (path, bytes)
    };
    let reason = "not an Ed25519 private key in PKCS#8; `openssl genpkey -algorithm ed25519` makes one";
    SigningKey::parse(&bytes).ok_or(NotaryKeyError::Wrong { path, reason })
}

/// The public halves that this server's checkpoints are checked by: of its own key, where it has one, and those given.
///
/// # Errors
/// A file that cannot be read or is no such key.
pub fn known_keys(config: &Config, given: &[impl AsRef<Path>]) -> Result<Vec<PublicKey>, NotaryKeyError> {
    let mut known = given.iter().map(|path| PublicKey::read(path.as_ref())).collect::<Result<Vec<_>, _>>()?;
    // Looking makes no key.
    if !config.audit.signing_key_file.is_empty() || config.data_dir.join("keys").join(FILE).exists() {
        known.push(load_or_create(config)?.public);
    }
    Ok(known)
}

fn generate() -> io::Result<String> {
    let failed = |_| io::Error::other("no Ed25519 key could be made");
    let der = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(failed)?;
    Ok(pem_block("PRIVATE KEY", der.as_ref()))
}
