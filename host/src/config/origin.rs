//! Where in `kennel.toml` a grant is written. Reads the text alone: what it means is `plugin`'s.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::grants::{GrantKey, KeyStep, PluginName};

/// A place in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The configuration.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// Dotted, as `plugins.fs.directories[0]`.
    pub key: String,
}

impl Origin {
    /// Where this grant of this plugin stands in `text`, the contents of `file`; none when it does not.
    #[must_use]
    pub fn find(text: &str, file: &Path, plugin: &PluginName, grant: &GrantKey) -> Option<Self> {
        let (table, _) = DeTable::parse_recoverable(text);
        let (kind, step) = grant.path();
        let mut key = format!("plugins.{plugin}.{kind}");
        let plugins = table.get_ref().get("plugins")?.get_ref().as_table()?;
        let entry = plugins.get(plugin.as_str())?.get_ref().as_table()?;
        let (name, value) = entry.iter().find(|(name, _)| name.get_ref() == kind)?;
        let at = match step {
            // A table's own place is its head; that of a key with a value is the key.
            None => match value.get_ref() {
                DeValue::Table(_) => value.span().start,
                _ => name.span().start,
            },
            Some(KeyStep::Nth(index)) => {
                key.push_str(&format!("[{index}]"));
                value.get_ref().as_array()?.get(index)?.span().start
            }
            Some(KeyStep::Name(name)) => {
                key.push_str(&format!(".{name}"));
                let table = value.get_ref().as_table()?;
                table.iter().find(|(found, _)| found.get_ref() == name)?.0.span().start
            }
        };
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        Some(Self { file: file.to_owned(), line, key })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_kind_is_found_at_its_line() {
        let text = "\n[plugins.fs]\nelicit = true\nenv = { A = \"a\" }\n\n[[plugins.fs.directories]]\npath = \"/a\"\n\n\
            # two\n[[plugins.fs.directories]]\npath = \"/b\"\n[plugins.fs.state]\nquota = \"1MiB\"\n\
            [plugins.net]\nhttp = [\n  { url = \"http://a\" },\n  { url = \"http://b\" },\n]\n[plugins.net.env]\nX = \"x\"\n";
        let find = |plugin: &str, key: GrantKey| {
            let found = Origin::find(text, Path::new("k.toml"), &PluginName::new(plugin).unwrap(), &key);
            found.map_or_else(|| "none".to_owned(), |origin| origin.to_string())
        };
        let all = [
            find("fs", GrantKey::Elicit),
            find("fs", GrantKey::Env("A".into())),
            find("fs", GrantKey::Directory(0)),
            find("fs", GrantKey::Directory(1)),
            find("fs", GrantKey::Directory(2)),
            find("fs", GrantKey::State),
            find("fs", GrantKey::Sample),
            find("net", GrantKey::Http(1)),
            find("net", GrantKey::Env("X".into())),
            find("other", GrantKey::State),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        k.toml:3: plugins.fs.elicit
        k.toml:4: plugins.fs.env.A
        k.toml:6: plugins.fs.directories[0]
        k.toml:10: plugins.fs.directories[1]
        none
        k.toml:12: plugins.fs.state
        none
        k.toml:17: plugins.net.http[1]
        k.toml:20: plugins.net.env.X
        none
        ");
    }
}
