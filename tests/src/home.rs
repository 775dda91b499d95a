//! A temporary home of Kennel, and the verbs of the command line run on it.
//! Each home is a folder of its own with nothing inherited from the user's.
//! It must not know what Kennel keeps in its home beyond `kennel.toml` and `plugins/`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;
use crate::guards::SWITCH;
use crate::http::HttpServer;
use crate::paths::{hostile_file, kennel_bin, plugin_file};
use crate::report::Reporting;

/// How long one verb of the command line may take, compilation of plugins by a debug build included.
const VERB_TIMEOUT: Duration = Duration::from_secs(180);

/// A temporary home. It and everything beside it is removed on drop.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
    env: Vec<(String, String)>,
    _reporting: Reporting,
}

impl Home {
    /// An empty home; `name` shows in its path so that a leftover tells where it came from.
    pub fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("kennel-{name}-"))
            .tempdir()
            .expect("a temporary folder");
        for sub in ["home/plugins", "user"] {
            std::fs::create_dir_all(dir.path().join(sub)).expect("a folder in the temporary folder");
        }
        Self { dir, env: Vec::new(), _reporting: Reporting::begin() }
    }

    fn root(&self) -> PathBuf {
        // Resolved, because grants name real places and the system's temporary folder may be a link.
        self.dir.path().canonicalize().expect("the temporary folder exists")
    }

    /// Kennel's home (`KENNEL_HOME`).
    pub fn path(&self) -> PathBuf {
        self.root().join("home")
    }

    /// A folder beside the home, outside Kennel's reach unless granted; made when it does not exist.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        std::fs::create_dir_all(&path).expect("a folder beside the home");
        path
    }

    /// Adds a variable to the environment of every `kennel` started from here.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Drops one of the project's own plugins into the plugins folder.
    pub fn plugin(&self, name: &str) -> &Self {
        self.plugin_as(name, name)
    }

    /// The same, under another file name (without `.wasm`).
    pub fn plugin_as(&self, name: &str, file: &str) -> &Self {
        let bytes = std::fs::read(plugin_file(name)).expect("the plugin can be read");
        self.bytes(file, &bytes)
    }

    /// Drops an attacker of `tests/hostile/` into the plugins folder, under a file name (without `.wasm`).
    pub fn hostile_as(&self, name: &str, file: &str) -> &Self {
        let bytes = std::fs::read(hostile_file(name)).expect("the attacker can be read");
        self.bytes(file, &bytes)
    }

    /// Puts a file `NAME.wasm` of any contents into the plugins folder, replacing atomically as a
    /// careful installer would.
    pub fn bytes(&self, name: &str, bytes: &[u8]) -> &Self {
        let aside = self.root().join(format!("{name}.part"));
        std::fs::write(&aside, bytes).expect("a file beside the home");
        std::fs::rename(&aside, self.plugin_path(name)).expect("the plugins folder takes a file");
        self
    }

    /// Puts a component written as WebAssembly text into the plugins folder.
    pub fn wat(&self, name: &str, text: &str) -> &Self {
        self.bytes(name, &wat_bytes(text))
    }

    /// Where `NAME.wasm` lies in the plugins folder.
    pub fn plugin_path(&self, name: &str) -> PathBuf {
        self.path().join("plugins").join(format!("{name}.wasm"))
    }

    /// Writes `kennel.toml`, in place of what was there.
    pub fn config(&self, text: &str) -> &Self {
        std::fs::write(self.path().join("kennel.toml"), text).expect("the home takes kennel.toml");
        self
    }

    /// Approves every plugin as it lies there.
    pub fn approve(&self) -> &Self {
        self.kennel(["approve", "--all"]).success();
        self
    }

    /// A command for the binary under test on this home, with a clean environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(kennel_bin());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KENNEL_HOME", self.path())
            .env("HOME", self.root().join("user"))
            .envs(std::env::var_os(SWITCH).map(|guard| (SWITCH, guard)))
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .current_dir(self.root().join("user"));
        command
    }

    /// Runs a verb to its end.
    pub fn kennel<I, S>(&self, args: I) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.kennel_with_input(args, b"")
    }

    /// Runs a verb to its end with something on its standard input.
    pub fn kennel_with_input<I, S>(&self, args: I, input: &[u8]) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = self.command();
        command.args(args);
        run(command, input)
    }

    /// Starts `kennel serve` and returns a client on its standard input and output.
    pub fn serve(&self) -> Client {
        self.serve_with(&[])
    }

    /// Starts `kennel serve` with more arguments.
    pub fn serve_with(&self, args: &[&str]) -> Client {
        let mut command = self.command();
        command.arg("serve").args(args);
        Client::start_ours(command)
    }

    /// Starts `kennel serve --http` on a free port of the loopback address, with more arguments.
    #[track_caller]
    pub fn serve_http(&self, args: &[&str]) -> HttpServer {
        let mut command = self.command();
        command.args(["serve", "--http", "127.0.0.1:0"]).args(args);
        HttpServer::start(command)
    }

    /// The audit's lines of calls and of changes of grants, the oldest first, as `kennel audit show` gives them.
    #[track_caller]
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let shown = self.kennel(["audit", "show", "--last", "100000", "--format", "json"]);
        let lines = shown.success().stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Removes everything now, failing when that is not possible.
    pub fn close(self) {
        self.dir.close().expect("the temporary folder can be removed");
    }
}

/// A component written as WebAssembly text, as bytes.
pub fn wat_bytes(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// What a finished command left.
#[derive(Debug)]
pub struct Run {
    /// The command, for messages.
    pub what: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Run {
    /// Panics with everything it printed unless it succeeded.
    #[track_caller]
    pub fn success(&self) -> &Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Panics with everything it printed unless it failed, by itself and not by a signal.
    #[track_caller]
    pub fn failure(&self) -> &Self {
        assert!(self.status.code().is_some_and(|code| code != 0), "{self}");
        self
    }

    /// Panics unless standard output contains `text`.
    #[track_caller]
    pub fn stdout_has(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "no {text:?} in the output of\n{self}");
        self
    }

    /// Panics unless standard error contains `text`.
    #[track_caller]
    pub fn stderr_has(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "no {text:?} in the errors of\n{self}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.what, self.status)?;
        writeln!(f, "--- stdout\n{}", self.stdout)?;
        write!(f, "--- stderr\n{}", self.stderr)
    }
}

/// Runs any command to its end, as [`Home::kennel`] does.
pub fn run_to_end(command: Command) -> Run {
    run(command, b"")
}

/// Runs a command to its end, killing it (and panicking) when it takes longer than [`VERB_TIMEOUT`].
pub(crate) fn run(mut command: Command, input: &[u8]) -> Run {
    use std::io::{Read as _, Write as _};
    let what = describe(&command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let input = input.to_vec();
    // A child that does not read its input closes the pipe, which is no fault.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stderr.read_to_end(&mut bytes).map(|_| bytes)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if start.elapsed() > VERB_TIMEOUT {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = |handle: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| {
        String::from_utf8_lossy(&handle.join().expect("the reader ends").expect("the pipe can be read"))
            .into_owned()
    };
    let (stdout, stderr) = (text(out), text(err));
    writer.join().expect("the writer ends");
    let Some(status) = status else {
        panic!("{what}: not finished after {VERB_TIMEOUT:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
    };
    Run { what, status, stdout, stderr }
}

fn describe(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.get_args().fold(program, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}
