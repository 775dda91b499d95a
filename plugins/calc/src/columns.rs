//! One pass over a CSV file (RFC 4180): what each column adds up to.
//! Must not take a text for a number: what is no number is counted and left out of sums.

use std::io::Read;

use kennel_sdk::prelude::*;

/// The most columns that are told.
const MAX_COLUMNS: usize = 10_000;

/// What a file's columns come to.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Analysis {
    /// How many lines there are below the one with the names.
    rows: u64,
    columns: Vec<Column>,
}

/// What a column comes to.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Column {
    name: String,
    /// Of its numbers; null when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Option<f64>>,
    /// Of its numbers; null when it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    average: Option<Option<f64>>,
    /// How many of its values are not empty, numbers or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip)]
    running: Running,
}

/// A sum that keeps what rounding loses (Neumaier's variant of Kahan's), so that a million tenths are a hundred thousand.
#[derive(Debug, Default)]
struct Running {
    sum: f64,
    lost: f64,
    numbers: u64,
    values: u64,
}

impl Running {
    fn add(&mut self, field: &str) {
        let field = field.trim();
        if field.is_empty() {
            return;
        }
        self.values += 1;
        // `inf` and `nan` are words in a file, not numbers.
        let Some(number) = field.parse().ok().filter(|number: &f64| number.is_finite()) else { return };
        self.numbers += 1;
        let sum = self.sum + number;
        self.lost += if self.sum.abs() >= number.abs() {
            (self.sum - sum) + number
        } else {
            (number - sum) + self.sum
        };
        self.sum = sum;
    }

    fn total(&self) -> Option<f64> {
        (self.numbers > 0).then_some(self.sum + self.lost)
    }
}

/// Reads a file to its end.
///
/// # Errors
/// [`Error::Failed`] when it cannot be read, has no line, or a line has another number of fields than the first.
pub(crate) fn analyze(file: impl Read) -> Result<Analysis> {
    let mut reader = csv::Reader::from_reader(file);
    // A byte order mark, which spreadsheets put first, is not part of the first name; the crate takes it off.
    let names = reader.headers()?;
    if names.is_empty() {
        bail!("the file is empty; its first line names the columns");
    }
    if names.len() > MAX_COLUMNS {
        bail!("the file has {} columns; {MAX_COLUMNS} are the most", names.len());
    }
    let mut columns: Vec<_> =
        names.iter().map(|name| Column { name: name.trim().to_owned(), ..Column::default() }).collect();
    let (mut rows, mut record) = (0, csv::StringRecord::new());
    while reader.read_record(&mut record)? {
        rows += 1;
        for (column, field) in columns.iter_mut().zip(&record) {
            column.running.add(field);
        }
    }
    Ok(Analysis { rows, columns })
}

impl Analysis {
    /// With what was asked for.
    #[must_use]
    pub(crate) fn only(mut self, sum: bool, average: bool, count: bool) -> Self {
        for column in &mut self.columns {
            let (total, numbers) = (column.running.total(), column.running.numbers);
            column.sum = sum.then_some(total);
            #[expect(clippy::cast_precision_loss, reason = "no file has 2^53 lines")]
            let mean = total.map(|total| total / numbers as f64);
            column.average = average.then_some(mean);
            column.count = count.then_some(column.running.values);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn all(text: &str) -> Value {
        json!(analyze(text.as_bytes()).unwrap().only(true, true, true))
    }

    #[test]
    fn columns_add_up() {
        let found = all("\u{feff}name,price, n\n\"a, b\",1.5,1\n\"say \"\"x\"\"\",,2\nc,2.5,nan\n");
        assert_eq!(
            found,
            json!({ "rows": 3, "columns": [
                { "name": "name", "sum": null, "average": null, "count": 3 },
                { "name": "price", "sum": 4.0, "average": 2.0, "count": 2 },
                { "name": "n", "sum": 3.0, "average": 1.5, "count": 3 },
            ] })
        );
    }

    #[test]
    fn rounding_is_not_lost() {
        let found = all(&format!("x\n{}", "0.1\n".repeat(1000)));
        assert_eq!(found["columns"][0]["sum"], 100.0);
        assert_eq!(all("x\n1e16\n1\n-1e16\n")["columns"][0]["sum"], 1.0);
    }

    #[test]
    fn what_is_no_table_is_told() {
        assert!(analyze("".as_bytes()).unwrap_err().to_string().contains("empty"));
        assert!(analyze("a,b\n1\n".as_bytes()).unwrap_err().to_string().contains("line: 2"));
        assert!(analyze(&b"a\n\xff\n"[..]).unwrap_err().to_string().contains("UTF-8"));
    }
}
