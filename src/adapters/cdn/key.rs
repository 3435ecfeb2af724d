//! The keys of signed URLs: ECDSA P-256 or RSA-2048, with SHA-256, read from PEM.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer as _,
    error::Unspecified,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, pem, pem::PemObject as _};

/// Bytes of an RSA-2048 modulus, the only size CloudFront takes.
const RSA_BYTES: usize = 256;

/// A PEM text that is no key for signed URLs, and what to do about it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("the private key is encrypted; decrypt it first: openssl pkey -in key.pem -out plain.pem")]
    Encrypted,
    #[error("no private key found; expected a PEM block PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY")]
    NoPrivateKey,
    #[error("no public key found; expected a PEM block PUBLIC KEY")]
    NoPublicKey,
    #[error("broken PEM: {0}")]
    Pem(String),
    #[error("not an ECDSA key on P-256 nor an RSA key of 2048 bits, the two that CloudFront takes")]
    Unsupported,
    #[error("the key could not be made or encoded")]
    Failed,
}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self::Failed
    }
}

/// A private key. Its debug text shows the kind only.
pub struct SigningKey(Pair);

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A fresh ECDSA P-256 key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] where the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?)))
    }

    /// Reads the first private key of a PEM text: PKCS#8 (RFC 5208), SEC 1 (RFC 5915) or PKCS#1 (RFC 8017).
    ///
    /// # Errors
    /// Says what was found instead: no key, an encrypted one, another curve or size.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") => KeyError::Encrypted,
            pem::Error::NoItemsFound => KeyError::NoPrivateKey,
            // The old OpenSSL encryption puts headers into the block, which is then no base64.
            _ if text.contains("Proc-Type: 4,ENCRYPTED") => KeyError::Encrypted,
            other => KeyError::Pem(other.to_string()),
        })?;
        let ecdsa = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der.secret_der());
        let pair = match &der {
            PrivateKeyDer::Sec1(_) => ecdsa().ok().map(Pair::Ecdsa),
            PrivateKeyDer::Pkcs1(rsa) => RsaKeyPair::from_der(rsa.secret_pkcs1_der()).ok().map(Pair::Rsa),
            PrivateKeyDer::Pkcs8(any) => {
                ecdsa().map(Pair::Ecdsa).or_else(|_| RsaKeyPair::from_pkcs8(any.secret_pkcs8_der()).map(Pair::Rsa)).ok()
            }
            _ => None,
        };
        match pair {
            Some(Pair::Rsa(rsa)) if rsa.public_modulus_len() != RSA_BYTES => Err(KeyError::Unsupported),
            Some(pair) => Ok(Self(pair)),
            None => Err(KeyError::Unsupported),
        }
    }

    /// The private key as PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::Failed`] where the library cannot encode it.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let der = match &self.0 {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Pair::Rsa(pair) => pair.as_der()?.as_ref().to_vec(),
        };
        Ok(pem_block("PRIVATE KEY", &der))
    }

    /// The public half.
    ///
    /// # Errors
    /// [`KeyError::Failed`] where the library cannot encode it.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::from_der(match &self.0 {
            Pair::Ecdsa(pair) => pair.public_key().as_der()?.as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_der()?.as_ref().to_vec(),
        })
    }

    /// Signs with SHA-256: ECDSA as ASN.1 DER, RSA as PKCS#1 v1.5.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Pair::Ecdsa(_) => "SigningKey(ECDSA P-256)",
            Pair::Rsa(_) => "SigningKey(RSA-2048)",
        })
    }
}

/// A public key.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    key: ParsedPublicKey,
    /// SubjectPublicKeyInfo (RFC 5280).
    der: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a PEM block `PUBLIC KEY` (SubjectPublicKeyInfo), as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// Says what was found instead.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound => KeyError::NoPublicKey,
            other => KeyError::Pem(other.to_string()),
        })?;
        Self::from_der(der.to_vec())
    }

    fn from_der(der: Vec<u8>) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der)
            .or_else(|_| ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der))
            .map_err(|_| KeyError::Unsupported)?;
        Ok(Self { key, der })
    }

    /// What goes into a CloudFront public key.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem_block("PUBLIC KEY", &self.der)
    }

    /// SubjectPublicKeyInfo (RFC 5280).
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

/// RFC 7468: base64 in lines of 64 characters.
pub fn pem_block(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        block.push_str(line);
        block.push('\n');
        rest = tail;
    }
    block.push_str(&format!("-----END {label}-----\n"));
    block
}
