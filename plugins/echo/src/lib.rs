//! Gives back what it is given. The benchmarks measure with it what a call costs besides the plugin.
//! Needs nothing. Must not do any work of its own.

use kennel_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Echo {
    /// What to give back.
    text: String,
}

/// Gives back the text it is given.
#[tool(read_only)]
fn echo(args: Echo) -> Result<String> {
    Ok(args.text)
}

plugin! { tools: [echo] }
