//! Reads the manifest and the documentation out of a component without running or compiling it.

use wasmparser::{ComponentExternalKind, Parser, Payload};

use crate::grants::{Asked, MANIFEST_SECTION, MAX_MANIFEST, ManifestError};
use crate::sandbox::{CodeError, DOCS_SECTION, Docs, DocsError, Interface, check_kind};

/// What the component asks for, from its custom section [`MANIFEST_SECTION`]; `None` when it has none.
/// The section may stand in the component itself or in one of its core modules, where compilers put
/// what `#[link_section]` names. Bytes that are no component have no manifest.
///
/// # Errors
/// When the section does not read, or when there are two that differ.
pub fn manifest(component: &[u8]) -> Result<Option<Asked>, ManifestError> {
    let mut found: Option<&[u8]> = None;
    for payload in Parser::new(0).parse_all(component) {
        // What cannot be parsed here is refused by the compiler with a better message.
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else { continue };
        if section.name() != MANIFEST_SECTION {
            continue;
        }
        if section.data().len() > MAX_MANIFEST {
            return Err(ManifestError::TooLarge(section.data().len()));
        }
        match found {
            Some(before) if before != section.data() => return Err(ManifestError::Twice),
            _ => found = Some(section.data()),
        }
    }
    found.map(Asked::parse).transpose()
}

/// What its author wrote about the functions it exports; `None` when it says nothing. Only the component's own section
/// counts: those of components inside it are about them.
///
/// # Errors
/// When the section does not read.
pub(super) fn docs(component: &[u8]) -> Result<Option<Docs>, DocsError> {
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == DOCS_SECTION => {
                return Docs::parse(section.data()).map(Some);
            }
            _ => {}
        }
    }
    Ok(None)
}

/// What a component imports and exports at its outermost level, read without compiling it.
///
/// # Errors
/// When the bytes are no component.
pub fn describe_component(component: &[u8]) -> Result<Interface, CodeError> {
    check_kind(component)?;
    let mut interface = Interface::default();
    // Some of its messages are several lines.
    let broken = |error: wasmparser::BinaryReaderError| {
        CodeError::Compile(error.message().split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    interface.imports.push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(broken)?;
                    if matches!(export.kind, ComponentExternalKind::Instance | ComponentExternalKind::Func) {
                        interface.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(interface)
}
