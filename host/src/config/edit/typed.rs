//! Grants written as they are, of every kind. Must write nothing that reads back as more than it was given.

use std::path::Path;

use toml_edit::{InlineTable, Item, Table, TableLike, Value, value};

use super::tables::{change_first, list, push, set, texts};
use super::{Edit, EditError};
use crate::grants::{
    CommandGrant, DirectoryGrant, DirectoryMode, FileLock, Grants, HttpGrant, HttpPlace, SocketKind,
    SocketPlace, StateGrant, StateScope, units,
};

impl Edit<'_> {
    pub(super) fn grant(&mut self, grants: &Grants) -> Result<(), EditError> {
        // Each kind by name, so that a new one is not forgotten here. Secrets are a person's own words.
        let Grants {
            directories,
            http,
            tcp,
            udp,
            resolve,
            env,
            secrets: _,
            state,
            commands,
            elicit,
            sample,
            roots,
        } = grants;
        directories.iter().try_for_each(|grant| self.grant_directory(grant))?;
        for HttpGrant { scheme, host, port, methods, path, private_addresses } in http {
            let place = HttpPlace { scheme: *scheme, host: host.clone(), port: *port, path: path.clone() };
            let private = *private_addresses && !place.names_private();
            self.allow_http(&plain(&place.to_string()), methods, private)?;
        }
        for (kind, grants) in [(SocketKind::Tcp, tcp), (SocketKind::Udp, udp)] {
            for grant in grants {
                let place = SocketPlace { host: grant.host.clone(), port: grant.port };
                let private = grant.private_addresses && !place.names_private();
                self.allow_socket(kind, &place.to_string(), private)?;
            }
        }
        resolve.iter().try_for_each(|host| self.allow_resolve(&host.to_string()))?;
        env.iter().try_for_each(|(name, value)| self.set_in("env", name, value.into()))?;
        if let Some(StateGrant { quota, scope }) = state {
            if self.section()?.get("state").is_none() && *scope == StateScope::Caller {
                self.set_in("state", "scope", "caller".into())?;
            }
            self.set_in("state", "quota", units::show_size(*quota).into())?;
        }
        if let Some(CommandGrant { folder, only }) = commands {
            self.grant_commands(folder, only)?;
        }
        for (key, wanted) in [("elicit", *elicit), ("sample", *sample), ("roots", *roots)] {
            if wanted {
                self.set_flag(key, true)?;
            }
        }
        Ok(())
    }

    fn grant_commands(&mut self, folder: &Path, only: &[String]) -> Result<(), EditError> {
        let path = utf8(folder)?;
        let written = self.section()?.get("commands").and_then(Item::as_table_like);
        let named = written.and_then(|commands| commands.get("path")?.as_str()).map(str::to_owned);
        let mut names = written.map(|commands| texts(commands.get("only"))).unwrap_or_default();
        let is_there = written.is_some();
        if named.and_then(|text| self.real(&text)).as_deref() != Some(folder) {
            self.set_in("commands", "path", plain(path).into())?;
        }
        // None written are all of them.
        if is_there && names.is_empty() {
            return Ok(());
        }
        if only.is_empty() {
            if let Some(commands) = self.section()?.get_mut("commands").and_then(Item::as_table_like_mut) {
                commands.remove("only");
            }
            return Ok(());
        }
        let more = only.iter().filter(|one| !names.contains(one)).cloned().collect::<Vec<_>>();
        if more.is_empty() {
            return Ok(());
        }
        names.extend(more);
        self.set_in("commands", "only", list(&names))
    }

    fn grant_directory(&mut self, grant: &DirectoryGrant) -> Result<(), EditError> {
        let DirectoryGrant { host, guest, mode, quota, extensions, lock } = grant;
        let path = utf8(host)?;
        let (surroundings, base, form) = (self.surroundings, self.base, self.form());
        let same = |entry: &dyn TableLike| {
            let written = entry.get("path").and_then(Item::as_str);
            let real = written.and_then(|text| surroundings.path(text, base).ok()?.canonicalize().ok());
            let named = entry.get("as").and_then(Item::as_str).or(written);
            real.as_deref() == Some(host) && named == Some(guest)
        };
        let writes = *mode == DirectoryMode::ReadWrite;
        let bounded = || {
            let mut table = InlineTable::new();
            table.insert("bytes", units::show_size(quota.bytes).into());
            table.insert("files", i64::try_from(quota.files).unwrap_or(i64::MAX).into());
            Value::InlineTable(table)
        };
        let change = |entry: &mut dyn TableLike| {
            if writes && entry.get("mode").and_then(Item::as_str) != Some("read-write") {
                set(entry, "mode", mode.to_string().into());
                set(entry, "quota", bounded());
            }
            let mut written = texts(entry.get("extensions"));
            if extensions.is_empty() {
                entry.remove("extensions");
            } else if !written.is_empty() {
                let more =
                    extensions.iter().filter(|one| !written.contains(one)).cloned().collect::<Vec<_>>();
                written.extend(more);
                set(entry, "extensions", list(&written));
            }
        };
        let section = self.section()?;
        if !change_first(section, "directories", &same, change) {
            let mut entry = Table::new();
            entry.insert("path", value(plain(path)));
            entry.insert("as", value(guest));
            entry.insert("mode", value(mode.to_string()));
            if writes {
                entry.insert("quota", Item::Value(bounded()));
            }
            if !extensions.is_empty() {
                entry.insert("extensions", Item::Value(list(extensions)));
            }
            if *lock == FileLock::Sqlite {
                entry.insert("lock", value("sqlite"));
            }
            push(section, "directories", entry).ok_or(form)?;
        }
        Ok(())
    }
}

fn utf8(path: &Path) -> Result<&str, EditError> {
    path.to_str().ok_or_else(|| {
        EditError::Text(format!("{}: is not UTF-8, so it cannot be written into kennel.toml", path.display()))
    })
}

/// A text that is meant word by word.
fn plain(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
#[path = "typed_tests.rs"]
mod tests;
