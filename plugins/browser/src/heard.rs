//! What the browser says without being asked, as far as it matters: lines of the console, loads of documents, the page's
//! end. Bounded, because a page may say as much as it likes.
//! Must not send anything.

use std::collections::VecDeque;

use kennel_sdk::prelude::*;
use serde_json::value::RawValue;

use crate::console::{self, Line, Origin};

/// The most lines of the console that are held of one call; of more, the last ones. Chromium keeps as many of a page.
const LINES: usize = 1000;

/// The most bytes of the console's events that are looked at in one call: the rest is dropped unread, or a page that talks
/// without end would use up the call. What is dropped comes again with the next call, as far as Chromium holds it.
const LOOKED_AT: usize = 4 << 20;

/// The most loads of documents held; of more, the last ones.
const LOADS: usize = 100;

/// What was heard so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Lines of the console, in the order of their arrival.
    pub(crate) lines: VecDeque<Line>,
    /// Frame and loader of each document that was loaded whole.
    loads: VecDeque<(String, String)>,
    /// Bytes of the console's events so far.
    bytes: usize,
    /// A dialog stands before the page and is to be closed: whether to say yes.
    pub(crate) dialog: Option<bool>,
    /// Why there is no page any more.
    pub(crate) end: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lifecycle {
    frame_id: String,
    loader_id: String,
    name: String,
}

#[derive(Deserialize)]
struct Dialog {
    #[serde(rename = "type")]
    kind: String,
}

impl Heard {
    /// Whether a message is one of the console's of which enough were looked at.
    pub(crate) fn is_too_much(&mut self, message: &str) -> bool {
        let of_console = ["{\"method\":\"Runtime.consoleAPICalled\"", "{\"method\":\"Log.entryAdded\""];
        if !of_console.iter().any(|start| message.starts_with(start)) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(message.len());
        self.bytes > LOOKED_AT
    }

    /// Takes in one event of the page. What cannot be read is an event that we do not know.
    pub(crate) fn event(&mut self, method: &str, params: &RawValue) {
        match method {
            "Runtime.consoleAPICalled" => self.line(console::called(params.get())),
            "Log.entryAdded" => self.line(console::logged(params.get())),
            "Page.lifecycleEvent" => {
                if let Ok(event) = serde_json::from_str::<Lifecycle>(params.get())
                    && event.name == "load"
                {
                    push(&mut self.loads, (event.frame_id, event.loader_id), LOADS);
                }
            }
            "Page.javascriptDialogOpening" => {
                // A page that is left asks whether it may be: it may. Everything else is answered with no.
                let kind = serde_json::from_str::<Dialog>(params.get()).map(|dialog| dialog.kind);
                self.dialog = Some(kind.is_ok_and(|kind| kind == "beforeunload"));
            }
            "Inspector.targetCrashed" => self.end = Some("the page crashed"),
            "Target.detachedFromTarget" | "Inspector.detached" => self.end = Some("the page was closed"),
            _ => {}
        }
    }

    fn line(&mut self, line: Option<Line>) {
        if let Some(line) = line {
            push(&mut self.lines, line, LINES);
        }
    }

    /// Whether a document other than `before` was loaded in the frame.
    pub(crate) fn loaded(&self, frame: &str, before: &str) -> bool {
        self.loads.iter().any(|(of, loader)| of == frame && loader != before)
    }

    /// The lines that came from one origin, the oldest first.
    pub(crate) fn of(&self, origin: Origin) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.origin == origin)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn hear(heard: &mut Heard, method: &str, params: Value) {
        heard.event(method, &serde_json::value::to_raw_value(&params).unwrap());
    }

    #[test]
    fn loads_of_another_document_of_the_frame_count() {
        let mut heard = Heard::default();
        let event = |frame, loader, name| json!({ "frameId": frame, "loaderId": loader, "name": name });
        hear(&mut heard, "Page.lifecycleEvent", event("main", "old", "load"));
        hear(&mut heard, "Page.lifecycleEvent", event("main", "new", "DOMContentLoaded"));
        hear(&mut heard, "Page.lifecycleEvent", event("child", "new", "load"));
        assert!(!heard.loaded("main", "old"));
        hear(&mut heard, "Page.lifecycleEvent", event("main", "new", "load"));
        assert!(heard.loaded("main", "old"));
    }

    #[test]
    fn what_a_page_says_is_bounded() {
        let mut heard = Heard::default();
        for at in 0..2 * LINES {
            let args = json!([{ "type": "number", "value": at }]);
            let said = json!({ "type": "log", "args": args, "timestamp": at });
            hear(&mut heard, "Runtime.consoleAPICalled", said);
            hear(
                &mut heard,
                "Page.lifecycleEvent",
                json!({ "frameId": "f", "loaderId": "l", "name": "load" }),
            );
        }
        assert_eq!((heard.lines.len(), heard.loads.len()), (LINES, LOADS));
        assert_eq!(heard.of(Origin::Console).next().unwrap().text, format!("[log] {LINES}"));
        assert_eq!(heard.of(Origin::Log).count(), 0);
    }

    #[test]
    fn only_so_much_of_the_console_is_looked_at() {
        let mut heard = Heard::default();
        let said = format!(
            "{{\"method\":\"Runtime.consoleAPICalled\",\"params\":\"{}\"}}",
            "x".repeat(LOOKED_AT / 2)
        );
        assert!(!heard.is_too_much(&said) && heard.is_too_much(&said));
        assert!(!heard.is_too_much("{\"id\":1}"));
    }

    #[test]
    fn dialogs_and_ends() {
        let mut heard = Heard::default();
        hear(&mut heard, "Page.javascriptDialogOpening", json!({ "type": "confirm", "message": "Sure?" }));
        assert_eq!(heard.dialog.take(), Some(false));
        hear(&mut heard, "Page.javascriptDialogOpening", json!({ "type": "beforeunload" }));
        assert_eq!(heard.dialog.take(), Some(true));
        assert_eq!(heard.end, None);
        hear(&mut heard, "Inspector.targetCrashed", json!({}));
        assert_eq!(heard.end, Some("the page crashed"));
    }
}
