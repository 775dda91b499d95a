//! The contract's records, as a plugin gave them, into the catalog's: JSON texts are parsed, and refused
//! when they are not what the contract calls JSON; so are priorities and icons out of bounds. Decides nothing else.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::sandbox::{contract as wit, json};

use super::types::{
    Annotations, Asker, Completions, Content, ElicitForm, ElicitUrl, EmbeddedResource, Icon, IconTheme,
    JsonObject, KeyedQuestion, Leave, MediaContent, Outcome, Pending, Prompt, PromptArgument, PromptMessage,
    PromptResult, Question, ResourceBody, ResourceContents, ResourceInfo, ResourceTemplate, Role, Spent,
    TaskSupport, TextContent, Tool, ToolAnnotations, ToolResult,
};

/// What a plugin said that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its {what} is {why}")]
pub(super) struct Broken {
    what: &'static str,
    why: String,
}

/// Icons of one thing, and sizes of one icon.
const MAX_ICONS: usize = 8;
/// Longest icon in a URI of its own, in bytes.
const MAX_ICON_DATA: usize = 64 << 10;
/// Longest other URI of an icon, in bytes.
const MAX_ICON_URL: usize = 2 << 10;

type Made<T> = Result<T, Broken>;

fn parse(what: &'static str, text: &str) -> Made<Value> {
    json::parse(text).map_err(|error| Broken { what, why: error.to_string() })
}

fn object(what: &'static str, text: &str) -> Made<JsonObject> {
    match parse(what, text)? {
        Value::Object(object) => Ok(object),
        _ => Err(Broken { what, why: "not a JSON object".into() }),
    }
}

fn meta(text: Option<String>) -> Made<Option<JsonObject>> {
    text.map(|text| object("_meta", &text)).transpose()
}

fn each<T, U>(items: Vec<T>, make: impl FnMut(T) -> Made<U>) -> Made<Vec<U>> {
    items.into_iter().map(make).collect()
}

fn role(role: wit::Role) -> Role {
    match role {
        wit::Role::User => Role::User,
        wit::Role::Assistant => Role::Assistant,
    }
}

fn annotations(from: Option<wit::Annotations>) -> Made<Option<Annotations>> {
    from.map(|from| {
        if from.priority.is_some_and(|priority| !(0.0..=1.0).contains(&priority)) {
            return Err(Broken { what: "priority", why: "not between 0 and 1".into() });
        }
        Ok(Annotations {
            audience: from.audience.into_iter().map(role).collect(),
            priority: from.priority,
            last_modified: from.last_modified,
        })
    })
    .transpose()
}

fn icons(from: Vec<wit::Icon>) -> Made<Vec<Icon>> {
    if from.len() > MAX_ICONS {
        return Err(Broken { what: "list of icons", why: format!("longer than {MAX_ICONS}") });
    }
    each(from, |icon| {
        icon_source(&icon.src).map_err(|why| Broken { what: "icon", why: why.into() })?;
        let size = |size: &String| {
            let number =
                |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            size == "any"
                || size.split_once('x').is_some_and(|(width, height)| number(width) && number(height))
        };
        if icon.sizes.len() > MAX_ICONS || !icon.sizes.iter().all(size) {
            let why = "not of sizes such as \"48x48\" or \"any\"".into();
            return Err(Broken { what: "icon", why });
        }
        Ok(Icon {
            src: icon.src,
            mime_type: icon.mime_type,
            sizes: icon.sizes,
            theme: icon.theme.map(|theme| match theme {
                wit::IconTheme::Light => IconTheme::Light,
                wit::IconTheme::Dark => IconTheme::Dark,
            }),
        })
    })
}

/// A client fetches or decodes it, so it is a picture in itself or on a server that all the world may ask (protocol,
/// "Icons", security considerations).
fn icon_source(src: &str) -> Result<(), &'static str> {
    match Url::parse(src) {
        Ok(url) if url.scheme() == "data" => {
            let image = url.path().get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("image/"));
            if !image {
                Err("a data: URI of something else than a picture")
            } else if src.len() > MAX_ICON_DATA {
                Err("a data: URI over 64 KiB")
            } else {
                Ok(())
            }
        }
        Ok(url) if url.scheme() == "https" => {
            if src.len() > MAX_ICON_URL {
                Err("an https: URI over 2 KiB")
            } else if url.username().is_empty() && url.password().is_none() {
                Ok(())
            } else {
                Err("an https: URI with a user's name")
            }
        }
        _ => Err("neither an https: nor a data: URI"),
    }
}

fn media(from: wit::MediaContent) -> Made<MediaContent> {
    Ok(MediaContent {
        data: from.data,
        mime_type: from.mime_type,
        annotations: annotations(from.annotations)?,
        meta: meta(from.meta)?,
    })
}

pub(super) fn contents(from: wit::ResourceContents) -> Made<ResourceContents> {
    Ok(ResourceContents {
        uri: from.uri,
        mime_type: from.mime_type,
        body: match from.body {
            wit::ResourceBody::Text(text) => ResourceBody::Text(text),
            wit::ResourceBody::Blob(data) => ResourceBody::Blob(data),
        },
        meta: meta(from.meta)?,
    })
}

pub(super) fn resource(from: wit::ResourceInfo) -> Made<ResourceInfo> {
    Ok(ResourceInfo {
        uri: from.uri,
        name: from.name,
        title: from.title,
        description: from.description,
        mime_type: from.mime_type,
        size: from.size,
        annotations: annotations(from.annotations)?,
        icons: icons(from.icons)?,
        meta: meta(from.meta)?,
    })
}

fn content(from: wit::Content) -> Made<Content> {
    Ok(match from {
        wit::Content::Text(from) => Content::Text(TextContent {
            text: from.text,
            annotations: annotations(from.annotations)?,
            meta: meta(from.meta)?,
        }),
        wit::Content::Image(from) => Content::Image(media(from)?),
        wit::Content::Audio(from) => Content::Audio(media(from)?),
        wit::Content::Embedded(from) => Content::Embedded(EmbeddedResource {
            contents: contents(from.contents)?,
            annotations: annotations(from.annotations)?,
            meta: meta(from.meta)?,
        }),
        wit::Content::Link(from) => Content::Link(resource(from)?),
    })
}

fn question(from: wit::KeyedQuestion) -> Made<KeyedQuestion> {
    let question = match from.question {
        wit::Question::ElicitForm(form) => Question::ElicitForm(ElicitForm {
            message: form.message,
            schema: object("form's schema", &form.schema)?,
        }),
        wit::Question::ElicitUrl(url) => Question::ElicitUrl(ElicitUrl {
            message: url.message,
            url: url.url,
            elicitation_id: url.elicitation_id,
        }),
        wit::Question::Sample(params) => Question::Sample(object("sampling request", &params)?),
        wit::Question::ListRoots => Question::ListRoots,
    };
    Ok(KeyedQuestion { key: from.key, question })
}

/// The plugin that answered, and what its call has asked with this answer.
pub(super) type By = (Asker, Spent);

fn pending<T>(from: wit::Pending, (asker, spent): By) -> Made<Outcome<T>> {
    let questions = each(from.questions, question)?;
    Ok(Outcome::InputRequired(Pending {
        asker,
        spent,
        questions,
        continuation: from.continuation,
        leave: Leave::default(),
    }))
}

/// A schema of a tool. Older revisions know only objects as the schemas of its properties (2025-11-25, `Tool`), so `true`
/// and `false` are written as what they mean.
fn schema(what: &'static str, text: &str) -> Made<JsonObject> {
    let mut schema = object(what, text)?;
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            match property {
                Value::Bool(true) => *property = serde_json::json!({}),
                Value::Bool(false) => *property = serde_json::json!({ "not": {} }),
                _ => {}
            }
        }
    }
    Ok(schema)
}

pub(super) fn tool(from: wit::Tool) -> Made<Tool> {
    Ok(Tool {
        name: from.name,
        title: from.title,
        description: from.description,
        input_schema: Arc::new(schema("input schema", &from.input_schema)?),
        output_schema: match from.output_schema {
            Some(text) => Some(Arc::new(schema("output schema", &text)?)),
            None => None,
        },
        annotations: from.annotations.map(|from| ToolAnnotations {
            read_only: from.read_only,
            destructive: from.destructive,
            idempotent: from.idempotent,
            open_world: from.open_world,
        }),
        icons: icons(from.icons)?,
        task_support: match from.task_support {
            wit::TaskSupport::Forbidden => TaskSupport::Forbidden,
            wit::TaskSupport::Optional => TaskSupport::Optional,
            wit::TaskSupport::Required => TaskSupport::Required,
        },
        meta: meta(from.meta)?,
    })
}

pub(super) fn tool_outcome(from: wit::ToolOutcome, by: By) -> Made<Outcome<ToolResult>> {
    match from {
        wit::ToolOutcome::InputRequired(from) => pending(from, by),
        wit::ToolOutcome::Complete(from) => Ok(Outcome::Complete(ToolResult {
            content: each(from.content, content)?,
            structured: from.structured.map(|text| parse("structured result", &text)).transpose()?,
            is_error: from.is_error,
            meta: meta(from.meta)?,
        })),
    }
}

pub(super) fn read_outcome(from: wit::ReadOutcome, by: By) -> Made<Outcome<Vec<ResourceContents>>> {
    match from {
        wit::ReadOutcome::InputRequired(from) => pending(from, by),
        wit::ReadOutcome::Complete(from) => Ok(Outcome::Complete(each(from, contents)?)),
    }
}

pub(super) fn template(from: wit::ResourceTemplate) -> Made<ResourceTemplate> {
    Ok(ResourceTemplate {
        uri_template: from.uri_template,
        name: from.name,
        title: from.title,
        description: from.description,
        mime_type: from.mime_type,
        annotations: annotations(from.annotations)?,
        icons: icons(from.icons)?,
        meta: meta(from.meta)?,
    })
}

pub(super) fn prompt(from: wit::Prompt) -> Made<Prompt> {
    let argument = |from: wit::PromptArgument| PromptArgument {
        name: from.name,
        title: from.title,
        description: from.description,
        required: from.required,
    };
    Ok(Prompt {
        name: from.name,
        title: from.title,
        description: from.description,
        arguments: from.arguments.into_iter().map(argument).collect(),
        icons: icons(from.icons)?,
        meta: meta(from.meta)?,
    })
}

pub(super) fn prompt_outcome(from: wit::PromptOutcome, by: By) -> Made<Outcome<PromptResult>> {
    match from {
        wit::PromptOutcome::InputRequired(from) => pending(from, by),
        wit::PromptOutcome::Complete(from) => {
            let message = |from: wit::PromptMessage| {
                Ok(PromptMessage { role: role(from.role), content: content(from.content)? })
            };
            Ok(Outcome::Complete(PromptResult {
                description: from.description,
                messages: each(from.messages, message)?,
                meta: meta(from.meta)?,
            }))
        }
    }
}

pub(super) fn completions(from: wit::Completions) -> Completions {
    Completions { values: from.values, total: from.total, has_more: from.has_more }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_icon_is_a_picture_or_on_a_public_server() {
        let with = |src: &str, sizes: &[&str]| {
            let sizes = sizes.iter().map(|size| (*size).to_owned()).collect();
            icons(vec![wit::Icon { src: src.into(), mime_type: None, sizes, theme: None }])
        };
        for good in ["https://example.org/a.png", "data:image/png;base64,AA==", "DATA:Image/svg+xml,<svg/>"] {
            assert!(with(good, &["48x48", "any"]).is_ok(), "{good}");
        }
        for bad in [
            "http://example.org/a.png",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "data:imag",
            "https://user@example.org/a.png",
            "//example.org/a.png",
            "",
            &format!("https://example.org/{}", "a".repeat(MAX_ICON_URL)),
            &format!("data:image/png,{}", "a".repeat(MAX_ICON_DATA)),
        ] {
            assert!(with(bad, &[]).is_err(), "{bad:.40}");
        }
        for bad in ["48", "48x", "x48", "48x48x48", "large", "999999x1"] {
            assert!(with("https://example.org/a.png", &[bad]).is_err(), "{bad}");
        }
        let icon = || wit::Icon {
            src: "https://example.org/".into(),
            mime_type: None,
            sizes: vec![],
            theme: Some(wit::IconTheme::Dark),
        };
        assert!(icons((0..MAX_ICONS).map(|_| icon()).collect()).is_ok());
        assert!(icons((0..=MAX_ICONS).map(|_| icon()).collect()).is_err());
    }
}
