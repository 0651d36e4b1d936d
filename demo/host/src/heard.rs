//! What the shops answered this app, byte by byte as it came, where somebody wants to look through it afterwards: a file for
//! each connection, in the folder that [`FOLDER`] names. Without it nothing is kept.

use std::fs::File;
use std::io::{Error, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// docs/contracts.md names it.
const FOLDER: &str = "BALIK_HEARD";

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection that is listened to, if anybody asked for it.
#[derive(Debug)]
pub struct Heard {
    stream: TcpStream,
    file: Option<File>,
}

impl Heard {
    /// # Errors
    /// A file that cannot be made: what is not kept is not looked through.
    pub fn on(stream: TcpStream) -> std::io::Result<Self> {
        let file = |folder| {
            let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
            File::create_new(Path::new(&folder).join(format!("host-{}-{number}", std::process::id())))
        };
        Ok(Self { stream, file: std::env::var_os(FOLDER).map(file).transpose()? })
    }
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<(), Error>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let came = buf.filled().get(before..).unwrap_or_default();
        match &mut self.file {
            Some(file) if !came.is_empty() => {
                file.write_all(came).map_or_else(|error| Poll::Ready(Err(error)), |()| read)
            }
            Some(_) | None => read,
        }
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
