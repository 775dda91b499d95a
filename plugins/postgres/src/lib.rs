//! Reads a PostgreSQL database: the tool and the resources of the reference server `server-postgres`, with its answers, and
//! tools that page, describe and say their bounds.
//! Needs TCP to the server, `DATABASE_URL` and, where the server asks for it, the password.
//! Must not write, and not run two statements where one was sent.

mod answer;
mod array;
mod catalog;
mod connection;
mod date;
mod failure;
mod json;
mod login;
mod read;
mod settings;
mod value;

use std::time::Duration;

use answer::{Rows, as_the_original, in_structure};
use catalog::{Catalog, Table, page};
use failure::Failure;
use kennel_sdk::prelude::*;
use read::Reading;
use settings::Server;

/// What listing may take: the lists of other plugins wait for it.
const LISTING: Duration = Duration::from_secs(7);

/// The original's, word for word.
const QUERY_SCHEMA: &str = r#"{"type":"object","properties":{"sql":{"type":"string"}}}"#;

#[derive(Deserialize)]
struct Query {
    sql: Option<String>,
}

/// Run a read-only SQL query
#[tool(read_only, input_schema = QUERY_SCHEMA)]
fn query(args: RawArgs, context: &Context) -> Result<ToolResult> {
    match args.parse::<Query>()?.sql {
        Some(sql) => as_the_original(context, sql),
        // What the original's driver says.
        None => Ok(ToolResult::error("Client was passed a null or undefined query")),
    }
}

#[derive(Deserialize, JsonSchema)]
struct ExecuteQuery {
    /// One SQL statement that reads.
    #[schemars(length(min = 1))]
    sql: String,
}

/// Runs one SQL statement in a READ ONLY transaction and returns its rows with the names and types of their columns. How many
/// rows and bytes an answer may have, and how long a statement may take, is said in the answer.
#[tool(title = "Execute query", read_only, output = Rows)]
fn execute_query(args: ExecuteQuery, context: &Context) -> Result<ToolResult> {
    in_structure("execute_query", context, |_| Ok(args.sql))
}

#[derive(Deserialize, JsonSchema)]
struct GetTableData {
    /// The table's name, with its schema and a dot before it if it is not on the search path.
    #[schemars(length(min = 1))]
    table: String,
    /// How many rows; at most what the setting `max-rows` says.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1))]
    limit: u32,
    /// How many rows to pass over first.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64))]
    offset: u64,
}

fn hundred() -> u32 {
    100
}

/// Returns a page of a table's rows, in the order of its primary key if it has one.
#[tool(title = "Get table data", read_only, output = Rows)]
fn get_table_data(args: GetTableData, context: &Context) -> Result<ToolResult> {
    in_structure("get_table_data", context, |reading| {
        let table = catalog(reading)?.table(&args.table)?;
        reading.again()?;
        Ok(page(&table, args.limit, args.offset))
    })
}

#[derive(Deserialize, JsonSchema)]
struct GetTableSchema {
    /// The table's name, with its schema and a dot before it if it is not on the search path.
    #[schemars(length(min = 1))]
    table: String,
}

/// Returns a table's columns: name, type, default, whether they may be null and are part of the primary key.
#[tool(title = "Get table schema", read_only)]
fn get_table_schema(args: GetTableSchema, context: &Context) -> Result<Pretty<Table>> {
    let mut reading = Reading::begin(context.time_left())?;
    Ok(Pretty(catalog(&mut reading)?.table(&args.table)?))
}

/// All tables that may be read, with the types of their columns.
#[resource("db://schema", name = "Database schema", mime = "application/json")]
fn schema(context: &Context) -> Result<Pretty<Vec<Table>>> {
    let mut reading = Reading::begin(context.time_left())?;
    Ok(Pretty(catalog(&mut reading)?.tables(None)?))
}

/// A column as the original's resources have it.
#[derive(Serialize, JsonSchema)]
struct DataType {
    column_name: String,
    data_type: String,
}

/// The columns of a table in the schema `public`, and their types.
#[resource(
    "postgres://{+server}/{table}/schema",
    name = "Table schema",
    mime = "application/json",
    list = list_tables
)]
fn table_schema(server: String, table: String, context: &Context) -> Result<Option<Pretty<Vec<DataType>>>> {
    // As with the original, it is the table that counts: there is one server.
    drop(server);
    let mut reading = Reading::begin(context.time_left())?;
    let columns = catalog(&mut reading)?.data_types(&table)?;
    let columns: Vec<_> =
        columns.into_iter().map(|(column_name, data_type)| DataType { column_name, data_type }).collect();
    Ok((!columns.is_empty()).then_some(Pretty(columns)))
}

fn list_tables() -> Result<Vec<ResourceInfo>> {
    let base = Server::from_environment()?.base;
    let mut reading = Reading::begin(LISTING)?;
    let tables = catalog(&mut reading)?.public()?;
    let info = |table: String| {
        let mut uri = base.clone();
        uri.set_query(None);
        uri.set_fragment(None);
        if let Ok(mut path) = uri.path_segments_mut() {
            path.pop().push(&table).push("schema");
        }
        ResourceInfo::new(uri, format!("\"{table}\" database schema")).mime("application/json")
    };
    Ok(tables.into_iter().map(info).collect())
}

fn catalog(reading: &mut Reading) -> Result<Catalog<'_>, Failure> {
    let allowed = settings::tables()?;
    Ok(Catalog { connection: &mut reading.connection, bounds: reading.bounds, allowed })
}

plugin! {
    tools: [query, execute_query, get_table_data, get_table_schema],
    resources: [schema, table_schema],
    asks: {
        tcp: [{ address: "*", why: "speaks to your PostgreSQL server" }],
        env: [{ name: "DATABASE_URL", why: "which server and database, and as whom: postgresql://USER@HOST:PORT/NAME" }],
        secrets: [{ name: "PGPASSWORD", why: "logs in; the proof is made in the plugin, so it needs the value" }],
        settings: [
            { name: "tables", why: "the only tables that may be read; all that the user may read if unset" },
            { name: "max-rows", why: "the most rows of an answer; 1000 if unset" },
            { name: "max-bytes", why: "the most bytes of an answer's rows; 400000 if unset" },
            { name: "statement-timeout", why: "how many seconds a statement may take; 20 if unset" },
        ],
    },
}
