//! How a call that failed is told to the client: as a tool's error, which the model can read and act on, or
//! as a JSON-RPC error. Decides the form only; the words are the catalog's.

use rmcp::model::{
    CallToolResult, ClientCapabilities, ContentBlock, ElicitationCapability, ErrorCode, ErrorData,
    FormElicitationCapability, JsonObject, RootsCapabilities, SamplingCapability, UrlElicitationCapability,
};
use serde_json::json;

use crate::catalog::api::CallFailure;

/// For `tools/call`: everything a model can do something about is a result with `isError`.
pub(super) fn of_tool(name: &str, failure: CallFailure, modern: bool) -> Result<CallToolResult, ErrorData> {
    match failure {
        // The code that the specification gives for an unknown tool.
        CallFailure::NotFound(_) => Err(ErrorData::invalid_params(format!("Unknown tool: {name}"), None)),
        CallFailure::MissingCapability(capability) if modern => Err(missing(&capability)),
        CallFailure::Stale(why) if modern => Err(of_state(&why)),
        CallFailure::Protocol { code, message, data } if !reserved(code) => {
            Err(ErrorData::new(ErrorCode(code), message, data))
        }
        failure @ (CallFailure::Internal(_) | CallFailure::Cancelled) => {
            Err(ErrorData::internal_error(failure.to_string(), None))
        }
        failure => Ok(CallToolResult::error(vec![ContentBlock::text(failure.to_string())])),
    }
}

/// For everything but tools, where there is no result that says "failed".
pub(super) fn of_request(what: &str, failure: CallFailure, modern: bool) -> ErrorData {
    match failure {
        CallFailure::NotFound(name) => ErrorData::invalid_params(format!("Unknown {what}: {name}"), None),
        CallFailure::InvalidArguments(text) => ErrorData::invalid_params(text, None),
        CallFailure::MissingCapability(capability) if modern => missing(&capability),
        CallFailure::Stale(why) if modern => of_state(&why),
        CallFailure::Protocol { code, message, data } if !reserved(code) => {
            ErrorData::new(ErrorCode(code), message, data)
        }
        failure => ErrorData::internal_error(failure.to_string(), None),
    }
}

/// For `resources/…`. The library gives this code to older clients only and −32602 to the newer.
pub(super) fn of_resource(failure: CallFailure, modern: bool) -> ErrorData {
    match failure {
        CallFailure::NotFound(uri) => {
            ErrorData::resource_not_found(format!("Resource not found: {uri}"), Some(json!({ "uri": uri })))
        }
        failure => of_request("resource", failure, modern),
    }
}

/// For what only clients with tasks can have.
pub(super) fn needs_tasks() -> ErrorData {
    ErrorData::missing_required_client_capability(ClientCapabilities::builder().enable_tasks().build())
}

/// For a `requestState` that is not taken.
pub(super) fn of_state(why: &dyn std::fmt::Display) -> ErrorData {
    ErrorData::invalid_params(
        format!("the requestState is not accepted: {why}; make the call again without it"),
        None,
    )
}

/// JSON-RPC keeps −32768 to −32000 for itself and the protocol; a plugin may not speak in their name.
fn reserved(code: i32) -> bool {
    (-32768..=-32000).contains(&code)
}

fn missing(capability: &str) -> ErrorData {
    let mut required = ClientCapabilities::default();
    match capability {
        "sampling" => required.sampling = Some(SamplingCapability::default()),
        "sampling.tools" => {
            let mut sampling = SamplingCapability::default();
            sampling.tools = Some(JsonObject::new());
            required.sampling = Some(sampling);
        }
        "elicitation" => required.elicitation = Some(ElicitationCapability::default()),
        "elicitation.form" => {
            required.elicitation =
                Some(ElicitationCapability::new().with_form(FormElicitationCapability::new()));
        }
        "elicitation.url" => {
            required.elicitation =
                Some(ElicitationCapability::new().with_url(UrlElicitationCapability::new()));
        }
        "roots" => required.roots = Some(RootsCapabilities::default()),
        other => {
            return ErrorData::internal_error(
                format!("a plugin needs the unknown capability {other:?}"),
                None,
            );
        }
    }
    ErrorData::missing_required_client_capability(required)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_failure_in_its_form() {
        let failures = [
            CallFailure::NotFound("notes__x".into()),
            CallFailure::InvalidArguments("/n: 5 is not a string".into()),
            CallFailure::Busy("notes: 64 calls wait already; try again later".into()),
            CallFailure::Denied("notes: not granted".into()),
            CallFailure::Revoked("notes: revoked: state, 1 MiB".into()),
            CallFailure::Trap("notes: unreachable".into()),
            CallFailure::Cancelled,
            CallFailure::MissingCapability("sampling".into()),
            CallFailure::MissingCapability("elicitation.url".into()),
            CallFailure::MissingCapability("sampling.tools".into()),
            CallFailure::MissingCapability("soul".into()),
            CallFailure::Stale("the plugin `notes` is another one by now".into()),
            CallFailure::Protocol { code: 7, message: "own".into(), data: Some(json!([1])) },
            CallFailure::Protocol { code: -32601, message: "forged".into(), data: None },
            CallFailure::Internal("the state file is gone".into()),
        ];
        let mut lines = Vec::new();
        for failure in failures {
            for modern in [false, true] {
                let tool = match of_tool("notes__x", failure.clone(), modern) {
                    Ok(result) => serde_json::to_string(&result).unwrap(),
                    Err(error) => serde_json::to_string(&error).unwrap(),
                };
                let prompt = serde_json::to_string(&of_request("prompt", failure.clone(), modern)).unwrap();
                let resource = serde_json::to_string(&of_resource(failure.clone(), modern)).unwrap();
                lines.push(format!("modern={modern} {failure:?}\n  tool     {tool}\n  prompt   {prompt}\n  resource {resource}"));
            }
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
