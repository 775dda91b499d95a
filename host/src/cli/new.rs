//! `kennel new`: a plugin crate that builds and has a test that passes.
//! Must not overwrite anything, nor build or download: that is the author's next step.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use toml_edit::{InlineTable, Value};

use crate::grants::{NameError, PluginName};

/// Make a new plugin: a Rust crate that builds, with a tool and a test of it
///
/// The crate is made in a new folder NAME, here. `kennel test` in it builds it and runs its test.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What the plugin is called; also the folder's and the crate's name
    name: String,
    /// Use the SDK in this folder, instead of the published one (or the one beside this program, when it was
    /// built in a clone of the project)
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// Names that cargo or the compiler would refuse, or that the crate's own dependencies have. Rust's keywords: The Rust
/// Reference, "Keywords" (strict and reserved, 2024 edition).
const TAKEN: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    // Cargo and the standard library.
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc_macro",
    "proc-macro",
    "std",
    "test",
    // What the new crate depends on.
    "kennel-sdk",
    "kennel_sdk",
    "schemars",
    "serde",
];

/// Why there is no new plugin.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// No plugin can be called that.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No crate can be called that.
    #[error("{0:?} cannot be the name of a crate: it {1}; choose another name")]
    Crate(String, &'static str),
    /// Something has the name.
    #[error("{}: already exists; choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// `--sdk` is not the SDK.
    #[error("{}: is not kennel-sdk: {why}; name the folder that holds its Cargo.toml", folder.display())]
    Sdk {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The disk says no.
    #[error("{}: cannot be made: {source}", path.display())]
    Make {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody reads.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Makes the crate in the folder `here`. `program` is this program's own file, beside which a clone's SDK is looked
/// for when the arguments name none.
///
/// # Errors
/// When the name cannot be used or is taken, `--sdk` is not the SDK, or the disk refuses. What was made until then
/// stays.
pub fn run(args: &Args, here: &Path, program: &Path, out: &mut dyn Write) -> Result<ExitCode, NewError> {
    let name = checked(&args.name)?;
    let sdk = match &args.sdk {
        Some(folder) => Some(sdk_at(folder)?),
        None => program.ancestors().find_map(|above| sdk_at(&above.join("sdk-guest")).ok()),
    };
    let file = format!("{}.wasm", name.as_str().replace('-', "_"));
    let dependency = dependency(sdk.as_deref());
    let fill = |template: &str| {
        template.replace("{{name}}", name.as_str()).replace("{{file}}", &file).replace("{{sdk}}", &dependency)
    };

    let folder = here.join(name.as_str());
    fs::create_dir(&folder).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewError::Exists(folder.clone()),
        _ => NewError::Make { path: folder.clone(), source },
    })?;
    for part in ["src", "tests"] {
        let path = folder.join(part);
        fs::create_dir(&path).map_err(|source| NewError::Make { path, source })?;
    }
    for (path, text) in [
        ("Cargo.toml", include_str!("templates/Cargo.toml.in")),
        ("src/lib.rs", include_str!("templates/lib.rs.in")),
        ("README.md", include_str!("templates/README.md.in")),
        (".gitignore", include_str!("templates/gitignore.in")),
        ("tests/greets.json", include_str!("templates/greets.json.in")),
    ] {
        let path = folder.join(path);
        fs::write(&path, fill(text)).map_err(|source| NewError::Make { path, source })?;
    }

    writeln!(out, "made {name}/: a tool in src/lib.rs, a call of it in tests/greets.json")?;
    writeln!(out, "next:")?;
    writeln!(out, "  cd {name}")?;
    writeln!(out, "  rustup target add wasm32-wasip2    # once, so that Rust can build components")?;
    writeln!(out, "  kennel test                        # builds it and runs its calls")?;
    writeln!(out, "  mkdir -p ~/.kennel/plugins")?;
    writeln!(out, "  cp target/wasm32-wasip2/release/{file} ~/.kennel/plugins/{name}.wasm")?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn checked(text: &str) -> Result<PluginName, NewError> {
    let name = PluginName::new(text)?;
    let refuse = |why| Err(NewError::Crate(text.to_owned(), why));
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        refuse("begins with a digit")
    } else if TAKEN.contains(&text) {
        refuse("is taken by Rust or by what the crate depends on")
    } else {
        Ok(name)
    }
}

/// The absolute path of the SDK's folder.
fn sdk_at(folder: &Path) -> Result<String, NewError> {
    let wrong = |why: String| NewError::Sdk { folder: folder.to_owned(), why };
    let manifest =
        fs::read_to_string(folder.join("Cargo.toml")).map_err(|e| wrong(format!("its Cargo.toml: {e}")))?;
    let manifest: toml::Table =
        manifest.parse().map_err(|_| wrong("its Cargo.toml is not TOML".to_owned()))?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    if name != Some("kennel-sdk") {
        return Err(wrong(format!("its package is called {:?}", name.unwrap_or_default())));
    }
    let path = folder.canonicalize().map_err(|e| wrong(e.to_string()))?;
    path.into_os_string().into_string().map_err(|_| wrong("its path is not UTF-8".to_owned()))
}

/// What stands behind `kennel-sdk =`. Host and SDK are released together, so the host's version is the SDK's.
fn dependency(path: Option<&str>) -> String {
    match path {
        Some(path) => {
            let mut table = InlineTable::new();
            table.insert("path", Value::from(path));
            Value::from(table).to_string()
        }
        None => {
            let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
            Value::from(version).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn make(name: &str, sdk: Option<&Path>, here: &Path) -> Result<String, NewError> {
        let args = Args { name: name.to_owned(), sdk: sdk.map(Path::to_owned) };
        let mut out = Vec::new();
        run(&args, here, Path::new("/nowhere/kennel"), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn dependency_of(folder: &Path) -> toml::Value {
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        manifest["dependencies"]["kennel-sdk"].clone()
    }

    #[test]
    fn makes_a_crate_and_says_what_comes_next() {
        let scratch = tempfile::tempdir().unwrap();
        let said = make("my-tool", None, scratch.path()).unwrap();
        insta::assert_snapshot!(said);
        let folder = scratch.path().join("my-tool");
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-tool"));
        assert_eq!(dependency_of(&folder).as_str(), Some("0.1"));
        for file in ["src/lib.rs", "README.md", ".gitignore", "tests/greets.json"] {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(!text.contains("{{"), "{file}: {text}");
        }
        assert!(fs::read_to_string(folder.join("src/lib.rs")).unwrap().lines().count() <= 15);
    }

    #[test]
    fn never_overwrites() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join("there")).unwrap();
        fs::write(scratch.path().join("file"), "mine").unwrap();
        for name in ["there", "file"] {
            let error = make(name, None, scratch.path()).unwrap_err();
            assert!(matches!(error, NewError::Exists(_)), "{error}");
        }
        assert_eq!(fs::read_dir(scratch.path().join("there")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(scratch.path().join("file")).unwrap(), "mine");
    }

    #[test]
    fn the_sdk_is_given_or_found_beside_the_program() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let sdk = root.join("a \"clone\"/sdk-guest");
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join("Cargo.toml"), "[package]\nname = \"kennel-sdk\"\n").unwrap();
        make("given", Some(&sdk), &root).unwrap();
        assert_eq!(dependency_of(&root.join("given"))["path"].as_str(), sdk.to_str());

        let args = Args { name: "found".to_owned(), sdk: None };
        run(&args, &root, &root.join("a \"clone\"/target/debug/kennel"), &mut Vec::new()).unwrap();
        assert_eq!(dependency_of(&root.join("found"))["path"].as_str(), sdk.to_str());

        let error = make("lost", Some(&root.join("given")), &root).unwrap_err();
        assert!(matches!(&error, NewError::Sdk { .. }), "{error}");
        assert!(!root.join("lost").exists());
    }

    #[test]
    fn refused_names() {
        let scratch = tempfile::tempdir().unwrap();
        let said = ["", "A", "../up", "a b", "9lives", "fn", "test", "serde", "kennel-sdk"]
            .map(|name| make(name, None, scratch.path()).unwrap_err().to_string());
        insta::assert_snapshot!(said.join("\n"));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
