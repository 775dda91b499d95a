//! The plugin `sqlite`: queries over one database and a memo of insights, with the tools, the resource, the prompt, the texts
//! and the errors of PyPI `mcp-server-sqlite`. Needs a directory, in which the host locks files as SQLite does, and state
//! for the memo. Here stand the tools as clients see them; must not open the database.

mod connect;
mod execute;
mod failure;
mod memo;
mod place;
mod python;

use connect::Purpose;
use failure::Failure;
use kennel_sdk::prelude::*;
use kennel_sdk::resource_updated;
use python::{starts_with_any, strip};

/// What `mcp-demo` says; the topic stands for every `{topic}`.
const DEMO: &str = include_str!("prompt.txt");

#[derive(Deserialize, JsonSchema)]
struct Select {
    /// SELECT SQL query to execute
    query: String,
}

#[derive(Deserialize, JsonSchema)]
struct Write {
    /// SQL query to execute
    query: String,
}

#[derive(Deserialize, JsonSchema)]
struct Create {
    /// CREATE TABLE SQL statement
    query: String,
}

#[derive(Deserialize, JsonSchema)]
struct Table {
    /// Name of the table to describe
    table_name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Insight {
    /// Business insight discovered from data analysis
    insight: String,
}

#[derive(Deserialize, JsonSchema)]
struct Topic {
    /// Topic to seed the database with initial data
    topic: String,
}

/// The rows as Python prints them, or why there are none: as in the reference, that is an answer and no error.
fn answer(purpose: Purpose, query: &str) -> String {
    run(purpose, query).unwrap_or_else(|failure| failure.to_string())
}

fn run(purpose: Purpose, query: &str) -> Result<String, Failure> {
    let database = connect::open(&place::database()?, purpose)?;
    execute::execute(&database, query)
}

/// Execute a SELECT query on the SQLite database
#[tool]
fn read_query(args: Select) -> Result<String> {
    if !starts_with_any(strip(&args.query), &["SELECT"]) {
        return Ok(Failure::refused("Only SELECT queries are allowed for read_query").to_string());
    }
    Ok(answer(Purpose::Read, &args.query))
}

/// Execute an INSERT, UPDATE, or DELETE query on the SQLite database
#[tool]
fn write_query(args: Write) -> Result<String> {
    if starts_with_any(strip(&args.query), &["SELECT"]) {
        return Ok(Failure::refused("SELECT queries are not allowed for write_query").to_string());
    }
    Ok(answer(Purpose::Write, &args.query))
}

/// Create a new table in the SQLite database
#[tool]
fn create_table(args: Create) -> Result<String> {
    if !starts_with_any(strip(&args.query), &["CREATE TABLE"]) {
        return Ok(Failure::refused("Only CREATE TABLE statements are allowed").to_string());
    }
    Ok(match run(Purpose::Write, &args.query) {
        Ok(_) => "Table created successfully".to_owned(),
        Err(failure) => failure.to_string(),
    })
}

/// List all tables in the SQLite database
#[tool(input_schema = r#"{"type":"object","properties":{}}"#)]
fn list_tables() -> Result<String> {
    Ok(answer(Purpose::Read, "SELECT name FROM sqlite_master WHERE type='table'"))
}

/// Get the schema information for a specific table
#[tool]
fn describe_table(args: Table) -> Result<String> {
    // The name is put in as it is, as in the reference; the connection reads only, whatever it says.
    Ok(answer(Purpose::Read, &format!("PRAGMA table_info({})", args.table_name)))
}

/// Add a business insight to the memo
#[tool]
fn append_insight(args: Insight) -> Result<String> {
    memo::append(args.insight)?;
    resource_updated(memo::URI);
    Ok("Insight added to memo".to_owned())
}

/// A living document of discovered business insights
#[resource("memo://insights", name = "Business Insights Memo", mime = "text/plain")]
fn insights() -> Result<String> {
    memo::text()
}

/// A prompt to seed the database with initial data and demonstrate what you can do with an SQLite MCP Server + Claude
#[prompt(name = "mcp-demo")]
fn mcp_demo(args: Topic) -> Result<PromptResult> {
    // As in Python, what is in the topic is not looked at again, but the whole is stripped.
    let text = DEMO.replace("{topic}", &args.topic);
    let messages = vec![Message::user(strip(&text))];
    Ok(PromptResult::new(messages).description(format!("Demo template for {}", args.topic)))
}

plugin! {
    tools: [read_query, write_query, create_table, list_tables, describe_table, append_insight],
    resources: [insights],
    prompts: [mcp_demo],
    asks: {
        directories: { mode: "read-write", why: "the folder with the database; grant it with lock = \"sqlite\" unless no other program uses the file" },
        state: { quota: "1MiB", scope: "plugin", why: "keeps the memo of insights" },
        settings: [
            { name: "db-path", why: "the database, as the plugin sees it; sqlite_mcp_server.db in the first granted folder when not set" },
        ],
    },
}
