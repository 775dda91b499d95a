//! Which tables there are and what they are made of, out of the server's own catalogue.
//! Names are values of statements here, never parts of them; where a name must be part of one, it is quoted.
//! Must not tell of a table that may not be read.

use kennel_sdk::prelude::*;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::settings::Bounds;

/// A table, view or the like.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `table`, `view`, `materialized view` or `foreign table`.
    pub(crate) kind: String,
    pub(crate) columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    /// As SQL writes it, length and precision included.
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    pub(crate) nullable: bool,
    /// The expression.
    pub(crate) default: Option<String>,
    /// Whether it is part of the primary key.
    pub(crate) primary_key: bool,
}

/// One row a column. `$1` is the list of tables that may be read, as JSON, or null; `$2` a table's name, with its schema and a
/// dot before it or not, or null for all.
const COLUMNS: &str = "
    SELECT n.nspname, c.relname,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
        a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::text,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid),
        EXISTS (SELECT FROM pg_catalog.pg_index i
                WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))::text
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
      AND ($1::json IS NULL
           OR n.nspname || '.' || c.relname IN (SELECT pg_catalog.json_array_elements_text($1::json))
           OR (pg_catalog.pg_table_is_visible(c.oid)
               AND c.relname IN (SELECT pg_catalog.json_array_elements_text($1::json))))
      AND ($2::text IS NULL
           OR n.nspname || '.' || c.relname = $2
           OR (pg_catalog.pg_table_is_visible(c.oid) AND c.relname = $2))
    ORDER BY coalesce(pg_catalog.pg_table_is_visible(c.oid) AND c.relname = $2, false) DESC,
        n.nspname, c.relname, a.attnum";

/// The original's question about a table, of which it lists those of the schema `public`.
const DATA_TYPES: &str = "
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_name = $1 AND table_schema = 'public' ORDER BY ordinal_position";

/// The original's list of tables.
const PUBLIC: &str = "
    SELECT t.table_name FROM information_schema.tables t WHERE t.table_schema = 'public'
      AND ($1::json IS NULL
           OR 'public.' || t.table_name IN (SELECT pg_catalog.json_array_elements_text($1::json))
           OR t.table_name IN (SELECT pg_catalog.json_array_elements_text($1::json)))";

/// The catalogue as far as it may be told.
pub(crate) struct Catalog<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) bounds: Bounds,
    /// The names of the setting `tables`.
    pub(crate) allowed: Option<Vec<String>>,
}

impl Catalog<'_> {
    fn rows(&mut self, sql: &str, name: Option<&str>) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let allowed = self.allowed.as_ref().map(serde_json::to_string).transpose()?;
        let bounds = self.bounds.whole();
        let statement = self.connection.prepare(sql)?;
        let values = [allowed.as_deref(), name];
        let values = values.get(..statement.parameters).unwrap_or(&values);
        let answer = self.connection.execute(&statement, values, bounds, |_, row| {
            let row: Vec<_> = row.iter().map(|text| text.as_deref().map(ToOwned::to_owned)).collect();
            let size = row.iter().flatten().map(String::len).sum();
            Ok((row, size))
        })?;
        if answer.cut.is_some() {
            return Err(Failure::other(
                "the database has too many tables to tell; name some in the setting `tables`",
            ));
        }
        Ok(answer.rows)
    }

    /// All tables, or those a name stands for, the one that is found without a schema first.
    pub(crate) fn tables(&mut self, name: Option<&str>) -> Result<Vec<Table>, Failure> {
        let mut tables: Vec<Table> = Vec::new();
        for row in self.rows(COLUMNS, name)? {
            let mut row = row.into_iter();
            let mut next = || row.next().flatten();
            let (Some(schema), Some(name), Some(kind)) = (next(), next(), next()) else { continue };
            let column = next().map(|column| TableColumn {
                name: column,
                data_type: next().unwrap_or_default(),
                nullable: next().as_deref() == Some("true"),
                default: next(),
                primary_key: next().as_deref() == Some("true"),
            });
            match tables.last_mut() {
                Some(last) if last.schema == schema && last.name == name => last.columns.extend(column),
                _ => tables.push(Table { schema, name, kind, columns: column.into_iter().collect() }),
            }
        }
        Ok(tables)
    }

    /// The one table of this name.
    pub(crate) fn table(&mut self, name: &str) -> Result<Table, Failure> {
        self.tables(Some(name))?.into_iter().next().ok_or_else(|| {
            Failure::other(format!(
                "there is no table `{name}` that may be read; the resource db://schema lists them"
            ))
        })
    }

    /// The names of the tables in the schema `public`, in the server's order.
    pub(crate) fn public(&mut self) -> Result<Vec<String>, Failure> {
        Ok(self.rows(PUBLIC, None)?.into_iter().flatten().flatten().collect())
    }

    /// Name and type of each column of a table in the schema `public`.
    pub(crate) fn data_types(&mut self, table: &str) -> Result<Vec<(String, String)>, Failure> {
        if !self.public()?.iter().any(|name| name == table) {
            return Ok(Vec::new());
        }
        let answer = self.connection.texts(DATA_TYPES, &[Some(table)], self.bounds.whole())?;
        let pair = |row: Vec<Option<String>>| match <[_; 2]>::try_from(row) {
            Ok([Some(name), Some(data_type)]) => Some((name, data_type)),
            _ => None,
        };
        Ok(answer.rows.into_iter().filter_map(pair).collect())
    }
}

/// A name as SQL takes it whatever is in it (manual, 4.1.1).
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The statement that reads a page of a table, in the order of its primary key if it has one.
pub(crate) fn page(table: &Table, limit: u32, offset: u64) -> String {
    let key: Vec<_> =
        table.columns.iter().filter(|column| column.primary_key).map(|column| quoted(&column.name)).collect();
    let order = if key.is_empty() { String::new() } else { format!(" ORDER BY {}", key.join(", ")) };
    format!(
        "SELECT * FROM {}.{}{order} LIMIT {limit} OFFSET {offset}",
        quoted(&table.schema),
        quoted(&table.name)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        let column = |name: &str, primary_key| TableColumn {
            name: name.into(),
            data_type: "text".into(),
            nullable: false,
            default: None,
            primary_key,
        };
        let table = Table {
            schema: "pu\"blic".into(),
            name: "x\"; DROP TABLE y; --".into(),
            kind: "table".into(),
            columns: vec![column("a\"", true), column("b", false)],
        };
        assert_eq!(
            page(&table, 5, 10),
            "SELECT * FROM \"pu\"\"blic\".\"x\"\"; DROP TABLE y; --\" ORDER BY \"a\"\"\" LIMIT 5 OFFSET 10"
        );
    }
}
