//! The smallest plugin: one tool, nothing asked for.
use kennel_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who to greet.
    name: String,
}

/// Says hello.
#[tool(read_only)]
fn hello(args: Greet) -> Result<String> {
    Ok(format!("Hello, {}!", args.name))
}
plugin! { tools: [hello] }
