//! The plugin `dev-assistant`: reads, writes and searches the files of a project, finds where a symbol is defined, and runs
//! granted commands. Needs the directories, and for the commands their folder. Here stand the tools as clients see them; must not hold what they do.

mod access;
mod budget;
mod excerpt;
mod execute;
mod failure;
mod list;
mod patterns;
mod read;
mod search;
mod symbols;
mod walk;
mod write;

use access::Access;
use budget::{Budget, PARSE, SEARCH};
use kennel_sdk::prelude::*;
use list::Listing;
use patterns::FilePattern;
use write::Written;

/// After how many files a search says how far it is.
const NOTE_EVERY: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct ReadFile {
    /// The file, in a granted directory.
    #[schemars(length(min = 1))]
    path: String,
}

/// Read a text file of at most 1 MB
#[tool(title = "Read file", read_only, idempotent, open_world = false)]
fn read_file(args: ReadFile) -> Result<String> {
    read::text(&Access::granted().resolve(&args.path)?)
}

#[derive(Deserialize, JsonSchema)]
struct ListDirectory {
    /// The directory, granted or in a granted one; "." is the first that was granted.
    #[schemars(length(min = 1))]
    path: String,
    /// A glob for the names, such as "*.rs" or "*.{c,h}"; all when left out.
    pattern: Option<String>,
}

/// List what is in a directory, with kinds and sizes
#[tool(title = "List directory", read_only, idempotent, open_world = false, output = Listing)]
fn list_directory(args: ListDirectory) -> Result<ToolResult> {
    let names = args.pattern.as_deref().map(patterns::name).transpose()?;
    let listing = list::list(&Access::granted().resolve(&args.path)?, names.as_ref())?;
    ToolResult::new().text(listing.text()).structured(&listing)
}

#[derive(Deserialize, JsonSchema)]
struct WriteFile {
    /// The file, in a directory that was granted for writing. Missing folders above it are made.
    #[schemars(length(min = 1))]
    path: String,
    /// All that the file shall hold.
    content: String,
}

/// Create a file, or replace all that is in it
#[tool(title = "Write file", read_only = false, destructive, idempotent, open_world = false, output = Written)]
fn write_file(args: WriteFile) -> Result<ToolResult> {
    let access = Access::granted();
    let path = access.resolve(&args.path)?;
    access.check_writable(&path)?;
    let written = write::whole(&path, &args.content)?;
    ToolResult::new().text(written.text()).structured(&written)
}

#[derive(Deserialize, JsonSchema)]
struct Grep {
    /// A regular expression in the syntax of Rust's `regex`, matched against each line; "(?i)" first ignores case.
    #[schemars(length(min = 1))]
    pattern: String,
    /// The file, or the directory with all below it. Hidden files and what `.gitignore` leaves out are searched only when
    /// named here.
    #[schemars(length(min = 1))]
    path: String,
    /// A glob for the files: for their names ("*.rs"), or with a slash for their paths below `path` ("src/**/*.rs").
    file_pattern: Option<String>,
}

/// Search files for lines that match a regular expression
#[tool(title = "Search in files", read_only, idempotent, open_world = false, output = search::Found)]
fn grep(args: Grep) -> Result<ToolResult> {
    let files = args.file_pattern.as_deref().map(FilePattern::new).transpose()?;
    let mut budget = Budget::new(setting("search-bytes")?.unwrap_or(SEARCH));
    let found =
        search::search(&args.pattern, &Access::granted().resolve(&args.path)?, files.as_ref(), &mut budget)?;
    ToolResult::new().text(found.text(&budget)).structured(&found)
}

#[derive(Deserialize, JsonSchema)]
struct FindSymbol {
    /// The whole name, as it is written in the source.
    #[schemars(length(min = 1))]
    name: String,
    /// What is looked for: a function (also a method or macro), a class (any type), a variable (also a constant or
    /// field, but no parameter); all when left out.
    kind: Option<symbols::Kind>,
    /// The file, or the directory with all below it; all granted directories when left out.
    #[schemars(length(min = 1))]
    path: Option<String>,
}

/// Find where a function, class or variable is defined, in C, Go, Java, JavaScript, Python, Rust and TypeScript
#[tool(title = "Find symbol", read_only, idempotent, open_world = false, output = symbols::Found)]
fn find_symbol(args: FindSymbol) -> Result<ToolResult> {
    let access = Access::granted();
    let roots = match &args.path {
        Some(path) => vec![access.resolve(path)?],
        None => access.everywhere()?,
    };
    let mut budget = Budget::new(setting("parse-bytes")?.unwrap_or(PARSE));
    let found = symbols::find(&args.name, args.kind, &roots, &mut budget, |files| {
        if files.is_multiple_of(NOTE_EVERY) {
            // How many there are is known only at the end.
            progress(f64::from(u32::try_from(files).unwrap_or(u32::MAX)), None, "source files searched");
        }
    })?;
    ToolResult::new().text(found.text(&args.name, &budget)).structured(&found)
}

plugin! {
    tools: [read_file, list_directory, write_file, grep, find_symbol, execute::execute],
    asks: {
        directories: { mode: "read-write", why: "the projects whose files it reads, searches and, unless granted read-only, writes" },
        commands: { why: "the checks and tools that you put there for it to run, each in a sandbox of its own" },
        settings: [
            { name: "search-bytes", why: "how many bytes a call of grep searches at most; 16777216 when not set, more needs more fuel" },
            { name: "parse-bytes", why: "how many bytes of source a call of find_symbol parses at most; 196608 when not set, more needs more fuel" },
        ],
    },
}
