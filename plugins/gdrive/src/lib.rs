//! Files in Google Drive, searched by a tool and read as resources: what the published server `server-gdrive` offers.
//! Needs one HTTPS host, or the one that `GDRIVE_BASE_URL` names, and a login that the host keeps and refreshes.
//! Must not hold the login, and must not change anything in the drive.

use kennel_sdk::api::{Api, ApiError, Cursor, segment};
use kennel_sdk::prelude::*;

/// How many files a page of a list or a search has, as published.
const PAGE: u32 = 10;

/// The most files that are listed as resources: they are listed anew each time.
const LISTED: usize = 100;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// What stands before every failure.
const PREFIX: &str = "Google Drive error";

/// What Google's own documents are read as; anything else is plain text.
const EXPORTS: [(&str, &str); 4] = [
    ("application/vnd.google-apps.document", "text/markdown"),
    ("application/vnd.google-apps.spreadsheet", "text/csv"),
    ("application/vnd.google-apps.presentation", "text/plain"),
    ("application/vnd.google-apps.drawing", "image/png"),
];

kennel_sdk::arguments! {
    Search {
        /// Search query
        query: String,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    mime_type: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    files: Vec<File>,
}

fn drive() -> Result<Api> {
    Api::new("Google Drive", "https://www.googleapis.com/drive/v3", "GDRIVE_BASE_URL")
        .limit(LARGEST)
        .settled()
}

fn failure(error: &ApiError) -> Error {
    error.prefixed(PREFIX)
}

/// Search for files in Google Drive
#[tool(read_only)]
fn search(args: Search) -> Result<String> {
    let query = args.query.replace('\\', "\\\\").replace('\'', "\\'");
    let api = drive()?;
    let call = api.get("/files").query("q", format!("fullText contains '{query}'")).query("pageSize", PAGE);
    let call = call.query("fields", "files(id, name, mimeType, modifiedTime, size)");
    let found: Found = call.read().map_err(|error| failure(&error))?;
    let line = |file: &File| format!("{} ({})", file.name, file.mime_type.as_deref().unwrap_or("undefined"));
    let lines: Vec<_> = found.files.iter().map(line).collect();
    Ok(format!("Found {} files:\n{}", lines.len(), lines.join("\n")))
}

/// A file in Google Drive
#[resource("gdrive:///{id}", name = "File", list = files)]
fn file(id: String) -> Result<ResourceContents> {
    let uri = format!("gdrive:///{}", segment(&id));
    let api = drive()?;
    let about: File = api
        .get("/files/{id}")
        .arg("id", &id)
        .query("fields", "mimeType")
        .read()
        .map_err(|error| failure(&error))?;
    let kind = about.mime_type.unwrap_or_else(|| "application/octet-stream".into());
    let (call, kind) = if kind.starts_with("application/vnd.google-apps") {
        let (_, export) = EXPORTS.iter().find(|(own, _)| *own == kind).copied().unwrap_or(("", "text/plain"));
        (api.get("/files/{id}/export").query("mimeType", export), export.to_owned())
    } else {
        (api.get("/files/{id}").query("alt", "media"), kind)
    };
    let body = call.arg("id", &id).reply().map_err(|error| failure(&error))?.body;
    let is_text = kind.starts_with("text/") || kind == "application/json";
    let contents = if is_text {
        ResourceContents::text(uri, String::from_utf8_lossy(&body))
    } else {
        ResourceContents::blob(uri, body)
    };
    Ok(contents.mime(kind))
}

/// The first files of the drive. A drive that cannot be asked has none to list, and the log says why: other resources
/// are listed all the same.
fn files() -> Result<Vec<ResourceInfo>> {
    let api = drive()?;
    let call =
        api.get("/files").query("pageSize", PAGE).query("fields", "nextPageToken, files(id, name, mimeType)");
    let pages = call.cursor(Cursor { items: "/files", next: "/nextPageToken", query: "pageToken" }, LISTED);
    let pages = match pages {
        Ok(pages) => pages,
        Err(error) => {
            log::warn(failure(&error));
            return Ok(Vec::new());
        }
    };
    let mut listed = Vec::new();
    for file in pages.items {
        let file: File = serde_json::from_value(file)?;
        let info = ResourceInfo::new(format!("gdrive:///{}", segment(&file.id)), file.name);
        listed.push(match file.mime_type {
            Some(kind) => info.mime(kind),
            None => info,
        });
    }
    Ok(listed)
}

plugin! {
    tools: [search],
    resources: [file],
    asks: {
        http: [{
            url: "https://www.googleapis.com",
            methods: ["GET"],
            url_from_env: "GDRIVE_BASE_URL",
            why: "searches and reads your files",
        }],
        env: [{ name: "GDRIVE_BASE_URL", why: "asks another server than https://www.googleapis.com/drive/v3" }],
        secrets: [{ name: "login", why: "says to Google who you are; the host keeps it and puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
