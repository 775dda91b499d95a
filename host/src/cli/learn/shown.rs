//! A proposal as a person or a program reads it. Decides nothing.

use std::io::Write;

use serde_json::{Value, json};

use super::{Called, Format, Lesson};
use crate::cli::Failure;
use crate::config::edit;
use crate::grants::learn::{Seen, gives};
use crate::grants::{
    CommandGrant, DirectoryMode, FileLock, Grants, HttpGrant, HttpPlace, SocketGrant, SocketPlace,
    StateScope, units,
};
use crate::observe::escape_for_people;

/// Operations that are named with a grant; more are counted.
const NAMED: usize = 3;
/// Denials that are shown.
const DENIED: usize = 20;

impl Lesson<'_> {
    pub(super) fn print(&self, format: Format, accept: bool, out: &mut dyn Write) -> Result<(), Failure> {
        match format {
            Format::Text => self.as_text(accept, out),
            Format::Json => Ok(writeln!(out, "{:#}", self.as_json(accept)?)?),
        }
    }

    fn as_text(&self, accept: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let Self { plugin, learned, .. } = self;
        if !self.whole {
            writeln!(
                out,
                "{plugin} did more than is recorded, so these grants may be too few; learn from fewer calls\n"
            )?;
        }
        if learned.parts.is_empty() {
            writeln!(out, "{plugin} needed no grant")?;
        } else {
            writeln!(out, "{plugin} could do all it did with:\n")?;
        }
        for (alone, covered) in &learned.parts {
            let held = if gives(&self.granted, alone) { " (granted already)" } else { "" };
            writeln!(out, "  {}{held}", escape_for_people(&alone.describe().join(", ")))?;
            writeln!(out, "    {}", escape_for_people(&self.covers(covered)))?;
        }
        for number in &learned.left {
            if let Some(one) = self.seen.get(*number) {
                writeln!(
                    out,
                    "  no grant can be written for {}",
                    escape_for_people(&one.intent.to_string())
                )?;
            }
        }
        let beyond = learned.beyond(&self.granted);
        if !accept && beyond != Grants::default() {
            writeln!(out, "\nin kennel.toml, which --accept writes:\n")?;
            for line in edit::lines(plugin, &beyond)?.lines() {
                writeln!(out, "{}", format!("  {}", escape_for_people(line)).trim_end())?;
            }
            let (commands, all) = commands(plugin.as_str(), &beyond);
            if !commands.is_empty() {
                let some = if all { "" } else { " (the rest only there)" };
                writeln!(out, "\nor{some}:\n")?;
                commands.iter().try_for_each(|command| writeln!(out, "  {}", escape_for_people(command)))?;
            }
        }
        self.print_denied(out)
    }

    fn print_denied(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let denied: Vec<_> = self.seen.iter().filter_map(|one| Some((one, one.denied?))).collect();
        if denied.is_empty() {
            return Ok(());
        }
        writeln!(out, "\ndenied meanwhile:\n")?;
        for (one, why) in denied.iter().take(DENIED) {
            writeln!(out, "  {}: {why}", escape_for_people(&one.intent.to_string()))?;
        }
        if let Some(more) = denied.len().checked_sub(DENIED).filter(|more| *more > 0) {
            writeln!(out, "  and {more} more")?;
        }
        writeln!(out, "\nto see what it does when it may, name that too, as for `kennel allow`")?;
        Ok(())
    }

    /// What a grant is for.
    fn covers(&self, covered: &[usize]) -> String {
        let seen: Vec<&Seen> = covered.iter().filter_map(|number| self.seen.get(*number)).collect();
        if seen.is_empty() {
            return "it gets its environment as a whole, so whether it reads this is not seen".to_owned();
        }
        let times: u64 = seen.iter().map(|one| one.times).sum();
        let mut text = format!("{times} operations: ");
        let named: Vec<_> = seen.iter().take(NAMED).map(|one| one.intent.to_string()).collect();
        text.push_str(&named.join(", "));
        if let Some(more) = seen.len().checked_sub(NAMED).filter(|more| *more > 0) {
            text.push_str(&format!(", and {more} more"));
        }
        text
    }

    fn as_json(&self, accept: bool) -> Result<Value, Failure> {
        let seen = self.seen.iter().map(|one| {
            json!({
                "operation": one.intent.to_string(),
                "allowed": one.denied.is_none(),
                "why": one.denied.map(|why| why.to_string()),
                "times": one.times,
                "bytes": one.bytes,
            })
        });
        let named = |numbers: &[usize]| -> Vec<String> {
            numbers.iter().filter_map(|number| Some(self.seen.get(*number)?.intent.to_string())).collect()
        };
        let grants = self.learned.parts.iter().map(|(alone, covered)| {
            json!({
                "grant": alone.describe().join(", "),
                "held": gives(&self.granted, alone),
                "covers": named(covered),
            })
        });
        let calls = self.called.iter().map(|Called { tool, failed, questions }| {
            json!({ "tool": tool, "failed": failed, "questions": questions })
        });
        let beyond = self.learned.beyond(&self.granted);
        Ok(json!({
            "plugin": self.plugin.as_str(),
            "calls": calls.collect::<Vec<_>>(),
            "seen": seen.collect::<Vec<_>>(),
            "whole": self.whole,
            "grants": grants.collect::<Vec<_>>(),
            "withoutGrant": named(&self.learned.left),
            "toml": edit::lines(self.plugin, &beyond)?,
            "commands": commands(self.plugin.as_str(), &beyond).0,
            "accept": accept,
        }))
    }
}

/// The same by `kennel allow`, as far as that says it exactly, and whether that is all.
fn commands(plugin: &str, grants: &Grants) -> (Vec<String>, bool) {
    // Each kind by name, so that a new one is not forgotten here.
    let Grants { directories, http, tcp, udp, resolve, env, secrets, state, commands, elicit, sample, roots } =
        grants;
    let mut each: Vec<Option<Vec<String>>> = Vec::new();
    let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
    for grant in directories {
        // A quota and a lock are said in the file alone.
        let path = grant
            .host
            .to_str()
            .filter(|path| grant.mode == DirectoryMode::ReadOnly && !path.ends_with(":rw"))
            .filter(|_| grant.lock == FileLock::None);
        let list = grant.extensions.join(",");
        each.push(path.filter(|_| grant.extensions.iter().all(|one| !one.contains(','))).map(|path| {
            let mut all = ["--dir", &format!("{path}:ro"), "--as", &grant.guest].map(str::to_owned).to_vec();
            if !list.is_empty() {
                all.extend(["--extensions".to_owned(), list.clone()]);
            }
            all
        }));
    }
    for HttpGrant { scheme, host, port, methods, path, private_addresses } in http {
        let place = HttpPlace { scheme: *scheme, host: host.clone(), port: *port, path: path.clone() };
        let mut all = [
            "--http".to_owned(),
            place.to_string().replace('$', "$$"),
            "--methods".to_owned(),
            methods.join(","),
        ]
        .to_vec();
        all.extend((*private_addresses && !place.names_private()).then(|| "--private-addresses".to_owned()));
        each.push(Some(all));
    }
    for (flag, sockets) in [("--tcp", tcp), ("--udp", udp)] {
        for SocketGrant { host, port, private_addresses } in sockets {
            let place = SocketPlace { host: host.clone(), port: *port };
            let mut all = [flag.to_owned(), place.to_string()].to_vec();
            all.extend(
                (*private_addresses && !place.names_private()).then(|| "--private-addresses".to_owned()),
            );
            each.push(Some(all));
        }
    }
    each.extend(resolve.iter().map(|host| words(&["--resolve", &host.to_string()])));
    each.extend(env.iter().map(|(name, value)| words(&["--env", &format!("{name}={value}")])));
    each.extend(secrets.iter().map(|_| None));
    each.extend(state.iter().map(|state| match state.scope {
        StateScope::Plugin => words(&["--state", &units::show_size(state.quota)]),
        StateScope::Caller => None,
    }));
    each.extend(commands.iter().map(|CommandGrant { folder, only }| {
        let mut all = ["--commands", folder.to_str()?].map(str::to_owned).to_vec();
        if !only.is_empty() {
            all.extend(["--only".to_owned(), only.join(",")]);
        }
        Some(all)
    }));
    for (flag, granted) in [("--elicit", *elicit), ("--sample", *sample), ("--roots", *roots)] {
        each.extend(granted.then(|| words(&[flag])));
    }
    let all = each.iter().all(Option::is_some);
    let line = |words: Vec<String>| {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        format!("kennel allow {plugin} {}", words.join(" "))
    };
    (each.into_iter().flatten().map(line).collect(), all)
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
