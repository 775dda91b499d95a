//! The plugins that stand in for published servers of web APIs offer the same tools: names, descriptions and schemas of
//! both are read from what runs now and compared. Every difference is listed here with its reason, and one that is
//! listed must be there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;

use kennel_tests::{Client, Home, clients_dir, node, python_mcp1};
use serde_json::{Map, Value, json};

/// A login that nobody asks for the list of tools; without such a file one server does not start.
const CREDENTIALS: &str = "credentials.json";

/// A published server and what is different in the plugin.
struct Published {
    plugin: &'static str,
    /// Without these it does not start; it asks nobody for its list.
    env: &'static [(&'static str, &'static str)],
    /// Tools that only the plugin has, and why.
    more: &'static [(&'static str, &'static str)],
    /// What differs: tool, place in it (RFC 6901), why.
    differs: &'static [(&'static str, &'static str, &'static str)],
}

impl Published {
    const fn of(plugin: &'static str, env: &'static [(&'static str, &'static str)]) -> Self {
        Self { plugin, env, more: &[], differs: &[] }
    }

    fn command(&self) -> Command {
        let mut command = if self.plugin == "sentry" {
            let mut command = Command::new(python_mcp1());
            command.args(["-m", "mcp_server_sentry", "--auth-token", "none"]);
            command
        } else {
            let mut command = Command::new(node());
            let package =
                format!("node/node_modules/@modelcontextprotocol/server-{}/dist/index.js", self.plugin);
            command.arg(clients_dir().join(package));
            command
        };
        command.envs(self.env.iter().copied());
        command
    }

    #[track_caller]
    fn compare(&self) {
        let plugin = self.plugin;
        let home = Home::new(plugin);
        home.plugin(plugin).config(&format!("[plugins.{plugin}]\nprefix = \"\"\n")).approve();
        let mut command = self.command();
        let folder = home.folder("user");
        std::fs::write(folder.join(CREDENTIALS), r#"{"refresh_token":"none"}"#).unwrap();
        command.current_dir(folder);
        let theirs = Client::start(command);
        let ours = home.serve();
        let mut theirs = tools(&theirs);
        let mut ours = tools(&ours);
        for (name, why) in self.more {
            assert!(
                ours.shift_remove(*name).is_some(),
                "`{plugin}` has no tool `{name}`, which was added because {why}"
            );
        }
        let names = |tools: &Map<String, Value>| tools.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ours), names(&theirs), "the tools of `{plugin}`");
        let mut found = Vec::new();
        for (name, their) in &mut theirs {
            differences(&mut found, name, "", their, &ours[name]);
        }
        for (tool, place, why) in self.differs {
            let before = found.len();
            found
                .retain(|one: &(String, String, String)| (one.0.as_str(), one.1.as_str()) != (*tool, *place));
            assert!(
                found.len() < before,
                "`{plugin}`, {tool}{place} is listed as different ({why}), and is not"
            );
        }
        assert!(found.is_empty(), "`{plugin}` is not as published: {found:#?}");
    }
}

/// The tools of a server by name (Kennel lists them in that order), with what is compared: description and input schema. Left out are
/// `$schema` (the published ones name a draft of JSON Schema whose keywords mean the same in the protocol's own), an
/// empty `required`, and what the published servers do not say at all (annotations).
#[track_caller]
fn tools(client: &Client) -> Map<String, Value> {
    client.initialize();
    let list = client.request("tools/list", json!({})).expect("the list");
    let tools = list["tools"].as_array().expect("a list").iter();
    let mut tools: Map<String, Value> = tools
        .map(|tool| {
            let schema = without_dialect(&tool["inputSchema"]);
            let name = tool["name"].as_str().expect("a name").to_owned();
            (name, json!({ "description": tool["description"], "inputSchema": schema }))
        })
        .collect();
    tools.sort_keys();
    tools
}

fn without_dialect(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, value)| *key != "$schema" && !(*key == "required" && **value == json!([])))
            .map(|(key, value)| (key.clone(), without_dialect(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_dialect).collect(),
        // Bounds are numbers, however they are spelled.
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number)),
        other => other.clone(),
    }
}

/// The places where two values differ, with both.
fn differences(
    found: &mut Vec<(String, String, String)>,
    tool: &str,
    place: &str,
    their: &Value,
    our: &Value,
) {
    match (their, our) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let only_ours = ours.keys().filter(|key| !theirs.contains_key(*key));
            for key in theirs.keys().chain(only_ours) {
                let at = |side: &Map<String, Value>| side.get(key).cloned().unwrap_or_default();
                differences(found, tool, &format!("{place}/{key}"), &at(theirs), &at(ours));
            }
        }
        _ if their == our => {}
        _ => found.push((tool.into(), place.into(), format!("published {their}, plugin {our}"))),
    }
}

#[test]
fn github() {
    Published {
        more: &[
            ("list_repos", "all repositories are wanted in one call, over all pages"),
            ("get_issues", "all issues are wanted in one call, over all pages"),
        ],
        ..Published::of("github", &[])
    }
    .compare();
}

#[test]
fn gitlab() {
    Published::of("gitlab", &[("GITLAB_PERSONAL_ACCESS_TOKEN", "none")]).compare();
}

#[test]
fn slack() {
    Published::of("slack", &[("SLACK_BOT_TOKEN", "none"), ("SLACK_TEAM_ID", "none")]).compare();
}

#[test]
fn brave_search() {
    Published::of("brave-search", &[("BRAVE_API_KEY", "none")]).compare();
}

#[test]
fn google_maps() {
    Published::of("google-maps", &[("GOOGLE_MAPS_API_KEY", "none")]).compare();
}

#[test]
fn everart() {
    Published::of("everart", &[("EVERART_API_KEY", "none")]).compare();
}

#[test]
fn sentry() {
    Published::of("sentry", &[]).compare();
}

#[test]
fn gdrive() {
    Published::of("gdrive", &[("GDRIVE_CREDENTIALS_PATH", CREDENTIALS)]).compare();
}

#[test]
fn aws_kb_retrieval() {
    let env =
        &[("AWS_ACCESS_KEY_ID", "none"), ("AWS_SECRET_ACCESS_KEY", "none"), ("AWS_REGION", "us-east-1")];
    Published::of("aws-kb-retrieval", env).compare();
}
