//! `[[plugins.NAME.http]]`: outbound HTTP. Resolves no name.

use super::Context;
use crate::config::reader::{Faults, Item, Section};
use crate::grants::{DEFAULT_METHODS, HttpGrant, HttpPlace, check_method};

/// Reads all HTTP grants of a plugin.
pub(super) fn read(
    plugin: &mut Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<HttpGrant> {
    let sections = plugin.sections(faults, "http");
    sections.into_iter().filter_map(|section| read_http(section, context, faults)).collect()
}

fn read_http(
    mut section: Section<'_, '_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<HttpGrant> {
    let place = section.read(faults, "url", |item| {
        let url = context.surroundings.text(item.text()?).map_err(|e| e.to_string())?;
        HttpPlace::parse(&url).map_err(|e| e.to_string())
    });
    let methods = section.read(faults, "methods", |item| {
        let methods = item.texts()?;
        if methods.is_empty() {
            return Err("no method, so no request; name at least one, or drop the grant".to_owned());
        }
        let methods = methods.into_iter().map(|method| check_method(method).map(|()| method.to_owned()));
        methods.collect::<Result<Vec<_>, _>>()
    });
    let private = section.read(faults, "private-addresses", Item::boolean);
    if section.item("url").is_none() {
        faults.add(
            section.at(),
            section.key(),
            "`url` is missing; write for example url = \"https://api.example.org/v1\"",
        );
    }
    section.finish(faults);
    let place = place?;
    let private_addresses = private.unwrap_or_else(|| place.names_private());
    let methods = methods.unwrap_or_else(|| DEFAULT_METHODS.map(str::to_owned).to_vec());
    let HttpPlace { scheme, host, port, path } = place;
    Some(HttpGrant { scheme, host, port, methods, path, private_addresses })
}
