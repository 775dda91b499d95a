//! The base of WASI: environment, arguments, standard streams, clocks, random numbers. Nothing of the
//! host's own is inherited: no environment, no arguments, no working directory, no terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::grants::{Grants, Limits, Operation, decide};
use crate::sandbox::RunCommand;

use super::stdio::Capture;

/// Which clocks and random numbers the guest gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// The machine's.
    Live,
    /// Always the same, for reading definitions: what a plugin says of itself must not depend on when
    /// it is asked.
    Fixed,
}

/// A plugin's part. Has no `Debug`, because of the values.
pub(in crate::sandbox) struct Base {
    env: BTreeMap<String, String>,
    surroundings: Surroundings,
}

impl Base {
    /// With what was granted, and the secrets that a person `exposed` to the plugin.
    pub(in crate::sandbox) fn configure(
        grants: &Grants,
        exposed: impl Iterator<Item = (String, String)>,
        surroundings: Surroundings,
    ) -> Self {
        let held = grants.env.iter().filter(|(name, _)| decide(grants, &Operation::Env(name)).is_allowed());
        let env = held.map(|(name, value)| (name.clone(), value.clone())).chain(exposed).collect();
        Self { env, surroundings }
    }

    /// The call's context, without directories, which `files` puts in.
    /// A command gets its arguments and its input, everything else has none.
    pub(in crate::sandbox) fn begin(
        &self,
        limits: &Limits,
        out: &Capture,
        err: &Capture,
        command: Option<&RunCommand>,
    ) -> WasiCtx {
        let mut builder = WasiCtxBuilder::new();
        for (name, value) in &self.env {
            builder.env(name, value);
        }
        builder
            .stdout(out.clone())
            .stderr(err.clone())
            .max_random_size(guarded!("random", limits.random_bytes, without u64::MAX))
            // What was granted of these `sockets` puts in.
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        if let Some(command) = command {
            builder.args(&command.arguments).stdin(MemoryInputPipe::new(command.stdin.clone()));
        }
        guarded!("environment", without { builder.inherit_env(); });
        guarded!("captured", without { builder.inherit_stdout(); });
        if self.surroundings == Surroundings::Fixed {
            builder
                .wall_clock(Fixed)
                .monotonic_clock(Fixed)
                .secure_random(Deterministic::new(vec![0]))
                .insecure_random(Deterministic::new(vec![0]))
                .insecure_random_seed(0);
        }
        builder.build()
    }
}

/// A clock that stands at the epoch.
struct Fixed;

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}
