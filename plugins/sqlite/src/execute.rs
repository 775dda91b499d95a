//! Runs one statement as the reference does by Python's `sqlite3` (3.11, `Modules/_sqlite/cursor.c` and `statement.c`): one
//! statement alone, a transaction begun before a change, committed when the query's first word says so, else undone when
//! the connection is closed. Its oddities are kept, because they are what clients were told: a change that begins with a
//! comment or with `REPLACE` is not kept.
//! Must not open the database or print values: that is `connect` and `python`.

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Row, Statement};

use crate::connect::Database;
use crate::failure::Failure;
use crate::python::{self, starts_with_any, strip};

/// After these the reference commits and says how many rows there were.
const COMMITTED: &[&str] = &["INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"];
/// Before these Python begins a transaction.
const CHANGES: &[&str] = &["INSERT", "UPDATE", "DELETE", "REPLACE"];

/// Runs a query; gives what Python prints of the list of its rows.
pub(crate) fn execute(database: &Database, query: &str) -> Result<String, Failure> {
    if query.contains('\0') {
        return Err(Failure::database("the query contains a null character"));
    }
    let connection = &database.connection;
    let mut all = Batch::new(connection, query);
    let Some(mut statement) = all.next()? else { return Ok("[]".to_owned()) };
    if !is_last(&statement, query, &mut all) {
        return Err(Failure::database("You can only execute one statement at a time."));
    }
    let changes = starts_with_any(python::skip_comments(query), CHANGES);
    if changes {
        connection.execute_batch("BEGIN")?;
    }
    let wanted = statement.parameter_count();
    if wanted != 0 {
        return Err(Failure::database(format!(
            "Incorrect number of bindings supplied. The current statement uses {wanted}, and there are 0 supplied."
        )));
    }
    let names: Vec<String> = statement.column_names().into_iter().map(ToOwned::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut row = rows.next()?;
    if starts_with_any(strip(query), COMMITTED) {
        // Counted only when the first step was the last.
        let affected = match (changes, row.is_none()) {
            (true, true) => i64::try_from(connection.changes()).unwrap_or(i64::MAX),
            (true, false) => 0,
            (false, _) => -1,
        };
        if !connection.is_autocommit() {
            // With rows still to come this fails, as it does there.
            connection.execute_batch("COMMIT")?;
        }
        return Ok(format!("[{{'affected_rows': {affected}}}]"));
    }
    let mut printed = Vec::new();
    while let Some(this) = row {
        printed.push(dictionary(&names, this)?);
        row = rows.next()?;
    }
    Ok(format!("[{}]", printed.join(", ")))
}

/// Whether nothing but space and comments follows the statement.
fn is_last(statement: &Statement<'_>, query: &str, all: &mut Batch<'_, '_>) -> bool {
    if statement.parameter_count() > 0 {
        return matches!(all.next(), Ok(None));
    }
    // Without parameters the expanded text is the statement's own piece of the query.
    let own = statement.expanded_sql();
    let rest = own.as_deref().and_then(|own| query.split_once(own));
    rest.is_none_or(|(_, rest)| python::skip_comments(rest).is_empty())
}

/// One row as `dict(sqlite3.Row)` prints: names once each, with the value of the first column that is called so, ASCII case
/// not counted.
fn dictionary(names: &[String], row: &Row<'_>) -> Result<String, Failure> {
    let mut values = Vec::with_capacity(names.len());
    for (column, name) in names.iter().enumerate() {
        values.push(value(name, row.get_ref(column)?)?);
    }
    let mut printed: Vec<String> = Vec::with_capacity(names.len());
    for (column, name) in names.iter().enumerate() {
        if names.iter().take(column).any(|before| before == name) {
            continue;
        }
        let first = names.iter().position(|other| other.eq_ignore_ascii_case(name)).unwrap_or(column);
        let value = values.get(first).map_or("None", String::as_str);
        printed.push(format!("{}: {value}", python::text(name)));
    }
    Ok(format!("{{{}}}", printed.join(", ")))
}

fn value(name: &str, value: ValueRef<'_>) -> Result<String, Failure> {
    Ok(match value {
        ValueRef::Null => "None".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => python::float(number),
        ValueRef::Blob(bytes) => python::bytes(bytes),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => python::text(text),
            Err(_) => {
                // Printed as C does, up to the first zero.
                let shown = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                let shown = String::from_utf8_lossy(shown);
                return Err(Failure::database(format!(
                    "Could not decode to UTF-8 column '{name}' with text '{shown}'"
                )));
            }
        },
    })
}
