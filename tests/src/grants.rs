//! Whether a plugin needs each thing it is granted: with all of it a job is done, and without any one of it the job fails.
//! It must not know any one plugin.

use crate::client::Client;
use crate::home::Home;

/// Does a job with all of a plugin's grants, and then with each left out in turn.
///
/// `grants` are pieces of `kennel.toml` that follow the line `[plugins.NAME]` in this order; what is no grant (a setting, say) stands in
/// `always`. `job` is done over a fresh Kennel each time, whose tools have no prefix.
///
/// # Panics
/// When the job fails with all of them, or is done without one of them, or when Kennel does not say what is missing: the failure's text has to name
/// what was left out, by the word that goes with it.
#[track_caller]
pub fn each_is_needed(
    plugin: &str,
    always: &str,
    grants: &[(&str, &str)],
    job: impl Fn(&Client) -> Result<(), String>,
) {
    each_is_needed_by(&serde_json::json!({}), plugin, always, grants, job);
}

/// The same with a client that has capabilities.
///
/// # Panics
/// As [`each_is_needed`].
#[track_caller]
pub fn each_is_needed_by(
    capabilities: &serde_json::Value,
    plugin: &str,
    always: &str,
    grants: &[(&str, &str)],
    job: impl Fn(&Client) -> Result<(), String>,
) {
    let with = |left_out: Option<usize>| {
        let home = Home::new("grants");
        let pieces = grants.iter().enumerate().filter(|(at, _)| Some(*at) != left_out);
        let granted: String = pieces.map(|(_, (_, piece))| format!("{piece}\n")).collect();
        home.plugin(plugin)
            .config(&format!("[plugins.{plugin}]\nprefix = \"\"\n{always}\n{granted}"))
            .approve();
        let client = home.serve();
        client.initialize_with("2025-11-25", capabilities);
        job(&client)
    };
    with(None).unwrap_or_else(|why| panic!("{plugin} with all its grants: {why}"));
    for (at, (word, piece)) in grants.iter().enumerate() {
        match with(Some(at)) {
            Ok(()) => panic!("{plugin} does not need {piece:?}"),
            Err(why) => {
                assert!(why.contains(word), "{plugin} without {piece:?} does not say {word:?}: {why}")
            }
        }
    }
}

/// The text of a tool's answer, or of its failure.
///
/// # Errors
/// The failure's text, be it a tool's or the protocol's.
pub fn tool_text(client: &Client, tool: &str, arguments: &serde_json::Value) -> Result<String, String> {
    let result = client
        .request("tools/call", Client::call_params(tool, arguments))
        .map_err(|error| error["message"].as_str().unwrap_or_default().to_owned())?;
    let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    if result["isError"] == true { Err(text) } else { Ok(text) }
}
