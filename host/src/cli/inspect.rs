//! `kennel inspect`: what a component is, needs and asks for, without running it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::{Home, Surroundings};
use crate::grants::units;
use crate::plugin::{Definitions, PluginFile, describe_component, manifest};

use super::call::Format;
use super::{Failure, Opened, shown};

/// Show what a component imports, exports, asks for and offers, without running it
///
/// Tools and their schemas come out of the component itself, so they are shown only when it was loaded
/// before, or with --list, which asks it in a sandbox with nothing granted.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The component
    file: PathBuf,
    /// Ask it for its tools, prompts and templates, in a sandbox with nothing granted, also when it failed before
    #[arg(long)]
    list: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows it.
///
/// # Errors
/// When the file is no component or cannot be read.
pub fn run(
    args: &Args,
    home: Home,
    surroundings: Surroundings,
    out: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let named = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", args.file.display()));
    let file = PluginFile::read(&args.file).map_err(|error| named(&error))?;
    let interface = describe_component(&file.bytes).map_err(|error| named(&error))?;
    let asked = manifest(&file.bytes).map_err(|error| named(&error))?;
    let lazy = Opened::lazily(home, surroundings);
    let (runtime, loader) = lazy.loader()?;
    let definitions = if args.list {
        let component = runtime.block_on(loader.read_anew(&file)).map_err(|error| named(&error))?;
        Some((*component.definitions).clone())
    } else {
        loader.known_definitions(&file.digest)
    };
    let asks = asked.as_ref().map(|asked| asked.describe());
    match args.format {
        Format::Json => {
            let all = json!({
                "sha256": file.digest.to_string(),
                "size": file.bytes.len(),
                "imports": interface.imports,
                "exports": interface.exports,
                "contract": asked.as_ref().and_then(|asked| asked.contract.clone()),
                "name": asked.as_ref().and_then(|asked| asked.name.clone()),
                "version": asked.as_ref().and_then(|asked| asked.version.clone()),
                "description": asked.as_ref().and_then(|asked| asked.description.clone()),
                "asks": asks,
                "definitions": definitions.as_ref().map(listed),
            });
            writeln!(out, "{all:#}")?;
        }
        Format::Text => {
            let mut row = |what: &str, text: &str| writeln!(out, "{what:<12} {text}");
            if let Some(asked) = &asked {
                let title = [&asked.name, &asked.version, &asked.description];
                let title: Vec<_> = title.into_iter().flatten().map(String::as_str).collect();
                row("says it is", &title.join(" "))?;
            }
            row("sha256", &file.digest.to_string())?;
            row("size", &units::show_size(file.bytes.len() as u64))?;
            for import in &interface.imports {
                row("imports", &shown::plain(import))?;
            }
            for export in &interface.exports {
                row("exports", &shown::plain(export))?;
            }
            match asks {
                None => row("asks for", "(it has no manifest, so it cannot ask)")?,
                Some(asks) if asks.is_empty() => row("asks for", "nothing")?,
                Some(asks) => asks.iter().try_for_each(|ask| row("asks for", ask))?,
            }
            match &definitions {
                None => row("offers", "(not loaded before; --list asks it, with nothing granted)")?,
                Some(found) => {
                    for tool in &found.tools {
                        let text = tool.description.lines().next().unwrap_or_default();
                        row("tool", &format!("{}: {}", tool.name, shown::plain(text)))?;
                        row("  input", &shown::plain(&tool.input_schema))?;
                        if let Some(output) = &tool.output_schema {
                            row("  output", &shown::plain(output))?;
                        }
                    }
                    found.left_out.iter().try_for_each(|line| row("left out", &shown::plain(line)))?;
                    found.prompts.iter().try_for_each(|prompt| row("prompt", &prompt.name))?;
                    found
                        .templates
                        .iter()
                        .try_for_each(|template| row("template", &shown::plain(&template.uri_template)))?;
                }
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn listed(found: &Definitions) -> Value {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    json!({
        "tools": found.tools.iter().map(|tool| json!({
            "name": tool.name,
            "description": tool.description,
            "inputSchema": schema(&tool.input_schema),
            "outputSchema": tool.output_schema.as_deref().map(schema),
        })).collect::<Vec<_>>(),
        "leftOut": found.left_out,
        "prompts": found.prompts.iter().map(|prompt| &prompt.name).collect::<Vec<_>>(),
        "templates": found.templates.iter().map(|template| &template.uri_template).collect::<Vec<_>>(),
    })
}
