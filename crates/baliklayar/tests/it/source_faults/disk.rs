//! A small disk for the staged rows, which somebody else fills: SQLite meets a real end of space. It is a `tmpfs`, so
//! whoever may not mount one cannot try this fault.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const SIZE: &str = "size=48m";
const FILL: usize = 64 << 10;

pub struct Disk(PathBuf);

impl Disk {
    /// Whether this process may mount one.
    pub fn may_be() -> bool {
        let folder = tempfile::tempdir().unwrap();
        Self::mount(&folder.path().join("disk")).is_some()
    }

    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "balik"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }

    /// The staged rows of this work folder, which has none yet, will be on a disk of their own.
    pub fn under(work: &Path) -> Self {
        let disk = Self::mount(&work.join("disk")).expect("a tmpfs can be mounted");
        std::os::unix::fs::symlink(disk.0.join("staged.sqlite"), work.join("staged.sqlite")).unwrap();
        disk
    }

    /// Nothing more goes onto it.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        for part in [FILL, 512, 1] {
            while filler.write_all(&vec![0; part]).is_ok() {}
        }
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    /// Lazily: a mover that is just ending may have the file open.
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
