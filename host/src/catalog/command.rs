//! A call of a command component's tool: its command line out of the arguments, and what it printed as the answer.

use serde_json::{Value, json};

use crate::config::CommandTool;
use crate::plugin::Plugin;
use crate::sandbox::contract::{Content, TextContent, ToolOutcome, ToolResult};
use crate::sandbox::{Finished, Ran, RunCommand};

use super::api::CallFailure;

/// What the command is run with. The arguments were held against the schema.
pub(super) fn line(command: &CommandTool, arguments: &Value) -> Result<RunCommand, CallFailure> {
    let given = arguments.as_object().cloned().unwrap_or_default();
    let (arguments, stdin) = command.line(&given).map_err(CallFailure::InvalidArguments)?;
    Ok(RunCommand { arguments, stdin })
}

/// How it ended, as a tool's answer.
pub(super) fn finished(plugin: &Plugin, ended: Finished<Ran>) -> Finished<ToolOutcome> {
    let Finished { result, usage, stdout, stderr, denials, output } = ended;
    let result = result.map(|ran| outcome(ran, plugin.config.limits.stdio));
    Finished { result, usage, stdout, stderr, denials, output }
}

fn outcome(ran: Ran, bound: usize) -> ToolOutcome {
    let Ran { exit_code, stdout, stderr, dropped } = ran;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let is_error = exit_code != 0;
    let mut texts = Vec::new();
    if !stdout.is_empty() {
        texts.push(stdout.to_string());
    }
    if !stderr.is_empty() {
        texts.push(format!("standard error:\n{stderr}"));
    }
    if dropped > 0 {
        texts.push(format!(
            "{dropped} more bytes were printed and dropped: each stream is kept to {bound} bytes; a person can raise `limits.stdio` for it in kennel.toml"
        ));
    }
    if is_error {
        texts.push(format!("exit code {exit_code}"));
    }
    let structured = json!({"stdout": stdout, "stderr": stderr, "exitCode": exit_code});
    let content =
        texts.into_iter().map(|text| Content::Text(TextContent { text, annotations: None, meta: None }));
    ToolOutcome::Complete(ToolResult {
        content: content.collect(),
        structured: Some(structured.to_string()),
        is_error,
        meta: None,
    })
}
