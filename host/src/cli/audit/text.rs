//! Which lines of the audit a person wants to see, and how they look.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::grants::PluginName;
use crate::observe::audit::ReadLine;
use crate::observe::escape_for_people;

/// Which lines.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Filter {
    /// Only those of this plugin
    plugin: Option<PluginName>,
    /// Only calls in which something was denied
    #[arg(long)]
    denied: bool,
}

impl Filter {
    pub(super) fn takes(&self, line: &Value) -> bool {
        let kind = line["kind"].as_str().unwrap_or_default();
        let plugin = self.plugin.as_ref().is_none_or(|plugin| line["plugin"] == plugin.as_str());
        // What concerns all plugins is of interest to whoever asks for none.
        let about =
            matches!(kind, "call" | "grants") || (kind == "gap" && self.plugin.is_none() && !self.denied);
        about && plugin && (!self.denied || line.get("denied").is_some() || line["outcome"] == "denied")
    }
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// The lines as they are, one JSON object each
    Json,
}

impl Format {
    pub(super) fn print(self, line: &ReadLine, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Json => writeln!(out, "{}", line.text),
            Self::Text => writeln!(out, "{}", escape_for_people(&describe(&line.json)).replace('\n', "\\n")),
        }
    }
}

/// One line of the audit in words.
fn describe(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    // To the millisecond, without the sign of its zone: always UTC.
    let time = text("time");
    let mut said = format!("{}  ", time.get(..23).unwrap_or(time).replace('T', " "));
    // Writing to a String cannot fail.
    let _ = match text("kind") {
        "call" => call(line, &mut said),
        "grants" => grants(line, &mut said),
        "gap" => write!(said, "{} lines were lost here: {}", line["lost"], text("why")),
        kind => write!(said, "{kind}"),
    };
    said
}

fn call(line: &Value, said: &mut String) -> std::fmt::Result {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let plugin = line["plugin"].as_str().unwrap_or("(nobody)");
    write!(said, "{plugin}  {} {}  {}", text("method"), text("name"), text("outcome"))?;
    write!(said, "  ({} µs, {} bytes", line["usage"]["micros"], line["output"])?;
    if !text("caller").is_empty() {
        write!(said, ", for {}", text("caller"))?;
    }
    said.push(')');
    for (key, words, each) in
        [("denied", "denied", "what"), ("allowed", "by", "rule"), ("hosts", "sent to", "what")]
    {
        for entry in line[key].as_array().into_iter().flatten() {
            write!(said, "; {words}: {}", entry[each].as_str().unwrap_or("others"))?;
            match entry["times"].as_u64() {
                None | Some(1) => {}
                Some(times) => write!(said, " ({times} times)")?,
            }
        }
    }
    Ok(())
}

/// Of a change what came and went; else all that is held, as of one that shows in no text.
fn grants(line: &Value, said: &mut String) -> std::fmt::Result {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let list = |key: &str| -> Vec<&str> {
        line[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (before, now) = (list("before"), list("now"));
    let gone = before.iter().filter(|what| !now.contains(what)).map(|what| format!("- {what}"));
    let new = now.iter().filter(|what| !before.contains(what)).map(|what| format!("+ {what}"));
    let changes: Vec<_> = gone.chain(new).collect();
    write!(said, "{}  grants {} by {}: ", text("plugin"), text("what"), text("by"))?;
    said.push_str(&match (changes.is_empty(), now.is_empty()) {
        (false, _) => changes.join("; "),
        (true, false) => now.join("; "),
        (true, true) => "nothing".to_owned(),
    });
    Ok(())
}
