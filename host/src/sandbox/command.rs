//! A command component (`wasi:cli/command`) run once: arguments and standard input in, what it printed and its exit code
//! out. A command knows nothing of the contract; a person or a plugin says what it is run with.

use wasmtime::component::Instance;
use wasmtime::{Result, Store};
use wasmtime_wasi::I32Exit;

use super::CallState;
use super::bindings::kennel::plugin::types as wit;
use super::capability::stdio::Capture;
use super::operation::{Enter, Exports, Offers, Operation};
use crate::observe::Scrubber;

/// The exported interface of a command, before the version's last number.
const RUN: &str = "wasi:cli/run@0.2.";

/// Whether an export makes a component a command.
pub(super) fn is_run(export: &str) -> bool {
    export.starts_with(RUN)
}

/// Runs a command once.
#[derive(Clone, Debug, Default)]
pub struct RunCommand {
    /// Its arguments, the first of which is its own name.
    pub arguments: Vec<String>,
    /// What it reads on standard input.
    pub stdin: Vec<u8>,
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// 0 when it succeeded, by its own word.
    pub exit_code: u8,
    /// The first bytes that it wrote to standard output (`Limits::stdio`).
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
    /// Bytes written after those, to both.
    pub dropped: u64,
}

impl Operation for RunCommand {
    type Output = Ran;
    const EXPORT: &'static str = "wasi:cli/run";
}

impl Enter for RunCommand {
    fn offered(offers: Offers) -> bool {
        offers.command
    }

    fn weight(output: &Self::Output) -> usize {
        output.stdout.len() + output.stderr.len()
    }

    fn scrub(output: &mut Self::Output, by: &Scrubber) {
        by.mask(&mut output.stdout);
        by.mask(&mut output.stderr);
    }

    fn command(&self) -> Option<&RunCommand> {
        Some(self)
    }

    fn printed(output: &mut Self::Output, out: &Capture, err: &Capture) {
        let ((stdout, more_out), (stderr, more_err)) = (out.take_bytes(), err.take_bytes());
        *output =
            Ran { exit_code: output.exit_code, stdout, stderr, dropped: more_out.saturating_add(more_err) };
    }

    async fn enter(
        self,
        exports: &Exports,
        store: &mut Store<CallState>,
        instance: &Instance,
    ) -> Result<std::result::Result<Self::Output, wit::Error>> {
        let Some(index) = exports.command() else {
            return Err(wasmtime::Error::msg("no export wasi:cli/run"));
        };
        let run = instance.get_typed_func::<(), (std::result::Result<(), ()>,)>(&mut *store, index)?;
        let exit_code = match run.call_async(&mut *store, ()).await {
            Ok((Ok(()),)) => 0,
            Ok((Err(()),)) => 1,
            // A command ends itself; that is no fault.
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => u8::try_from(*code).unwrap_or(u8::MAX),
                None => return Err(error),
            },
        };
        Ok(Ok(Ran { exit_code, ..Ran::default() }))
    }
}
