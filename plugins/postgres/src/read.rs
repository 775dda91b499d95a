//! What a caller wrote, run where it cannot write: one statement in a READ ONLY transaction that is never committed, on a
//! connection of its own, within bounds. Where only some tables may be read, a statement that reads others gives nothing.
//! Must not let a statement begin whose tables were not looked at, when some are refused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kennel_sdk::prelude::*;

use crate::connection::{Answer, Column, Connection, Cut, Row, Statement};
use crate::failure::Failure;
use crate::login::login;
use crate::settings::{self, Bounds, Server};

/// Bytes of a statement that the log shows.
const LOGGED: usize = 2_000;

/// A connection with an open transaction that can only read.
pub(crate) struct Reading {
    pub(crate) connection: Connection,
    pub(crate) bounds: Bounds,
    /// The relations that may be read; none when all may.
    granted: Option<BTreeSet<String>>,
}

/// The relations that a list of names stands for, with what belongs to them: partitions and children, indexes, and where long
/// values lie. `$1` is the list as JSON.
const GRANTED: &str = "
    WITH RECURSIVE named(oid) AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname || '.' || c.relname IN (SELECT pg_catalog.json_array_elements_text($1::json))
           OR (pg_catalog.pg_table_is_visible(c.oid) AND n.nspname !~ '^pg_'
               AND c.relname IN (SELECT pg_catalog.json_array_elements_text($1::json)))
        UNION
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN named ON i.inhparent = named.oid
    ), stored(oid) AS (
        SELECT oid FROM named
        UNION ALL SELECT c.reltoastrelid FROM pg_catalog.pg_class c JOIN named USING (oid) WHERE c.reltoastrelid <> 0
    )
    SELECT oid::text FROM stored
    UNION ALL SELECT i.indexrelid::text FROM pg_catalog.pg_index i JOIN stored ON i.indrelid = stored.oid";

/// The relations that this transaction has read so far. PostgreSQL locks each for as long as the transaction lasts, whether a
/// statement names it or a function or view does. The function reads no relation itself, as the view over it would.
const READ: &str = "
    SELECT DISTINCT relation::text, relation::regclass::text FROM pg_catalog.pg_lock_status()
    WHERE locktype = 'relation' AND pid = pg_catalog.pg_backend_pid()";

/// The names of types by their numbers, in the order asked. No relation is read by it.
const TYPE_NAMES: &str = "
    SELECT pg_catalog.format_type(number::oid, NULL)
    FROM pg_catalog.json_array_elements_text($1::json) WITH ORDINALITY AS asked(number, at) ORDER BY at";

impl Reading {
    /// Connects and begins. `left` is what the call has left.
    pub(crate) fn begin(left: Duration) -> Result<Self, Failure> {
        let bounds = settings::bounds(left)?;
        let server = Server::from_environment()?;
        let mut connection = login(&server)?;
        connection.patience(bounds.statement)?;
        let granted = match settings::tables()? {
            None => None,
            Some(names) => {
                let names = serde_json::to_string(&names)?;
                let answer = connection.texts(GRANTED, &[Some(&names)], bounds.whole())?;
                Some(answer.rows.into_iter().flatten().flatten().collect())
            }
        };
        let mut reading = Self { connection, bounds, granted };
        reading.open("")?;
        Ok(reading)
    }

    /// Begins anew, so that what was read until now, which was the plugin's own question, is not held against a statement.
    pub(crate) fn again(&mut self) -> Result<(), Failure> {
        self.open("ROLLBACK; ")
    }

    fn open(&mut self, first: &str) -> Result<(), Failure> {
        self.connection.run(&format!(
            "{first}BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL DateStyle = ISO; \
             SET LOCAL IntervalStyle = postgres; SET LOCAL bytea_output = hex",
            self.bounds.statement.as_millis()
        ))
    }

    /// Has the server understand a caller's statement, which may name only what may be read.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement, Failure> {
        let statement = self.connection.prepare(sql)?;
        if statement.parameters > 0 {
            return Err(Failure::other("there is no parameter $1"));
        }
        // What the statement names is locked by now, and nothing of it has run.
        self.check()?;
        Ok(statement)
    }

    /// The names of the types of a statement's columns.
    pub(crate) fn types(&mut self, statement: &Statement) -> Result<Vec<String>, Failure> {
        let numbers: Vec<_> = statement.columns.iter().map(|column| column.type_oid.to_string()).collect();
        let numbers = serde_json::to_string(&numbers)?;
        let names = self.connection.texts(TYPE_NAMES, &[Some(&numbers)], self.bounds.whole())?;
        Ok(names.rows.into_iter().map(|row| row.into_iter().flatten().collect()).collect())
    }

    /// Runs a statement that was prepared.
    pub(crate) fn run<T>(
        &mut self,
        statement: &Statement,
        keep: impl FnMut(&[Column], &Row<'_>) -> Result<(T, usize), Failure>,
    ) -> Result<Answer<T>, Failure> {
        let answer = self.connection.execute(statement, &[], self.bounds, keep).map_err(|failure| match failure {
            // It may quote what a function of the statement found.
            Failure::Server(error) if self.granted.is_some() && !error.is_timeout() => Failure::other(format!(
                "the statement failed with SQLSTATE {}; the server's words are not shown, because only some tables may be read",
                error.code
            )),
            other => other,
        })?;
        if self.granted.is_some() && answer.cut == Some(Cut::Bytes) {
            return Err(Failure::other(format!(
                "the answer has more than {} bytes, and where only some tables may be read it is given whole or not; select less",
                self.bounds.bytes
            )));
        }
        // What its functions read is locked as well, and known only now.
        self.check()?;
        Ok(answer)
    }

    /// Fails when anything was read that may not be.
    fn check(&mut self) -> Result<(), Failure> {
        let Some(granted) = &self.granted else { return Ok(()) };
        let read = self.connection.texts(READ, &[], self.bounds.whole())?;
        if read.cut.is_some() {
            return Err(Failure::other("the statement reads more tables than can be looked at; read fewer"));
        }
        for row in read.rows {
            let [Some(oid), Some(name)] = row.as_slice() else { continue };
            if !granted.contains(oid) {
                return Err(Failure::other(format!(
                    "the statement reads {name}, which is not among the tables that may be read (the setting `tables`)"
                )));
            }
        }
        Ok(())
    }
}

/// Writes a line about a statement into the host's log.
pub(crate) fn logged(tool: &str, sql: &str, began: Instant, outcome: &Result<usize, &Failure>) {
    let shown = sql.get(..sql.floor_char_boundary(LOGGED)).unwrap_or_default();
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut line = json!({ "tool": tool, "sql": shown, "milliseconds": ms });
    match outcome {
        Ok(rows) => line["rows"] = json!(rows),
        Err(Failure::Server(error)) => line["sqlstate"] = json!(error.code),
        Err(Failure::Other(_)) => line["failed"] = json!(true),
    }
    log::value(log::LogLevel::Info, Some("postgres"), &line);
}
