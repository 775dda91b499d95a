//! The main job on one screen, for somebody who has just cloned the repository: the plugins found, a call of each
//! with what it used, a denied attempt, the lines for a client.
//! Everything shown comes from the real binary on a home under `target/demo`, made anew each time.
//! It must not show anything that it did not just run; a call that ends otherwise than said fails the demo.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use kennel_tests::nws::WeatherService;

use crate::plugins;
use crate::workspace::{Workspace, say};

/// Longer output of one command is cut, to keep the whole on one screen.
const LINES: usize = 5;
/// So wide is the screen.
const COLUMNS: usize = 110;

/// One real call of each plugin.
const CALLS: [(&str, &str, &str); 5] = [
    (
        "time",
        "convert_time",
        r#"{"source_timezone":"Asia/Tokyo","time":"09:00","target_timezone":"Asia/Kolkata"}"#,
    ),
    ("filesystem", "read_text_file", r#"{"path":"/docs/hello.txt"}"#),
    ("weather-us", "get-alerts", r#"{"state":"CA"}"#),
    (
        "memory",
        "create_entities",
        r#"{"entities":[{"name":"Rex","entityType":"dog","observations":["sleeps in the kennel"]}]}"#,
    ),
    ("notes", "create_note", r#"{"title":"Groceries","content":"Bones"}"#),
];

/// Builds everything and shows it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let kennel = workspace.build_host()?;
    plugins::build(workspace)?;
    say("starting a weather service on loopback, in the place of api.weather.gov");
    let weather = WeatherService::start().context("cannot listen on loopback")?;
    let demo = Demo::prepare(workspace, kennel, &weather)?;
    demo.show()
}

struct Demo {
    kennel: PathBuf,
    home: PathBuf,
    document: PathBuf,
}

impl Demo {
    fn prepare(workspace: &Workspace, kennel: PathBuf, weather: &WeatherService) -> Result<Self> {
        let folder = workspace.target("demo");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let (home, documents) = (folder.join("home"), folder.join("documents"));
        for path in [&home.join("plugins"), &documents] {
            std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        for (plugin, _, _) in CALLS {
            let file = format!("{plugin}.wasm");
            let from = workspace.target("plugins").join(&file);
            std::fs::copy(&from, home.join("plugins").join(&file))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        let document = documents.join("hello.txt");
        write(&document, "Hello from a granted folder.\n")?;
        write(&home.join("kennel.toml"), &config(&documents, &weather.base_url()))?;
        Ok(Self { kennel, home, document })
    }

    fn show(&self) -> Result<()> {
        heading(
            "Nothing is granted to bytes that nobody approved; this is the person at the machine approving them",
        );
        self.succeeds(&["approve", "--all"], LINES)?;

        heading("The plugins found, their tools, and what each may touch");
        self.succeeds(&["list"], 60)?;

        heading("One call of each, and what it used");
        for (plugin, tool, arguments) in CALLS {
            self.succeeds(&["call", plugin, tool, arguments], LINES)?;
        }

        heading("Beyond the grant: the folder was granted read-only");
        let attempt = r#"{"path":"/docs/hello.txt","content":"overwritten"}"#;
        let before = std::fs::read(&self.document).context("cannot read the document")?;
        let (success, text) = self.command(&["call", "filesystem", "write_file", attempt])?;
        print(&text, LINES);
        ensure!(!success, "the write to a read-only folder was not denied");
        ensure!(
            std::fs::read(&self.document).context("cannot read the document")? == before,
            "the document changed"
        );

        heading("For Claude Desktop's configuration (other clients: kennel client-config --help)");
        self.succeeds(&["client-config", "claude-desktop"], 20)
    }

    /// Runs a verb, shows it and its output, and fails when it fails.
    fn succeeds(&self, args: &[&str], lines: usize) -> Result<()> {
        let (success, text) = self.command(args)?;
        print(&text, lines);
        if !success {
            bail!("`kennel {}` failed; all it said is above and in {}", args.join(" "), self.home.display());
        }
        Ok(())
    }

    fn command(&self, args: &[&str]) -> Result<(bool, String)> {
        let quoted: Vec<String> = args
            .iter()
            .map(|arg| if arg.contains('{') { format!("'{arg}'") } else { (*arg).to_owned() })
            .collect();
        println!("{}", cut(&format!("$ kennel {}", quoted.join(" "))));
        let output = Command::new(&self.kennel)
            .args(args)
            .env("KENNEL_HOME", &self.home)
            .output()
            .with_context(|| format!("cannot start {}", self.kennel.display()))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status.success(), text))
    }
}

/// What the person granted, as they would write it.
fn config(documents: &Path, weather: &str) -> String {
    // A JSON string is a TOML string too (serde_json escapes nothing that TOML does not know).
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let documents = quote(&documents.to_string_lossy());
    let weather = quote(weather);
    format!(
        "[[plugins.filesystem.directories]]\n\
         path = {documents}\n\
         as = \"/docs\"\n\
         mode = \"read-only\"\n\
         \n\
         [plugins.weather-us]\n\
         env = {{ NWS_BASE_URL = {weather} }}\n\
         [[plugins.weather-us.http]]\n\
         url = {weather}\n\
         methods = [\"GET\"]\n\
         \n\
         [plugins.memory.state]\n\
         quota = \"1MiB\"\n\
         \n\
         [plugins.notes.state]\n\
         quota = \"1MiB\"\n"
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn heading(text: &str) {
    println!("\n── {text}");
}

fn print(text: &str, lines: usize) {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    // The last line says what a call used; it is never the one left out.
    let (head, tail) = if all.len() > lines { (&all[..lines - 1], all.last()) } else { (&all[..], None) };
    for line in head {
        println!("  {}", cut(line));
    }
    if let Some(last) = tail {
        println!("  … {} more lines", all.len() - lines);
        println!("  {}", cut(last));
    }
}

fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    line.chars().take(COLUMNS - 1).chain(['…']).collect()
}
