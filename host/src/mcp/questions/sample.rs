//! Questions to the client's model: the shape of what a plugin may ask, and of what may come back. Knows no grant.

// Sampling is deprecated in the protocol, and clients will go on offering it for years.
#![expect(deprecated)]

use rmcp::model::{
    ContextInclusion, CreateMessageRequestParams, CreateMessageResult, RequestMetaObject, Role,
    SamplingMessageContentBlock,
};
use serde_json::Value;

use super::PLUGIN;
use crate::catalog::types::JsonObject;

/// Bytes of a request's params.
const MAX_PARAMS: usize = 256 << 10;
/// Messages of a request.
const MAX_MESSAGES: usize = 256;

/// Checks the params of a `sampling/createMessage`, and puts into their `_meta` who asks.
///
/// # Errors
/// One line for the plugin's author.
pub(super) fn check(plugin: &str, params: &JsonObject) -> Result<CreateMessageRequestParams, String> {
    let params = Value::Object(params.clone());
    if params.to_string().len() > MAX_PARAMS {
        return Err(format!("the sampling request is larger than {} KiB", MAX_PARAMS >> 10));
    }
    let mut params: CreateMessageRequestParams = serde_json::from_value(params)
        .map_err(|error| format!("the sampling request does not read: {error}"))?;
    if params.messages.is_empty() || params.messages.len() > MAX_MESSAGES {
        return Err(format!("a sampling request has 1 to {MAX_MESSAGES} messages"));
    }
    if params.max_tokens == 0 {
        return Err("a sampling request's \"maxTokens\" is at least 1".into());
    }
    // Context of other servers is not a plugin's to see.
    if params.include_context.as_ref().is_some_and(|context| *context != ContextInclusion::None) {
        return Err("a sampling request's \"includeContext\" is \"none\"".into());
    }
    params.validate().map_err(|why| format!("the sampling request is not sound: {why}"))?;
    let mut meta = RequestMetaObject::new();
    meta.insert(PLUGIN.to_owned(), plugin.into());
    params.meta = Some(meta);
    Ok(params)
}

/// Whether the model is given tools, for which a client has a capability of its own.
pub(super) fn with_tools(params: &CreateMessageRequestParams) -> bool {
    params.tools.is_some() || params.tool_choice.is_some()
}

/// Checks what the model said.
///
/// # Errors
/// One line: why it is no answer to that request.
pub(super) fn answer(params: &CreateMessageRequestParams, value: &Value) -> Result<Value, String> {
    let result: CreateMessageResult = serde_json::from_value(value.clone())
        .map_err(|error| format!("it is no sampling result: {error}"))?;
    if result.message.role != Role::Assistant {
        return Err("its role is not \"assistant\"".into());
    }
    if result.message.content.is_empty() {
        return Err("it is empty".into());
    }
    let tools = with_tools(params);
    let wrong = result.message.content.iter().any(|block| match block {
        SamplingMessageContentBlock::ToolUse(_) => !tools,
        SamplingMessageContentBlock::ToolResult(_) => true,
        _ => false,
    });
    if wrong {
        return Err("it uses a tool, and was given none".into());
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use super::*;
    use serde_json::json;

    fn checked(params: Value) -> Result<CreateMessageRequestParams, String> {
        check("notes", params.as_object().unwrap())
    }

    fn text(role: &str) -> Value {
        json!({"role": role, "content": {"type": "text", "text": "hello"}})
    }

    #[test]
    fn a_request_has_its_shape() {
        let good =
            checked(json!({"messages": [text("user")], "maxTokens": 100, "temperature": 0.5})).unwrap();
        assert_eq!(serde_json::to_value(&good).unwrap()["_meta"]["io.kennel/plugin"], "notes");
        for bad in [
            json!({"messages": [text("user")]}),
            json!({"messages": [], "maxTokens": 1}),
            json!({"messages": [text("user")], "maxTokens": 0}),
            json!({"messages": [text("nobody")], "maxTokens": 1}),
            json!({"messages": [text("user")], "maxTokens": 1, "includeContext": "allServers"}),
            json!({"messages": [{"role": "user", "content": {"type": "tool_use", "id": "1", "name": "x", "input": {}}}], "maxTokens": 1}),
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_has_its_shape() {
        let plain = checked(json!({"messages": [text("user")], "maxTokens": 9})).unwrap();
        let tool = json!({"name": "t", "inputSchema": {"type": "object"}});
        let tools = checked(json!({"messages": [text("user")], "maxTokens": 9, "tools": [tool]})).unwrap();
        let said = |content: Value| json!({"role": "assistant", "model": "m", "content": content});
        let use_tool = said(json!({"type": "tool_use", "id": "1", "name": "t", "input": {}}));
        assert!(answer(&plain, &said(json!({"type": "text", "text": "hi"}))).is_ok());
        assert!(answer(&plain, &use_tool).is_err());
        assert!(answer(&tools, &use_tool).is_ok());
        for bad in [
            json!(12345),
            json!(null),
            json!({}),
            json!({"role": "user", "model": "m", "content": {"type": "text", "text": "hi"}}),
            json!({"role": "assistant", "content": {"type": "text", "text": "hi"}}),
            json!({"action": "accept"}),
            said(json!([])),
        ] {
            assert!(answer(&plain, &bad).is_err(), "{bad}");
        }
    }
}
