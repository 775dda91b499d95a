//! What a person set for this plugin: the largest file, the extensions, whether it may change anything.
//! These hold beside the grants, which the sandbox keeps; they take away and never add.
//! Must not open files.

use serde::Deserialize;

use crate::failure::Failure;
use crate::paths::extension;

/// Read and written at most, unless set: 1 MB.
const MAX_FILE_SIZE: u64 = 1_000_000;

/// The settings of this plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The most bytes of one file that are read or written.
    pub(crate) max_file_size: u64,
    /// In lower case with the dot; none means all.
    pub(crate) allowed_extensions: Option<Vec<String>>,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_file_size: MAX_FILE_SIZE, allowed_extensions: None, read_only: false }
    }
}

/// A size as a person may write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

impl Size {
    fn bytes(&self) -> Result<u64, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(*bytes),
            Self::Text(text) => parse_size::parse_size(text).map_err(|_| {
                Failure::refused(format!(
                    "The setting max-file-size is {text:?}, which is not a size; write for example \"1MB\""
                ))
            }),
        }
    }
}

impl Settings {
    /// From `kennel.toml`.
    ///
    /// # Errors
    /// When a setting is not what it should be: then nothing is done, rather than more than was meant.
    pub(crate) fn load() -> kennel_sdk::Result<Self> {
        let size = kennel_sdk::setting::<Size>("max-file-size")?;
        let extensions = kennel_sdk::setting::<Vec<String>>("allowed-extensions")?;
        let read_only = kennel_sdk::setting("read-only")?;
        Ok(Self::from_parts(size, extensions, read_only)?)
    }

    fn from_parts(
        size: Option<Size>,
        extensions: Option<Vec<String>>,
        read_only: Option<bool>,
    ) -> Result<Self, Failure> {
        let dotted = |text: String| {
            let text = text.to_lowercase();
            if text.is_empty() || text.starts_with('.') { text } else { format!(".{text}") }
        };
        Ok(Self {
            max_file_size: size.map_or(Ok(MAX_FILE_SIZE), |size| size.bytes())?,
            allowed_extensions: extensions.map(|all| all.into_iter().map(dotted).collect()),
            read_only: read_only.unwrap_or(false),
        })
    }

    /// Whether a file of this name may be read or written.
    pub(crate) fn check_extension(&self, path: &str) -> Result<(), Failure> {
        let Some(allowed) = &self.allowed_extensions else { return Ok(()) };
        let extension = extension(path);
        if allowed.contains(&extension) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "Access denied - file extension \"{extension}\" not allowed: {path}; the setting allowed-extensions has {}",
            if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") }
        )))
    }

    /// Whether anything may be changed.
    pub(crate) fn check_writable(&self, path: &str) -> Result<(), Failure> {
        if self.read_only {
            return Err(Failure::refused(format!(
                "Access denied - read-only: {path} cannot be changed while the setting read-only is on"
            )));
        }
        Ok(())
    }

    /// Whether a file may become this long.
    pub(crate) fn check_size(&self, path: &str, bytes: usize) -> Result<(), Failure> {
        if bytes as u64 > self.max_file_size {
            return Err(Failure::refused(format!(
                "File too large: {path} would have {}, the setting max-file-size is {}",
                crate::format::size(bytes as u64),
                crate::format::size(self.max_file_size)
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn sized(text: &str) -> Result<u64, String> {
        let size = Some(Size::Text(text.into()));
        Settings::from_parts(size, None, None)
            .map(|settings| settings.max_file_size)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn sizes_are_read_as_the_host_reads_them() {
        assert_eq!(sized("1MB"), Ok(1_000_000));
        assert_eq!(sized("2 MiB"), Ok(2 << 20));
        assert_eq!(sized("17"), Ok(17));
        assert_eq!(
            sized("much").unwrap_err(),
            "The setting max-file-size is \"much\", which is not a size; write for example \"1MB\""
        );
        assert_eq!(Settings::from_parts(Some(Size::Bytes(5)), None, None).unwrap().max_file_size, 5);
    }

    #[test]
    fn refusals_name_the_setting() {
        let settings =
            Settings { max_file_size: 3, allowed_extensions: Some(vec![".md".into()]), read_only: true };
        let texts = [
            settings.check_extension("/a/b.TXT").unwrap_err(),
            settings.check_writable("/a").unwrap_err(),
            settings.check_size("/a", 4).unwrap_err(),
        ]
        .map(|error| error.to_string());
        assert_eq!(
            texts,
            [
                "Access denied - file extension \".txt\" not allowed: /a/b.TXT; the setting allowed-extensions has .md",
                "Access denied - read-only: /a cannot be changed while the setting read-only is on",
                "File too large: /a would have 4 B, the setting max-file-size is 3 B",
            ]
        );
        assert!(settings.check_size("/a", 3).is_ok());
    }

    proptest! {
        #[test]
        fn only_listed_extensions_pass(listed in proptest::collection::vec("[.]?[a-cA-C]{0,2}", 0..4), name in "[a-c.]{1,6}") {
            let settings = Settings::from_parts(None, Some(listed.clone()), None).unwrap();
            let own = extension(&name);
            let is_listed = listed.iter().any(|listed| {
                let listed = listed.to_lowercase();
                own == listed || (!listed.is_empty() && own == format!(".{listed}"))
            });
            prop_assert_eq!(settings.check_extension(&name).is_ok(), is_listed, "{} in {:?}", name, listed);
        }
    }
}
