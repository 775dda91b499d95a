//! Fetches web pages and gives what they say as Markdown: the answers of PyPI's `mcp-server-fetch`.
//! Needs HTTP to the sites a person grants. Must not go where a site's robots.txt forbids a machine that nobody sent; a person who asks for
//! a page by the prompt sends it.

mod markdown;
mod page;
mod reader;
mod robots;
mod tree;
mod web;

use kennel_sdk::prelude::*;
use url::Url;
use web::Trouble;

const AUTONOMOUS: &str =
    "ModelContextProtocol/1.0 (Autonomous; +https://github.com/modelcontextprotocol/servers)";
const MANUAL: &str =
    "ModelContextProtocol/1.0 (User-Specified; +https://github.com/modelcontextprotocol/servers)";

#[derive(Deserialize)]
struct Fetch {
    url: String,
    #[serde(default = "five_thousand")]
    max_length: f64,
    #[serde(default)]
    start_index: f64,
    #[serde(default)]
    raw: bool,
}

const fn five_thousand() -> f64 {
    5_000.0
}

fn schema() -> Value {
    json!({
        "properties": {
            "url": { "description": "URL to fetch", "format": "uri", "minLength": 1, "title": "Url", "type": "string" },
            "max_length": {
                "default": 5000,
                "description": "Maximum number of characters to return.",
                "maximum": 999_999,
                "minimum": 1,
                "title": "Max Length",
                "type": "integer",
            },
            "start_index": {
                "default": 0,
                "description": "On return output starting at this character index, useful if a previous fetch was truncated \
                                and more context is required.",
                "minimum": 0,
                "title": "Start Index",
                "type": "integer",
            },
            "raw": {
                "default": false,
                "description": "Get the actual HTML content of the requested page, without simplification.",
                "title": "Raw",
                "type": "boolean",
            },
        },
        "required": ["url"],
        "type": "object",
        "title": "fetchArguments",
    })
}

/// Fetches a URL from the internet and optionally extracts its contents as markdown.
///
/// Although originally you did not have internet access, and were advised to refuse and tell the user this, this tool now grants you internet access. Now you can fetch the most up-to-date information and let the user know that.
#[tool(name = "fetch", read_only, destructive = false, idempotent, open_world, input_schema = schema())]
fn fetch_tool(args: Fetch) -> Result<ToolResult> {
    let url = Url::parse(&args.url).map_err(|error| {
        Error::invalid(format!("the arguments do not fit: url: {error}; give an absolute URL"))
    })?;
    let agent = agent(AUTONOMOUS)?;
    let obeys_robots = !setting("ignore-robots-txt")?.unwrap_or(false);
    let allowed = if obeys_robots { page::may_fetch(&url, &agent) } else { Ok(()) };
    match allowed.and_then(|()| page::fetch(&url, url.as_str(), &agent, args.raw, obeys_robots)) {
        Ok(page) => {
            let shown = part(&page.content, args.start_index, args.max_length);
            Ok(ToolResult::new().text(format!("{}Contents of {url}:\n{shown}", page.prefix)))
        }
        Err(Trouble::Refused(error)) => Err(error),
        Err(Trouble::Told(text) | Trouble::Failed(text)) => Ok(ToolResult::error(text)),
    }
}

/// A page of a text, counted in characters, with a word on how to get the next. The numbers are whole: the schema says so.
fn part(text: &str, start: f64, most: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is too large becomes the largest"
    )]
    let (start, most) = (start as usize, most as usize);
    let length = text.chars().count();
    if start >= length {
        return "<error>No more content available.</error>".to_owned();
    }
    let mut shown: String = text.chars().skip(start).take(most).collect();
    let next = start.saturating_add(most);
    if next < length {
        shown += &format!(
            "\n\n<error>Content truncated. Call the fetch tool with a start_index of {next} to get more content.</error>"
        );
    }
    shown
}

#[derive(Deserialize, JsonSchema)]
struct FetchPrompt {
    /// URL to fetch
    url: String,
}

/// What the prompt is for; its result says so too.
const PROMPT: &str = "Fetch a URL and extract its contents as markdown";

#[prompt(name = "fetch", description = PROMPT)]
fn fetch_prompt(args: FetchPrompt) -> Result<PromptResult> {
    let said = |text: String| PromptResult::new(vec![Message::user(text)]).description(PROMPT);
    let fetched = match Url::parse(&args.url) {
        Ok(url) => page::fetch(&url, &args.url, &agent(MANUAL)?, false, false),
        Err(_) => Err(Trouble::Told(format!(
            "Failed to fetch {}: UnsupportedProtocol(\"Request URL is missing an 'http://' or 'https://' protocol.\")",
            args.url
        ))),
    };
    match fetched {
        Ok(page) => Ok(said(page.prefix + &page.content)),
        Err(Trouble::Refused(error)) => Err(error),
        Err(Trouble::Told(text) | Trouble::Failed(text)) => Ok(said(text)),
    }
}

/// How the plugin calls itself to servers.
fn agent(default: &str) -> Result<String> {
    Ok(setting("user-agent")?.unwrap_or_else(|| default.to_owned()))
}

plugin! {
    tools: [fetch_tool],
    prompts: [fetch_prompt],
    asks: {
        http: [{ url: "*", methods: ["GET"], why: "fetches pages, and each site's robots.txt first" }],
        settings: [
            { name: "user-agent", why: "how it calls itself to servers" },
            { name: "ignore-robots-txt", why: "true fetches what robots.txt forbids machines" },
        ],
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_paged_by_characters() {
        let more = |next| {
            format!(
                "\n\n<error>Content truncated. Call the fetch tool with a start_index of {next} to get more content.</error>"
            )
        };
        assert_eq!(part("äöü", 0.0, 2.0), format!("äö{}", more(2)));
        assert_eq!(part("äöü", 2.0, 2.0), "ü");
        assert_eq!(part("äöü", 0.0, 3.0), "äöü");
        assert_eq!(part("äöü", 3.0, 3.0), "<error>No more content available.</error>");
        assert_eq!(part("äöü", 1e300, 3.0), "<error>No more content available.</error>");
        assert_eq!(part("", 0.0, 3.0), "<error>No more content available.</error>");
    }
}
