//! The way from the app to the shop, on which answers can be lost: the shop does what it was told, and nobody hears of it.
//! Or only nothing is heard of how things stand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Way {
    /// `http://host:port` that the app is told.
    pub at: String,
    loses: Arc<AtomicBool>,
    loses_reads: Arc<AtomicBool>,
    write_ms: Arc<AtomicU64>,
    lost: Arc<Mutex<Vec<String>>>,
}

impl Way {
    /// Its threads end with the test's process.
    pub fn to(shop: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let loses: [Arc<AtomicBool>; 2] = Default::default();
        let [writes, reads] = loses.clone();
        let way = Self { at, loses: writes, loses_reads: reads, write_ms: Arc::default(), lost: Arc::default() };
        let (write_ms, lost) = (way.write_ms.clone(), way.lost.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (loses, write_ms, lost) = (loses.clone(), write_ms.clone(), lost.clone());
                std::thread::spawn(move || carry(&stream.unwrap(), shop, &loses, &write_ms, &lost));
            }
        });
        way
    }

    /// From now on nobody hears what became of a write, or does again.
    pub fn lose_answers(&self, loses: bool) {
        self.loses.store(loses, Ordering::Relaxed);
    }

    /// From now on nobody hears how anything stands, or does again.
    pub fn lose_reads(&self, loses: bool) {
        self.loses_reads.store(loses, Ordering::Relaxed);
    }

    /// From now on a write takes so much longer, as it does in a hold.
    pub fn slow_writes_ms(&self, write_ms: u64) {
        self.write_ms.store(write_ms, Ordering::Relaxed);
    }

    /// The key and the body of each write whose answer was lost.
    pub fn lost(&self) -> Vec<String> {
        self.lost.lock().unwrap().clone()
    }
}

/// One request; the connection ends with it.
fn carry(
    stream: &TcpStream,
    shop: SocketAddr,
    loses: &[Arc<AtomicBool>; 2],
    write_ms: &AtomicU64,
    lost: &Mutex<Vec<String>>,
) {
    let [loses_writes, loses_reads] = loses;
    let mut from = BufReader::new(stream);
    let (mut head, mut length, mut key) = (String::new(), 0, None);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        let (name, value) = line.trim().split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "idempotency-key" => key = Some(value.to_owned()),
            _ => {}
        }
        head += &line;
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    if key.is_some() {
        std::thread::sleep(Duration::from_millis(write_ms.load(Ordering::Relaxed)));
    }
    let mut onward = TcpStream::connect(shop).unwrap();
    onward.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
    onward.write_all(&body).unwrap();
    let mut answer = Vec::new();
    onward.read_to_end(&mut answer).unwrap();
    match key {
        Some(key) if loses_writes.load(Ordering::Relaxed) => {
            lost.lock().unwrap().push(format!("{key} {}", String::from_utf8_lossy(&body)));
        }
        None if loses_reads.load(Ordering::Relaxed) => {}
        // Whoever asked may have gone.
        _ => drop((&*stream).write_all(&answer)),
    }
}
