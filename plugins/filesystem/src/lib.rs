//! The plugin `filesystem`: files and directories for a model, with the tools, texts and errors of npm
//! `@modelcontextprotocol/server-filesystem`, in the directories that were granted.
//! Here stand the tools as clients see them; must not hold what they do.

mod access;
mod arguments;
mod collate;
mod diff;
mod edit;
mod failure;
mod format;
mod glob;
mod info;
mod list;
mod media;
mod paths;
mod read;
mod resources;
mod server;
mod settings;
mod write;

use arguments::{
    Edit, ListWithSizes, MEDIA, Move, OnePath, ReadSeveral, ReadText, Search, Text, Tree, Write,
};
use failure::Failure;
use info::Existence;
use kennel_sdk::prelude::*;
use resources::{file, file_by_path, file_paths, plain_file_paths};
use server::Server;

/// A text for the model and the same for programs; or why not, in the reference's words.
fn answer(work: impl FnOnce(&Server) -> Result<String, Failure>) -> Result<ToolResult> {
    match work(&Server::of_this_call()?) {
        Ok(content) => ToolResult::new().text(content.as_str()).structured(&Text { content }),
        Err(error) => Ok(ToolResult::error(error.to_string())),
    }
}

#[tool(
    title = "Read File (Deprecated)",
    description = "Read the complete contents of a file as text. DEPRECATED: Use read_text_file instead.",
    output = Text,
    read_only,
    open_world = false
)]
fn read_file(args: ReadText) -> Result<ToolResult> {
    answer(|server| server.read(&args))
}

#[tool(
    title = "Read Text File",
    description = "Read the complete contents of a file from the file system as text. \
        Handles various text encodings and provides detailed error messages \
        if the file cannot be read. Use this tool when you need to examine \
        the contents of a single file. Use the 'head' parameter to read only \
        the first N lines of a file, or the 'tail' parameter to read only \
        the last N lines of a file. Operates on the file as text regardless of extension. \
        Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn read_text_file(args: ReadText) -> Result<ToolResult> {
    answer(|server| server.read(&args))
}

#[tool(
    title = "Read Media File",
    description = "Read a file and return it as a base64-encoded content block with its MIME type. \
        Image and audio files are returned as image/audio content; any other file type is \
        returned as an embedded resource. Only works within allowed directories.",
    output_schema = MEDIA,
    read_only,
    open_world = false
)]
fn read_media_file(args: OnePath) -> Result<ToolResult> {
    match Server::of_this_call()?.read_bytes(&args.path) {
        Ok((path, bytes)) => {
            let (content, value) = media::content(&path, bytes);
            ToolResult::new().content(content).structured(&json!({ "content": [value] }))
        }
        Err(error) => Ok(ToolResult::error(error.to_string())),
    }
}

#[tool(
    title = "Read Multiple Files",
    description = "Read the contents of multiple files simultaneously. This is more \
        efficient than reading files one by one when you need to analyze \
        or compare multiple files. Each file's content is returned with its \
        path as a reference. Failed reads for individual files won't stop \
        the entire operation. Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn read_multiple_files(args: ReadSeveral) -> Result<ToolResult> {
    answer(|server| Ok(server.read_several(&args.paths)))
}

#[tool(
    title = "Write File",
    description = "Create a new file or completely overwrite an existing file with new content. \
        Use with caution as it will overwrite existing files without warning. \
        Handles text content with proper encoding. Only works within allowed directories.",
    output = Text,
    read_only = false,
    idempotent,
    destructive,
    open_world = false
)]
fn write_file(args: Write) -> Result<ToolResult> {
    answer(|server| server.write(&args))
}

#[tool(
    title = "Edit File",
    description = "Make line-based edits to a text file. Each edit replaces exact line sequences \
        with new content. Returns a git-style diff showing the changes made. \
        Only works within allowed directories.",
    output = Text,
    read_only = false,
    idempotent = false,
    destructive,
    open_world = false
)]
fn edit_file(args: Edit) -> Result<ToolResult> {
    answer(|server| server.edit(args))
}

#[tool(
    title = "Create Directory",
    description = "Create a new directory or ensure a directory exists. Can create multiple \
        nested directories in one operation. If the directory already exists, \
        this operation will succeed silently. Perfect for setting up directory \
        structures for projects or ensuring required paths exist. Only works within allowed directories.",
    output = Text,
    read_only = false,
    idempotent,
    destructive = false,
    open_world = false
)]
fn create_directory(args: OnePath) -> Result<ToolResult> {
    answer(|server| server.create_directory(&args.path))
}

#[tool(
    title = "List Directory",
    description = "Get a detailed listing of all files and directories in a specified path. \
        Results clearly distinguish between files and directories with [FILE] and [DIR] \
        prefixes. This tool is essential for understanding directory structure and \
        finding specific files within a directory. Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn list_directory(args: OnePath) -> Result<ToolResult> {
    answer(|server| server.list(&args.path))
}

#[tool(
    title = "List Directory with Sizes",
    description = "Get a detailed listing of all files and directories in a specified path, including sizes. \
        Results clearly distinguish between files and directories with [FILE] and [DIR] \
        prefixes. This tool is useful for understanding directory structure and \
        finding specific files within a directory. Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn list_directory_with_sizes(args: ListWithSizes) -> Result<ToolResult> {
    answer(|server| server.list_with_sizes(&args))
}

#[tool(
    title = "Directory Tree",
    description = "Get a recursive tree view of files and directories as a JSON structure. \
        Each entry includes 'name', 'type' (file/directory), and 'children' for directories. \
        Files have no children array, while directories always have a children array (which may be empty). \
        The output is formatted with 2-space indentation for readability. Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn directory_tree(args: Tree) -> Result<ToolResult> {
    answer(|server| server.tree(&args))
}

#[tool(
    title = "Move File",
    description = "Move or rename files and directories. Can move files between directories \
        and rename them in a single operation. If the destination exists, the \
        operation will fail. Works across different directories and can be used \
        for simple renaming within the same directory. Both source and destination must be within allowed directories.",
    output = Text,
    read_only = false,
    idempotent = false,
    destructive,
    open_world = false
)]
fn move_file(args: Move) -> Result<ToolResult> {
    answer(|server| server.rename(&args))
}

#[tool(
    title = "Search Files",
    description = "Recursively search for files and directories matching a pattern. \
        The patterns should be glob-style patterns that match paths relative to the working directory. \
        Use pattern like '*.ext' to match files in current directory, and '**/*.ext' to match files in all subdirectories. \
        Returns full paths to all matching items. Great for finding files when you don't know their exact location. \
        Only searches within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn search_files(args: Search) -> Result<ToolResult> {
    answer(|server| server.search(&args))
}

#[tool(
    title = "Get File Info",
    description = "Retrieve detailed metadata about a file or directory. Returns comprehensive \
        information including size, creation time, last modified time, permissions, \
        and type. This tool is perfect for understanding file characteristics \
        without reading the actual content. Only works within allowed directories.",
    output = Text,
    read_only,
    open_world = false
)]
fn get_file_info(args: OnePath) -> Result<ToolResult> {
    answer(|server| server.info(&args.path))
}

#[tool(
    title = "File Exists",
    description = "Check whether a file or directory exists, and which of the two it is, without reading it. \
        Only works within allowed directories.",
    output = Existence,
    read_only,
    open_world = false
)]
fn file_exists(args: OnePath) -> Result<ToolResult> {
    match Server::of_this_call()?.exists(&args.path) {
        Ok(found) => ToolResult::new().text(found.exists.to_string()).structured(&found),
        Err(error) => Ok(ToolResult::error(error.to_string())),
    }
}

#[tool(
    title = "List Allowed Directories",
    description = "Returns the list of directories that this server is allowed to access. \
        Subdirectories within these allowed directories are also accessible. \
        Use this to understand which directories and their nested paths are available \
        before trying to access files.",
    input_schema = r#"{"type":"object","properties":{}}"#,
    output = Text,
    read_only,
    open_world = false
)]
fn list_allowed_directories() -> Result<ToolResult> {
    answer(|server| Ok(server.allowed_directories()))
}

plugin! {
    tools: [
        read_file, read_text_file, read_media_file, read_multiple_files, write_file, edit_file, create_directory,
        list_directory, list_directory_with_sizes, directory_tree, move_file, search_files, get_file_info,
        file_exists, list_allowed_directories,
    ],
    resources: [file, file_by_path],
    completions: [file_paths, plain_file_paths],
    asks: {
        directories: { mode: "read-write", why: "the folders whose files it reads and, unless granted read-only, changes" },
        settings: [
            { name: "max-file-size", why: "the most of one file that is read or written, \"1MB\" when not set" },
            { name: "allowed-extensions", why: "which files may be read and written, as [\"md\", \"txt\"]; all when not set" },
            { name: "read-only", why: "true: nothing is changed, whatever the grants allow" },
        ],
    },
}
