//! A plugin that behaves as the end-to-end tests ask: slow, looping, failing, noisy, or lying about itself.
//! Needs nothing; `count` needs state, `read` a directory.
//! Must not be of use to anybody else.

mod marks;

use std::time::{Duration, Instant};

use kennel_sdk::prelude::*;
use kennel_sdk::{detach, list_changed};

#[derive(Deserialize, JsonSchema)]
struct Version {
    /// How long to take, in milliseconds.
    #[serde(default)]
    ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Versions {
    /// When the call began.
    begin: String,
    /// When it ended.
    end: String,
}

/// The description of `version`, which differs from version to version; some variants never get so far.
#[expect(clippy::empty_loop, reason = "that is what the variant is for")]
fn described() -> String {
    match marks::listing().as_str() {
        "trap" => std::process::abort(),
        "panic" => panic!("this variant panics when its tools are listed"),
        "loop" => loop {},
        "sleep" => {
            std::thread::sleep(Duration::from_secs(3600));
            String::from("Slept for an hour.")
        }
        _ => format!("Says twice that this is version {}.", marks::begin()),
    }
}

/// Says its version at its beginning and at its end.
#[tool(read_only, description = described())]
fn version(args: Version) -> Result<Json<Versions>> {
    let begin = marks::begin();
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(Json(Versions { begin, end: marks::end() }))
}

#[derive(Deserialize, JsonSchema)]
struct Echo {
    /// What comes back.
    #[schemars(length(max = 16))]
    text: String,
}

/// Gives back what it got.
#[tool(read_only)]
fn echo(args: Echo) -> Result<String> {
    Ok(args.text)
}

/// Gives back the text of its arguments.
#[tool(read_only, input_schema = json!({"type": "object"}))]
fn verbatim(args: RawArgs) -> Result<String> {
    Ok(args.as_str().to_owned())
}

#[derive(Deserialize, JsonSchema)]
struct Wait {
    /// How long, in milliseconds.
    ms: u64,
}

/// Sleeps in the host.
#[tool(read_only)]
fn sleep(args: Wait) -> Result<String> {
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(format!("slept {} ms", args.ms))
}

/// Says that it will take long, and sleeps.
#[tool(read_only)]
fn linger(args: Wait) -> Result<String> {
    detach();
    std::thread::sleep(Duration::from_millis(args.ms));
    Ok(format!("lingered {} ms", args.ms))
}

/// Computes for so long, looking at the clock now and then.
#[tool(read_only)]
fn work(args: Wait) -> Result<String> {
    let end = Instant::now() + Duration::from_millis(args.ms);
    let mut sum = 0_u64;
    while Instant::now() < end {
        for number in 0..100_000 {
            sum = std::hint::black_box(sum.wrapping_add(number));
        }
    }
    Ok(format!("worked {} ms", args.ms))
}

/// Never ends by itself.
#[tool(read_only)]
#[expect(clippy::empty_loop, reason = "that is what the tool is for")]
fn spin() -> Result<String> {
    loop {}
}

#[derive(Deserialize, JsonSchema)]
struct Say {
    /// The words.
    message: String,
}

/// Panics with these words.
#[tool]
fn panic(args: Say) -> Result<String> {
    panic!("{}", args.message)
}

/// Fails with these words, as a tool should.
#[tool]
fn fail(args: Say) -> Result<String> {
    Err(Error::failed(args.message))
}

/// Runs into an instruction that traps.
#[tool]
fn trap() -> Result<String> {
    std::process::abort()
}

#[derive(Deserialize, JsonSchema)]
struct Code {
    /// Zero is success.
    code: i32,
}

/// Ends its program in the middle of the call.
#[tool]
fn exit(args: Code) -> Result<String> {
    std::process::exit(args.code)
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    /// How many.
    count: u32,
}

/// Writes lines to the log, to standard output and to standard error.
#[tool(name = "log")]
fn talk(args: Count) -> Result<String> {
    for line in 0..args.count {
        log::info(format_args!("logged {line}"));
        println!("printed {line}");
        eprintln!("complained {line}");
    }
    Ok(format!("{} lines each", args.count))
}

/// Reports progress so many times.
#[tool]
fn steps(args: Count) -> Result<String> {
    let total = f64::from(args.count);
    for step in 1..=args.count {
        progress(f64::from(step), total, "a step");
    }
    Ok(format!("{} steps", args.count))
}

/// Gives back so many bytes of text.
#[tool(read_only)]
fn big_output(args: Count) -> Result<String> {
    Ok("x".repeat(args.count as usize))
}

/// Promises a number and gives a text.
#[tool(output_schema = json!({
    "type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"],
}))]
fn bad_output() -> Result<ToolResult> {
    ToolResult::new().text("not a number").structured(&json!({"number": "seven"}))
}

/// Promises a structured result and gives none.
#[tool(output_schema = json!({"type": "object"}))]
fn no_output() -> Result<ToolResult> {
    Ok(ToolResult::new().text("nothing structured"))
}

/// Counts its calls in the plugin's state.
#[tool]
fn count() -> Result<String> {
    let count = state::update("count", |old: Option<u64>| Ok(Some(old.unwrap_or(0) + 1)))?;
    Ok(count.unwrap_or(0).to_string())
}

/// Reads the setting `greeting`.
#[tool(read_only)]
fn greeting() -> Result<String> {
    Ok(setting::<String>("greeting")?.unwrap_or_else(|| "(not set)".into()))
}

#[derive(Deserialize, JsonSchema)]
struct Read {
    /// Where it lies.
    path: String,
}

/// Reads a file.
#[tool(read_only)]
fn read(args: Read) -> Result<String> {
    Ok(std::fs::read_to_string(args.path)?)
}

/// Says that its tools are different now, though they are not.
#[tool]
fn cry_wolf() -> Result<String> {
    list_changed(ListKind::Tools);
    Ok("wolf".into())
}

plugin! {
    tools: [
        version, echo, verbatim, sleep, linger, work, spin, panic, fail, trap, exit, talk, steps, big_output, bad_output, no_output, count,
        greeting, read, cry_wolf,
    ],
    asks: {
        state: { quota: "1MiB", scope: "plugin", why: "counts calls" },
        directories: { mode: "read-only", why: "reads a file" },
    },
}
