//! Files as resources, by percent-encoded path (`fs://%2Fdata%2Fa.txt`) and by path as it is
//! (`fs:///data/a.txt`), with completion of both.
//! Must not list them: a granted directory may hold more files than a list is good for.

use kennel_sdk::prelude::*;
use kennel_sdk::{IntoReadOutcome, ResourceContents};

use crate::failure::Failure;
use crate::list;
use crate::media::resource_type;
use crate::server::Server;

/// A file's contents: text where it is UTF-8.
pub(crate) struct Contents {
    mime_type: &'static str,
    bytes: Vec<u8>,
}

impl IntoReadOutcome for Contents {
    fn into_read_outcome(
        self,
        uri: &str,
        mime_type: Option<String>,
    ) -> Result<Outcome<Vec<ResourceContents>>> {
        let contents = match String::from_utf8(self.bytes) {
            Ok(text) => ResourceContents::text(uri, text),
            Err(error) => ResourceContents::blob(uri, error.into_bytes()),
        };
        contents.mime(self.mime_type).into_read_outcome(uri, mime_type)
    }
}

fn read(path: &str) -> Result<Contents> {
    let (path, bytes) = Server::of_this_call()?.read_bytes(path).map_err(|error| match error {
        error if error.is_missing() => Error::unknown(error),
        Failure::Refused(why) => Error::denied(why),
        error => Error::from(error),
    })?;
    let mime_type = resource_type(&path, std::str::from_utf8(&bytes).is_ok());
    Ok(Contents { mime_type, bytes })
}

/// A file in an allowed directory. The path is percent-encoded, slashes too.
#[resource("fs://{path}", name = "file", title = "File")]
pub(crate) fn file(path: String) -> Result<Contents> {
    read(&path)
}

/// A file in an allowed directory, by its path as it is.
#[resource("fs://{+path}", name = "file_by_path", title = "File by plain path")]
pub(crate) fn file_by_path(path: String) -> Result<Contents> {
    read(&path)
}

#[complete(template = "fs://{path}", argument = "path")]
pub(crate) fn file_paths(value: &str) -> Result<Vec<String>> {
    Ok(list::complete(&Server::of_this_call()?.access, value))
}

#[complete(template = "fs://{+path}", argument = "path")]
pub(crate) fn plain_file_paths(value: &str) -> Result<Vec<String>> {
    Ok(list::complete(&Server::of_this_call()?.access, value))
}
