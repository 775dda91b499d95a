//! Notes that are kept between calls: a tool writes them, resources show them, a prompt sums them up.
//! Needs state. Must not change or delete a note: what was shown under a URI stays.

mod store;

use kennel_sdk::prelude::*;
use kennel_sdk::{Annotations, list_changed};
use store::Note;

#[derive(Deserialize, JsonSchema)]
struct NewNote {
    /// What the note is called.
    #[schemars(length(min = 1))]
    title: String,
    /// What it says.
    content: String,
}

/// Creates a note and gives back the URI under which it can be read.
#[tool(destructive = false, idempotent = false, open_world = false)]
fn create_note(args: NewNote) -> Result<Vec<Content>> {
    if args.title.trim().is_empty() {
        return Err(Error::invalid("the title is blank: give the note a name to find it by"));
    }
    let note = store::create(args.title, args.content)?;
    list_changed(ListKind::Resources);
    Ok(vec![
        Content::text(format!("Created the note \"{}\": {}", note.title, note.uri())),
        Content::link(info(&note)),
    ])
}

/// One note: its title, when it was made, and what it says.
#[resource("note:///{id}", title = "A note", mime = "text/plain", list = list_notes)]
fn note(id: u64) -> Result<Option<ResourceContents>> {
    Ok(store::read(id)?.map(|note| contents(&note)))
}

fn list_notes() -> Result<Vec<ResourceInfo>> {
    Ok(store::all()?.iter().map(info).collect())
}

/// Asks for a summary of all notes, each of them attached.
#[prompt(title = "Summarize the notes")]
fn summarize_notes() -> Result<Vec<Message>> {
    let notes = store::all()?;
    if notes.is_empty() {
        return Ok(vec![Message::user("There are no notes yet. Say so, and offer to create one.")]);
    }
    let mut messages = vec![Message::user("Summarize the following notes:")];
    messages.extend(notes.iter().map(|note| Message::user(Content::embedded(contents(note)))));
    Ok(messages)
}

fn info(note: &Note) -> ResourceInfo {
    ResourceInfo {
        annotations: Some(Annotations::new().last_modified(&note.created)),
        meta: Some(metadata(note).to_string()),
        ..ResourceInfo::new(note.uri(), format!("note-{}", note.id))
            .title(&note.title)
            .description(format!("A note of {}", note.created))
            .mime("text/plain")
            .size(note.text().len() as u64)
    }
}

/// The same where a note is listed, linked, read and attached.
fn metadata(note: &Note) -> Value {
    json!({ "title": note.title, "created": note.created })
}

fn contents(note: &Note) -> ResourceContents {
    ResourceContents::text(note.uri(), note.text()).mime("text/plain").with_meta(metadata(note))
}

plugin! {
    tools: [create_note],
    resources: [note],
    prompts: [summarize_notes],
    asks: {
        state: { quota: "16MiB", scope: "plugin", why: "keeps the notes" },
    },
}
