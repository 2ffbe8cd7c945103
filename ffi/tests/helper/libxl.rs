//! libxl's side: starts a helper, hears it, answers, and may die.

use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::child::{ARGS, DIRECTORY, TROUBLE};

/// Long enough for a signal to be noticed by the process that it was sent to.
const SIGNAL_TIME: Duration = Duration::from_millis(100);

/// A message as libxl reads it: a decoder of its own, which knows nothing of the helper's encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Log { level: u32, errno: i32, context: String, text: String },
    Progress { context: String, text: String, done: u64, total: u64 },
    Suspend,
    SwitchQemuLogdirty { domid: u32, enable: u32 },
    StaticDataDone { missing: u32 },
    RestoreResults { store_gfn: u64, console_gfn: u64 },
    Complete { retval: i32, errno: i32 },
}

impl Heard {
    /// Reads what is behind a frame's length; all of it must be used.
    pub(crate) fn decode(frame: &[u8]) -> Self {
        let mut rest = frame;
        let heard = match number(&mut rest) {
            1 => Self::Log {
                level: u32(&mut rest),
                errno: u32(&mut rest).cast_signed(),
                context: text(&mut rest),
                text: text(&mut rest),
            },
            2 => Self::Progress {
                context: text(&mut rest),
                text: text(&mut rest),
                done: u64(&mut rest),
                total: u64(&mut rest),
            },
            3 => Self::Suspend,
            7 => Self::SwitchQemuLogdirty { domid: u32(&mut rest), enable: u32(&mut rest) },
            8 => Self::StaticDataDone { missing: u32(&mut rest) },
            9 => Self::RestoreResults { store_gfn: u64(&mut rest), console_gfn: u64(&mut rest) },
            10 => {
                Self::Complete { retval: u32(&mut rest).cast_signed(), errno: u32(&mut rest).cast_signed() }
            }
            other => panic!("libxl would drop message {other} and never answer"),
        };
        assert!(rest.is_empty(), "{heard:?} is followed by {rest:?}");
        heard
    }

    /// Whether it is part of the dialogue, and not just said.
    pub(crate) fn is_step(&self) -> bool {
        !matches!(self, Self::Log { .. } | Self::Progress { .. })
    }

    /// The answer that means that all is well.
    pub(crate) fn yes(&self) -> Option<i32> {
        match self {
            Self::Suspend => Some(1),
            Self::SwitchQemuLogdirty { .. } | Self::StaticDataDone { .. } | Self::Complete { .. } => Some(0),
            Self::Log { .. } | Self::Progress { .. } | Self::RestoreResults { .. } => None,
        }
    }
}

fn array<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("the frame ends in the middle of a number");
    *rest = tail;
    *head
}

fn number(rest: &mut &[u8]) -> u16 {
    u16::from_ne_bytes(array(rest))
}

fn u32(rest: &mut &[u8]) -> u32 {
    u32::from_ne_bytes(array(rest))
}

fn u64(rest: &mut &[u8]) -> u64 {
    u64::from_ne_bytes(array(rest))
}

fn text(rest: &mut &[u8]) -> String {
    let length = u32(rest) as usize;
    let (text, tail) = rest.split_at(length);
    *rest = tail;
    std::ffi::CStr::from_bytes_with_nul(text).unwrap().to_str().unwrap().to_owned()
}

/// What libxl does about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers, if it is one to be answered, that all is well.
    Yes,
    /// Answers this.
    Answer(i32),
    /// Sends SIGTERM, then answers that all is well.
    Terminate,
    /// Dies without an answer.
    Die,
    /// Dies in the middle of the answer.
    DieHalfway,
}

/// libxl with its helper.
pub(crate) struct Libxl {
    child: Child,
    to_helper: Option<PipeWriter>,
    from_helper: PipeReader,
    directory: PathBuf,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Every message, in order.
    pub(crate) heard: Vec<Heard>,
    /// The exit status; none after a death by signal.
    pub(crate) code: Option<i32>,
    /// The helper's standard error.
    pub(crate) stderr: String,
    directory: PathBuf,
}

impl Ended {
    /// The messages but for logs and progress.
    pub(crate) fn steps(&self) -> Vec<&Heard> {
        self.heard.iter().filter(|heard| heard.is_step()).collect()
    }

    /// The outcome that libxl was told, if it was told one.
    pub(crate) fn complete(&self) -> Option<(i32, i32)> {
        match self.heard.last() {
            Some(Heard::Complete { retval, errno }) => Some((*retval, *errno)),
            _ => None,
        }
    }

    /// The error message in libxl's log.
    pub(crate) fn error(&self) -> &str {
        const ERROR: u32 = 8;
        let errors: Vec<&str> = self.heard.iter().filter_map(logged(ERROR)).collect();
        assert_eq!(errors.len(), 1, "{self:#?}");
        errors[0]
    }

    /// The warnings in libxl's log.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        const WARN: u32 = 7;
        self.heard.iter().filter_map(logged(WARN)).collect()
    }

    /// The last thing that qemu was told about its log, if it was told anything.
    pub(crate) fn qemu_logs(&self) -> Option<bool> {
        self.heard.iter().rev().find_map(|heard| match heard {
            Heard::SwitchQemuLogdirty { enable, .. } => Some(*enable != 0),
            _ => None,
        })
    }

    /// What the world in the helper had to tell.
    pub(crate) fn witness(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// The promise of a save, success or not.
    pub(crate) fn assert_source_is_free(&self) {
        assert_eq!(
            (self.witness("tracking"), self.witness("batches")),
            ("false".into(), "0".into()),
            "{self:#?}"
        );
    }
}

fn logged(wanted: u32) -> impl Fn(&Heard) -> Option<&str> {
    move |heard| match heard {
        Heard::Log { level, text, .. } if *level == wanted => Some(text),
        _ => None,
    }
}

impl Libxl {
    /// Starts a helper; `stream` becomes its descriptor 5.
    pub(crate) fn start(directory: &Path, args: &str, stream: impl Into<Stdio>) -> Self {
        Self::start_with(directory, args, stream, &[])
    }

    /// The same in a world of trouble.
    pub(crate) fn start_in_trouble(
        directory: &Path,
        args: &str,
        stream: impl Into<Stdio>,
        trouble: &str,
    ) -> Self {
        Self::start_with(directory, args, stream, &[(TROUBLE, trouble)])
    }

    /// The same with these environment variables.
    pub(crate) fn start_with(
        directory: &Path,
        args: &str,
        stream: impl Into<Stdio>,
        environment: &[(&str, &str)],
    ) -> Self {
        let (helper_input, to_helper) = io::pipe().unwrap();
        let (from_helper, helper_output) = io::pipe().unwrap();
        // libtest talks on its own standard input and output: the pipes wait where it does not look. SIGTERM
        // is blocked, as it may be by libxl.
        let script = "exec env --block-signal=TERM \"$0\" --exact child::helper_process --nocapture \
                      3<&0 4>&1 5>&2 </dev/null >/dev/null 2>\"$XC_TEST_HELPER_DIRECTORY/stderr\"";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .env(ARGS, args)
            .env(DIRECTORY, directory)
            .envs(environment.iter().copied())
            .stdin(helper_input)
            .stdout(helper_output)
            .stderr(stream)
            .spawn()
            .unwrap();
        Self { child, to_helper: Some(to_helper), from_helper, directory: directory.to_owned() }
    }

    /// Hears the helper to its end, and does what `act` says about each message; it gets the message's index.
    pub(crate) fn run(mut self, mut act: impl FnMut(usize, &Heard) -> Act) -> Ended {
        let mut all = Vec::new();
        while let Some(heard) = self.hear() {
            let act = act(all.len(), &heard);
            let yes = heard.yes();
            all.push(heard);
            match act {
                Act::Yes => yes.into_iter().for_each(|reply| self.answer(&reply.to_ne_bytes())),
                Act::Answer(reply) => self.answer(&reply.to_ne_bytes()),
                Act::Terminate => {
                    self.terminate();
                    thread::sleep(SIGNAL_TIME);
                    yes.into_iter().for_each(|reply| self.answer(&reply.to_ne_bytes()));
                }
                Act::Die => break,
                Act::DieHalfway => {
                    self.answer(&[0; 2]);
                    break;
                }
            }
        }
        self.end(all)
    }

    /// The next message; none when the helper has ended.
    fn hear(&mut self) -> Option<Heard> {
        let mut length = [0; 2];
        if self.from_helper.read(&mut length[..1]).unwrap() == 0 {
            return None;
        }
        self.from_helper.read_exact(&mut length[1..]).unwrap();
        let mut frame = vec![0; u16::from_ne_bytes(length).into()];
        self.from_helper.read_exact(&mut frame).unwrap();
        Some(Heard::decode(&frame))
    }

    fn answer(&mut self, reply: &[u8]) {
        self.to_helper.as_mut().unwrap().write_all(reply).unwrap();
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    }

    fn end(mut self, heard: Vec<Heard>) -> Ended {
        self.to_helper = None;
        drop(self.from_helper);
        let status = self.child.wait().unwrap();
        let stderr = fs::read_to_string(self.directory.join("stderr")).unwrap_or_default();
        Ended { heard, code: status.code(), stderr, directory: self.directory }
    }
}
