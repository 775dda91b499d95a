//! Command components of a folder that was granted: each runs once, in a sandbox of its own, never as a process of the
//! machine. It holds nothing but those of the plugin's directories that are passed on to it.

use std::fmt;
use std::time::Duration;

use crate::bindings::tools::kennel::plugin::commands as wit;

/// Why a command was not run, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// It was not granted; says what is missing.
    Denied(String),
    /// There is no command of this name.
    Unknown(String),
    /// What it was to be run with cannot be.
    Invalid(String),
    /// There is no room for another instance now.
    Busy,
    /// A limit ended it; which, and the key that raises it.
    Limit(String),
    /// It is no command, trapped, or the host failed.
    Failed(String),
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(formatter, "this command is not granted: {why}"),
            Self::Unknown(name) => write!(formatter, "there is no command {name:?}"),
            Self::Invalid(why) => write!(formatter, "the command cannot be run so: {why}"),
            Self::Busy => formatter.write_str("the host has no room to run a command now; try again"),
            Self::Limit(why) => write!(formatter, "the command was ended: {why}"),
            Self::Failed(why) => write!(formatter, "the command failed: {why}"),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<wit::CommandError> for CommandError {
    fn from(error: wit::CommandError) -> Self {
        match error {
            wit::CommandError::Denied(why) => Self::Denied(why),
            wit::CommandError::Unknown(name) => Self::Unknown(name),
            wit::CommandError::Invalid(why) => Self::Invalid(why),
            wit::CommandError::Busy => Self::Busy,
            wit::CommandError::Limit(why) => Self::Limit(why),
            wit::CommandError::Failed(why) => Self::Failed(why),
        }
    }
}

/// The names of the commands that may be run, sorted.
///
/// # Errors
/// A [`CommandError`].
pub fn list() -> Result<Vec<String>, CommandError> {
    Ok(wit::list()?)
}

/// A command and what it is run with.
///
/// ```no_run
/// # use kennel_sdk::prelude::*;
/// # fn f() -> Result<()> {
/// let ended = command::Command::new("word-count").arg("-l").directory("/docs").run()?;
/// log::info(format!("it printed {}", String::from_utf8_lossy(&ended.stdout)));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `run`"]
pub struct Command(wit::Command);

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// 0 when it succeeded, by its own word.
    pub exit_code: u8,
    /// The first bytes that it wrote to standard output; the plugin's limit `stdio` says how many.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// Bytes that it wrote after those, to both.
    pub dropped: u64,
}

impl Command {
    /// By the name of its file in the folder, without `.wasm`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(wit::Command {
            name: name.into(),
            arguments: Vec::new(),
            stdin: Vec::new(),
            directories: Vec::new(),
            timeout_ms: None,
        })
    }

    /// One more argument, taken word by word: no shell reads it.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.0.arguments.push(argument.into());
        self
    }

    /// More arguments.
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What it reads on its standard input; nothing when it is not said.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.stdin = bytes.into();
        self
    }

    /// Passes on a directory that the plugin itself holds, by the path that it sees.
    pub fn directory(mut self, guest: impl Into<String>) -> Self {
        self.0.directories.push(guest.into());
        self
    }

    /// The most wall clock it may take; never more than is left to the call.
    pub fn timeout(mut self, most: Duration) -> Self {
        self.0.timeout_ms = Some(u64::try_from(most.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// A [`CommandError`]; none because it says itself that it failed, which is its exit code.
    pub fn run(self) -> Result<Output, CommandError> {
        let wit::Ended { exit_code, stdout, stderr, dropped } = wit::run(&self.0)?;
        Ok(Output { exit_code, stdout, stderr, dropped })
    }
}
