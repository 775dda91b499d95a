//! Answers as a client gets them, as JSON without a transport around them: for showing and comparing what a plugin
//! answers. Must not differ from what [`super::KennelHandler`] sends.

use rmcp::model::ErrorData;
use serde::Serialize;
use serde_json::{Value, json};

use super::{convert, error};
use crate::catalog::api::CallFailure;
use crate::catalog::types::{PromptResult, ResourceContents, ToolResult};

/// The result object of `tools/call`, or `{"error": …}` with the JSON-RPC error.
#[must_use]
pub fn tool(name: &str, answer: Result<ToolResult, CallFailure>) -> Value {
    told(match answer {
        Ok(result) => Ok(convert::tool_result(result)),
        Err(failure) => error::of_tool(name, failure, true),
    })
}

/// The result object of `prompts/get`, or `{"error": …}`.
#[must_use]
pub fn prompt(answer: Result<PromptResult, CallFailure>) -> Value {
    told(answer.map(convert::prompt_result).map_err(|failure| error::of_request("prompt", failure, true)))
}

/// The result object of `resources/read`, or `{"error": …}`.
#[must_use]
pub fn resource(answer: Result<Vec<ResourceContents>, CallFailure>) -> Value {
    let contents = answer.map(|all| all.into_iter().map(convert::contents).collect::<Vec<_>>());
    told(
        contents
            .map(rmcp::model::ReadResourceResult::new)
            .map_err(|failure| error::of_resource(failure, true)),
    )
}

fn told(answer: Result<impl Serialize, ErrorData>) -> Value {
    let value = match answer {
        Ok(result) => serde_json::to_value(result),
        Err(error) => serde_json::to_value(error).map(|error| json!({ "error": error })),
    };
    value.unwrap_or_else(|error| {
        let error = ErrorData::internal_error(format!("the answer cannot be written as JSON: {error}"), None);
        json!({ "error": { "code": error.code.0, "message": error.message } })
    })
}
