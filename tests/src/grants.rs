//! Whether a plugin needs each thing it is granted: with all of it a job is done, and without any one of it the job fails.
//! It must not know any one plugin.

use crate::client::Client;
use crate::home::Home;

/// Does a job with all of a plugin's grants, and then with each left out in turn.
///
/// `first` begins `kennel.toml`; `grants` are a name for messages and the lines that follow. `secret` is a variable of the
/// host's. The job is done over a fresh Kennel each time, and over a fresh home when it keeps
/// anything. Gives what was said without each, in order.
///
/// # Panics
/// When the job fails with all of them, or is done without one of them.
#[track_caller]
pub fn each_grant_is_needed(
    plugin: &str,
    first: &str,
    grants: &[(&str, String)],
    secret: Option<(&str, &str)>,
    job: impl Fn(&Client) -> Result<(), String>,
) -> Vec<String> {
    assert!(!grants.is_empty(), "`{plugin}` is said to need no grant");
    let make = || {
        let home = Home::new(plugin);
        match secret {
            Some((name, value)) => home.env(name, value),
            None => home,
        }
    };
    // What is kept from one run would answer the next; without a store one home does, which compiles once.
    let keeps = grants.iter().any(|(_, lines)| lines.contains("state"));
    let shared = make();
    let without = |left_out: Option<usize>| {
        let own = keeps.then(make);
        let home = own.as_ref().unwrap_or(&shared);
        // A secret is for a place that is granted: without the place there can be no secret either.
        let no_place = left_out.is_some_and(|at| grants[at].0 == "http");
        let kept = grants
            .iter()
            .enumerate()
            .filter(|(at, (name, _))| Some(*at) != left_out && !(no_place && *name == "secrets"));
        let lines: String = kept.map(|(_, (_, lines))| lines.as_str()).collect();
        home.plugin(plugin).config(&format!("{first}{lines}")).approve();
        let client = home.serve();
        client.initialize();
        job(&client)
    };
    if let Err(why) = without(None) {
        panic!("`{plugin}` fails with all its grants: {why}");
    }
    let each = grants.iter().enumerate();
    each.map(|(at, (name, _))| match without(Some(at)) {
        Ok(()) => panic!("`{plugin}` works without its grant `{name}`, so it does not need it"),
        Err(why) => why,
    })
    .collect()
}

/// The same for a plugin whose tools have no prefix, with a check that Kennel says what is missing: `grants` are
/// the words for it, and lines of `kennel.toml`; what is no grant (a setting, say) stands in `always`.
///
/// # Panics
/// As above, and when a failure's text lacks the words.
#[track_caller]
pub fn each_is_needed(
    plugin: &str,
    always: &str,
    grants: &[(&str, &str)],
    job: impl Fn(&Client) -> Result<(), String>,
) {
    let lines: Vec<_> = grants.iter().map(|(words, lines)| (*words, format!("{lines}\n"))).collect();
    let first = format!("[plugins.{plugin}]\nprefix = \"\"\n{always}\n");
    let said = each_grant_is_needed(plugin, &first, &lines, None, job);
    for (why, (words, lines)) in said.iter().zip(grants) {
        assert!(why.contains(words), "{plugin} without {lines:?} does not say {words:?}: {why}");
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
