//! nginx with `proxy_pass`, set up as for speed: connections kept on both sides, no access log.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Debian's place, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/nginx";
const READY_MAX: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

pub struct Nginx {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts one that listens on `port`, with so many worker processes, on these processors.
    pub async fn start(port: u16, owner: u16, workers: u32, processors: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), port, owner, workers))?;
        let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "nginx" };
        let mut command = Command::new("taskset");
        command.args(["-c", processors, program, "-c"]).arg(folder.path().join("nginx.conf")).arg("-p");
        command.arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().context("starting nginx; nginx-light and util-linux bring it")?;
        let mut nginx = Self { child, _folder: folder };
        nginx.wait(port).await?;
        Ok(nginx)
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    async fn wait(&mut self, port: u16) -> Result<()> {
        let given_up = Instant::now() + READY_MAX;
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("nginx ended at once ({status}); its own messages say why");
            }
            anyhow::ensure!(Instant::now() < given_up, "nginx does not listen");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends it and its workers.
    pub async fn end(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            // Its workers end with a master that is told to; one that is killed leaves them behind.
            Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        }
        self.child.wait().await?;
        Ok(())
    }
}

fn configuration(folder: &Path, port: u16, owner: u16, workers: u32) -> String {
    let folder = folder.display();
    // A bound on requests per connection that no run reaches: the default closes after 1,000.
    format!(
        "daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    upstream owner {{ server 127.0.0.1:{owner}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://owner;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"
    )
}
