//! `[[plugins.NAME.tcp]]`, `[[plugins.NAME.udp]]` and `resolve`: where sockets may go and which names may be looked
//! up. Resolves no name.

use super::Context;
use crate::config::reader::{Faults, Item, Section};
use crate::grants::{HostPattern, SocketGrant, SocketPlace, parse_resolvable};

/// Reads all grants of one kind of socket, which is also the key.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    kind: &'static str,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<SocketGrant> {
    let sections = plugin.sections(faults, kind);
    sections.into_iter().filter_map(|section| read_socket(section, context, faults)).collect()
}

fn read_socket(
    mut section: Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<SocketGrant> {
    let place = section.read(faults, "to", |item| {
        let text = context.surroundings.text(item.text()?).map_err(|e| e.to_string())?;
        SocketPlace::parse(&text).map_err(|e| e.to_string())
    });
    let private = section.read(faults, "private-addresses", Item::boolean);
    if section.item("to").is_none() {
        let message = "`to` is missing; write for example to = \"db.example.org:5432\"";
        faults.add(section.at(), section.key(), message);
    }
    section.finish(faults);
    let place = place?;
    let private_addresses = private.unwrap_or_else(|| place.names_private());
    Some(SocketGrant { host: place.host, port: place.port, private_addresses })
}

/// Reads the names that may be looked up besides.
pub(super) fn read_names(item: &Item<'_, '_>, context: &Context<'_>) -> Result<Vec<HostPattern>, String> {
    let names = item.texts()?.into_iter().map(|name| {
        let name = context.surroundings.text(name).map_err(|e| e.to_string())?;
        parse_resolvable(&name).map_err(|e| e.to_string())
    });
    names.collect()
}
