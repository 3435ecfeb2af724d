//! nginx on a free port with one worker: what the edge is compared with.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::load::Cpu;

/// Ended when dropped.
pub struct Nginx {
    master: Child,
    port: u16,
    _folder: TempDir,
}

impl Nginx {
    /// Serves these files.
    pub async fn start(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its worker is another user's, where this runs as root.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().display();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};"))
            .concat();
        let config = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/error.log; events {{ }} \
             http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000; {temporary} \
             server {{ listen 127.0.0.1:{port}; root {path}; }} }}"
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let master =
            Command::new("nginx").arg("-c").arg(folder.path().join("nginx.conf")).stderr(Stdio::null()).spawn();
        let master = master.expect("nginx is missing; on Debian: sudo apt-get install nginx-light");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { master, port, _folder: folder }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Of its worker.
    pub fn cpu(&self) -> Cpu {
        let found = Command::new("pgrep").args(["-P", &self.master.id().to_string()]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        Cpu(found.split_whitespace().map(|pid| pid.parse().unwrap()).collect())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.master.id().to_string()).status();
        let _ = self.master.wait();
    }
}
