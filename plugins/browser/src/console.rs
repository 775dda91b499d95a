//! The console's lines: read from the browser's events, told from those that are known already, and kept.
//! The browser holds a page's last thousand lines and says them all again to each one who attaches; so each call
//! brings what was said since the last one, too.
//! Must not keep without bound: the oldest lines go, and their number is said.

use kennel_sdk::prelude::*;
use kennel_sdk::resource_updated;

use crate::heard::Heard;
use crate::javascript;

/// The resource.
pub(crate) const URI: &str = "console://logs";

const KEY: &str = "console";

/// The most lines kept.
const MOST_LINES: usize = 1000;

/// The most bytes of the lines kept, as JSON writes them; well under the store's 1 MiB for a value.
const MOST_BYTES: usize = 512 << 10;

/// The most bytes of one line.
const MOST_OF_LINE: usize = 8 << 10;

/// Which of the browser's two ways a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The page called `console`.
    Console,
    /// The browser itself, for example of a file that did not load.
    Log,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) origin: Origin,
    /// Microseconds since 1970: a whole number, because it is kept and compared.
    at: u64,
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct Called {
    #[serde(rename = "type")]
    kind: String,
    args: Vec<Remote>,
    timestamp: f64,
}

/// The protocol's `RemoteObject`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remote {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    object_id: Option<String>,
    unserializable_value: Option<String>,
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Logged {
    entry: Entry,
}

#[derive(Deserialize)]
struct Entry {
    source: String,
    level: String,
    text: String,
    timestamp: f64,
}

/// The line of a `Runtime.consoleAPICalled`.
pub(crate) fn called(params: &str) -> Option<Line> {
    let event: Called = serde_json::from_str(params).ok()?;
    let words: Vec<String> = event.args.iter().map(word).collect();
    Some(line(Origin::Console, event.timestamp, &event.kind, &words.join(" ")))
}

/// The line of a `Log.entryAdded`; none for workers, whose lines Puppeteer leaves out as well.
pub(crate) fn logged(params: &str) -> Option<Line> {
    let Entry { source, level, text, timestamp } = serde_json::from_str::<Logged>(params).ok()?.entry;
    (source != "worker").then(|| line(Origin::Log, timestamp, &level, &text))
}

fn line(origin: Origin, milliseconds: f64, kind: &str, text: &str) -> Line {
    let kind = if kind == "warning" { "warn" } else { kind };
    let mut text = format!("[{kind}] {text}");
    if text.len() > MOST_OF_LINE {
        let end = text.floor_char_boundary(MOST_OF_LINE);
        let more = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("… ({more} bytes more)"));
    }
    Line { origin, at: (milliseconds * 1000.0).round() as u64, text }
}

/// An argument as Puppeteer's `ConsoleMessage.text()` writes it.
fn word(remote: &Remote) -> String {
    if remote.object_id.is_some() {
        return format!("JSHandle@{}", remote.subtype.as_ref().unwrap_or(&remote.kind));
    }
    match (remote.unserializable_value.as_deref(), &remote.value) {
        // Not known to JSON; a negative zero loses its sign, a bigint its letter, as in `String()`.
        (Some("-0"), _) => "0".to_owned(),
        (Some(value), _) => value.trim_end_matches('n').to_owned(),
        (None, Some(Value::String(text))) => text.clone(),
        (None, Some(Value::Number(value))) => value.as_f64().map(javascript::number).unwrap_or_default(),
        // `[null, undefined].join(" ")` has nothing for either.
        (None, None | Some(Value::Null)) => String::new(),
        (None, Some(value)) => value.to_string(),
    }
}

/// What is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    lines: Vec<String>,
    /// Lines that were kept once and had to go.
    gone: u64,
    console: Mark,
    log: Mark,
}

/// The last line kept of an origin: its time, and how many lines of that very time were kept.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Mark {
    at: u64,
    count: usize,
}

impl Mark {
    /// The lines that are news, and the mark after them. `lines` begins with what the browser said again.
    fn news<'a>(self, lines: impl Iterator<Item = &'a Line>) -> (Vec<&'a Line>, Self) {
        let (mut news, mut mark, mut same) = (Vec::new(), self, 0);
        for line in lines {
            let known = line.at < self.at || (line.at == self.at && same < self.count);
            if line.at == self.at {
                same += 1;
            }
            if known {
                continue;
            }
            news.push(line);
            if line.at > mark.at {
                mark = Self { at: line.at, count: 1 };
            } else if line.at == mark.at {
                mark.count += 1;
            }
        }
        (news, mark)
    }
}

impl Kept {
    /// Takes in what is new; says whether anything was.
    fn take(&mut self, heard: &Heard) -> bool {
        let (mut news, console) = self.console.news(heard.of(Origin::Console));
        let (logged, log) = self.log.news(heard.of(Origin::Log));
        (self.console, self.log) = (console, log);
        news.extend(logged);
        news.sort_by_key(|line| line.at);
        self.lines.extend(news.iter().map(|line| line.text.clone()));
        let size = |line: &String| serde_json::to_string(line).map_or(0, |json| json.len() + 1);
        let mut bytes: usize = self.lines.iter().map(size).sum();
        let mut over = 0;
        for line in &self.lines {
            if self.lines.len() - over <= MOST_LINES && bytes <= MOST_BYTES {
                break;
            }
            bytes -= size(line);
            over += 1;
        }
        self.lines.drain(..over);
        self.gone += over as u64;
        !news.is_empty()
    }

    fn text(&self) -> String {
        let lines = self.lines.join("\n");
        match self.gone {
            0 => lines,
            gone => format!("({gone} older lines are not kept)\n{lines}"),
        }
    }
}

/// Keeps the lines heard that are new, and tells those who want to know.
///
/// # Errors
/// The store's.
pub(crate) fn keep(heard: &Heard) -> Result<()> {
    if heard.lines.is_empty() {
        return Ok(());
    }
    let mut changed = false;
    state::update(KEY, |kept: Option<Kept>| {
        let mut kept = kept.unwrap_or_default();
        changed = kept.take(heard);
        Ok(Some(kept))
    })
    .context("the console's lines were not kept")?;
    if changed {
        resource_updated(URI);
    }
    Ok(())
}

/// All lines kept.
///
/// # Errors
/// The store's.
pub(crate) fn text() -> Result<String> {
    Ok(state::get::<Kept>(KEY)?.unwrap_or_default().text())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn said(at: u64, text: &str) -> Line {
        Line { origin: Origin::Console, at, text: text.to_owned() }
    }

    fn heard(lines: &[Line]) -> Heard {
        let mut heard = Heard::default();
        heard.lines.extend(lines.iter().cloned());
        heard
    }

    #[test]
    fn arguments_look_as_in_puppeteer() {
        let event =
            |args: Value| called(&json!({ "type": "warning", "args": args, "timestamp": 1.5 }).to_string());
        let args = json!([
            { "type": "string", "value": "a" }, { "type": "number", "value": 1e21 }, { "type": "boolean", "value": true },
            { "type": "object", "subtype": "null", "value": null }, { "type": "undefined" },
            { "type": "number", "unserializableValue": "-0" }, { "type": "bigint", "unserializableValue": "12n" },
            { "type": "number", "unserializableValue": "NaN" }, { "type": "object", "objectId": "1" },
            { "type": "object", "subtype": "array", "objectId": "2" },
        ]);
        let line = event(args).unwrap();
        assert_eq!(line.text, "[warn] a 1e+21 true   0 12 NaN JSHandle@object JSHandle@array");
        assert_eq!(line.at, 1500);
        let entry =
            |source| json!({ "entry": { "source": source, "level": "error", "text": "x", "timestamp": 1 } });
        assert_eq!(logged(&entry("network").to_string()).unwrap().text, "[error] x");
        assert!(logged(&entry("worker").to_string()).is_none());
        assert!(called("{}").is_none() && logged("[]").is_none());
    }

    #[test]
    fn what_is_said_again_is_kept_once() {
        let mut kept = Kept::default();
        let first = [said(1, "a"), said(2, "b"), said(2, "b")];
        assert!(kept.take(&heard(&first)));
        assert!(!kept.take(&heard(&first)));
        // A third line of the same time, and one later.
        let more = [said(1, "a"), said(2, "b"), said(2, "b"), said(2, "c"), said(3, "d")];
        assert!(kept.take(&heard(&more)));
        // The page went on to another: nothing is said again.
        assert!(kept.take(&heard(&[said(4, "e")])));
        assert!(!kept.take(&heard(&[said(4, "e")])));
        assert_eq!(kept.text(), "a\nb\nb\nc\nd\ne");
    }

    #[test]
    fn both_origins_are_kept_in_the_order_of_time() {
        let mut kept = Kept::default();
        let log = Line { origin: Origin::Log, at: 2, text: "log".into() };
        kept.take(&heard(&[log, said(1, "before"), said(3, "after")]));
        assert_eq!(kept.text(), "before\nlog\nafter");
    }

    #[test]
    fn the_oldest_lines_go_and_are_counted() {
        let mut kept = Kept::default();
        for round in 0..2 {
            let lines: Vec<_> =
                (0..1000).map(|at| said(round * 1000 + at + 1, &format!("{round} {at}"))).collect();
            kept.take(&heard(&lines));
        }
        assert_eq!((kept.lines.len(), kept.gone), (1000, 1000));
        assert!(kept.text().starts_with("(1000 older lines are not kept)\n1 0\n"));
        // Each character of these is six as JSON.
        let long = "\u{1}".repeat(MOST_OF_LINE);
        let lines: Vec<_> = (0..100).map(|at| said(10_000 + at, &long)).collect();
        kept.take(&heard(&lines));
        assert!(serde_json::to_vec(&kept).unwrap().len() < 1 << 20);
        assert_eq!(kept.lines.len(), MOST_BYTES / (6 * MOST_OF_LINE + 3));
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = line(Origin::Console, 0.0, "log", &"é".repeat(MOST_OF_LINE));
        assert!(
            line.text.len() < MOST_OF_LINE + 40 && line.text.ends_with("bytes more)"),
            "{}",
            line.text.len()
        );
    }
}
