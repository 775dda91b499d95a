//! Where the database is. Must not open it.

use crate::failure::Failure;

/// The file's name when the person set no other, as the reference has it.
const NAME: &str = "sqlite_mcp_server.db";

/// The path of the database, as the plugin sees it.
pub(crate) fn database() -> Result<String, Failure> {
    let set =
        kennel_sdk::setting::<String>("db-path").map_err(|error| Failure::refused(error.to_string()))?;
    choose(set, granted().into_iter().next())
}

fn choose(set: Option<String>, first: Option<String>) -> Result<String, Failure> {
    match (set, first) {
        (_, None) => Err(Failure::database(
            "unable to open database file: no directory is granted; grant the one with the database in kennel.toml",
        )),
        (Some(path), _) if path.starts_with('/') => Ok(path),
        (Some(path), _) => Err(Failure::database(format!(
            "unable to open database file: the setting db-path is {path:?}; write it from the root, as the plugin sees it"
        ))),
        (None, Some(first)) => Ok(format!("{}/{NAME}", first.trim_end_matches('/'))),
    }
}

/// The directories that the host opened for this plugin.
#[cfg(target_arch = "wasm32")]
fn granted() -> Vec<String> {
    wasip2::filesystem::preopens::get_directories().into_iter().map(|(_, path)| path).collect()
}

/// Outside a component there is nothing granted.
#[cfg(not(target_arch = "wasm32"))]
fn granted() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_setting_comes_first_and_nothing_is_opened_without_a_grant() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(choose(some("/d/x.db"), some("/e")).unwrap(), "/d/x.db");
        assert_eq!(choose(None, some("/e/")).unwrap(), "/e/sqlite_mcp_server.db");
        assert!(choose(some("x.db"), some("/e")).unwrap_err().to_string().contains("\"x.db\""));
        assert!(choose(some("/d/x.db"), None).unwrap_err().to_string().contains("no directory is granted"));
    }
}
