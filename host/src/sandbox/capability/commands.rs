//! `kennel:plugin/commands`: command components of a granted folder, each run once in a sandbox of its own.
//! Must not give a command anything that the plugin does not hold, nor start a process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmtime::component::{HasSelf, Linker};

use crate::grants::{CommandGrant, Decision, Digest, Grants, Intent, Operation, Rule};
use crate::sandbox::bindings::kennel::plugin::commands as wit;
use crate::sandbox::code::CommandSource;
use crate::sandbox::program::NotRun;
use crate::sandbox::{CallContext, CallError, CallState, Counters, Program, RunCommand};

/// Names of one list (`wit/commands.wit`).
const MAX_LIST: usize = 1000;
/// Commands that are kept ready, each with the directories it is given. A plugin with more of them at hand makes them ready
/// again, which takes milliseconds.
const MAX_READY: usize = 32;
/// Fuel for looking at the folder.
const TRIP: u64 = 5_000;

/// Puts the interface behind its import.
///
/// # Errors
/// When it is linked already.
pub fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wit::add_to_linker::<CallState, HasSelf<Call>>(linker, |state| &mut state.commands)
}

/// A plugin's commands, or none.
#[derive(Clone, Default)]
pub struct Configured(Option<Arc<Granted>>);

/// What tells commands that are ready apart: their bytes, and the directories they are given.
type Key = (Digest, Vec<String>);

struct Granted {
    grants: Grants,
    folder: PathBuf,
    /// The grant's text, for the audit.
    rule: Arc<str>,
    source: Arc<dyn CommandSource>,
    ready: Mutex<HashMap<Key, Arc<Program>>>,
}

impl Configured {
    /// The commands, as granted. Nothing is looked at before the first use.
    #[must_use]
    pub fn configure(grants: &Grants, source: Arc<dyn CommandSource>) -> Self {
        Self(grants.commands.as_ref().map(|grant: &CommandGrant| {
            // What is not about commands or directories need not be kept with it.
            let grants = Grants {
                commands: Some(grant.clone()),
                directories: grants.directories.clone(),
                ..Grants::default()
            };
            let (folder, rule) = (grant.folder.clone(), grant.to_string().into());
            Arc::new(Granted { grants, folder, rule, source, ready: Mutex::default() })
        }))
    }

    /// The part of one call of `program`.
    pub(in crate::sandbox) fn begin(
        &self,
        program: &Arc<Program>,
        context: &CallContext,
        counters: &Arc<Counters>,
    ) -> Call {
        let granted = self.0.as_ref().map(|granted| Access {
            granted: granted.clone(),
            program: Arc::downgrade(program),
            cancel: context.cancel.clone(),
        });
        Call { granted, counters: counters.clone() }
    }
}

/// A call's access to its commands.
pub struct Call {
    granted: Option<Access>,
    counters: Arc<Counters>,
}

/// What it takes to run one.
#[derive(Clone)]
struct Access {
    granted: Arc<Granted>,
    /// Whose call it is: it is there for as long as the call is.
    program: Weak<Program>,
    /// Ends the call, and so the command.
    cancel: CancellationToken,
}

impl Call {
    /// What the call may use, if it may run the command of this name.
    fn allowed(&self, name: &str) -> Result<Access, wit::CommandError> {
        let none = Grants::default();
        let grants = self.granted.as_ref().map_or(&none, |access| &access.granted.grants);
        match (self.counters.decide(grants, &Operation::Command(name)), &self.granted) {
            (Decision::Allowed(Rule::Commands), Some(access)) => {
                self.counters.allowed(&access.granted.rule);
                self.counters.charge(TRIP);
                Ok(access.clone())
            }
            (Decision::Denied(reason), _) => {
                self.counters.denied("command");
                self.counters.refused(Intent::Command(name.to_owned()));
                Err(wit::CommandError::Denied(reason.to_string()))
            }
            (Decision::Allowed(_), _) => Err(wit::CommandError::Denied("it holds no commands".into())),
        }
    }
}

impl wit::Host for Call {
    async fn list(&mut self) -> wasmtime::Result<Result<Vec<String>, wit::CommandError>> {
        let Some(access) = &self.granted else {
            self.counters.denied("command");
            return Ok(Err(wit::CommandError::Denied("it holds no commands".into())));
        };
        self.counters.charge(TRIP);
        let granted = access.granted.clone();
        let names = wasmtime_wasi::runtime::spawn_blocking(move || granted.names()).await;
        if let Ok(names) = &names {
            self.counters.charge(names.iter().map(|name| name.len() as u64).sum());
        }
        Ok(names.map_err(|error| wit::CommandError::Failed(format!("the folder cannot be listed: {error}"))))
    }

    async fn run(
        &mut self,
        command: wit::Command,
    ) -> wasmtime::Result<Result<wit::Ended, wit::CommandError>> {
        let access = match self.allowed(&command.name) {
            Ok(access) => access,
            Err(error) => return Ok(Err(error)),
        };
        Ok(access.run(command, &self.counters).await)
    }
}

impl Granted {
    /// The names of the commands in the folder that were granted, sorted.
    fn names(&self) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let Ok(file) = entry?.file_name().into_string() else { continue };
            let Some(name) = file.strip_suffix(".wasm") else { continue };
            if self.grants.commands.as_ref().is_some_and(|grant| grant.shows(name)) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        names.truncate(MAX_LIST);
        Ok(names)
    }

    /// What a command gets: these of the plugin's directories, which it names by the paths it sees them under.
    fn passed_on(&self, directories: &[String]) -> Result<Grants, wit::CommandError> {
        let mut passed = Grants::default();
        for guest in directories {
            let held = self.grants.directories.iter().find(|held| held.guest == *guest);
            let held = guarded!(
                "command-directories",
                held,
                without held.or(self.grants.directories.first())
            );
            let Some(held) = held else {
                return Err(wit::CommandError::Invalid(format!(
                    "a directory that it does not hold cannot be passed on: {guest:?}"
                )));
            };
            if !passed.directories.contains(held) {
                passed.directories.push(held.clone());
            }
        }
        Ok(passed)
    }
}

impl Access {
    async fn run(
        &self,
        command: wit::Command,
        counters: &Arc<Counters>,
    ) -> Result<wit::Ended, wit::CommandError> {
        let wit::Command { name, arguments, stdin, directories, timeout_ms } = command;
        if arguments.iter().any(|argument| argument.contains('\0')) {
            return Err(wit::CommandError::Invalid("an argument holds a NUL".into()));
        }
        let grants = self.granted.passed_on(&directories)?;
        let program = self.ready(&name, &grants).await?;
        let arguments = std::iter::once(name).chain(arguments).collect();
        // It is told nothing of whoever waits for it, and tells them nothing by itself.
        let (cancel, counted) = (self.cancel.clone(), counters.clone());
        let context = CallContext { cancel, counters: counted, ..CallContext::unattended() };
        let running = program.run_command(RunCommand { arguments, stdin }, context);
        let ended = match timeout_ms.map(Duration::from_millis) {
            None => running.await,
            Some(timeout) => tokio::time::timeout(timeout, running).await.map_err(|_| {
                wit::CommandError::Limit(format!(
                    "it took longer than the {} ms it was given",
                    timeout.as_millis()
                ))
            })?,
        };
        let finished = ended.map_err(|why| match why {
            NotRun::Full => wit::CommandError::Busy,
            NotRun::Cannot(why) => wit::CommandError::Failed(why),
        })?;
        // A call uses no more than it may by having commands do its work.
        counters.charge(guarded!("command-fuel", finished.usage.fuel, without 0));
        match finished.result {
            Ok(ran) => Ok(wit::Ended {
                exit_code: ran.exit_code,
                stdout: ran.stdout,
                stderr: ran.stderr,
                dropped: ran.dropped,
            }),
            Err(CallError::Limit(hit)) => Err(wit::CommandError::Limit(hit.to_string())),
            Err(error) => Err(wit::CommandError::Failed(error.to_string())),
        }
    }

    /// The command with these directories, made ready if it is not.
    async fn ready(&self, name: &str, grants: &Grants) -> Result<Arc<Program>, wit::CommandError> {
        let failed = |why: String| wit::CommandError::Failed(why);
        let file = file(&self.granted.folder, name);
        // Read anew each time: whoever replaces a command wants the new one run.
        let found = self.granted.source.clone().find(file).await.map_err(failed)?;
        let Some(found) = found else {
            return Err(wit::CommandError::Unknown(name.to_owned()));
        };
        let directories = grants.directories.iter().map(|held| held.guest.clone()).collect();
        let key = (found.digest, directories);
        let known = || self.granted.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = known().get(&key) {
            return Ok(program.clone());
        }
        let Some(program) = self.program.upgrade() else {
            return Err(failed("the call is over".into()));
        };
        let program = program.command(found, grants).map_err(|error| failed(error.to_string()))?;
        let mut known = known();
        if known.len() >= MAX_READY {
            known.clear();
        }
        known.insert(key, program.clone());
        Ok(program)
    }
}

/// The file of a command, whose name was checked.
fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.wasm"))
}
