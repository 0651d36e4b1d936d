//! The owner behind both proxies: reads a request, sends 240 bytes back, and does nothing else.
//!
//! A process of its own with one thread. It must never be what is measured, so it knows of HTTP only the end of a head
//! and a content length, and answers whatever comes.

use anyhow::{Result, bail};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};

/// Bytes of a body, both ways.
pub const BODY: usize = 240;

/// Serves until standard input ends: `owner PORT`.
pub fn run(args: &[String]) -> Result<()> {
    let [port] = args else { bail!("owner PORT") };
    let port = port.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(port))
}

async fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    ready();
    let mut stdin = tokio::io::stdin();
    let mut byte = [0_u8; 1];
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn_local(connection(stream));
            }
            read = stdin.read(&mut byte) => if read? == 0 { return Ok(()) },
        }
    }
}

#[expect(clippy::print_stdout, reason = "whoever started us waits for this line")]
fn ready() {
    println!("ready");
}

/// Ends with its client.
async fn connection(mut stream: TcpStream) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {BODY}\r\n\r\n{}",
        "x".repeat(BODY)
    );
    let mut bytes = Vec::with_capacity(16 << 10);
    loop {
        while let Some(end) = request_end(&bytes) {
            bytes.drain(..end);
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        if stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
}

/// Where the first request ends, if all of it is here.
fn request_end(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = bytes[..head].split(|byte| *byte == b'\n').find_map(content_length).unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}

fn content_length(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let value = line.get(NAME.len()..).filter(|_| line[..NAME.len()].eq_ignore_ascii_case(NAME))?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
