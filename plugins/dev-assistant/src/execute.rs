//! Runs a command: a WASI component out of the folder that was granted for it, in a sandbox of its own. There is no process
//! and no shell. Must not know where commands lie or what they may use: that is the host's.

use std::time::Duration;

use kennel_sdk::command::{self, Command, CommandError, Output};
use kennel_sdk::prelude::*;

use crate::access::Access;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Execute {
    /// The command's name; when `arguments` is left out, with its arguments behind it. These are split as a shell splits
    /// words, with its quotes, but nothing is expanded.
    #[schemars(length(min = 1))]
    command: String,
    /// The arguments, each as it is.
    arguments: Option<Vec<String>>,
    /// What the command reads from its standard input.
    stdin: Option<String>,
    /// Granted directories that are passed on to the command, which otherwise has none.
    #[serde(default)]
    directories: Vec<String>,
    /// After how many seconds it is ended.
    #[schemars(range(min = 1))]
    timeout: Option<u64>,
}

/// How a command ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Ended {
    stdout: String,
    stderr: String,
    exit_code: u8,
    /// How many bytes of both were cut.
    dropped: u64,
}

/// Run one of the granted WebAssembly commands in a sandbox of its own. It is no shell: there are no pipes and no variables
#[tool(title = "Run a command", read_only = false, destructive, idempotent = false, open_world = false, output = Ended)]
pub(crate) fn execute(args: Execute) -> Result<ToolResult> {
    let (name, arguments) = words(&args.command, args.arguments)?;
    let mut command = Command::new(name).args(arguments);
    if let Some(stdin) = args.stdin {
        command = command.stdin(stdin);
    }
    let access = Access::granted();
    for directory in &args.directories {
        command = command.directory(access.resolve(directory)?);
    }
    if let Some(seconds) = args.timeout {
        command = command.timeout(Duration::from_secs(seconds));
    }
    let ended = Ended::from(command.run().map_err(told)?);
    ToolResult::new().text(ended.text()).structured(&ended)
}

/// The name and the arguments of a command.
fn words(command: &str, arguments: Option<Vec<String>>) -> Result<(String, Vec<String>)> {
    if let Some(arguments) = arguments {
        return Ok((command.to_owned(), arguments));
    }
    let split = shell_words::split(command)
        .map_err(|error| Error::invalid(format!("the command cannot be split into words: {error}")))?;
    let mut words = split.into_iter();
    let name = words.next().ok_or_else(|| Error::invalid("the command is empty"))?;
    Ok((name, words.collect()))
}

/// An error with what there is instead.
fn told(error: CommandError) -> Error {
    let CommandError::Unknown(name) = error else { return error.into() };
    match command::list() {
        Ok(names) if !names.is_empty() => {
            Error::failed(format!("there is no command {name}; there are: {}", names.join(", ")))
        }
        Ok(_) => Error::failed(format!(
            "there is no command {name}: the folder of commands that was granted is empty"
        )),
        Err(error) => error.into(),
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            exit_code: output.exit_code,
            dropped: output.dropped,
        }
    }
}

impl Ended {
    /// The exit code, then what was printed.
    fn text(&self) -> String {
        let mut parts = vec![format!("exit code {}", self.exit_code)];
        for (name, printed) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !printed.is_empty() {
                parts.push(format!("{name}:\n{}", printed.trim_end_matches('\n')));
            }
        }
        if self.dropped > 0 {
            parts.push(format!("({} bytes of it were cut)", self.dropped));
        }
        parts.join("\n")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_command_is_split_only_when_it_has_no_arguments() {
        let split =
            |command: &str| words(command, None).map(|(name, rest)| format!("{name}|{}", rest.join("|")));
        assert_eq!(split("wc -l 'a b' \"c $HOME\" d\\ e *").unwrap(), "wc|-l|a b|c $HOME|d e|*");
        assert_eq!(split("wc").unwrap(), "wc|");
        assert!(split("wc 'a").unwrap_err().to_string().contains("cannot be split"));
        assert!(split("  ").unwrap_err().to_string().contains("empty"));
        let given = words("my command", Some(vec!["a b".to_owned()])).unwrap();
        assert_eq!(given, ("my command".to_owned(), vec!["a b".to_owned()]));
    }

    #[test]
    fn what_was_printed_is_told_behind_the_exit_code() {
        let ended = |stdout: &str, stderr: &str, exit_code, dropped| {
            Ended { stdout: stdout.to_owned(), stderr: stderr.to_owned(), exit_code, dropped }.text()
        };
        assert_eq!(ended("", "", 0, 0), "exit code 0");
        assert_eq!(ended("a\nb\n", "", 0, 0), "exit code 0\nstdout:\na\nb");
        assert_eq!(
            ended("out", "no\n", 2, 7),
            "exit code 2\nstdout:\nout\nstderr:\nno\n(7 bytes of it were cut)"
        );
    }
}
