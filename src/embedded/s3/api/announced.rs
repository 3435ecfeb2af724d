//! What a client announces of a body: its length, its checksum, its encoding.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use s3s::{S3Result, TrailingHeaders, dto, s3_error};

use super::super::{
    bad_request,
    checksum::{Algorithm, Checksum, Digests, Fields},
};

/// Which checksum of a body the client announced, and which one is kept.
pub(super) struct ChecksumPlan {
    given: Option<(Algorithm, String)>,
    trailer: bool,
    pub keep: Algorithm,
    md5: Option<[u8; 16]>,
}

impl ChecksumPlan {
    /// `default`: what is kept where the client names no algorithm.
    pub fn new(
        fields: Fields,
        named: Option<&dto::ChecksumAlgorithm>,
        content_md5: Option<&str>,
        headers: &HeaderMap,
        default: Algorithm,
    ) -> S3Result<Self> {
        let given = fields.single()?;
        let trailer = headers
            .get_all("x-amz-trailer")
            .iter()
            .filter_map(|names| names.to_str().ok())
            .flat_map(|names| names.split(','))
            .find_map(|name| Algorithm::ALL.into_iter().find(|a| name.trim().eq_ignore_ascii_case(a.header())));
        let named = named.map(|name| Algorithm::parse(name.as_str())).transpose()?;
        if given.is_some() && trailer.is_some() {
            return Err(s3_error!(InvalidRequest, "expected a checksum either as header or as trailer"));
        }
        let announced = given.as_ref().map(|(algorithm, _)| *algorithm).or(trailer);
        if let (Some(announced), Some(named)) = (announced, named)
            && announced != named
        {
            return Err(s3_error!(InvalidRequest, "x-amz-sdk-checksum-algorithm names another algorithm"));
        }
        let md5 = content_md5
            .map(|md5| {
                let bytes = STANDARD.decode(md5).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
                bytes.ok_or_else(|| s3_error!(InvalidDigest, "Content-MD5 is not 16 bytes in base64"))
            })
            .transpose()?;
        Ok(Self { given, trailer: trailer.is_some(), keep: announced.or(named).unwrap_or(default), md5 })
    }

    /// Whether the MD5 is to be compared.
    pub fn has_md5(&self) -> bool {
        self.md5.is_some()
    }

    /// Compares what was announced, and gives back the checksum to keep.
    pub fn verify(self, digests: &Digests, trailers: Option<&TrailingHeaders>) -> S3Result<Checksum> {
        if self.md5.is_some() && self.md5 != digests.md5 {
            return Err(s3_error!(BadDigest, "the body does not match Content-MD5"));
        }
        let checksum = digests.checksum(self.keep)?;
        let announced = if self.trailer {
            let trailer = trailers
                .and_then(|trailers| trailers.read(|headers| headers.get(self.keep.header()).cloned()))
                .flatten()
                .and_then(|value| value.to_str().map(str::to_owned).ok());
            Some(trailer.ok_or_else(|| bad_request("MalformedTrailerError", "the announced trailer is missing"))?)
        } else {
            self.given.map(|(_, value)| value)
        };
        if announced.is_some_and(|announced| announced != checksum.value) {
            return Err(s3_error!(BadDigest, "the body does not match its {} checksum", self.keep.as_str()));
        }
        Ok(checksum)
    }
}

/// S3 wants the length before the body.
pub(super) fn announced_length(length: Option<i64>) -> S3Result<u64> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| s3_error!(MissingContentLength, "a body must announce its length"))
}

/// `aws-chunked` frames the request and is no encoding of the object (S3 API reference, "Signature calculations").
pub(super) fn stored_encoding(encoding: Option<&str>) -> Option<String> {
    let kept: Vec<&str> =
        encoding?.split(',').map(str::trim).filter(|name| !matches!(*name, "" | "aws-chunked")).collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}
