//! The pieces that results and messages are made of, with constructors for the usual ones.
//! The types are the contract's own; `..` on a value of one fills in what is seldom given.
//! Must not encode: bytes cross the border raw.

use crate::bindings::prompts::exports::kennel::plugin::prompts as wit_prompts;
pub use crate::bindings::tools::kennel::plugin::types::{
    Annotations, Content, EmbeddedResource, Icon, IconTheme, MediaContent, ResourceBody, ResourceContents,
    ResourceInfo, Role, TextContent,
};
/// A message of a prompt.
pub use wit_prompts::PromptMessage as Message;

impl Content {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent { text: text.into(), annotations: None, meta: None })
    }

    /// A picture: raw bytes and their MIME type.
    pub fn image(data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        Self::Image(media(data.into(), mime_type.into()))
    }

    /// A sound: raw bytes and their MIME type.
    pub fn audio(data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        Self::Audio(media(data.into(), mime_type.into()))
    }

    /// A resource together with its contents.
    #[must_use]
    pub fn embedded(contents: ResourceContents) -> Self {
        Self::Embedded(EmbeddedResource { contents, annotations: None, meta: None })
    }

    /// A resource to be read by its URI.
    #[must_use]
    pub fn link(resource: ResourceInfo) -> Self {
        Self::Link(resource)
    }

    /// With hints for the client.
    #[must_use]
    pub fn annotated(mut self, hints: Annotations) -> Self {
        match &mut self {
            Self::Text(text) => text.annotations = Some(hints),
            Self::Image(media) | Self::Audio(media) => media.annotations = Some(hints),
            Self::Embedded(embedded) => embedded.annotations = Some(hints),
            Self::Link(resource) => resource.annotations = Some(hints),
        }
        self
    }

    /// With a `_meta` object.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!({…})` is what stands here")]
    pub fn with_meta(mut self, meta: serde_json::Value) -> Self {
        let meta = Some(meta.to_string());
        match &mut self {
            Self::Text(text) => text.meta = meta,
            Self::Image(media) | Self::Audio(media) => media.meta = meta,
            Self::Embedded(embedded) => embedded.meta = meta,
            Self::Link(resource) => resource.meta = meta,
        }
        self
    }
}

fn media(data: Vec<u8>, mime_type: String) -> MediaContent {
    MediaContent { data, mime_type, annotations: None, meta: None }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl Annotations {
    /// No hints yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { audience: Vec::new(), priority: None, last_modified: None }
    }

    /// Meant for these readers.
    #[must_use]
    pub fn audience(mut self, readers: impl IntoIterator<Item = Role>) -> Self {
        self.audience = readers.into_iter().collect();
        self
    }

    /// From 0 (may be left out) to 1 (must be shown).
    #[must_use]
    pub const fn priority(mut self, priority: f64) -> Self {
        self.priority = Some(priority);
        self
    }

    /// When the content last changed: ISO 8601.
    #[must_use]
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.last_modified = Some(time.into());
        self
    }
}

impl Default for Annotations {
    fn default() -> Self {
        Self::new()
    }
}

impl Icon {
    /// A picture at an `https:` or `data:` URI.
    pub fn new(src: impl Into<String>) -> Self {
        Self { src: src.into(), mime_type: None, sizes: Vec::new(), theme: None }
    }

    /// With its MIME type.
    #[must_use]
    pub fn mime(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// With one more size, such as `48x48` or `any`.
    #[must_use]
    pub fn size(mut self, size: impl Into<String>) -> Self {
        self.sizes.push(size.into());
        self
    }

    /// Made for this background.
    #[must_use]
    pub const fn theme(mut self, theme: IconTheme) -> Self {
        self.theme = Some(theme);
        self
    }
}

impl ResourceInfo {
    /// An entry of a list of resources, or a link in a result.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            name: name.into(),
            title: None,
            description: None,
            mime_type: None,
            size: None,
            annotations: None,
            icons: Vec::new(),
            meta: None,
        }
    }

    /// With a name for people.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// With what it is.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// With its MIME type.
    #[must_use]
    pub fn mime(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// With its size in bytes before any encoding.
    #[must_use]
    pub const fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }
}

impl ResourceContents {
    /// A resource that is text.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self { uri: uri.into(), mime_type: None, body: ResourceBody::Text(text.into()), meta: None }
    }

    /// A resource that is bytes.
    pub fn blob(uri: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { uri: uri.into(), mime_type: None, body: ResourceBody::Blob(bytes.into()), meta: None }
    }

    /// With its MIME type.
    #[must_use]
    pub fn mime(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// With a `_meta` object.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "`json!({…})` is what stands here")]
    pub fn with_meta(mut self, meta: serde_json::Value) -> Self {
        self.meta = Some(meta.to_string());
        self
    }
}

impl Message {
    /// Something the user says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// Something the assistant says.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}
