//! What a plugin can see and leave behind inside: surroundings, output, globals, its store.

use std::io::Write as _;
use std::sync::Mutex;

use kennel_sdk::prelude::*;
use kennel_sdk::serde_json;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Surroundings {
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    directory: Option<String>,
    current: Option<String>,
    directories: Vec<String>,
    root: Option<Vec<String>>,
    settings: Option<String>,
}

/// Everything that can be learned without asking for it.
#[tool]
pub(crate) fn surroundings(_: Nothing) -> Result<Json<Surroundings>> {
    let root = std::fs::read_dir("/").ok();
    Ok(Json(Surroundings {
        environment: wasip2::cli::environment::get_environment(),
        arguments: wasip2::cli::environment::get_arguments(),
        directory: wasip2::cli::environment::initial_cwd(),
        current: std::env::current_dir()
            .ok()
            .and_then(|path| std::fs::read_dir(path).ok())
            .map(|_| "readable".into()),
        directories: wasip2::filesystem::preopens::get_directories()
            .into_iter()
            .map(|(_, name)| name)
            .collect(),
        root: root.map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }),
        settings: kennel_sdk::setting::<Value>("secret")?.map(|value| value.to_string()),
    }))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Print {
    stdout: String,
    stderr: String,
    #[serde(default)]
    log: String,
    #[serde(default)]
    times: Option<u32>,
}

/// Writes to the standard streams and the log.
#[tool]
pub(crate) fn print(args: Print) -> Result<String> {
    for _ in 0..args.times.unwrap_or(1) {
        std::io::stdout().write_all(args.stdout.as_bytes())?;
        std::io::stderr().write_all(args.stderr.as_bytes())?;
        if !args.log.is_empty() {
            log::warn(&args.log);
        }
    }
    std::io::stdout().flush()?;
    Ok("printed".into())
}

/// What the last call left.
static LEFT: Mutex<String> = Mutex::new(String::new());

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Remember {
    text: String,
}

/// Leaves a text in a global and gives what was there.
#[tool]
pub(crate) fn remember(args: Remember) -> Result<String> {
    let mut left = LEFT.lock().map_err(|_| Error::failed("poisoned"))?;
    Ok(format!("[{}]", std::mem::replace(&mut *left, args.text)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum How {
    Trap,
    Sleep,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct End {
    how: How,
}

/// Does not end in order.
#[tool]
pub(crate) fn end(args: End) -> Result<String> {
    match args.how {
        How::Trap => std::process::abort(),
        How::Sleep => std::thread::sleep(std::time::Duration::from_secs(3_600)),
    }
    Ok("it goes on".into())
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "try", rename_all = "kebab-case")]
enum Keeping {
    Set {
        key: String,
        text: String,
    },
    Get {
        key: String,
    },
    List {
        prefix: String,
    },
    /// Sets `KEY0`, `KEY1`, … to values of so many bytes, until one fails.
    Fill {
        key: String,
        count: u32,
        bytes: usize,
    },
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Keep {
    steps: Vec<Keeping>,
}

/// Tries each step on the store.
#[tool]
pub(crate) fn keep(args: Keep) -> Result<String> {
    let said: Vec<String> =
        args.steps.iter().map(|step| step.run().unwrap_or_else(|error| error.to_string())).collect();
    Ok(serde_json::to_string(&said)?)
}

impl Keeping {
    fn run(&self) -> Result<String> {
        Ok(match self {
            Self::Set { key, text } => {
                state::set_bytes(key, text.as_bytes())?;
                "ok".into()
            }
            Self::Get { key } => format!(
                "ok {:?}",
                state::get_bytes(key)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            ),
            Self::List { prefix } => {
                format!("ok {}", state::list(prefix).collect::<Result<Vec<_>, _>>()?.join(" "))
            }
            Self::Fill { key, count, bytes } => {
                let value = vec![b'x'; *bytes];
                for index in 0..*count {
                    if let Err(error) = state::set_bytes(&format!("{key}{index}"), &value) {
                        return Ok(format!("{index} then {error}"));
                    }
                }
                count.to_string()
            }
        })
    }
}

/// Claims to be harmless, whatever it holds.
#[tool(read_only, destructive = false, idempotent, open_world = false)]
pub(crate) fn lamb(_: Nothing) -> Result<String> {
    Ok("baa".into())
}

/// Claims to be dangerous, whatever it holds.
#[tool(read_only = false, destructive, open_world)]
pub(crate) fn wolf(_: Nothing) -> Result<String> {
    Ok("howl".into())
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Order {
    command: String,
    stdin: String,
}

/// Runs a command, and says what that printed.
#[tool]
pub(crate) fn order(args: Order) -> Result<String> {
    let ended = command::Command::new(args.command).stdin(args.stdin).run()?;
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}
