//! Attacks on directories: each step is one thing tried on the first of them.
//! The paths are the test's, byte for byte.

use kennel_sdk::prelude::*;
use kennel_sdk::serde_json;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};
use wasip2::io::streams::OutputStream;

/// One thing to try.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "try", rename_all = "kebab-case")]
enum Step {
    /// Opens and reads the beginning.
    Read {
        path: String,
    },
    /// The same without following a link at the end.
    ReadNoFollow {
        path: String,
    },
    /// Opens as a directory and lists it.
    List {
        path: String,
    },
    /// Looks at it, following links.
    Stat {
        path: String,
    },
    /// Opens, creating, and writes.
    Write {
        path: String,
        text: String,
    },
    /// Opens for reading only and writes all the same, in each of the three ways.
    WriteThroughReader {
        path: String,
    },
    /// Opens for reading, with `truncate`.
    Truncate {
        path: String,
    },
    /// Opens, with `create` and no more.
    Create {
        path: String,
    },
    /// Opens as given, and makes it this long.
    Resize {
        path: String,
        size: u64,
        write: bool,
    },
    /// Creates and writes one byte this far from the beginning.
    Sparse {
        path: String,
        offset: u64,
    },
    MakeDirectory {
        path: String,
    },
    RemoveDirectory {
        path: String,
    },
    Unlink {
        path: String,
    },
    Rename {
        path: String,
        to: String,
    },
    Symlink {
        path: String,
        to: String,
    },
    Link {
        path: String,
        to: String,
        follow: bool,
    },
    ReadLink {
        path: String,
    },
    /// Sets the times of a path, following links.
    SetTimesAt {
        path: String,
    },
    /// Opens for reading and sets the times.
    SetTimes {
        path: String,
    },
    /// Creates and fills files `PATH0`, `PATH1`, … until one fails; says how many were filled.
    Fill {
        path: String,
        files: u32,
        bytes: usize,
    },
    /// Creates one file, removes it and keeps it open, again and again.
    FillRemoved {
        path: String,
        files: u32,
        bytes: usize,
    },
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Steps {
    steps: Vec<Step>,
}

/// Tries each step and says of each what the host answered.
#[tool]
pub(crate) fn files(args: Steps) -> Result<String> {
    let directory = first()?;
    let said: Vec<String> = args.steps.iter().map(|step| said(step.run(&directory))).collect();
    Ok(serde_json::to_string(&said)?)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Swapped {
    path: String,
    rounds: u32,
}

/// Reads one path again and again, while it is swapped outside, and gives each text that was ever read
/// and how often reading worked.
#[tool]
pub(crate) fn swapped(args: Swapped) -> Result<String> {
    let directory = first()?;
    let mut seen = Vec::new();
    let mut worked = 0;
    for _ in 0..args.rounds {
        if let Ok(text) = read(&directory, &args.path, PathFlags::SYMLINK_FOLLOW) {
            worked += 1;
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
    }
    Ok(serde_json::to_string(&(seen, worked))?)
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Ordinary {
    path: String,
    text: Option<String>,
    #[serde(default)]
    list: bool,
}

/// Reads a file, writes it when there is a text, or lists a directory, with the language's own functions.
#[tool]
pub(crate) fn ordinary(args: Ordinary) -> Result<String> {
    match args.text {
        None if args.list => {
            let names = std::fs::read_dir(&args.path).context(&args.path)?.flatten();
            Ok(names
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" "))
        }
        None => std::fs::read_to_string(&args.path).context(&args.path),
        Some(text) => std::fs::write(&args.path, text).map(|()| "written".into()).context(&args.path),
    }
}

fn first() -> Result<Descriptor> {
    match get_directories().into_iter().next() {
        Some((directory, _)) => Ok(directory),
        None => Err(Error::denied("there is no directory")),
    }
}

fn said(tried: Result<String, ErrorCode>) -> String {
    match tried {
        Ok(text) => format!("ok {text}"),
        Err(code) => code.name().to_owned(),
    }
}

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;

fn open(
    at: &Descriptor,
    path: &str,
    open: OpenFlags,
    flags: DescriptorFlags,
) -> Result<Descriptor, ErrorCode> {
    at.open_at(FOLLOW, path, open, flags)
}

fn read(at: &Descriptor, path: &str, follow: PathFlags) -> Result<String, ErrorCode> {
    let file = at.open_at(follow, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(1000, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Step {
    fn run(&self, at: &Descriptor) -> Result<String, ErrorCode> {
        let done = String::new();
        let (none, reading) = (OpenFlags::empty(), DescriptorFlags::READ);
        let writing = DescriptorFlags::READ | DescriptorFlags::WRITE;
        match self {
            Self::Read { path } => return read(at, path, FOLLOW),
            Self::ReadNoFollow { path } => return read(at, path, PathFlags::empty()),
            Self::List { path } => {
                let entries = open(at, path, OpenFlags::DIRECTORY, reading)?.read_directory()?;
                let mut names = Vec::new();
                while let Some(entry) = entries.read_directory_entry()? {
                    names.push(entry.name);
                }
                return Ok(names.join(" "));
            }
            Self::Stat { path } => {
                return at.stat_at(FOLLOW, path).map(|found| format!("{} bytes", found.size));
            }
            Self::Write { path, text } => {
                open(at, path, OpenFlags::CREATE, writing)?.write(text.as_bytes(), 0)?;
            }
            Self::WriteThroughReader { path } => {
                let file = open(at, path, none, reading)?;
                let through = |stream: Result<OutputStream, ErrorCode>| match stream {
                    Err(code) => code.name(),
                    Ok(stream) => match stream.blocking_write_and_flush(b"hostile") {
                        Ok(()) => "written",
                        Err(_) => "failed",
                    },
                };
                let at_once = file.write(b"hostile", 0).map_or_else(|code| code.name(), |_| "written");
                let ways = [at_once, through(file.write_via_stream(0)), through(file.append_via_stream())];
                // A success must not hide behind a failure.
                return Ok(ways.join(" "));
            }
            Self::Truncate { path } => drop(open(at, path, OpenFlags::TRUNCATE, reading)?),
            Self::Create { path } => drop(open(at, path, OpenFlags::CREATE, reading)?),
            Self::Resize { path, size, write } => {
                open(at, path, none, if *write { writing } else { reading })?.set_size(*size)?;
            }
            Self::Sparse { path, offset } => {
                open(at, path, OpenFlags::CREATE, writing)?.write(b"x", *offset)?;
            }
            Self::MakeDirectory { path } => at.create_directory_at(path)?,
            Self::RemoveDirectory { path } => at.remove_directory_at(path)?,
            Self::Unlink { path } => at.unlink_file_at(path)?,
            Self::Rename { path, to } => at.rename_at(path, at, to)?,
            Self::Symlink { path, to } => at.symlink_at(to, path)?,
            Self::Link { path, to, follow } => {
                at.link_at(if *follow { FOLLOW } else { PathFlags::empty() }, path, at, to)?;
            }
            Self::ReadLink { path } => return at.readlink_at(path),
            Self::SetTimesAt { path } => {
                at.set_times_at(FOLLOW, path, NewTimestamp::Now, NewTimestamp::Now)?
            }
            Self::SetTimes { path } => {
                open(at, path, none, reading)?.set_times(NewTimestamp::Now, NewTimestamp::Now)?;
            }
            Self::Fill { path, files, bytes } => return Ok(fill(at, path, *files, *bytes, false)),
            Self::FillRemoved { path, files, bytes } => return Ok(fill(at, path, *files, *bytes, true)),
        }
        Ok(done)
    }
}

fn fill(at: &Descriptor, path: &str, files: u32, bytes: usize, remove: bool) -> String {
    let text = vec![b'x'; bytes];
    let mut open_ones = Vec::new();
    for index in 0..files {
        let name = format!("{path}{index}");
        let filled = open(at, &name, OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
            .and_then(|file| {
                file.write(&text, 0)?;
                if remove {
                    at.unlink_file_at(&name)?;
                    open_ones.push(file);
                }
                Ok(())
            });
        if let Err(code) = filled {
            return format!("{index} then {}", code.name());
        }
    }
    format!("{files}")
}
