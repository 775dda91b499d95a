//! The kinds of content that a result can hold, and a tool that fails as a tool should.
//! Must not ask anybody: these answer at once.

use kennel_sdk::prelude::*;

/// A small picture.
pub(crate) const PICTURE: &[u8] = include_bytes!("../assets/tile.png");
/// A short tone.
const SOUND: &[u8] = include_bytes!("../assets/tone.wav");

/// Answers with a line of text.
#[tool(read_only, open_world = false)]
pub(crate) fn test_simple_text() -> &'static str {
    "This is a simple text response for testing."
}

/// Answers with a picture.
#[tool(read_only, open_world = false)]
pub(crate) fn test_image_content() -> Content {
    Content::image(PICTURE, "image/png")
}

/// Answers with a sound.
#[tool(read_only, open_world = false)]
pub(crate) fn test_audio_content() -> Content {
    Content::audio(SOUND, "audio/wav")
}

/// Answers with a resource and its contents.
#[tool(read_only, open_world = false)]
pub(crate) fn test_embedded_resource() -> Content {
    let contents =
        ResourceContents::text("test://embedded-resource", "This is an embedded resource content.")
            .mime("text/plain");
    Content::embedded(contents)
}

/// Answers with a text, a picture and a resource.
#[tool(read_only, open_world = false)]
pub(crate) fn test_multiple_content_types() -> Vec<Content> {
    let data = json!({ "test": "data", "value": 123 });
    let resource =
        ResourceContents::text("test://mixed-content-resource", data.to_string()).mime("application/json");
    vec![
        Content::text("Multiple content types test:"),
        Content::image(PICTURE, "image/png"),
        Content::embedded(resource),
    ]
}

/// Fails, in words that a model can read.
#[tool(read_only, open_world = false)]
pub(crate) fn test_error_handling() -> Result<String> {
    bail!("This tool intentionally returns an error for testing")
}
