//! Grants of HTTP, sockets and look-ups in `kennel.toml`. Two spellings of one place are the same entry.

use toml_edit::{Array, Item, Table, TableLike, Value, value};

use super::tables::{change_first, list, push, set, texts};
use super::{Edit, EditError};
use crate::config::{Surroundings, comments};
use crate::grants::{DEFAULT_METHODS, HostPattern, HttpPlace, SocketKind, SocketPlace, parse_resolvable};

impl Edit<'_> {
    /// Whether an entry is about this place.
    fn is_at(surroundings: &Surroundings, place: &HttpPlace, entry: &dyn TableLike) -> bool {
        let url = entry.get("url").and_then(Item::as_str).and_then(|url| surroundings.text(url).ok());
        url.and_then(|url| HttpPlace::parse(&url).ok()).as_ref() == Some(place)
    }

    fn place(&self, url: &str) -> Result<HttpPlace, EditError> {
        let text = self.surroundings.text(url).map_err(|error| EditError::Text(error.to_string()))?;
        HttpPlace::parse(&text).map_err(|error| EditError::Text(error.to_string()))
    }

    pub(super) fn allow_http(
        &mut self,
        url: &str,
        methods: &[String],
        private: bool,
    ) -> Result<(), EditError> {
        let (place, surroundings, form) = (self.place(url)?, self.surroundings, self.form());
        let same = |entry: &dyn TableLike| Self::is_at(surroundings, &place, entry);
        let section = self.section()?;
        let change = |entry: &mut dyn TableLike| {
            let mut all = written_methods(entry);
            let before = all.len();
            all.extend(methods.iter().filter(|method| !all.contains(method)).cloned().collect::<Vec<_>>());
            if all.len() != before {
                set(entry, "methods", list(&all));
            }
            allow_private(entry, private);
        };
        if !change_first(section, "http", &same, change) {
            let mut entry = Table::new();
            entry.insert("url", value(url));
            if !methods.is_empty() {
                entry.insert("methods", Item::Value(list(methods)));
            }
            allow_private(&mut entry, private);
            push(section, "http", entry).ok_or(form)?;
        }
        Ok(())
    }

    pub(super) fn revoke_http(&mut self, url: &str, methods: &[String]) -> Result<(), EditError> {
        let (place, surroundings) = (self.place(url)?, self.surroundings);
        let what = || match methods {
            [] => format!("HTTP to {url}"),
            some => format!("HTTP {} to {url}", some.join(",")),
        };
        let all = |entry: &dyn TableLike| {
            Self::is_at(surroundings, &place, entry)
                && (methods.is_empty()
                    || written_methods(entry).iter().all(|method| methods.contains(method)))
        };
        let some = |entry: &dyn TableLike| {
            Self::is_at(surroundings, &place, entry)
                && written_methods(entry).iter().any(|method| methods.contains(method))
        };
        let mut done = false;
        if let Some(left) = comments::remove_entries(self.section()?, "http", &all) {
            comments::keep(&mut self.document, left);
            done = true;
        }
        let fewer = |entry: &mut dyn TableLike| {
            let mut rest = written_methods(entry);
            rest.retain(|method| !methods.contains(method));
            set(entry, "methods", list(&rest));
        };
        while change_first(self.section()?, "http", &some, fewer) {
            done = true;
        }
        if done { Ok(()) } else { Err(self.missing(what())) }
    }

    fn socket(&self, to: &str) -> Result<SocketPlace, EditError> {
        let text = self.surroundings.text(to).map_err(|error| EditError::Text(error.to_string()))?;
        SocketPlace::parse(&text).map_err(|error| EditError::Text(error.to_string()))
    }

    /// Whether an entry is about this place.
    fn goes_to(surroundings: &Surroundings, place: &SocketPlace, entry: &dyn TableLike) -> bool {
        let to = entry.get("to").and_then(Item::as_str).and_then(|to| surroundings.text(to).ok());
        to.and_then(|to| SocketPlace::parse(&to).ok()).as_ref() == Some(place)
    }

    pub(super) fn allow_socket(
        &mut self,
        kind: SocketKind,
        to: &str,
        private: bool,
    ) -> Result<(), EditError> {
        let (place, surroundings, form) = (self.socket(to)?, self.surroundings, self.form());
        let same = |entry: &dyn TableLike| Self::goes_to(surroundings, &place, entry);
        let (section, key) = (self.section()?, key(kind));
        if !change_first(section, key, &same, |entry| allow_private(entry, private)) {
            let mut entry = Table::new();
            entry.insert("to", value(to));
            allow_private(&mut entry, private);
            push(section, key, entry).ok_or(form)?;
        }
        Ok(())
    }

    pub(super) fn revoke_socket(&mut self, kind: SocketKind, to: &str) -> Result<(), EditError> {
        let (place, surroundings) = (self.socket(to)?, self.surroundings);
        let same = |entry: &dyn TableLike| Self::goes_to(surroundings, &place, entry);
        let left = comments::remove_entries(self.section()?, key(kind), &same);
        let left = left.ok_or_else(|| self.missing(format!("{kind} to {to}")))?;
        comments::keep(&mut self.document, left);
        Ok(())
    }

    fn resolvable(surroundings: &Surroundings, name: &str) -> Result<HostPattern, EditError> {
        let text = surroundings.text(name).map_err(|error| EditError::Text(error.to_string()))?;
        parse_resolvable(&text).map_err(|error| EditError::Text(error.to_string()))
    }

    /// Whether an item of the list is this name.
    fn names(surroundings: &Surroundings, name: &HostPattern, item: &Value) -> bool {
        let written = item.as_str().and_then(|text| Self::resolvable(surroundings, text).ok());
        written.as_ref() == Some(name)
    }

    pub(super) fn allow_resolve(&mut self, name: &str) -> Result<(), EditError> {
        let (surroundings, form) = (self.surroundings, self.form());
        let host = Self::resolvable(surroundings, name)?;
        let section = self.section()?;
        let names = section.entry("resolve").or_insert_with(|| Item::Value(Value::Array(Array::new())));
        let Some(names) = names.as_array_mut() else { return Err(form) };
        if !names.iter().any(|item| Self::names(surroundings, &host, item)) {
            names.push(name);
        }
        Ok(())
    }

    pub(super) fn revoke_resolve(&mut self, name: &str) -> Result<(), EditError> {
        let surroundings = self.surroundings;
        let host = Self::resolvable(surroundings, name)?;
        let missing = self.missing(format!("to look up {name}"));
        let names = self.section()?.get_mut("resolve").and_then(Item::as_array_mut);
        let Some(names) = names else { return Err(missing) };
        let removed = comments::remove_items(names, &|item| Self::names(surroundings, &host, item));
        match (removed, names.is_empty()) {
            (false, _) => Err(missing),
            (true, true) => self.drop_key("resolve").then_some(()).ok_or(missing),
            (true, false) => Ok(()),
        }
    }
}

/// The list of a kind of socket.
fn key(kind: SocketKind) -> &'static str {
    match kind {
        SocketKind::Tcp => "tcp",
        SocketKind::Udp => "udp",
    }
}

fn allow_private(entry: &mut dyn TableLike, private: bool) {
    if private && entry.get("private-addresses").and_then(Item::as_bool) != Some(true) {
        set(entry, "private-addresses", true.into());
    }
}

fn written_methods(entry: &dyn TableLike) -> Vec<String> {
    match entry.get("methods") {
        None => DEFAULT_METHODS.map(str::to_owned).to_vec(),
        some => texts(some),
    }
}
