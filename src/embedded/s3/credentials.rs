//! The access key of an embedded store: made at the first start, kept readable by its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretString};

/// One access key. Whoever has it may do everything the store can do.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("cannot read or write the access key in {path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("{path} does not hold AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=…; remove it to have a new key made")]
    Malformed { path: String },
    #[error("the system gave no random bytes for an access key")]
    Random,
}

/// 32 symbols without look-alikes, as in Amazon's ids.
const SYMBOLS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Credentials {
    /// Reads the file, or makes a key and writes it. The file has the form of a shell script and of an env file:
    /// `. credentials.env` or `--env-file` give the AWS tools what they need.
    ///
    /// # Errors
    /// Where the file can neither be read nor made, or holds something else.
    pub fn load_or_create(path: &Path) -> Result<Self, CredentialsError> {
        let shown = || path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).ok_or_else(|| CredentialsError::Malformed { path: shown() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::generate()?;
                made.write(path).map_err(|source| CredentialsError::Io { path: shown(), source })?;
                Ok(made)
            }
            Err(source) => Err(CredentialsError::Io { path: shown(), source }),
        }
    }

    fn generate() -> Result<Self, CredentialsError> {
        let mut random = [0_u8; 46];
        rand::fill(&mut random).map_err(|_| CredentialsError::Random)?;
        let (id, secret) = random.split_at(16);
        let id: String = id.iter().map(|byte| char::from(SYMBOLS[usize::from(byte % 32)])).collect();
        Ok(Self {
            access_key_id: format!("SNAP{id}"),
            secret_access_key: base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE, secret).into(),
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.lines()
                .map(|line| line.trim().trim_start_matches("export ").trim())
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(|value| value.trim().trim_matches('"').to_owned())
                .filter(|value| !value.is_empty())
        };
        Some(Self {
            access_key_id: value("AWS_ACCESS_KEY_ID")?,
            secret_access_key: value("AWS_SECRET_ACCESS_KEY")?.into(),
        })
    }

    /// Whole or not at all, and never readable by others, not even for a moment.
    fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        write!(
            file,
            "# The access key of Snaphaven's embedded S3 server. Keep it secret.\n\
             AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n",
            self.access_key_id,
            self.secret_access_key.expose_secret()
        )?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    }
}
