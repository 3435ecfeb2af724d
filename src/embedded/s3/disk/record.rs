//! The form of a file in the store: the bytes, then a JSON record about them, then the record's length and a magic word.
//!
//! One file holds both, so that one rename replaces an object whole, and the files alone can rebuild the index.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::super::checksum::Checksum;

const MAGIC: &[u8; 8] = b"SNAPHAV1";
const FOOTER: usize = 12;
/// Keys are at most 1 KiB and user metadata 2 KiB; 10,000 segments of some 25 bytes dominate.
const RECORD_LIMIT: u32 = 4 << 20;

/// What is known of one object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Record {
    pub key: String,
    /// Names this write among all writes of the key.
    pub generation: Uuid,
    pub bytes: u64,
    /// Without quotes.
    pub etag: String,
    /// UTC microseconds.
    pub modified: i64,
    #[serde(flatten)]
    pub description: Description,
    pub checksum: Checksum,
    /// Lengths of the files in the segment folder; empty where the bytes precede this record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<u64>,
    /// Lengths of the parts of a multipart object, for `partNumber`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<u64>,
}

/// What the writer said of an object: the headers that are given back, and user metadata.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in super::super) struct Description {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// UTC microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What is known of one part of an unfinished upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct PartRecord {
    pub number: u32,
    pub bytes: u64,
    /// MD5 in hex.
    pub etag: String,
    pub modified: i64,
    pub checksum: Checksum,
}

/// Appends the record to a file whose bytes are complete.
pub(super) fn append<T: Serialize>(file: &mut File, record: &T) -> io::Result<()> {
    let mut tail = serde_json::to_vec(record)?;
    let length = u32::try_from(tail.len()).map_err(io::Error::other)?;
    tail.extend_from_slice(&length.to_le_bytes());
    tail.extend_from_slice(MAGIC);
    file.write_all(&tail)
}

/// Reads the record at the end of a file. The file's position is undefined afterwards.
pub(super) fn read<T: DeserializeOwned>(file: &mut File) -> io::Result<T> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("not a stored object: {what}"));
    let length = file.metadata()?.len();
    // One read usually gets all of the record.
    let guess = length.min(4096);
    let mut tail = vec![0; usize::try_from(guess).map_err(io::Error::other)?];
    file.seek(SeekFrom::Start(length - guess))?;
    file.read_exact(&mut tail)?;
    let Some((rest, footer)) = tail.len().checked_sub(FOOTER).map(|at| tail.split_at(at)) else {
        return Err(damaged("too short"));
    };
    let (size, magic) = footer.split_at(4);
    if magic != MAGIC {
        return Err(damaged("no record"));
    }
    let size = size.iter().rev().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    if size > RECORD_LIMIT || u64::from(size) + FOOTER as u64 > length {
        return Err(damaged("impossible record length"));
    }
    let size = size as usize;
    if let Some(at) = rest.len().checked_sub(size) {
        return Ok(serde_json::from_slice(&rest[at..])?);
    }
    let mut record = vec![0; size];
    file.seek(SeekFrom::End(-i64::try_from(size + FOOTER).map_err(io::Error::other)?))?;
    file.read_exact(&mut record)?;
    Ok(serde_json::from_slice(&record)?)
}
