//! The catalog's records as the protocol's types. Adds nothing of its own and strips from a plugin's `_meta`
//! what is not a plugin's to say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model as m;

use crate::catalog::api::Trace;
use crate::catalog::types as t;

/// Keys under this prefix are the host's own.
pub(super) const OWN_PREFIX: &str = "io.kennel/";

/// Longest `traceparent` and `tracestate`, in bytes (W3C Trace Context asks to carry at least 512).
const MAX_TRACE: usize = 512;

/// Whether a `_meta` key belongs to the protocol or to the host (2025-11-25 and 2026-07-28,
/// "General fields": a prefix whose second label is `modelcontextprotocol` or `mcp`; 2025-06-18 put them
/// before any label, so those count too).
fn is_reserved(key: &str) -> bool {
    if key.starts_with(OWN_PREFIX) || key == "progressToken" {
        return true;
    }
    let Some((prefix, _)) = key.split_once('/') else { return false };
    prefix
        .split('.')
        .take(2)
        .any(|label| label.eq_ignore_ascii_case("modelcontextprotocol") || label.eq_ignore_ascii_case("mcp"))
}

/// A plugin's `_meta` without reserved keys; none when nothing is left.
pub(super) fn meta(meta: Option<t::JsonObject>) -> Option<m::MetaObject> {
    let mut meta = meta?;
    meta.retain(|key, _| !guarded!("reserved-meta", is_reserved(key)));
    (!meta.is_empty()).then_some(m::MetaObject(meta))
}

/// The trace context of a request, as far as it has the form of the standard (W3C Trace Context, sections 3.2 and
/// 3.3): it goes into the audit and on to plugins.
pub(super) fn trace(meta: &m::RequestMetaObject) -> Trace {
    let parent = meta.get_traceparent().filter(|text| {
        let parts: Vec<&str> = text.split('-').collect();
        let hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        // A later version may say more after the four parts.
        text.len() <= MAX_TRACE
            && parts.len() >= 4
            && [2, 32, 16, 2].iter().zip(&parts).all(|(size, part)| part.len() == *size && hex(part))
            && (parts.len() == 4 || parts[0] != "00")
            && parts[0] != "ff"
    });
    // Without its parent a state says nothing.
    let state = meta.get_tracestate().filter(|text| {
        parent.is_some() && text.len() <= MAX_TRACE && text.bytes().all(|b| (0x20..0x7f).contains(&b))
    });
    Trace { traceparent: parent.map(str::to_owned), tracestate: state.map(str::to_owned) }
}

/// What of a request's `_meta` a plugin may see, `baggage` included; `traceparent` and `tracestate` have fields of
/// their own.
pub(super) fn meta_for_plugin(meta: &m::RequestMetaObject) -> Option<t::JsonObject> {
    let rest: t::JsonObject = meta
        .iter()
        .filter(|(key, _)| !is_reserved(key) && !matches!(key.as_str(), "traceparent" | "tracestate"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    (!rest.is_empty()).then_some(rest)
}

pub(super) fn tool(tool: &t::Tool) -> m::Tool {
    let mut out = m::Tool::default();
    out.name = tool.name.clone().into();
    out.title = tool.title.clone();
    out.description = Some(tool.description.clone().into());
    out.input_schema = tool.input_schema.clone();
    out.output_schema = tool.output_schema.clone();
    out.annotations = tool.annotations.map(|hints| {
        m::ToolAnnotations::from_raw(
            None,
            hints.read_only,
            hints.destructive,
            hints.idempotent,
            hints.open_world,
        )
    });
    out.icons = icons(&tool.icons);
    out.meta = meta(tool.meta.clone());
    out
}

pub(super) fn prompt(prompt: &t::Prompt) -> m::Prompt {
    let arguments = prompt.arguments.iter().map(|argument| {
        let mut out = m::PromptArgument::new(argument.name.clone()).with_required(argument.required);
        out.title = argument.title.clone();
        out.description = argument.description.clone();
        out
    });
    let mut out = m::Prompt::new(prompt.name.clone(), prompt.description.clone(), Some(arguments.collect()));
    out.title = prompt.title.clone();
    out.icons = icons(&prompt.icons);
    out.meta = meta(prompt.meta.clone());
    out
}

pub(super) fn template(template: &t::ResourceTemplate) -> m::ResourceTemplate {
    let mut out = m::ResourceTemplate::new(template.uri_template.clone(), template.name.clone());
    out.title = template.title.clone();
    out.description = template.description.clone();
    out.mime_type = template.mime_type.clone();
    out.annotations = template.annotations.clone().map(annotations);
    out.icons = icons(&template.icons);
    out.meta = meta(template.meta.clone());
    out
}

pub(super) fn resource(info: t::ResourceInfo) -> m::Resource {
    let mut out = m::Resource::new(info.uri, info.name);
    out.title = info.title;
    out.description = info.description;
    out.mime_type = info.mime_type;
    out.size = info.size;
    out.annotations = info.annotations.map(annotations);
    out.icons = icons(&info.icons);
    out.meta = meta(info.meta);
    out
}

pub(super) fn contents(contents: t::ResourceContents) -> m::ResourceContents {
    match contents.body {
        t::ResourceBody::Text(text) => m::ResourceContents::TextResourceContents {
            uri: contents.uri,
            mime_type: contents.mime_type,
            text,
            meta: meta(contents.meta),
        },
        t::ResourceBody::Blob(bytes) => m::ResourceContents::BlobResourceContents {
            uri: contents.uri,
            mime_type: contents.mime_type,
            blob: STANDARD.encode(bytes),
            meta: meta(contents.meta),
        },
    }
}

pub(super) fn content(content: t::Content) -> m::ContentBlock {
    match content {
        t::Content::Text(text) => {
            let mut out = m::TextContent::new(text.text);
            out.annotations = text.annotations.map(annotations);
            out.meta = meta(text.meta);
            m::ContentBlock::Text(out)
        }
        t::Content::Image(image) => {
            let mut out = m::ImageContent::new(STANDARD.encode(image.data), image.mime_type);
            out.annotations = image.annotations.map(annotations);
            out.meta = meta(image.meta);
            m::ContentBlock::Image(out)
        }
        t::Content::Audio(audio) => {
            let mut out = m::AudioContent::new(STANDARD.encode(audio.data), audio.mime_type);
            out.annotations = audio.annotations.map(annotations);
            out.meta = meta(audio.meta);
            m::ContentBlock::Audio(out)
        }
        t::Content::Embedded(embedded) => {
            let mut out = m::EmbeddedResource::new(contents(embedded.contents));
            out.annotations = embedded.annotations.map(annotations);
            out.meta = meta(embedded.meta);
            m::ContentBlock::Resource(out)
        }
        t::Content::Link(info) => m::ContentBlock::ResourceLink(resource(info)),
    }
}

pub(super) fn tool_result(result: t::ToolResult) -> m::CallToolResult {
    let mut content: Vec<m::ContentBlock> = result.content.into_iter().map(content).collect();
    // Clients that know no structured content need it as text ("Structured content", SHOULD).
    if content.is_empty()
        && let Some(structured) = &result.structured
    {
        content.push(m::ContentBlock::text(structured.to_string()));
    }
    let mut out = m::CallToolResult::success(content);
    out.is_error = Some(result.is_error);
    out.structured_content = result.structured;
    out.meta = meta(result.meta);
    out
}

pub(super) fn prompt_result(result: t::PromptResult) -> m::GetPromptResult {
    let messages = result
        .messages
        .into_iter()
        .map(|message| m::PromptMessage::new(role(message.role), content(message.content)));
    let mut out = m::GetPromptResult::new(messages.collect());
    out.description = result.description;
    out.meta = meta(result.meta);
    out
}

fn role(role: t::Role) -> m::Role {
    match role {
        t::Role::User => m::Role::User,
        t::Role::Assistant => m::Role::Assistant,
    }
}

fn annotations(annotations: t::Annotations) -> m::Annotations {
    let mut out = m::Annotations::default();
    if !annotations.audience.is_empty() {
        out.audience = Some(annotations.audience.into_iter().map(role).collect());
    }
    // The protocol library keeps priorities in single precision.
    out.priority = annotations.priority.map(|priority| priority as f32);
    out.last_modified = annotations.last_modified;
    out
}

fn icons(icons: &[t::Icon]) -> Option<Vec<m::Icon>> {
    let icons: Vec<m::Icon> = icons
        .iter()
        .map(|icon| {
            let mut out = m::Icon::new(icon.src.clone());
            out.mime_type = icon.mime_type.clone();
            out.sizes = (!icon.sizes.is_empty()).then(|| icon.sizes.clone());
            out.theme = icon.theme.map(|theme| match theme {
                t::IconTheme::Light => m::IconTheme::Light,
                t::IconTheme::Dark => m::IconTheme::Dark,
            });
            out
        })
        .collect();
    (!icons.is_empty()).then_some(icons)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn reserved_keys_are_stripped() {
        let object = |value: serde_json::Value| value.as_object().cloned();
        let given = object(json!({
            "io.modelcontextprotocol/serverInfo": {}, "dev.mcp/x": 1, "mcp.dev/x": 1, "com.MCP.tools/x": 1,
            "io.kennel/usage": {}, "progressToken": 1, "com.example.mcp/x": 2, "plain": 3, "a/b": 4
        }));
        let kept: Vec<String> = meta(given).unwrap().0.keys().cloned().collect();
        assert_eq!(kept, ["com.example.mcp/x", "plain", "a/b"]);
        assert_eq!(meta(object(json!({"io.kennel/x": 1}))), None);
    }

    #[test]
    fn trace_context_of_another_form_goes_nowhere() {
        let given = |parent: &str, state: &str| {
            let mut meta = m::RequestMetaObject::default();
            meta.0.insert("traceparent".into(), json!(parent));
            meta.0.insert("tracestate".into(), json!(state));
            let trace = trace(&meta);
            (trace.traceparent.is_some(), trace.tracestate.is_some())
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(given(good, "congo=t61rcWkgMzE"), (true, true));
        assert_eq!(given(&good.replacen("00", "01", 1), ""), (true, true));
        assert_eq!(given(good, &"a".repeat(MAX_TRACE + 1)), (true, false));
        assert_eq!(given(good, "a=\u{7}"), (true, false));
        for bad in
            ["", "x", &good[1..], &good.to_uppercase(), &good.replacen("00", "ff", 1), &format!("{good}-x")]
        {
            assert_eq!(given(bad, "a=b"), (false, false), "{bad}");
        }
    }

    #[test]
    fn structured_content_is_given_as_text_too() {
        let result = t::ToolResult { structured: Some(json!({"b": 1, "a": 2})), ..Default::default() };
        let out = serde_json::to_value(tool_result(result)).unwrap();
        assert_eq!(out["content"], json!([{"type": "text", "text": "{\"b\":1,\"a\":2}"}]));
    }
}
