//! Processes that the supervisor starts: each ends when its standard input ends, so none outlives it.

use anyhow::{Context, Result, bail};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// Lines of a child that wait to be read; a child that says more waits.
const LINES_MAX: usize = 1_024;
/// How long a child may take to end once its input has ended.
const END_MAX: Duration = Duration::from_secs(5);

/// A running child.
pub struct Process {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Process {
    /// Starts this executable with other arguments.
    pub fn start(name: &'static str, args: &[String], envs: &[(&str, &str)]) -> Result<Self> {
        let executable = std::env::current_exe().context("finding this executable")?;
        let mut command = Command::new(executable);
        command.arg(name).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the supervisor, which ends its children in order.
        command.process_group(0);
        command.env_remove("BALIK_CRASH").envs(envs.iter().copied());
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let output = child.stdout.take().context("a child without output")?;
        let input = child.stdin.take();
        let (told, lines) = mpsc::channel(LINES_MAX);
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                // Ticks are for who watches; they must not fill the queue of one who waits for something else.
                if line.contains("\"said\":\"tick\"") {
                    continue;
                }
                if told.send(line).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, input, lines })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for a line that `is` says it is; an end before it is an error.
    pub async fn wait_for(&mut self, within: Duration, mut is: impl FnMut(&str) -> bool) -> Result<()> {
        let waiting = async {
            while let Some(line) = self.lines.recv().await {
                if is(&line) {
                    return Ok(());
                }
            }
            let status = self.child.wait().await?;
            bail!("{} ended before it was ready ({status}); its own messages say why", self.name)
        };
        tokio::time::timeout(within, waiting).await.with_context(|| format!("{} is not ready in time", self.name))?
    }

    /// The next line; none when the child has ended.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Writes a line to the child.
    pub async fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the child's input has ended")?;
        input.write_all(line.as_bytes()).await?;
        input.write_all(b"\n").await?;
        Ok(input.flush().await?)
    }

    /// Waits for the child to end by itself.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Ends the child's input, and the child, if it does not end by itself.
    pub async fn end(mut self) {
        drop(self.input.take());
        if tokio::time::timeout(END_MAX, self.child.wait()).await.is_err() {
            tracing::warn!(child = self.name, "does not end by itself and is killed");
            let _ = self.child.kill().await;
        }
    }
}
