//! Where the embedded S3 server listens, left in the data folder for commands beside it while it runs.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::Failure;

/// As the AWS tools read it from their environment.
const VARIABLE: &str = "AWS_ENDPOINT_URL_S3";

/// The file, for as long as the server runs. A killed server leaves it; the next start replaces it.
pub(super) struct S3Address(PathBuf);

impl S3Address {
    /// Only the process that has the store open writes it, so there is never more than one.
    pub fn announce(data_dir: &Path, listening: SocketAddr) -> Result<Self, Failure> {
        let path = file(data_dir);
        let failed = |error: io::Error| Failure::fault(format!("cannot write {}: {error}", path.display()));
        let fresh = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
        writeln!(out, "{VARIABLE}=http://{}", reachable(listening)).map_err(failed)?;
        fs::rename(&fresh, &path).map_err(failed)?;
        Ok(Self(path))
    }

    /// `host:port` of the server over this data folder; `None` where none runs.
    pub fn read(data_dir: &Path) -> Option<String> {
        let text = fs::read_to_string(file(data_dir)).ok()?;
        let url = text.lines().find_map(|line| line.strip_prefix(VARIABLE)?.strip_prefix('='))?;
        Some(url.trim().strip_prefix("http://")?.to_owned())
    }
}

impl Drop for S3Address {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, file = %self.0.display(), "cannot remove");
        }
    }
}

pub(super) fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("s3.env")
}

/// A listener on every address is reached by the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
