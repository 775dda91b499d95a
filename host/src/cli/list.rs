//! `kennel list`: the plugins, what they offer, what they hold and how they stand.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::grants::units;
use crate::plugin::{Plugin, PluginFile, Standing, Status};

use super::call::Format;
use super::{Failure, Opened, shown};

/// Show the plugins: what they offer, what they hold, how they stand
///
/// Answers 0 when every plugin can be used, else 1.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows them.
///
/// # Errors
/// When nobody reads.
pub fn run(args: &Args, opened: &Opened, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let faults = opened.catalog.faults();
    match args.format {
        Format::Json => {
            let plugins: Vec<_> = opened.statuses.iter().map(|status| as_json(opened, status)).collect();
            let all = json!({"plugins": plugins, "faults": faults});
            writeln!(out, "{all:#}")?;
        }
        Format::Text => {
            if opened.statuses.is_empty() {
                let folder = opened.library.config().plugins_folder.display();
                writeln!(out, "no plugins in {folder}; put .wasm components there")?;
            }
            for status in opened.statuses.iter() {
                print(opened, status, out)?;
                if let Some(line) = update(opened, status) {
                    writeln!(out, "  update     {line}")?;
                }
            }
            for fault in &faults {
                writeln!(out, "{}", shown::plain(fault))?;
            }
        }
    }
    out.flush()?;
    let fine = opened.statuses.iter().all(|status| status.standing == Standing::Serving) && faults.is_empty();
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn standing(standing: &Standing) -> (&'static str, Option<&str>) {
    match standing {
        Standing::Serving => ("serving", None),
        Standing::Waiting(why) => ("waiting", Some(why)),
        Standing::Held(why) => ("held", Some(why)),
        Standing::Broken(why) => ("broken", Some(why)),
    }
}

/// What a file that waits would change, in short; what it is in full is for `kennel plan`.
fn update(opened: &Opened, status: &Status) -> Option<String> {
    let (Standing::Waiting(_), Some(plugin)) = (&status.standing, &status.plugin) else { return None };
    let file = opened.library.config().plugins_folder.join(&status.file);
    let read = PluginFile::read(&file).map_err(|error| error.to_string()).and_then(|file| {
        let found = opened.runtime.block_on(opened.library.loader().read(&file));
        found.map_err(|error| error.to_string())
    });
    let found = match read {
        Ok(found) => found,
        Err(why) => return Some(format!("cannot be used: {}", shown::plain(&why))),
    };
    let (old, new) = (plugin.definitions.wording().ok()?, found.definitions.wording().ok()?);
    let asks = shown::new_asks(plugin.asked.as_ref(), found.asked.as_ref()).len();
    let asks = if asks == 0 { String::new() } else { format!(", asks for {asks} more") };
    let short = shown::in_short(&old.differences(&new));
    Some(format!("{short}{asks}; `kennel plan {}` shows it", status.name))
}

fn tools<'a>(opened: &'a Opened, plugin: &'a Plugin) -> impl Iterator<Item = String> + 'a {
    plugin.definitions.tools.iter().filter_map(|tool| opened.catalog.tool_of(plugin, &tool.name))
}

fn print(opened: &Opened, status: &Status, out: &mut dyn Write) -> std::io::Result<()> {
    let (word, why) = standing(&status.standing);
    write!(out, "{}  {word}", shown::plain(&status.name))?;
    if let Some(plugin) = &status.plugin {
        let size = units::show_size(plugin.size);
        let millis = plugin.load_time.as_secs_f64() * 1e3;
        write!(out, "  {} {} ({size}, ready in {millis:.1} ms)", status.file, plugin.digest.short())?;
    }
    writeln!(out)?;
    if let Some(why) = why {
        writeln!(out, "  why        {}", shown::plain(why))?;
    }
    let Some(plugin) = &status.plugin else { return Ok(()) };
    let definitions = &plugin.definitions;
    let names: Vec<_> = tools(opened, plugin).collect();
    let prompts: Vec<_> = definitions.prompts.iter().map(|prompt| prompt.name.clone()).collect();
    let templates: Vec<_> =
        definitions.templates.iter().map(|template| shown::plain(&template.uri_template)).collect();
    for (what, names) in [("tools", names), ("prompts", prompts), ("templates", templates)] {
        if !names.is_empty() {
            writeln!(out, "  {what:<10} {}", names.join(", "))?;
        }
    }
    for line in &definitions.left_out {
        writeln!(out, "  left out   {}", shown::plain(line))?;
    }
    let holds = plugin.holding.grants.describe();
    if holds.is_empty() {
        writeln!(out, "  holds      nothing")?;
    }
    for line in holds {
        writeln!(out, "  holds      {line}")?;
    }
    if let Some(why) = &plugin.holding.unapproved
        && !plugin.holding.withheld.is_empty()
    {
        writeln!(out, "  withheld   everything: {why}")?;
    }
    for withheld in &plugin.holding.withheld {
        writeln!(out, "  withheld   {withheld}")?;
    }
    Ok(())
}

fn as_json(opened: &Opened, status: &Status) -> Value {
    let (word, why) = standing(&status.standing);
    let mut value = json!({
        "name": status.name,
        "file": status.file,
        "standing": word,
        "why": why,
        "update": update(opened, status),
    });
    if let Some(plugin) = &status.plugin {
        let definitions = &plugin.definitions;
        value["sha256"] = json!(plugin.digest.to_string());
        value["size"] = json!(plugin.size);
        value["loadMicros"] = json!(u64::try_from(plugin.load_time.as_micros()).unwrap_or(u64::MAX));
        value["tools"] = json!(tools(opened, plugin).collect::<Vec<_>>());
        value["prompts"] = json!(definitions.prompts.iter().map(|p| &p.name).collect::<Vec<_>>());
        value["templates"] = json!(definitions.templates.iter().map(|t| &t.uri_template).collect::<Vec<_>>());
        value["leftOut"] = json!(definitions.left_out);
        value["resources"] = json!(definitions.resources);
        value["holds"] = json!(plugin.holding.grants.describe());
        value["withheld"] =
            json!(plugin.holding.withheld.iter().map(ToString::to_string).collect::<Vec<_>>());
        value["unapproved"] = json!(plugin.holding.unapproved);
    }
    value
}
