//! `kennel learn`: calls a plugin's tools while everything it does is recorded, and proposes the smallest grants that
//! would have sufficed. What it may do meanwhile is what a person granted or names here, as far as it asks for it.

mod calls;
mod settle;
mod shown;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::api::{Backend as _, Done};
use crate::catalog::types::Outcome;
use crate::config::edit::{self, Allow};
use crate::config::{Config, Home};
use crate::grants::learn::{Learned, Seen, learn};
use crate::grants::{Approval, Grants, Lock, PluginName, Trust};
use crate::observe::{Audit, Recorder, escape_for_people};
use crate::plugin::{Plugin, PluginFile, Serves, serves};

use super::call::{Format, from_terminal, text_of};
use super::candidates::candidates;
use super::edited::put;
use super::opened::Lazy;
use super::{Failure, allow};
use calls::Call;

/// Find the smallest grants that suffice for what you have a plugin do
///
/// Calls tools of an approved plugin, for real, and records everything it does. Meanwhile it may do what kennel.toml grants
/// it and what you name here in the words of `kennel allow`, as far as it asks for it, and nothing else. Then it
/// says which grants would have sufficed, as lines of kennel.toml, and what was denied. For example:
///
///   kennel learn filesystem --dir ~/Documents:rw --as /docs -- read_text_file '{"path": "/docs/a.md"}'
///
///   kennel learn weather-us --http https://api.weather.gov --accept -- get_alerts '{"state": "CA"}'
///
/// Nothing is granted for later unless you say --accept. Answers 0 when all calls succeeded, else 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    /// Write what would have sufficed into kennel.toml
    #[arg(long)]
    accept: bool,
    /// More calls, one {"tool": "NAME", "arguments": {…}} a line
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten, next_help_heading = "What it may do meanwhile, at most")]
    bounds: allow::Typed,
    /// A tool by the plugin's own name and its arguments, a JSON object; `--` and another one
    #[arg(last = true, value_names = ["TOOL", "JSON"], num_args = 0..)]
    calls: Vec<String>,
}

/// How a call ended.
struct Called {
    tool: String,
    /// Why it failed; nothing when it succeeded.
    failed: Option<String>,
    /// How many questions it asks, whose answers nobody gives.
    questions: usize,
}

/// What came of it all.
struct Lesson<'a> {
    plugin: &'a PluginName,
    called: Vec<Called>,
    seen: Vec<Seen>,
    /// Whether everything was recorded.
    whole: bool,
    learned: Learned,
    /// What kennel.toml grants already.
    granted: Grants,
}

/// Learns. `here` is where relative paths begin.
///
/// # Errors
/// When the configuration has faults, the plugin is not approved, there is no such tool, or nothing can be written.
pub(super) fn run(
    args: &Args,
    opened: &Lazy,
    here: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let (home, surroundings) = (opened.home(), opened.surroundings());
    let mut calls = if args.calls.is_empty() { Vec::new() } else { calls::of_words(&args.calls)? };
    if let Some(script) = &args.script {
        calls.extend(calls::of_file(&here.join(script))?);
    }
    if calls.is_empty() {
        return Err(Failure::new("there is nothing to learn from; write -- TOOL '{…}', or --script FILE"));
    }
    let before = Config::load(home, surroundings)?;
    let wanted = args.bounds.wanted(here)?;
    if wanted.iter().any(|one| matches!(one, Allow::Secret(_))) {
        return Err(Failure::new(
            "--secret: a secret is granted by hand and never learned; use `kennel allow` first",
        ));
    }
    let bounds = edit::preview(home, surroundings, &args.plugin, &wanted)?;
    let recorder = Arc::new(Recorder::default());
    home.create()?;
    let audit = Audit::begin(&home.audit(), super::audit::options(&before.audit))?;
    let catalog = Catalog::recorded(Some(audit.clone()), Some(recorder.clone()));
    let (runtime, loader) = opened.loader()?;
    let plugin = {
        let Ready { file, config, approval, lock } = Ready::of(&args.plugin, &bounds, home)?;
        let pin = lock.plugins.get(&args.plugin);
        let pin = pin.filter(|_| approval == Approval::Approved && config.trust == Trust::Approved);
        let pin = pin.map(|pin| &pin.definitions);
        runtime.block_on(loader.load(&file, &config, &bounds.limits, &approval, pin))?
    };
    if let Some(why) = &plugin.holding.unapproved {
        return Err(unapproved(&args.plugin, why));
    }
    catalog.set_plugins(std::slice::from_ref(&plugin));
    catalog.set_ready();
    let names = calls.iter().map(|call| tool(&catalog, &plugin, call)).collect::<Result<Vec<_>, _>>()?;
    tell_bounds(&plugin, err)?;
    let mut called = Vec::new();
    for (call, name) in calls.into_iter().zip(names) {
        let done = runtime.block_on(catalog.call_tool(&name, call.arguments.into(), from_terminal()));
        let (failed, questions) = match done {
            Ok(Done { outcome: Outcome::Complete(result), .. }) => {
                let words = || result.content.iter().map(text_of).collect::<Vec<_>>().join("; ");
                (result.is_error.then(words), 0)
            }
            Ok(Done { outcome: Outcome::InputRequired(pending) | Outcome::Offer(pending, _), .. }) => {
                (None, pending.questions.len())
            }
            Err(failure) => (Some(failure.to_string()), 0),
        };
        let one = Called { tool: call.tool, failed, questions };
        tell_call(&one, err)?;
        called.push(one);
    }
    audit.close();
    let (seen, whole) = recorder.all();
    let held = &plugin.holding.grants;
    let seen = settle::settle(seen, held);
    let learned = learn(&seen, held);
    let granted = before.plugins.get(&args.plugin).map(|plugin| plugin.grants.clone()).unwrap_or_default();
    let lesson = Lesson { plugin: &args.plugin, called, seen, whole, learned, granted };
    lesson.print(args.format, args.accept, out)?;
    if args.accept {
        if !lesson.whole {
            return Err(Failure::new(format!(
                "{}: did more than is recorded, so these grants may be too few and nothing was written; learn from fewer calls",
                args.plugin
            )));
        }
        let edit = edit::grant(home, surroundings, &args.plugin, &lesson.learned.beyond(&lesson.granted))?;
        // A program reads the proposal alone.
        let told: &mut dyn Write = if args.format == Format::Json { &mut *err } else { &mut *out };
        put(edit, "allowed", &args.plugin, home, surroundings, told)?;
    }
    out.flush()?;
    let failed = lesson.called.iter().any(|one| one.failed.is_some());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What serves under a name and what a person said of it.
struct Ready {
    file: PluginFile,
    config: crate::config::PluginConfig,
    approval: Approval,
    lock: Lock,
}

impl Ready {
    fn of(name: &PluginName, config: &Config, home: &Home) -> Result<Self, Failure> {
        let folder = &config.plugins_folder;
        let (there, _) = candidates(config)
            .map_err(|error| Failure::new(format!("{}: cannot be listed: {error}", folder.display())))?;
        let lock = Lock::load(&home.lock_file())?;
        let Some(plugin) = there.iter().find(|plugin| plugin.name == *name) else {
            let known: Vec<_> = there.iter().map(|plugin| plugin.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::new(format!("{name}: there is no such plugin; there are: {known}")));
        };
        let file = PluginFile::read(&folder.join(&plugin.file))?;
        match serves(home, config, plugin, &file, &lock) {
            Serves::Held(why) => Err(unapproved(name, &why)),
            Serves::Bytes { file, approval, .. } => Ok(Self { file, config: plugin.clone(), approval, lock }),
        }
    }
}

/// A grant is for bytes that a person approved, also while it is learned from.
fn unapproved(name: &PluginName, why: &str) -> Failure {
    Failure::new(format!(
        "{name}: holds nothing to learn with: {why}; look at it with `kennel inspect {name}`, and approve it first: that \
         alone grants it nothing"
    ))
}

/// The public name of a tool.
fn tool(catalog: &Catalog, plugin: &Plugin, call: &Call) -> Result<String, Failure> {
    catalog.tool_of(plugin, &call.tool).ok_or_else(|| {
        let known: Vec<_> = plugin.definitions.tools.iter().map(|tool| tool.name.as_str()).collect();
        let name = &plugin.config.name;
        Failure::new(format!("plugin `{name}` offers no tool {:?}; it has: {}", call.tool, known.join(", ")))
    })
}

/// What it may do while it is watched: nobody is to be surprised by that.
fn tell_bounds(plugin: &Plugin, err: &mut dyn Write) -> Result<(), Failure> {
    let name = &plugin.config.name;
    match plugin.holding.grants.describe().as_slice() {
        [] => writeln!(
            err,
            "{name} holds nothing while it is watched; name what it may do, as for `kennel allow`"
        )?,
        held => {
            writeln!(err, "while it is watched, {name} holds:")?;
            held.iter().try_for_each(|line| writeln!(err, "  {}", escape_for_people(line)))?;
        }
    }
    for withheld in &plugin.holding.withheld {
        writeln!(err, "  and not {}", escape_for_people(&withheld.to_string()))?;
    }
    Ok(())
}

fn tell_call(call: &Called, err: &mut dyn Write) -> Result<(), Failure> {
    let Called { tool, failed, questions } = call;
    match failed {
        Some(why) => writeln!(err, "{tool} failed: {}", escape_for_people(why))?,
        None if *questions > 0 => {
            writeln!(
                err,
                "{tool} asks {questions} questions; what it does with the answers is not seen here"
            )?;
        }
        None => writeln!(err, "{tool} succeeded")?,
    }
    Ok(())
}
