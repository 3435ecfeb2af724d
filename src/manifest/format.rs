//! How a manifest is written: gzip over lines of JSON. The first line is the [`Head`]; each table begins with its name and columns,
//! one line a row follows; the last line is the [`Tail`], with the SHA-256 of all lines before it, signed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use sea_orm::{ColumnType, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::ManifestError;
use crate::{
    adapters::objects::{Sha256, finish_sha256},
    notary::{PublicKey, SigningKey},
};

/// Raised whenever an older server could not read what a newer one writes.
const FORMAT: u32 = 1;
/// No row is nearly as long.
const LONGEST: u64 = 64 << 20;

/// What a manifest says before its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub format: u32,
    /// Of the server that wrote it.
    pub version: String,
    /// UTC microseconds: the rows are those of one moment, which is not before this.
    pub taken_at: i64,
    /// The database's migrations, in order.
    pub migrations: Vec<String>,
}

impl Head {
    pub(super) fn new(taken_at: i64, migrations: Vec<String>) -> Self {
        Self { format: FORMAT, version: env!("CARGO_PKG_VERSION").to_owned(), taken_at, migrations }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Table {
    pub table: String,
    pub columns: Vec<(String, Kind)>,
}

/// What stands in a column, whatever the database calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Uuid,
    Long,
    Int,
    Bool,
    Text,
    /// In base64.
    Bytes,
    Json,
}

impl Kind {
    pub fn of(column: &ColumnType) -> Option<Self> {
        Some(match column {
            ColumnType::Uuid => Self::Uuid,
            ColumnType::BigInteger => Self::Long,
            ColumnType::Integer => Self::Int,
            ColumnType::Boolean => Self::Bool,
            ColumnType::String(_) | ColumnType::Text => Self::Text,
            ColumnType::VarBinary(_) | ColumnType::Blob => Self::Bytes,
            ColumnType::Json => Self::Json,
            _ => return None,
        })
    }

    /// `None`: it is no such value.
    pub fn decode(self, json: Json) -> Option<Value> {
        let absent = json.is_null();
        Some(match self {
            Self::Uuid if absent => Value::Uuid(None),
            Self::Uuid => Uuid::parse_str(json.as_str()?).ok()?.into(),
            Self::Long => Value::BigInt(if absent { None } else { Some(json.as_i64()?) }),
            Self::Int => Value::Int(if absent { None } else { Some(i32::try_from(json.as_i64()?).ok()?) }),
            Self::Bool => Value::Bool(if absent { None } else { Some(json.as_bool()?) }),
            Self::Text if absent => Value::String(None),
            Self::Text => json.as_str()?.into(),
            Self::Bytes if absent => Value::Bytes(None),
            Self::Bytes => STANDARD.decode(json.as_str()?).ok()?.into(),
            // What is JSON's own null is written as an array of it.
            Self::Json if absent => Value::Json(None),
            Self::Json => match json {
                Json::Array(mut one) if one.len() == 1 => one.remove(0).into(),
                _ => return None,
            },
        })
    }
}

/// `None`: no column here is of this type.
pub(super) fn encode(value: Value) -> Option<Json> {
    Some(match value {
        Value::Uuid(value) => value.map(|value| value.to_string()).into(),
        Value::BigInt(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Bool(value) => value.into(),
        Value::String(value) => value.into(),
        Value::Bytes(value) => value.map(|value| STANDARD.encode(value)).into(),
        Value::Json(value) => value.map(|value| vec![*value]).into(),
        _ => return None,
    })
}

#[derive(Debug, Serialize, Deserialize)]
struct Tail {
    /// Of all lines before, each with its end, in hex.
    sha256: String,
    /// How many rows of each table there are.
    rows: BTreeMap<String, u64>,
    /// The id of the key that signed, and the signature over [`signed`], in hex.
    key: String,
    signature: String,
}

/// What is signed: no other document of this server begins so.
fn signed(sha256: &str) -> Vec<u8> {
    format!("snaphaven manifest {FORMAT} {sha256}\n").into_bytes()
}

/// Counts and hashes what goes into the file.
struct Metered {
    file: File,
    hash: Context,
    bytes: u64,
}

impl Write for Metered {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Blocking, as everything here.
pub(super) struct Writer {
    out: GzEncoder<Metered>,
    hash: Context,
    rows: BTreeMap<String, u64>,
}

/// A manifest's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
    pub sha256: Sha256,
    pub rows: u64,
}

impl Writer {
    pub fn begin(file: File, head: &Head) -> io::Result<Self> {
        let out = GzEncoder::new(Metered { file, hash: Context::new(&SHA256), bytes: 0 }, Compression::default());
        let mut writer = Self { out, hash: Context::new(&SHA256), rows: BTreeMap::new() };
        writer.line(head)?;
        Ok(writer)
    }

    /// Some rows of one table.
    pub fn rows(&mut self, table: &str, rows: &[Vec<Json>]) -> io::Result<()> {
        *self.rows.entry(table.to_owned()).or_default() += rows.len() as u64;
        rows.iter().try_for_each(|row| self.line(row))
    }

    pub fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.hash.update(&line);
        self.out.write_all(&line)
    }

    pub fn finish(self, key: &SigningKey) -> io::Result<Written> {
        let sha256 = hex::encode(finish_sha256(self.hash));
        let signature = hex::encode(key.sign(&signed(&sha256)));
        let rows = self.rows.values().sum();
        let mut out = self.out;
        let mut tail = serde_json::to_vec(&Tail { sha256, rows: self.rows, key: key.public.id(), signature })?;
        tail.push(b'\n');
        out.write_all(&tail)?;
        let metered = out.finish()?;
        metered.file.sync_all()?;
        Ok(Written { bytes: metered.bytes, sha256: finish_sha256(metered.hash), rows })
    }
}

/// A manifest whose every line was read and hashed.
#[derive(Clone, Debug)]
pub struct Verified {
    pub path: PathBuf,
    pub head: Head,
    pub rows: u64,
    /// The id of the key that signed it.
    pub key: String,
    /// Whether that key is one of those given.
    pub known: bool,
}

/// Reads all of it, and holds it to its hash and its signature.
pub(super) fn verify(path: &Path, keys: &[PublicKey]) -> Result<Verified, ManifestError> {
    let mut lines = Lines::open(path)?;
    let head = lines.head()?;
    let (mut hash, mut counted, mut table) = (Context::new(&SHA256), BTreeMap::<String, u64>::new(), None);
    hash.update(&lines.last);
    let tail: Tail = loop {
        let line = lines.next()?.ok_or_else(|| damaged("it has no end"))?;
        if line.starts_with(b"{\"sha256\"") {
            break serde_json::from_slice(line).map_err(damaged)?;
        }
        hash.update(line);
        if line.starts_with(b"{") {
            table = Some(serde_json::from_slice::<Table>(line).map_err(damaged)?.table);
        } else {
            let table = table.clone().ok_or_else(|| damaged("a row stands before its table"))?;
            *counted.entry(table).or_default() += 1;
        }
    };
    if lines.next()?.is_some() {
        return Err(damaged("it goes on behind its end"));
    }
    let sha256 = hex::encode(finish_sha256(hash));
    counted.retain(|_, rows| *rows > 0);
    if tail.sha256 != sha256 || tail.rows.iter().filter(|(_, rows)| **rows > 0).ne(counted.iter()) {
        return Err(damaged("its lines are not those that were signed"));
    }
    let known = keys.iter().find(|key| key.id() == tail.key);
    if let Some(key) = known
        && !key.verifies(&signed(&sha256), &hex::decode(&tail.signature).unwrap_or_default())
    {
        return Err(damaged("its signature does not fit"));
    }
    Ok(Verified { path: path.to_owned(), head, rows: counted.values().sum(), known: known.is_some(), key: tail.key })
}

/// Some rows of one table, as they go into a database.
pub(super) struct Batch {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

/// Values of one statement: fewer than any of the databases takes.
const VALUES: usize = 10_000;

/// Reads the rows of a manifest that was verified, until `take` wants no more.
pub(super) fn read(path: &Path, mut take: impl FnMut(Batch) -> bool) -> Result<(), ManifestError> {
    let mut lines = Lines::open(path)?;
    lines.head()?;
    let mut batch: Option<(Batch, Vec<Kind>)> = None;
    while let Some(line) = lines.next()? {
        let ends = line.starts_with(b"{\"sha256\"");
        if line.starts_with(b"{") {
            if let Some((batch, _)) = batch.take().filter(|(batch, _)| !batch.rows.is_empty())
                && !take(batch)
            {
                return Ok(());
            }
            if ends {
                return Ok(());
            }
            let Table { table, columns } = serde_json::from_slice(line).map_err(damaged)?;
            let (columns, kinds) = columns.into_iter().unzip();
            batch = Some((Batch { table, columns, rows: Vec::new() }, kinds));
            continue;
        }
        let (open, kinds) = batch.as_mut().ok_or_else(|| damaged("a row stands before its table"))?;
        let row: Vec<Json> = serde_json::from_slice(line).map_err(damaged)?;
        if row.len() != kinds.len() {
            return Err(damaged(format!("a row of {} has another length than its columns", open.table)));
        }
        let values = row.into_iter().zip(&*kinds).map(|(json, kind)| kind.decode(json)).collect::<Option<Vec<_>>>();
        open.rows.push(values.ok_or_else(|| damaged(format!("a value of {} is not of its kind", open.table)))?);
        if open.rows.len() * open.columns.len() >= VALUES {
            let rows = std::mem::take(&mut open.rows);
            if !take(Batch { table: open.table.clone(), columns: open.columns.clone(), rows }) {
                return Ok(());
            }
        }
    }
    Err(damaged("it has no end"))
}

fn damaged(why: impl ToString) -> ManifestError {
    ManifestError::Damaged(why.to_string())
}

struct Lines {
    from: BufReader<MultiGzDecoder<BufReader<File>>>,
    last: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, ManifestError> {
        let file =
            File::open(path).map_err(|error| ManifestError::Unreadable(format!("{}: {error}", path.display())))?;
        Ok(Self { from: BufReader::new(MultiGzDecoder::new(BufReader::new(file))), last: Vec::new() })
    }

    fn next(&mut self) -> Result<Option<&[u8]>, ManifestError> {
        self.last.clear();
        let read = (&mut self.from).take(LONGEST).read_until(b'\n', &mut self.last).map_err(damaged)?;
        match self.last.last() {
            None => Ok(None),
            Some(b'\n') if read > 0 => Ok(Some(&self.last)),
            Some(_) => Err(damaged("its last line is cut off")),
        }
    }

    fn head(&mut self) -> Result<Head, ManifestError> {
        let line = self.next()?.ok_or_else(|| damaged("it is empty"))?;
        let head: Json = serde_json::from_slice(line).map_err(|_| damaged("it is no manifest"))?;
        match head["format"].as_u64() {
            Some(format) if format == u64::from(FORMAT) => serde_json::from_value(head).map_err(damaged),
            Some(format) => {
                Err(ManifestError::Newer(format!("its format is {format}, and this release reads {FORMAT}")))
            }
            None => Err(damaged("it is no manifest")),
        }
    }
}
