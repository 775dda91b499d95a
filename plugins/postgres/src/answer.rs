//! From a statement to what the tool says: rows as JSON in the original's layout or in structure, the bounds, and what was cut.
//! Must not leave out that rows are missing.

use std::collections::BTreeMap;
use std::time::Instant;

use kennel_sdk::prelude::*;
use serde_json::value::RawValue;

use crate::connection::{Answer, Column, Cut, Row};
use crate::failure::{Failure, ServerError};
use crate::json::{Json as Js, Object};
use crate::read::{Reading, logged};
use crate::settings::Bounds;
use crate::value::value;

/// Rows and what they are within.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rows {
    columns: Vec<ColumnInfo>,
    #[schemars(with = "Vec<BTreeMap<String, Value>>")]
    rows: Vec<Box<RawValue>>,
    /// How many rows are here.
    row_count: usize,
    /// Whether there are more, which the bounds kept back.
    truncated: bool,
    bounds: BoundsInfo,
}

#[derive(Serialize, JsonSchema)]
struct ColumnInfo {
    name: String,
    /// As SQL writes it.
    #[serde(rename = "type")]
    data_type: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BoundsInfo {
    /// The most rows of an answer.
    max_rows: u32,
    /// The most bytes of an answer's rows as JSON.
    max_bytes: u32,
    /// How long the statement could take, in milliseconds.
    statement_timeout: u64,
}

/// A statement and its tool, for the log.
struct Watched {
    tool: &'static str,
    sql: String,
    began: Instant,
    bounds: Option<Bounds>,
}

impl Watched {
    fn new(tool: &'static str) -> Self {
        Self { tool, sql: String::new(), began: Instant::now(), bounds: None }
    }

    /// Begins, and runs what `write` gives. The types of the columns are asked for where `typed`.
    fn run(
        &mut self,
        context: &Context,
        write: impl FnOnce(&mut Reading) -> Result<String, Failure>,
        keep: impl FnMut(&[Column], &Row<'_>) -> Result<(String, usize), Failure>,
        typed: bool,
    ) -> Result<(Vec<ColumnInfo>, Answer<String>, Bounds), Failure> {
        let mut reading = Reading::begin(context.time_left())?;
        self.bounds = Some(reading.bounds);
        self.sql = write(&mut reading)?;
        let statement = reading.prepare(&self.sql)?;
        let types = if typed { reading.types(&statement)? } else { Vec::new() };
        let answer = reading.run(&statement, keep)?;
        let named = statement.columns.into_iter().zip(types);
        let columns = named.map(|(column, data_type)| ColumnInfo { name: column.name, data_type }).collect();
        Ok((columns, answer, reading.bounds))
    }

    /// Writes the log's line, and says why there is no answer.
    fn told<T>(&self, rows: usize, done: Result<T, Failure>) -> Result<T, Failure> {
        logged(self.tool, &self.sql, self.began, &done.as_ref().map(|_| rows));
        done.map_err(|failure| match (failure, self.bounds) {
            (Failure::Server(error), Some(bounds)) if error.is_timeout() => Failure::Server(ServerError {
                message: format!(
                    "{}: the statement took longer than {} ms (the setting `statement-timeout`); ask for less",
                    error.message,
                    bounds.statement.as_millis()
                ),
                ..error
            }),
            (other, _) => other,
        })
    }
}

/// The original's tool: the rows and nothing else, or the server's message.
pub(crate) fn as_the_original(context: &Context, sql: String) -> Result<ToolResult> {
    let mut watched = Watched::new("query");
    let done = watched.run(context, |_| Ok(sql), pretty, false);
    let count = done.as_ref().map_or(0, |(_, answer, _)| answer.rows.len());
    match watched.told(count, done) {
        Ok((_, answer, bounds)) => {
            let text =
                if count == 0 { "[]".to_owned() } else { format!("[\n{}\n]", answer.rows.join(",\n")) };
            Ok(with_cut(ToolResult::new().text(text), &answer, bounds))
        }
        Err(Failure::Server(error)) => Ok(ToolResult::error(error.message)),
        Err(Failure::Other(error)) => Err(error),
    }
}

/// Runs the statement that `write` gives, and answers in structure.
pub(crate) fn in_structure(
    tool: &'static str,
    context: &Context,
    write: impl FnOnce(&mut Reading) -> Result<String, Failure>,
) -> Result<ToolResult> {
    let mut watched = Watched::new(tool);
    let done = watched.run(context, write, compact, true);
    let count = done.as_ref().map_or(0, |(_, answer, _)| answer.rows.len());
    let (columns, mut answer, bounds) = watched.told(count, done)?;
    let texts = std::mem::take(&mut answer.rows);
    let rows = Rows {
        columns,
        rows: texts.into_iter().map(RawValue::from_string).collect::<Result<_, _>>()?,
        row_count: count,
        truncated: answer.cut.is_some(),
        bounds: BoundsInfo {
            max_rows: bounds.rows,
            max_bytes: bounds.bytes,
            statement_timeout: u64::try_from(bounds.statement.as_millis()).unwrap_or(u64::MAX),
        },
    };
    let result = ToolResult::new().text(serde_json::to_string(&rows)?).structured(&rows)?;
    Ok(with_cut(result, &answer, bounds))
}

/// With a sentence about the rows that are not in an answer.
fn with_cut<T>(result: ToolResult, answer: &Answer<T>, bounds: Bounds) -> ToolResult {
    let bound = match answer.cut {
        None => return result,
        Some(Cut::Rows) => format!("{} rows (the setting `max-rows`)", bounds.rows),
        Some(Cut::Bytes) => format!("{} bytes (the setting `max-bytes`)", bounds.bytes),
    };
    result.text(format!(
        "There are more rows: an answer has at most {bound}. Narrow the statement, or page with LIMIT and OFFSET."
    ))
}

/// A row as an object, in JavaScript's order of keys.
fn object(columns: &[Column], row: &Row<'_>) -> Js {
    let mut object = Object::default();
    for (column, text) in columns.iter().zip(row) {
        object.set(&column.name, text.as_deref().map_or(Js::Null, |text| value(column.type_oid, text)));
    }
    Js::Object(object)
}

fn compact(columns: &[Column], row: &Row<'_>) -> Result<(String, usize), Failure> {
    let text = serde_json::to_string(&object(columns, row))?;
    let size = text.len();
    Ok((text, size))
}

/// As `JSON.stringify(rows, null, 2)` lays out one of the rows.
fn pretty(columns: &[Column], row: &Row<'_>) -> Result<(String, usize), Failure> {
    let text = serde_json::to_string_pretty(&object(columns, row))?;
    // No text of JSON has a line feed in it, so each begins a line.
    let text = format!("  {}", text.replace('\n', "\n  "));
    let size = text.len();
    Ok((text, size))
}
