//! A command under test, running.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a command is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(5);

/// A running command whose output is collected.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    heard: String,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its data.
    pub stdout: String,
    /// Its lines for people.
    pub stderr: String,
}

impl Finished {
    /// The last line for people: where the guest is.
    #[must_use]
    pub fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }

    /// The exit code; `None` after a signal.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless the command exited with this code.
    ///
    /// # Panics
    /// Then.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self:#?}");
        self
    }
}

impl Running {
    /// Starts a command.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::start_until(command, |_| true)
    }

    /// Starts a command and waits for a line on its standard error that `ready` likes.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_until(command: &mut Command, ready: impl Fn(&str) -> bool) -> Self {
        let wait = !ready("");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut heard = String::new();
        while wait && !heard.lines().any(&ready) && read_line(&mut stderr, &mut heard) {}
        let mut stdout = child.stdout.take().expect("it is piped");
        Self {
            child,
            stdout: thread::spawn(move || collect(&mut stdout)),
            stderr: thread::spawn(move || collect(&mut stderr)),
            heard,
        }
    }

    /// What it had said on standard error when it was ready.
    #[must_use]
    pub fn heard(&self) -> &str {
        &self.heard
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, `KILL` or `INT` for example.
    pub fn signal(&self, name: &str) {
        // It may have ended meanwhile.
        let _ =
            Command::new("kill").args(["-s", name, &self.pid().to_string()]).stderr(Stdio::null()).status();
    }

    /// Waits for its end, but no longer than this; returns whether it has ended.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if self.child.try_wait().expect("a child can be waited for").is_some() {
                return true;
            }
            thread::sleep(LOOK);
        }
        false
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = self.child.wait().expect("a child can be waited for");
        let stdout = self.stdout.join().expect("the collector does not panic");
        let stderr = self.heard + &self.stderr.join().expect("the collector does not panic");
        Finished { status, stdout, stderr }
    }
}

fn read_line(input: &mut BufReader<ChildStderr>, into: &mut String) -> bool {
    input.read_line(into).is_ok_and(|bytes| bytes > 0)
}

fn collect(input: &mut impl Read) -> String {
    let mut text = Vec::new();
    // What was said before the pipe broke still counts.
    let _ = input.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
