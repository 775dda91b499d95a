//! `kennel call`: one tool, the way a client would call it, with what it used.

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::catalog::api::{Backend as _, CallEvents, CallInfo, ClientFacts, Done, Trace};
use crate::catalog::json as strict_json;
use crate::catalog::types::{Content, LogLevel, Outcome, ResourceBody, ToolResult};
use crate::grants::{PluginName, units};
use crate::observe::escape_for_people;
use crate::sandbox::Usage;

use super::{Failure, Opened};

/// Call a tool, the way a client would, and show what it used
///
/// The result goes to standard output, what was used to standard error. Answers 0 when the tool
/// succeeded, 1 when it failed.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The plugin
    plugin: PluginName,
    /// The tool, by the plugin's own name for it
    tool: String,
    /// The arguments, a JSON object
    #[arg(default_value = "{}")]
    arguments: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// Calls.
///
/// # Errors
/// When there is no such plugin or tool, or the arguments are no JSON object.
pub fn run(
    args: &Args,
    opened: Opened,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let Opened { statuses, catalog, runtime, audit, .. } = opened;
    let arguments = strict_json::parse(&args.arguments)
        .map_err(|error| Failure::new(format!("the arguments: {error}")))?;
    if !arguments.is_object() {
        return Err(Failure::new(
            "the arguments are not a JSON object; write for example '{\"name\": \"x\"}'",
        ));
    }
    let name = args.plugin.as_str();
    let status = statuses.iter().find(|status| status.name == name).ok_or_else(|| {
        let known: Vec<_> = statuses.iter().map(|status| status.name.as_str()).collect();
        Failure::new(format!("there is no plugin `{name}`; there are: {}", known.join(", ")))
    })?;
    let Some(plugin) = &status.plugin else {
        return Err(Failure::new(format!("plugin `{name}` does not run: {:?}", status.standing)));
    };
    let public = catalog.tool_of(plugin, &args.tool).ok_or_else(|| {
        let known: Vec<_> = plugin.definitions.tools.iter().map(|tool| tool.name.as_str()).collect();
        Failure::new(format!("plugin `{name}` offers no tool {:?}; it has: {}", args.tool, known.join(", ")))
    })?;
    let done = runtime.block_on(catalog.call_tool(&public, args.arguments.as_str().into(), from_terminal()));
    let failed = match (done, args.format) {
        (Ok(Done { outcome, usage }), format) => {
            let failed = match &outcome {
                Outcome::Complete(result) => result.is_error,
                Outcome::InputRequired(_) | Outcome::Offer(..) => true,
            };
            match format {
                Format::Text => print(&outcome, &usage, out, err)?,
                Format::Json => writeln!(out, "{}", as_json(&outcome, Some(&usage)))?,
            }
            failed
        }
        (Err(failure), Format::Text) => {
            writeln!(err, "{}", escape_for_people(&failure.to_string()))?;
            true
        }
        (Err(failure), Format::Json) => {
            writeln!(out, "{}", json!({"error": failure.to_string()}))?;
            true
        }
    };
    audit.close();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A call that a person makes here.
pub(super) fn from_terminal() -> CallInfo {
    CallInfo {
        alone: false,
        cancel: CancellationToken::new(),
        client: ClientFacts::default(),
        progress: true,
        log_level: Some(LogLevel::Info),
        sink: Arc::new(ToTerminal),
        trace: Trace::default(),
        approver: None,
        resumption: None,
        meta: None,
    }
}

fn print(
    outcome: &Outcome<ToolResult>,
    usage: &Usage,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<()> {
    let terminal = std::io::stdout().is_terminal();
    match outcome {
        Outcome::InputRequired(pending) | Outcome::Offer(pending, _) => {
            writeln!(
                err,
                "the tool asks {} questions first; call it from a client",
                pending.questions.len()
            )?;
        }
        Outcome::Complete(result) => {
            if result.is_error {
                writeln!(err, "the tool failed:")?;
            }
            for content in &result.content {
                let text = text_of(content);
                // What goes to another program is left as it is; what a person looks at must not move the cursor.
                let shown = if terminal { escape_for_people(&text) } else { text.into() };
                writeln!(out, "{shown}")?;
            }
        }
    }
    out.flush()?;
    writeln!(err, "used {}", describe(usage))
}

/// What a call used, in one line.
pub(super) fn describe(usage: &Usage) -> String {
    let mut line = format!(
        "{} fuel, {} µs, {} of memory at most",
        units::show_count(usage.fuel),
        usage.micros,
        units::show_size(usage.peak_memory)
    );
    for (count, what) in [
        (u64::from(usage.http_requests), "HTTP requests"),
        (u64::from(usage.sockets), "sockets opened"),
        (usage.bytes_sent, "bytes sent"),
        (usage.bytes_received, "bytes received"),
        (u64::from(usage.files_opened), "files opened"),
        (u64::from(usage.log_lines), "log lines"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

/// A part of a result as it is printed.
pub(super) fn text_of(content: &Content) -> String {
    let media = |kind: &str, mime: &str, bytes: usize| format!("[{kind}, {mime}, {bytes} bytes]");
    match content {
        Content::Text(text) => text.text.clone(),
        Content::Image(image) => media("image", &image.mime_type, image.data.len()),
        Content::Audio(audio) => media("sound", &audio.mime_type, audio.data.len()),
        Content::Embedded(resource) => match &resource.contents.body {
            ResourceBody::Text(text) => format!("[resource {}]\n{text}", resource.contents.uri),
            ResourceBody::Blob(data) => {
                let mime = resource.contents.mime_type.as_deref().unwrap_or("unknown type");
                media("resource", mime, data.len())
            }
        },
        Content::Link(link) => format!("[link to {}]", link.uri),
    }
}

fn as_json(outcome: &Outcome<ToolResult>, usage: Option<&Usage>) -> Value {
    match outcome {
        Outcome::InputRequired(pending) | Outcome::Offer(pending, _) => {
            json!({"inputRequired": pending.questions.len(), "usage": usage})
        }
        Outcome::Complete(result) => json!({
            "isError": result.is_error,
            "content": result.content.iter().map(text_of).collect::<Vec<_>>(),
            "structured": result.structured,
            "usage": usage,
        }),
    }
}

/// Shows a call's notes as they come.
struct ToTerminal;

impl CallEvents for ToTerminal {
    fn log(&self, _: LogLevel, _: Option<&str>, _: Value) {
        // The catalog logs every line already.
    }

    fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let total = total.map(|total| format!("/{total}")).unwrap_or_default();
        let message = escape_for_people(message.unwrap_or_default());
        tracing::info!("progress {done}{total} {message}");
    }

    fn detach(&self) {}
}
