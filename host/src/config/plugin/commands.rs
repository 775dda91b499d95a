//! `[plugins.NAME.commands]`: a folder of command components that the plugin may run. Checks that the folder exists and is
//! none of Kennel's, and that the plugin cannot write there; reads nothing in it.

use super::{Context, directories};
use crate::config::reader::{Faults, Section};
use crate::grants::{CommandGrant, DirectoryGrant, DirectoryMode, MAX_COMMAND_NAME, is_command_name};

/// Reads the folder of a plugin's commands, if it is to have one.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    directories: &[DirectoryGrant],
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<CommandGrant> {
    let mut commands = plugin.section(faults, "commands")?;
    let path = commands.read(faults, "path", |item| directories::real(item.text()?, context));
    let only = commands.read(faults, "only", |item| {
        let names = item.texts()?;
        if names.is_empty() {
            return Err("no name, so no command; name at least one, or drop the key for all".to_owned());
        }
        names.into_iter().map(name).collect::<Result<Vec<_>, _>>()
    });
    if commands.item("path").is_none() {
        let message = "`path` is missing; write for example path = \"~/commands\"";
        faults.add(commands.at(), commands.key(), message);
    }
    let (at, key) = (commands.at(), commands.key().to_owned());
    commands.finish(faults);
    let (_, folder) = path?;
    // What it runs is what a person put there: each new component costs a compiler's time, which no fuel counts.
    let writes = |grant: &&DirectoryGrant| {
        let within = folder.starts_with(&grant.host) || grant.host.starts_with(&folder);
        grant.mode == DirectoryMode::ReadWrite && within
    };
    if let Some(grant) = directories.iter().find(writes) {
        let message = format!(
            "the plugin may write in {}, and so could write its own commands; put them into a folder of their own",
            grant.host.display()
        );
        faults.add(at, &key, message);
    }
    Some(CommandGrant { folder, only: only.unwrap_or_default() })
}

fn name(text: &str) -> Result<String, String> {
    if is_command_name(text) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "{text:?} is not the name of a command: write the name of its file without `.wasm`, at most {MAX_COMMAND_NAME} letters, digits, `-`, `_` and `.`"
        ))
    }
}
