//! The one tool that a command component is: what a person wrote of it in `kennel.toml`, as the contract says it.

use serde_json::json;

use crate::config::CommandTool;
use crate::sandbox::contract::{TaskSupport, Tool};

/// Its name; the plugin's prefix comes before it.
const NAME: &str = "run";

/// The tool.
pub(super) fn tool(command: &CommandTool) -> Tool {
    let text = json!({"type": "string"});
    let output = json!({
        "type": "object",
        "properties": {"stdout": text, "stderr": text, "exitCode": {"type": "integer", "minimum": 0, "maximum": 255}},
        "required": ["stdout", "stderr", "exitCode"],
        "additionalProperties": false,
    });
    Tool {
        name: NAME.to_owned(),
        title: None,
        description: command.description.clone(),
        input_schema: command.input_schema().to_string(),
        output_schema: Some(output.to_string()),
        annotations: None,
        icons: Vec::new(),
        task_support: TaskSupport::Forbidden,
        meta: None,
    }
}
