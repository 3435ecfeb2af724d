//! The checksums S3 keeps beside an object: computed while bytes arrive, compared, and combined over parts.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use s3s::{
    S3Result,
    crypto::{Checksum as _, Md5},
    dto, s3_error,
};
use serde::{Deserialize, Serialize};

/// The algorithms of `x-amz-checksum-…`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Whether a checksum covers the object's bytes or the checksums of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Coverage {
    FullObject,
    Composite,
}

/// One checksum: base64, with `-<parts>` behind it where it is composite.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub algorithm: Algorithm,
    pub value: String,
    pub coverage: Coverage,
}

impl Algorithm {
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub fn parse(name: &str) -> S3Result<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| s3_error!(InvalidRequest, "unknown checksum algorithm {name:?}"))
    }

    /// A small number for the index.
    pub fn code(self) -> u8 {
        match self {
            Self::Crc32 => 0,
            Self::Crc32c => 1,
            Self::Crc64Nvme => 2,
            Self::Sha1 => 3,
            Self::Sha256 => 4,
        }
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.code() == code)
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// What a multipart upload of this algorithm covers where the client does not say
    /// (S3 user guide, "Checking object integrity").
    pub fn default_coverage(self) -> Coverage {
        if self == Self::Crc64Nvme { Coverage::FullObject } else { Coverage::Composite }
    }

    /// Whether S3 allows this combination for a multipart upload.
    pub fn allows(self, coverage: Coverage) -> bool {
        match coverage {
            Coverage::FullObject => self.crc().is_some(),
            Coverage::Composite => self != Self::Crc64Nvme,
        }
    }
}

enum Hasher {
    Crc(CrcAlgorithm, Box<crc_fast::Digest>),
    Sha(digest::Context),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match (algorithm.crc(), algorithm) {
            (Some(crc), _) => Self::Crc(crc, Box::new(crc_fast::Digest::new(crc))),
            (None, Algorithm::Sha1) => Self::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            (None, _) => Self::Sha(digest::Context::new(&digest::SHA256)),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(data),
            Self::Sha(context) => context.update(data),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(algorithm, digest) => crc_bytes(algorithm, digest.finalize()),
            Self::Sha(context) => context.finish().as_ref().to_vec(),
        }
    }
}

/// The checksum as S3 sends it: big-endian, four bytes for CRC-32.
fn crc_bytes(algorithm: CrcAlgorithm, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    if algorithm == CrcAlgorithm::Crc64Nvme { bytes.to_vec() } else { bytes[4..].to_vec() }
}

/// MD5 (for the ETag, where it is one) and any number of checksums over one body.
pub(super) struct Hashers {
    md5: Option<Md5>,
    others: Vec<(Algorithm, Hasher)>,
}

/// What [`Hashers`] found.
pub(super) struct Digests {
    /// `None`: not computed.
    pub md5: Option<[u8; 16]>,
    checksums: Vec<(Algorithm, Vec<u8>)>,
}

impl Hashers {
    pub fn new(algorithms: &[Algorithm]) -> Self {
        Self { md5: Some(Md5::new()), ..Self::without_md5(algorithms) }
    }

    /// Three times as fast with SHA-256 alone.
    pub fn without_md5(algorithms: &[Algorithm]) -> Self {
        let mut others: Vec<(Algorithm, Hasher)> = Vec::with_capacity(algorithms.len());
        for &algorithm in algorithms {
            if others.iter().all(|(known, _)| *known != algorithm) {
                others.push((algorithm, Hasher::new(algorithm)));
            }
        }
        Self { md5: None, others }
    }

    pub fn update(&mut self, data: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        for (_, hasher) in &mut self.others {
            hasher.update(data);
        }
    }

    pub fn finish(self) -> Digests {
        let checksums = self.others.into_iter().map(|(algorithm, hasher)| (algorithm, hasher.finish())).collect();
        Digests { md5: self.md5.map(Md5::finalize), checksums }
    }
}

impl Digests {
    /// The ETag of these bytes, in hex: their MD5, or 16 bytes of their first checksum. S3 promises no more than that other
    /// bytes have another one (S3 API reference, "Object": an ETag "may or may not be an MD5 digest").
    pub fn etag(&self) -> String {
        let checksum = || self.checksums.first().map_or(&[][..], |(_, bytes)| &bytes[..bytes.len().min(16)]);
        hex::encode(self.md5.as_ref().map_or_else(checksum, |md5| &md5[..]))
    }

    /// The checksum of this algorithm over the whole.
    pub fn checksum(&self, algorithm: Algorithm) -> S3Result<Checksum> {
        let value =
            self.get(algorithm).ok_or_else(|| s3_error!(InternalError, "{} was not computed", algorithm.as_str()))?;
        Ok(Checksum { algorithm, value, coverage: Coverage::FullObject })
    }

    /// Base64; `None` where this algorithm was not computed.
    pub fn get(&self, algorithm: Algorithm) -> Option<String> {
        self.checksums.iter().find(|(known, _)| *known == algorithm).map(|(_, bytes)| STANDARD.encode(bytes))
    }
}

/// The checksum fields of S3's requests and responses, which many of its shapes repeat.
#[derive(Default, Clone)]
pub(super) struct Fields {
    pub crc32: Option<String>,
    pub crc32c: Option<String>,
    pub crc64nvme: Option<String>,
    pub sha1: Option<String>,
    pub sha256: Option<String>,
    pub kind: Option<dto::ChecksumType>,
}

impl Fields {
    /// The one checksum a client sent. S3 refuses more than one.
    pub fn single(self) -> S3Result<Option<(Algorithm, String)>> {
        let mut given = [
            (Algorithm::Crc32, self.crc32),
            (Algorithm::Crc32c, self.crc32c),
            (Algorithm::Crc64Nvme, self.crc64nvme),
            (Algorithm::Sha1, self.sha1),
            (Algorithm::Sha256, self.sha256),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| value.map(|value| (algorithm, value)));
        let first = given.next();
        if given.next().is_some() {
            return Err(s3_error!(InvalidRequest, "expected a single x-amz-checksum- header"));
        }
        Ok(first)
    }
}

impl From<&Checksum> for Fields {
    fn from(checksum: &Checksum) -> Self {
        let mut fields = Self { kind: Some(checksum.coverage.into()), ..Self::default() };
        let slot = match checksum.algorithm {
            Algorithm::Crc32 => &mut fields.crc32,
            Algorithm::Crc32c => &mut fields.crc32c,
            Algorithm::Crc64Nvme => &mut fields.crc64nvme,
            Algorithm::Sha1 => &mut fields.sha1,
            Algorithm::Sha256 => &mut fields.sha256,
        };
        *slot = Some(checksum.value.clone());
        fields
    }
}

impl From<Coverage> for dto::ChecksumType {
    fn from(coverage: Coverage) -> Self {
        Self::from_static(match coverage {
            Coverage::FullObject => Self::FULL_OBJECT,
            Coverage::Composite => Self::COMPOSITE,
        })
    }
}

impl From<Algorithm> for dto::ChecksumAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        Self::from_static(algorithm.as_str())
    }
}

/// The checksum of a completed upload from those of its parts, in order, with their lengths.
pub(super) fn combine(algorithm: Algorithm, coverage: Coverage, parts: &[(String, u64)]) -> S3Result<Checksum> {
    let decode = |value: &str| {
        STANDARD.decode(value).map_err(|_| s3_error!(InternalError, "a part's stored checksum is not base64"))
    };
    let value = match (coverage, algorithm.crc()) {
        (Coverage::FullObject, Some(crc)) => {
            let mut whole: Option<u64> = None;
            for (value, bytes) in parts {
                let part = decode(value)?.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
                whole = Some(whole.map_or(part, |whole| crc_fast::checksum_combine(crc, whole, part, *bytes)));
            }
            STANDARD.encode(crc_bytes(crc, whole.unwrap_or_default()))
        }
        (Coverage::FullObject, None) => {
            return Err(s3_error!(InvalidRequest, "{} cannot cover a full multipart object", algorithm.as_str()));
        }
        (Coverage::Composite, _) => {
            let mut hasher = Hasher::new(algorithm);
            for (value, _) in parts {
                hasher.update(&decode(value)?);
            }
            format!("{}-{}", STANDARD.encode(hasher.finish()), parts.len())
        }
    };
    Ok(Checksum { algorithm, value, coverage })
}

/// MD5 in hex, as ETags have it.
pub(super) fn md5_hex(data: &[u8]) -> String {
    hex::encode(Md5::checksum(data))
}
