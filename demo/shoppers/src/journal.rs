//! The oracle's own memory on disk: what was about to be asked, and what was answered.
//!
//! One thread writes; a line is acknowledged after the sync that covers it, and one sync covers whatever waits. So a
//! write is on disk before it is sent, and its answer before anyone is told that it was received.

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Lines that one sync covers at most.
const GROUP_MAX: usize = 256;
/// Lines that may wait; a sender beyond it would be slower than the disk for a long time.
const WAITING_MAX: usize = 16_384;

struct Waiting {
    line: Vec<u8>,
    written: oneshot::Sender<Result<(), String>>,
}

/// The way to the writing thread, which ends with it.
#[derive(Debug, Clone)]
pub struct Journal(mpsc::SyncSender<Waiting>);

impl Journal {
    /// Opens (or makes) the file and gives back what stands in it. A last line without an end was never
    /// acknowledged: it is cut off.
    pub fn open<T: DeserializeOwned>(path: &Path) -> anyhow::Result<(Self, Vec<T>)> {
        let (lines, whole) = replay(path).with_context(|| format!("reading journal {}", path.display()))?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("opening journal {}", path.display()))?;
        file.set_len(whole)?;
        let (to, from) = mpsc::sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("journal".into()).spawn(move || write(file, &from))?;
        Ok((Self(to), lines))
    }

    /// Returns once the line is on disk.
    pub async fn append(&self, line: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let (written, told) = oneshot::channel();
        self.0.try_send(Waiting { line, written }).map_err(|_| anyhow::anyhow!("the journal does not keep up"))?;
        told.await
            .context("the journal's thread ended")?
            .map_err(|error| anyhow::anyhow!("writing the journal: {error}"))
    }
}

/// Every whole line, and the length of the file up to the end of the last one.
fn replay<T: DeserializeOwned>(path: &Path) -> anyhow::Result<(Vec<T>, u64)> {
    let Ok(file) = File::open(path) else {
        return Ok((Vec::new(), 0));
    };
    let (mut lines, mut whole) = (Vec::new(), 0);
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        lines.push(serde_json::from_slice(&line).with_context(|| format!("at byte {whole}"))?);
        whole += u64::try_from(line.len())?;
        line.clear();
    }
    Ok((lines, whole))
}

fn write(mut file: File, from: &mpsc::Receiver<Waiting>) {
    while let Ok(first) = from.recv() {
        let group: Vec<Waiting> = std::iter::once(first).chain(from.try_iter()).take(GROUP_MAX).collect();
        let bytes: Vec<u8> = group.iter().flat_map(|waiting| waiting.line.iter().copied()).collect();
        let outcome = file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(|error| error.to_string());
        for waiting in group {
            // Whoever no longer waits has been dropped with its request.
            let _gone = waiting.written.send(outcome.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Journal;
    use std::io::Write;

    #[tokio::test]
    async fn what_was_appended_is_replayed_and_a_torn_last_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (journal, before) = Journal::open::<u64>(&path).unwrap();
        assert!(before.is_empty());
        for number in 0..300_u64 {
            journal.append(&number).await.unwrap();
        }
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"30").unwrap();
        let (journal, lines) = Journal::open::<u64>(&path).unwrap();
        assert_eq!(lines, (0..300).collect::<Vec<_>>());
        journal.append(&301_u64).await.unwrap();
        assert_eq!(Journal::open::<u64>(&path).unwrap().1.last(), Some(&301));
    }

    #[test]
    fn a_whole_line_that_is_no_entry_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        std::fs::write(&path, "1\nx\n").unwrap();
        assert!(Journal::open::<u64>(&path).is_err());
    }
}
