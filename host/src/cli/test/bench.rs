//! A plugin on the bench: loaded with the grants of its tests, as its author's (`trust = "dev"`), and called the way a
//! client calls. Each test gets a home and state of its own.
//! Must not touch the user's own home.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::cases::{Call, What};
use crate::catalog::Catalog;
use crate::catalog::api::{
    Backend as _, CallEvents, CallFailure, CallInfo, ClientCan, ClientFacts, Done, Trace, Usage,
};
use crate::catalog::types::{Answer, LogLevel, Outcome, Pending, Question, Resumption};
use crate::cli::Failure;
use crate::config::{Config, Home, PluginConfig, Surroundings};
use crate::grants::{Approval, PluginName, Trust};
use crate::mcp::told;
use crate::plugin::{Cache, Compiler, Loader, PluginFile};
use crate::sandbox::Sandbox;

/// The variable that a test's configuration may name: an empty folder, made anew for each test.
pub(super) const SCRATCH: &str = "KENNEL_TEST_DIR";

/// How often a plugin is entered again with answers before a test gives up.
const ROUNDS: usize = 16;

/// What all tests of a plugin share.
pub(super) struct Bench {
    folder: TempDir,
    name: PluginName,
    file: PluginFile,
    config: Option<PathBuf>,
    sandbox: Arc<Sandbox>,
    compiler: Compiler,
    runtime: Runtime,
}

/// A plugin ready for the calls of one test.
pub(super) struct Subject<'a> {
    bench: &'a Bench,
    catalog: Catalog,
    /// Grants that do not hold, because the plugin does not ask for them.
    pub(super) withheld: Vec<String>,
}

impl Bench {
    /// For the plugin of this name and component, with this configuration if any.
    pub(super) fn new(name: PluginName, component: &Path, config: Option<PathBuf>) -> Result<Self, Failure> {
        let file =
            PluginFile::read(component).map_err(|e| Failure::new(format!("{}: {e}", component.display())))?;
        let folder = tempfile::Builder::new().prefix("kennel-test-").tempdir()?;
        let runtime = super::super::opened::runtime()?;
        let (sandbox, compiler) = (Sandbox::start()?, Compiler::of_this_process()?);
        Ok(Self { folder, name, file, config, sandbox, compiler, runtime })
    }

    /// Loads the plugin for the `at`-th test, into a new home.
    pub(super) fn subject(&self, at: usize) -> Result<Subject<'_>, Failure> {
        // Resolved, because the system's temporary folder may be a link, and grants name real places.
        let root = self.folder.path().canonicalize()?.join(at.to_string());
        let scratch = root.join("scratch");
        fs::create_dir_all(&scratch)?;
        let surroundings = Surroundings::new(std::env::home_dir(), move |name| {
            if name == SCRATCH { Some(scratch.clone().into()) } else { std::env::var_os(name) }
        });
        let home = Home::locate(Some(&root.join("home")), self.config.as_deref(), &surroundings)?;
        home.create()?;
        let plugin = self.plugin(&home, &surroundings)?;
        // Compiled once: code is kept by the component's hash, and nothing of a test is in it.
        let cache = Cache::open(&self.folder.path().join("cache"), self.sandbox.code_key())?;
        let loader = Loader::new(self.sandbox.clone(), cache, self.compiler.clone(), &home);
        let approval = Approval::Unapproved("a plugin under test is its author's".to_owned());
        let plugin = self
            .runtime
            .block_on(loader.load(&self.file, &plugin, &plugin.limits, &approval, None))
            .map_err(|error| Failure::new(format!("{}: cannot be used: {error}", self.name)))?;
        let withheld = plugin.holding.withheld.iter().map(ToString::to_string).collect();
        let catalog = Catalog::new(None);
        catalog.set_plugins(&[plugin]);
        catalog.set_ready();
        let faults = catalog.faults();
        if !faults.is_empty() {
            return Err(Failure::new(faults.join("\n")));
        }
        Ok(Subject { bench: self, catalog, withheld })
    }

    /// What the tests' configuration says of this plugin.
    fn plugin(&self, home: &Home, surroundings: &Surroundings) -> Result<PluginConfig, Failure> {
        let config = Config::load(home, surroundings)?;
        let file = home.config_file().display();
        if config.plugins_folder != home.default_plugins() {
            return Err(Failure::new(format!(
                "{file}: `plugins-folder` has no meaning in a test; remove it"
            )));
        }
        if let Some(other) = config.plugins.keys().find(|other| **other != self.name) {
            return Err(Failure::new(format!(
                "{file}: `plugins.{other}`: the plugin under test is {}; write `plugins.{}`",
                self.name, self.name
            )));
        }
        let plugin = config.plugins.get(&self.name).cloned();
        let component = format!("{}.wasm", self.name);
        let mut plugin =
            plugin.unwrap_or_else(|| PluginConfig::unmentioned(self.name.clone(), &component, config.limits));
        plugin.trust = Trust::Dev;
        // Tests use the plugin's own names.
        plugin.prefix = String::new();
        Ok(plugin)
    }
}

impl Subject<'_> {
    /// Calls, and gives the answer as a client would get it, with what the call used when it got to an end.
    pub(super) fn call(&self, call: &Call) -> (Value, Usage) {
        self.bench.runtime.block_on(async {
            let catalog = &self.catalog;
            match &call.what {
                What::Tool { name, arguments } => {
                    let arguments: Arc<str> = Value::Object(arguments.clone()).to_string().into();
                    let made = |info| catalog.call_tool(name, arguments.clone(), info);
                    ended(rounds(call, made).await, |answer| told::tool(name, answer))
                }
                What::Resource { uri } => {
                    ended(rounds(call, |info| catalog.read_resource(uri, info)).await, told::resource)
                }
                What::Prompt { name, arguments } => {
                    let made = |info| catalog.get_prompt(name, arguments.clone(), info);
                    ended(rounds(call, made).await, told::prompt)
                }
            }
        })
    }
}

/// Calls, and enters again with the test's answers as long as the plugin asks what they answer.
async fn rounds<T, F: Future<Output = Result<Done<T>, CallFailure>>>(
    call: &Call,
    made: impl Fn(CallInfo) -> F,
) -> Result<Done<T>, CallFailure> {
    let mut done = made(info(call, None)).await?;
    for _ in 0..ROUNDS {
        let (Outcome::InputRequired(pending) | Outcome::Offer(pending, _)) = &done.outcome else { break };
        let Pending { asker, spent, questions, continuation, leave } = pending;
        let answer = |key: &String| {
            call.answers.get(key).map(|value| Answer { key: key.clone(), value: value.clone() })
        };
        let Some(answers) = questions.iter().map(|question| answer(&question.key)).collect() else { break };
        let resumption = Resumption {
            asker: asker.clone(),
            spent: *spent,
            continuation: continuation.clone(),
            answers,
            leave: leave.clone(),
        };
        let next = made(info(call, Some(Arc::new(resumption)))).await?;
        let usage = sum(&done.usage, &next.usage);
        done = Done { outcome: next.outcome, usage };
    }
    Ok(done)
}

fn info(call: &Call, resumption: Option<Arc<Resumption>>) -> CallInfo {
    // A test that brings answers stands for a client that can ask.
    let can = !call.answers.is_empty();
    let can = ClientCan { elicit_form: can, elicit_url: can, sampling: can, sampling_tools: can, roots: can };
    CallInfo {
        alone: false,
        cancel: CancellationToken::new(),
        client: ClientFacts { can, ..ClientFacts::default() },
        progress: false,
        log_level: None,
        sink: Arc::new(Unheard),
        trace: Trace::default(),
        approver: None,
        resumption,
        meta: None,
    }
}

fn ended<T>(
    answer: Result<Done<T>, CallFailure>,
    told: impl FnOnce(Result<T, CallFailure>) -> Value,
) -> (Value, Usage) {
    match answer {
        Err(failure) => (told(Err(failure)), Usage::default()),
        Ok(Done { outcome: Outcome::Complete(result), usage }) => (told(Ok(result)), usage),
        Ok(Done { outcome: Outcome::InputRequired(pending) | Outcome::Offer(pending, _), usage }) => {
            (asked(&pending), usage)
        }
    }
}

/// Questions without answers, in the place of a result: `inputRequests` as in MCP 2026-07-28, "Multi round-trip requests".
fn asked(pending: &Pending) -> Value {
    let question = |question: &Question| match question {
        Question::ElicitForm(form) => json!({
            "method": "elicitation/create",
            "params": {"mode": "form", "message": form.message, "requestedSchema": form.schema},
        }),
        Question::ElicitUrl(url) => json!({
            "method": "elicitation/create",
            "params": {"mode": "url", "message": url.message, "url": url.url, "elicitationId": url.elicitation_id},
        }),
        Question::Sample(params) => json!({"method": "sampling/createMessage", "params": params}),
        Question::ListRoots => json!({"method": "roots/list"}),
        Question::Allow(what) => {
            json!({"method": "elicitation/create", "params": {"mode": "form", "message": what}})
        }
    };
    let requests: Map<String, Value> =
        pending.questions.iter().map(|asked| (asked.key.clone(), question(&asked.question))).collect();
    json!({"resultType": "input_required", "inputRequests": requests})
}

/// What two calls used together.
pub(super) fn sum(one: &Usage, other: &Usage) -> Usage {
    Usage {
        fuel: one.fuel.saturating_add(other.fuel),
        micros: one.micros.saturating_add(other.micros),
        peak_memory: one.peak_memory.max(other.peak_memory),
        bytes_sent: one.bytes_sent.saturating_add(other.bytes_sent),
        bytes_received: one.bytes_received.saturating_add(other.bytes_received),
        http_requests: one.http_requests.saturating_add(other.http_requests),
        sockets: one.sockets.saturating_add(other.sockets),
        files_opened: one.files_opened.saturating_add(other.files_opened),
        log_lines: one.log_lines.saturating_add(other.log_lines),
    }
}

/// A test hears no progress; the catalog writes every log line to the log already.
struct Unheard;

impl CallEvents for Unheard {
    fn log(&self, _: LogLevel, _: Option<&str>, _: Value) {}

    fn progress(&self, _: f64, _: Option<f64>, _: Option<&str>) {}

    fn detach(&self) {}
}
