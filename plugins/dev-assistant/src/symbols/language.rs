//! The languages that can be looked into: by which endings their files are known, and which rules tell
//! what they define. Must not hold more than data: a new language is an entry here and a file of rules.

use tree_sitter_language::LanguageFn;

/// A language.
pub(crate) struct Spoken {
    /// Its name, in lower case.
    pub(crate) name: &'static str,
    /// The endings of its files, after the last dot.
    endings: &'static [&'static str],
    /// Its grammar.
    pub(crate) grammar: LanguageFn,
    /// What it defines, as `rules` reads it.
    pub(crate) rules: &'static [&'static str],
}

/// All of them. TypeScript without JSX is read by the grammar with it: they differ in casts of the form `<T>x` alone, and a second
/// grammar would be a fifth of this plugin's size.
pub(crate) static ALL: &[Spoken] = &[
    Spoken {
        name: "c",
        endings: &["c", "h"],
        grammar: tree_sitter_c::LANGUAGE,
        rules: &[include_str!("rules/c.txt")],
    },
    Spoken {
        name: "go",
        endings: &["go"],
        grammar: tree_sitter_go::LANGUAGE,
        rules: &[include_str!("rules/go.txt")],
    },
    Spoken {
        name: "java",
        endings: &["java"],
        grammar: tree_sitter_java::LANGUAGE,
        rules: &[include_str!("rules/java.txt")],
    },
    Spoken {
        name: "javascript",
        endings: &["js", "jsx", "mjs", "cjs"],
        grammar: tree_sitter_javascript::LANGUAGE,
        rules: &[include_str!("rules/javascript.txt")],
    },
    Spoken {
        name: "python",
        endings: &["py", "pyi"],
        grammar: tree_sitter_python::LANGUAGE,
        rules: &[include_str!("rules/python.txt")],
    },
    Spoken {
        name: "rust",
        endings: &["rs"],
        grammar: tree_sitter_rust::LANGUAGE,
        rules: &[include_str!("rules/rust.txt")],
    },
    Spoken {
        name: "typescript",
        endings: &["ts", "tsx", "mts", "cts"],
        grammar: tree_sitter_typescript::LANGUAGE_TSX,
        rules: &[include_str!("rules/javascript.txt"), include_str!("rules/typescript.txt")],
    },
];

/// The place in [`ALL`] of the language that a file is written in.
pub(crate) fn of(file: &std::path::Path) -> Option<usize> {
    let ending = file.extension()?.to_str()?;
    ALL.iter().position(|language| language.endings.contains(&ending))
}
