//! Adds two numbers, and sums, averages and counts the columns of a CSV file.
//! Needs, for files, a directory to read. Must not hold a file in memory: it goes through it once.

mod columns;

use std::collections::BTreeSet;
use std::fs::File;

use columns::{Analysis, analyze};
use kennel_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Two {
    /// One number.
    a: f64,
    /// The other.
    b: f64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: f64,
}

/// Add two numbers together
#[tool(title = "Calculate sum", read_only, idempotent, open_world = false, output = Sum)]
fn calculate_sum(args: Two) -> Result<ToolResult> {
    let sum = args.a + args.b;
    if !sum.is_finite() {
        bail!("{:e} + {:e} is more than a double-precision number can hold", args.a, args.b);
    }
    ToolResult::new().text(sum.to_string()).structured(&Sum { sum })
}

/// What can be asked of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Sum,
    Average,
    Count,
}

#[derive(Deserialize, JsonSchema)]
struct AnalyzeCsv {
    /// Where the file is, in a directory that was granted. Its first line names the columns.
    #[schemars(length(min = 1))]
    filepath: String,
    /// What to do with each column.
    #[schemars(length(min = 1))]
    operations: BTreeSet<Operation>,
}

/// Analyze a CSV file: the sum and average of the numbers in each column, and how many values it has
#[tool(title = "Analyze CSV", read_only, idempotent, open_world = false)]
fn analyze_csv(args: AnalyzeCsv) -> Result<Pretty<Analysis>> {
    let path = &args.filepath;
    let file = File::open(path).map_err(|error| {
        Error::from(error)
            .context(format!("cannot read {path} (it must be in a directory granted to this plugin)"))
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("{path} is a directory; name a file");
    }
    let wants = |operation| args.operations.contains(&operation);
    let analysis = analyze(file).context(format_args!("cannot analyze {path}"))?;
    Ok(Pretty(analysis.only(wants(Operation::Sum), wants(Operation::Average), wants(Operation::Count))))
}

plugin! {
    tools: [calculate_sum, analyze_csv],
    asks: {
        directories: { mode: "read-only", why: "reads the CSV files to analyze" },
    },
}
