//! `kind = "command"` and `[[plugins.NAME.arguments]]`: a command component as one tool, what its arguments mean, and the
//! command line that they become. Pure; runs nothing.

use serde_json::{Map, Value, json};

use crate::config::reader::{Faults, Item, Section};
use crate::grants::PluginName;

/// Most arguments of a command.
const MAX_ARGUMENTS: usize = 64;
/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 4_000;

/// A command as a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTool {
    /// By which name the command is called; its first argument.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its arguments, in the order of the command line.
    pub arguments: Vec<Argument>,
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name for the model.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Which values.
    pub kind: Kind,
    /// Where it goes.
    pub place: Where,
    /// Whether it must be given.
    pub required: bool,
    /// Whether there may be several.
    pub many: bool,
}

/// Which values an argument has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// Yes or no; for flags alone.
    Boolean,
}

/// Where an argument goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// After a flag such as `--lines`; `--lines=` takes the value in one word with it.
    Flag(String),
    /// At its place among those without a flag, which come after all flags.
    Position,
    /// To standard input.
    Stdin,
}

impl CommandTool {
    /// JSON Schema of the arguments.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let mut properties = Map::new();
        for argument in &self.arguments {
            let kind = match argument.kind {
                Kind::Text => "string",
                Kind::Integer => "integer",
                Kind::Number => "number",
                Kind::Boolean => "boolean",
            };
            let mut schema = json!({ "type": kind });
            if argument.many {
                schema = json!({"type": "array", "items": schema, "maxItems": 1_000});
            }
            if let Some(description) = &argument.description {
                schema["description"] = description.as_str().into();
            }
            properties.insert(argument.name.clone(), schema);
        }
        let required: Vec<_> =
            self.arguments.iter().filter(|a| a.required).map(|a| a.name.as_str()).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    /// The command line and the standard input that these arguments become. They fit [`CommandTool::input_schema`].
    ///
    /// # Errors
    /// When a value would be read as something else than it is; one line.
    pub fn line(&self, given: &Map<String, Value>) -> Result<(Vec<String>, Vec<u8>), String> {
        let (mut flags, mut positions, mut stdin) = (vec![self.name.clone()], Vec::new(), Vec::new());
        for argument in &self.arguments {
            let values: &[Value] = match given.get(&argument.name) {
                None => continue,
                Some(Value::Array(values)) => values,
                Some(value) => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                if guarded!("command-words", argument.place != Where::Stdin && text.contains('\0')) {
                    return Err(format!("{:?} holds a NUL, which ends an argument", argument.name));
                }
                match &argument.place {
                    Where::Stdin => stdin.extend_from_slice(text.as_bytes()),
                    Where::Flag(flag) if argument.kind == Kind::Boolean => {
                        flags.extend((value == &Value::Bool(true)).then(|| flag.clone()));
                    }
                    Where::Flag(flag) if flag.ends_with('=') => flags.push(format!("{flag}{text}")),
                    // A text that begins with `-` would be an option of the caller's own, and what options a command
                    // has is for the person to say. A number is one all the same.
                    Where::Flag(_) | Where::Position
                        if guarded!(
                            "command-options",
                            argument.kind == Kind::Text && text.starts_with('-')
                        ) =>
                    {
                        return Err(format!(
                            "{:?} begins with \"-\", so the command would take it for an option; write for example \"./-x\" for a file",
                            argument.name
                        ));
                    }
                    Where::Flag(flag) => flags.extend([flag.clone(), text]),
                    Where::Position => positions.push(text),
                }
            }
        }
        flags.extend(positions);
        Ok((flags, stdin))
    }
}

/// Reads what makes a plugin a command, if it is one.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    name: &PluginName,
    faults: &mut Faults<'_>,
) -> Option<CommandTool> {
    let command = plugin.read(faults, "kind", |item| match item.text()? {
        "plugin" => Ok(false),
        "command" => Ok(true),
        other => Err(format!("{other:?} is neither \"plugin\" nor \"command\"")),
    });
    let described = plugin.read(faults, "description", |item| words(item, MAX_DESCRIPTION));
    let written = plugin.sections(faults, "arguments");
    if command != Some(true) {
        for key in ["description", "arguments"] {
            if let Some(item) = plugin.item(key) {
                faults.add(item.at, &item.key, "it is for commands; add `kind = \"command\"`, or drop it");
            }
        }
        return None;
    }
    if written.len() > MAX_ARGUMENTS {
        faults.add(plugin.at(), plugin.key(), format!("more than {MAX_ARGUMENTS} arguments"));
    }
    let mut arguments: Vec<Argument> = Vec::new();
    for section in written.into_iter().take(MAX_ARGUMENTS) {
        let (at, key) = (section.at(), section.key().to_owned());
        let Some(argument) = argument(section, faults) else { continue };
        if arguments.iter().any(|other| other.name == argument.name) {
            faults.add(at, &key, format!("{:?} is there already", argument.name));
        }
        if argument.place == Where::Stdin && arguments.iter().any(|other| other.place == Where::Stdin) {
            faults.add(at, &key, "another argument goes to standard input already");
        }
        let last = arguments.iter().rev().find(|other| other.place == Where::Position);
        if argument.place == Where::Position && last.is_some_and(|last| last.many || !last.required) {
            faults.add(
                at,
                &key,
                "one that may be missing or be several comes before it, so its place would not be known",
            );
        }
        arguments.push(argument);
    }
    if described.is_none() && plugin.item("description").is_none() {
        faults.add(
            plugin.at(),
            plugin.key(),
            "`description` is missing; say what the command does, for the model",
        );
    }
    Some(CommandTool { name: name.to_string(), description: described?, arguments })
}

fn argument(mut section: Section<'_, '_>, faults: &mut Faults<'_>) -> Option<Argument> {
    let (at, key) = (section.at(), section.key().to_owned());
    let name = section.read(faults, "name", |item| {
        let text = item.text()?;
        let plain = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if plain {
            Ok(text.to_owned())
        } else {
            Err(format!("{text:?} is no name; use 1 to 64 of a-z, A-Z, 0-9, \"_\", \"-\" and \".\""))
        }
    });
    let description = section.read(faults, "description", |item| words(item, MAX_DESCRIPTION));
    let kind = section.read(faults, "type", |item| match item.text()? {
        "string" => Ok(Kind::Text),
        "integer" => Ok(Kind::Integer),
        "number" => Ok(Kind::Number),
        "boolean" => Ok(Kind::Boolean),
        other => Err(format!("{other:?} is none of \"string\", \"integer\", \"number\", \"boolean\"")),
    });
    let kind = kind.unwrap_or(Kind::Text);
    let flag = section.read(faults, "flag", |item| {
        let text = item.text()?;
        let plain =
            text.starts_with('-') && !text.trim_matches(['-', '=']).is_empty() && !text.contains([' ', '\0']);
        if plain {
            Ok(text.to_owned())
        } else {
            Err(format!("{text:?} is no flag; write for example \"--lines\""))
        }
    });
    let stdin = section.read(faults, "stdin", Item::boolean).unwrap_or(false);
    let required = section.read(faults, "required", Item::boolean).unwrap_or(false);
    let many = section.read(faults, "many", Item::boolean).unwrap_or(false);
    if section.item("name").is_none() {
        faults.add(at, &key, "`name` is missing; write for example name = \"path\"");
    }
    section.finish(faults);
    let place = match (flag, stdin) {
        (Some(_), true) => {
            faults.add(at, &key, "either `flag` or `stdin`");
            return None;
        }
        (Some(flag), false) => Where::Flag(flag),
        (None, true) => Where::Stdin,
        (None, false) => Where::Position,
    };
    let fault = match (&place, kind) {
        (Where::Position, Kind::Boolean) => Some("yes or no needs a `flag`"),
        (Where::Stdin, Kind::Boolean | Kind::Integer | Kind::Number) => Some("standard input takes a string"),
        (Where::Stdin, Kind::Text) if many => Some("standard input is one"),
        (Where::Flag(flag), Kind::Boolean) if many || flag.ends_with('=') => {
            Some("a flag of yes or no is there or not")
        }
        _ => None,
    };
    if let Some(fault) = fault {
        faults.add(at, &key, fault);
    }
    Some(Argument { name: name?, description, kind, place, required, many })
}

fn words(item: &Item<'_, '_>, most: usize) -> Result<String, String> {
    let text = item.text()?;
    match text.chars().count() {
        0 => Err("is empty".to_owned()),
        count if count > most => Err(format!("has {count} characters; at most {most} are taken")),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn tool() -> CommandTool {
        let argument = |name: &str, kind, place, many| Argument {
            name: name.into(),
            description: None,
            kind,
            place,
            required: false,
            many,
        };
        CommandTool {
            name: "cut".into(),
            description: "Cuts.".into(),
            arguments: vec![
                argument("files", Kind::Text, Where::Position, true),
                argument("loud", Kind::Boolean, Where::Flag("-v".into()), false),
                argument("lines", Kind::Integer, Where::Flag("-n".into()), false),
                argument("mark", Kind::Text, Where::Flag("--mark=".into()), false),
                argument("input", Kind::Text, Where::Stdin, false),
            ],
        }
    }

    fn line(given: Value) -> Result<(String, String), String> {
        let Value::Object(given) = given else { panic!("no object") };
        let (words, stdin) = tool().line(&given)?;
        Ok((words.join("|"), String::from_utf8(stdin).unwrap()))
    }

    #[test]
    fn arguments_become_a_command_line() {
        let all = json!({"input": "-a\0b", "mark": "--", "lines": -3, "loud": true, "files": ["a b", "$(c)", "; d"]});
        assert_eq!(line(all).unwrap(), ("cut|-v|-n|-3|--mark=--|a b|$(c)|; d".into(), "-a\0b".into()));
        assert_eq!(line(json!({"loud": false})).unwrap(), ("cut".into(), String::new()));
    }

    #[test]
    fn no_value_becomes_an_option() {
        for bad in [json!({"files": ["a", "-rf"]}), json!({"files": ["--"]}), json!({"files": ["-"]})] {
            assert!(line(bad.clone()).unwrap_err().contains("option"), "{bad}");
        }
        assert!(line(json!({"files": ["a\0b"]})).unwrap_err().contains("NUL"));
    }
}
