//! `kennel client-config`: the lines that make a client start this Kennel. Prints; touches no client's
//! files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::config::Home;

/// Print the lines to put into a client's configuration
///
/// The lines go to standard output, where to put them to standard error, so that
/// `kennel client-config cursor > .cursor/mcp.json` works for a client without other servers.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The client
    pub client: Client,
    /// The name the client shows and puts before the tools' names
    #[arg(long, default_value = "kennel", value_parser = server_name)]
    pub name: String,
}

/// The clients whose configuration is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// Claude Desktop
    ClaudeDesktop,
    /// Claude Code
    ClaudeCode,
    /// Visual Studio Code
    #[value(name = "vscode")]
    VsCode,
    /// Cursor
    Cursor,
    /// Gemini CLI
    GeminiCli,
    /// Codex
    Codex,
}

/// Why there are no lines.
#[derive(Debug, thiserror::Error)]
pub enum ClientConfigError {
    /// A path that the client's file cannot hold.
    #[error("{}: not UTF-8, so no client's configuration can hold it; move it, or use --home", .0.display())]
    NotText(PathBuf),
    /// Cannot be written as TOML.
    #[error("the lines cannot be written as TOML: {0}")]
    Toml(#[from] toml::ser::Error),
    /// Nobody reads.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Claude and the models' interfaces accept no more in a tool's name.
fn server_name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !text.is_empty() && text.len() <= 32 && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 32 of a-z, A-Z, 0-9, \"_\" and \"-\"".to_owned())
    }
}

/// Prints the lines for the client to `out`, and which file they go into to `hint`. `command` is the
/// absolute path of this program; the home and configuration in force are named unless they are the ones
/// found without being told.
///
/// # Errors
/// When a path is not UTF-8, or the output is closed.
pub fn run(
    args: &Args,
    home: &Home,
    command: &Path,
    out: &mut dyn Write,
    hint: &mut dyn Write,
) -> Result<ExitCode, ClientConfigError> {
    let text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(ClientConfigError::NotText(path.to_owned())),
    };
    let command = text(command)?;
    let mut arguments = vec!["serve".to_owned()];
    if !home.is_default() {
        arguments.extend(["--home".to_owned(), text(home.root())?]);
    }
    if home.config_is_given() {
        arguments.extend(["--config".to_owned(), text(home.config_file())?]);
    }
    let lines = match args.client {
        Client::Codex => {
            let server = json!({"command": command, "args": arguments});
            toml::to_string(&json!({"mcp_servers": {&args.name: server}}))?
        }
        client => {
            let server = match client {
                Client::ClaudeCode | Client::VsCode => {
                    json!({"type": "stdio", "command": command, "args": arguments})
                }
                _ => json!({"command": command, "args": arguments}),
            };
            let key = if client == Client::VsCode { "servers" } else { "mcpServers" };
            pretty(&json!({key: {&args.name: server}}))
        }
    };
    writeln!(out, "{}", lines.trim_end())?;
    out.flush()?;
    writeln!(hint, "{}", place(args.client))?;
    Ok(ExitCode::SUCCESS)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn place(client: Client) -> &'static str {
    match client {
        Client::ClaudeDesktop => {
            "Merge this into claude_desktop_config.json (macOS: ~/Library/Application Support/Claude/, \
             Windows: %APPDATA%\\Claude\\), then start Claude again."
        }
        Client::ClaudeCode => "Merge this into .mcp.json in your project.",
        Client::VsCode => {
            "Merge this into .vscode/mcp.json in your project, or into your profile's mcp.json."
        }
        Client::Cursor => "Merge this into ~/.cursor/mcp.json, or into .cursor/mcp.json in your project.",
        Client::GeminiCli => {
            "Merge this into ~/.gemini/settings.json, or into .gemini/settings.json in your project."
        }
        Client::Codex => "Add this to ~/.codex/config.toml.",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::config::Surroundings;

    fn printed(client: Client, home: &Home, command: &str) -> (String, String) {
        let (mut out, mut hint) = (Vec::new(), Vec::new());
        let args = Args { client, name: "kennel".to_owned() };
        run(&args, home, Path::new(command), &mut out, &mut hint).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(hint).unwrap())
    }

    #[test]
    fn every_client_has_its_lines() {
        let surroundings = Surroundings::new(Some("/home/ada".into()), |_| None);
        let home = Home::locate(None, None, &surroundings).unwrap();
        let mut all = String::new();
        for client in Client::value_variants() {
            let (out, hint) = printed(*client, &home, "/usr/local/bin/kennel");
            all += &format!("== {client:?}\n{out}-- {hint}");
            if *client == Client::Codex {
                assert!(out.parse::<toml::Table>().is_ok());
            } else {
                assert!(serde_json::from_str::<Value>(&out).is_ok());
            }
        }
        insta::assert_snapshot!(all);
    }

    #[test]
    fn another_home_is_named_and_quoted() {
        let surroundings = Surroundings::new(Some("/home/ada".into()), |_| None);
        let (home, config) = (Path::new("/srv/a \"b\""), Path::new("/etc/k.toml"));
        let home = Home::locate(Some(home), Some(config), &surroundings).unwrap();
        let args = json!(["serve", "--home", "/srv/a \"b\"", "--config", "/etc/k.toml"]);
        let (out, _) = printed(Client::Cursor, &home, "/opt/k");
        let read: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read["mcpServers"]["kennel"], json!({"command": "/opt/k", "args": args}));
        let (out, _) = printed(Client::Codex, &home, "/opt/k");
        let read: toml::Table = out.parse().unwrap();
        assert_eq!(serde_json::to_value(&read["mcp_servers"]["kennel"]["args"]).unwrap(), args);
    }

    #[test]
    fn names_fit_the_models() {
        assert!(server_name("kennel_2").is_ok());
        for bad in ["", "a b", "a.b", &"x".repeat(33)] {
            assert!(server_name(bad).is_err(), "{bad}");
        }
    }
}
