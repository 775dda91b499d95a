//! Web and local search by Brave: the tools of the published server `server-brave-search`.
//! Needs one HTTPS host, or the one that `BRAVE_BASE_URL` names, and a key that the host puts in.
//! Must not hold the key; how often it may ask is Brave's to say.

mod local;

use kennel_sdk::api::{Api, ApiError, Number};
use kennel_sdk::prelude::*;

kennel_sdk::arguments! {
    WebSearch {
        /// Search query (max 400 chars, 50 words)
        query: String,
        /// Number of results (1-20, default 10)
        #[schemars(extend("default" = 10))]
        count: Option<Number>,
        /// Pagination offset (max 9, default 0)
        #[schemars(extend("default" = 0))]
        offset: Option<Number>,
    }

    LocalSearch {
        /// Local search query (e.g. 'pizza near Central Park')
        query: String,
        /// Number of results (1-20, default 5)
        #[schemars(extend("default" = 5))]
        count: Option<Number>,
    }
}

/// The words of the published server, with the space at their end.
const WEB: &str = "Performs a web search using the Brave Search API, ideal for general queries, news, articles, and \
                   online content. Use this for broad information gathering, recent events, or when you need diverse \
                   web sources. Supports pagination, content filtering, and freshness controls. Maximum 20 results per \
                   request, with offset for pagination. ";

/// The words of the published server.
const LOCAL: &str = "Searches for local businesses and places using Brave's Local Search API. Best for queries related \
                     to physical locations, businesses, restaurants, services, etc. Returns detailed information \
                     including:\n- Business names and addresses\n- Ratings and review counts\n- Phone numbers and \
                     opening hours\nUse this when the query implies 'near me' or mentions specific locations. \
                     Automatically falls back to web search if no local results are found.";

/// The most results of one request.
const MOST: u64 = 20;

fn brave() -> Result<Api> {
    Api::new("Brave", "https://api.search.brave.com/res/v1", "BRAVE_BASE_URL")
        .header("accept", "application/json")
        .header("x-subscription-token", "{{secret:key}}")
        .settled()
}

pub(crate) fn failure(error: &ApiError) -> Error {
    error.prefixed("Error: Brave API error")
}

#[tool(description = WEB, read_only)]
fn brave_web_search(args: WebSearch) -> Result<String> {
    let offset = args.offset.as_ref().and_then(Number::whole).unwrap_or(0);
    web(&brave()?, &args.query, count(args.count.as_ref(), 10), offset)
}

#[tool(description = LOCAL, read_only)]
fn brave_local_search(args: LocalSearch) -> Result<String> {
    let (api, count) = (brave()?, count(args.count.as_ref(), 5));
    match local::search(&api, &args.query, count)? {
        Some(places) => Ok(places),
        None => web(&api, &args.query, count, 0),
    }
}

fn count(wanted: Option<&Number>, otherwise: u64) -> u64 {
    wanted.and_then(Number::whole).unwrap_or(otherwise).min(MOST)
}

#[derive(Deserialize)]
struct Found {
    web: Option<Web>,
}

#[derive(Deserialize)]
struct Web {
    #[serde(default)]
    results: Vec<Page>,
}

#[derive(Deserialize)]
struct Page {
    title: Option<String>,
    description: Option<String>,
    url: Option<String>,
}

fn web(api: &Api, query: &str, count: u64, offset: u64) -> Result<String> {
    let call = api.get("/web/search").query("q", query).query("count", count).query("offset", offset);
    let found: Found = call.read().map_err(|error| failure(&error))?;
    let pages = found.web.map(|web| web.results).unwrap_or_default();
    let told = pages.into_iter().map(|page| {
        let [title, description, url] =
            [page.title, page.description, page.url].map(Option::unwrap_or_default);
        format!("Title: {title}\nDescription: {description}\nURL: {url}")
    });
    Ok(told.collect::<Vec<_>>().join("\n\n"))
}

plugin! {
    tools: [brave_web_search, brave_local_search],
    asks: {
        http: [{
            url: "https://api.search.brave.com",
            methods: ["GET"],
            url_from_env: "BRAVE_BASE_URL",
            why: "searches for what you ask",
        }],
        env: [{ name: "BRAVE_BASE_URL", why: "asks another server than https://api.search.brave.com/res/v1" }],
        secrets: [{ name: "key", why: "says to Brave who you are; the host puts it into `x-subscription-token`" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
