//! Compiles components in a child process of our own with bounds on address space, processor time and
//! wall clock: what hostile bytes can cost a compiler is not bounded by the compiler (wasmtime's
//! security policy leaves it to the embedder).

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::sandbox::{CodeError, check_kind, compile};

/// The hidden verb under which the binary calls itself.
pub const VERB: &str = "__compile";
/// Address space of the child, in bytes.
const MAX_SPACE: u64 = 4 << 30;
/// Processor seconds of the child.
const MAX_CPU: u64 = 120;
/// Wall clock of the child.
const MAX_WALL: Duration = Duration::from_secs(180);
/// Largest machine code taken from the child, in bytes.
const MAX_CODE: u64 = 512 << 20;
/// Longest message taken from the child, in bytes.
const MAX_MESSAGE: u64 = 4 << 10;
/// Threads of the compiler; each takes address space.
const THREADS: &str = "4";

/// Why a component has no code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The bytes are no valid component.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The compiler refused.
    #[error("{0}")]
    Refused(String),
    /// It took more than a component may.
    #[error("compiling it takes more than {0}, so it is refused")]
    Bound(&'static str),
    /// The child could not be run.
    #[error("the compiling process failed: {0}")]
    Child(String),
}

/// Runs the compiling child.
#[derive(Clone, Debug)]
pub struct Compiler {
    program: PathBuf,
}

impl Compiler {
    /// With this `kennel` binary as the child.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// With the running binary itself.
    ///
    /// # Errors
    /// When the system does not tell which that is.
    pub fn of_this_process() -> std::io::Result<Self> {
        std::env::current_exe().map(Self::new)
    }

    /// The bounds of a compilation, in words: what was refused under others may pass under these.
    #[must_use]
    pub fn bounds() -> String {
        format!("{MAX_SPACE} bytes, {MAX_CPU} s of processor, {MAX_WALL:?}, {MAX_CODE} bytes of code")
    }

    /// Compiles. Dropping the future kills the child.
    ///
    /// # Errors
    /// When the bytes are refused or exceed a bound.
    pub async fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        check_kind(wasm)?;
        let failed = |error: std::io::Error| CompileError::Child(error.to_string());
        let mut child = tokio::process::Command::new(&self.program)
            .arg(VERB)
            .env_clear()
            .envs(crate::guard::inherited())
            .env("RAYON_NUM_THREADS", THREADS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(CompileError::Child("it has no pipes".into()));
        };
        let (mut code, mut message) = (Vec::new(), Vec::new());
        let work = async {
            let write = async move {
                // A child that dies early closes the pipe; its exit status says why.
                let _ = stdin.write_all(wasm).await;
                drop(stdin);
            };
            let mut stdout = stdout.take(MAX_CODE + 1);
            let mut stderr = stderr.take(MAX_MESSAGE);
            let ((), code_read, message_read, status) = tokio::join!(
                write,
                stdout.read_to_end(&mut code),
                stderr.read_to_end(&mut message),
                child.wait()
            );
            code_read?;
            message_read?;
            status
        };
        let status = match tokio::time::timeout(MAX_WALL, work).await {
            Ok(status) => status.map_err(failed)?,
            Err(_) => return Err(CompileError::Bound("3 minutes")),
        };
        if status.success() {
            return if code.len() as u64 > MAX_CODE {
                Err(CompileError::Bound("512 MiB of machine code"))
            } else {
                Ok(code)
            };
        }
        let text = String::from_utf8_lossy(&message);
        let line = text.lines().next().unwrap_or_default();
        Err(match (status.code(), signal(status)) {
            (Some(code), _) if code == i32::from(REFUSED) => CompileError::Refused(line.to_owned()),
            (_, Some(libc_signal::XCPU | libc_signal::KILL)) => {
                CompileError::Bound("2 minutes of processor time")
            }
            // An allocation over the address space aborts; a stack of nested items overflows.
            (_, Some(libc_signal::ABRT | libc_signal::SEGV | libc_signal::BUS)) => {
                CompileError::Bound("4 GiB of memory")
            }
            _ => CompileError::Child(format!("{status}: {line}")),
        })
    }
}

/// The numbers of the signals that matter here; the same on Linux and macOS.
mod libc_signal {
    pub(super) const ABRT: i32 = 6;
    pub(super) const BUS: i32 = if cfg!(target_os = "macos") { 10 } else { 7 };
    pub(super) const KILL: i32 = 9;
    pub(super) const SEGV: i32 = 11;
    pub(super) const XCPU: i32 = 24;
}

fn signal(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// What the child ends with when the component is at fault.
const REFUSED: u8 = 1;
/// What it ends with when it could not do its work; whatever else may end a process so is not the component's fault
/// either.
const FAILED: u8 = 2;

/// The child's whole life: takes its bounds, reads a component from standard input, writes machine code
/// to standard output or one line to standard error.
#[must_use]
pub fn child_main() -> ExitCode {
    let bound = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) });
    let read = || -> std::io::Result<Vec<u8>> {
        bound(Resource::As, guarded!("compile-space", MAX_SPACE, without u64::MAX))?;
        bound(Resource::Cpu, guarded!("compile-time", MAX_CPU, without u64::MAX))?;
        bound(Resource::Core, 0)?;
        let mut wasm = Vec::new();
        std::io::stdin().lock().read_to_end(&mut wasm)?;
        Ok(wasm)
    };
    let say = |message: String, code: u8| {
        let _ = writeln!(std::io::stderr(), "{}", message.replace('\n', " "));
        ExitCode::from(code)
    };
    let wasm = match read() {
        Ok(wasm) => wasm,
        Err(error) => return say(error.to_string(), FAILED),
    };
    let code = match compile(&wasm) {
        Ok(code) => code,
        Err(error) => return say(error.to_string(), REFUSED),
    };
    match std::io::stdout().lock().write_all(&code) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(error.to_string(), FAILED),
    }
}
