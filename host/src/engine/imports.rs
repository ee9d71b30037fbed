//! Looks into a component before anything of it is compiled: it is valid, it
//! imports nothing but types, it exports the interface that is called for, and
//! how hard it would be to compile.

use super::config::Tier;
use super::fault::printable;
use super::load_fault::LoadFault;
use super::world::Interface;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{FunctionBody, Operator, Parser, Payload, Validator, WasmFeatures};

/// Longest name or message of a component that is shown, bytes.
const MAX_SHOWN: usize = 200;
/// Functions beyond these are compiled by the quick tier at once: the
/// optimising one is not linear in locals x loops, nor in branch targets.
const MAX_LOCALS_TIMES_LOOPS: u64 = 8_000;
const MAX_BRANCH_TARGETS: u64 = 20_000;
const MAX_BODY_BYTES: usize = 512 * 1024;

/// Refuses what may not be loaded, and says how to compile what may.
pub(super) fn inspect(
    bytes: &[u8],
    features: WasmFeatures,
    needed: &'static Interface,
) -> Result<Tier, LoadFault> {
    header(bytes)?;
    let invalid = |error: wasmparser::BinaryReaderError| {
        let message = format!("{} (at byte {})", error.message(), error.offset());
        LoadFault::Invalid { why: printable(&message, MAX_SHOWN) }
    };
    let types = Validator::new_with_features(features).validate_all(bytes).map_err(invalid)?;
    let mut outline = Outline::default();
    outline.read(bytes).map_err(invalid)?;
    for name in &outline.imports {
        import(name, &types)?;
    }
    exports(&outline.exports, needed)?;
    Ok(if outline.heavy { Tier::Quick } else { Tier::Speed })
}

/// The names that a component imports and exports at its top level, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// The names of a component that need not be one that may be loaded.
///
/// # Errors
/// When it is no component, or cut short.
pub fn names(bytes: &[u8]) -> Result<Names, LoadFault> {
    header(bytes)?;
    let mut outline = Outline::default();
    outline.read(bytes).map_err(|error| LoadFault::Invalid { why: printable(error.message(), MAX_SHOWN) })?;
    let shown = |names: &[&str]| names.iter().map(|name| printable(name, MAX_SHOWN)).collect();
    Ok(Names { imports: shown(&outline.imports), exports: shown(&outline.exports) })
}

fn header(bytes: &[u8]) -> Result<(), LoadFault> {
    let found = if !bytes.starts_with(b"\0asm") {
        let text = bytes.trim_ascii_start();
        if text.starts_with(b"(component") || text.starts_with(b"(module") {
            "WebAssembly text"
        } else {
            "not WebAssembly"
        }
    } else if Parser::is_component(bytes) {
        return Ok(());
    } else if Parser::is_core_wasm(bytes) {
        "a core module"
    } else {
        "WebAssembly of an unknown version"
    };
    Err(LoadFault::NotAComponent { found })
}

/// What the walk over a component's sections finds.
#[derive(Default)]
struct Outline<'a> {
    /// Names at the top level, in order.
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    heavy: bool,
}

impl<'a> Outline<'a> {
    fn read(&mut self, bytes: &'a [u8]) -> Result<(), wasmparser::BinaryReaderError> {
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        self.imports.push(import?.name.name);
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        self.exports.push(export?.name.name);
                    }
                }
                Payload::CodeSectionEntry(body) if !self.heavy => self.heavy = is_heavy(&body)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_heavy(body: &FunctionBody<'_>) -> Result<bool, wasmparser::BinaryReaderError> {
    if body.range().len() > MAX_BODY_BYTES {
        return Ok(true);
    }
    let (mut locals, mut loops, mut targets) = (0_u64, 0_u64, 0_u64);
    for local in body.get_locals_reader()? {
        locals += u64::from(local?.0);
    }
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Loop { .. } => loops += 1,
            Operator::BrTable { targets: table } => targets += u64::from(table.len()),
            _ => {}
        }
    }
    Ok(locals.saturating_mul(loops) > MAX_LOCALS_TIMES_LOOPS || targets > MAX_BRANCH_TARGETS)
}

fn import(name: &str, types: &Types) -> Result<(), LoadFault> {
    let refuse = |what, inner: Option<&str>| {
        let full = inner.map_or_else(|| name.to_owned(), |inner| format!("{name}#{inner}"));
        Err(LoadFault::Import { name: printable(&full, MAX_SHOWN), what })
    };
    let Some(item) = types.component_item_for_import(name) else {
        return refuse("something unknown called", None);
    };
    if let ComponentEntityType::Instance(id) = item.ty {
        for (inner, export) in &types.as_ref()[id].exports {
            if let Some(what) = beyond_types(&export.ty, types.as_ref()) {
                return refuse(what, Some(inner));
            }
        }
        return Ok(());
    }
    match beyond_types(&item.ty, types.as_ref()) {
        Some(what) => refuse(what, None),
        None => Ok(()),
    }
}

/// What `entity` is, unless it is a plain type.
fn beyond_types(entity: &ComponentEntityType, types: TypesRef<'_>) -> Option<&'static str> {
    match entity {
        ComponentEntityType::Type { referenced: ComponentAnyTypeId::Resource(_), .. } => Some("the resource"),
        ComponentEntityType::Type { .. } => None,
        ComponentEntityType::Func(_) => Some("the function"),
        ComponentEntityType::Module(_) => Some("the core module"),
        ComponentEntityType::Component(_) => Some("the component"),
        ComponentEntityType::Value(_) => Some("the value"),
        ComponentEntityType::Instance(id) => {
            let exports = &types[*id].exports;
            exports
                .values()
                .find_map(|export| beyond_types(&export.ty, types))
                .or(Some("the nested instance"))
        }
    }
}

fn exports(names: &[&str], needed: &'static Interface) -> Result<(), LoadFault> {
    let version = |name: &&str| {
        let version = name.strip_prefix(needed.name)?.strip_prefix('@')?;
        Some(version.to_owned())
    };
    let found: Vec<String> = names.iter().filter_map(version).collect();
    if found.iter().any(|version| version == needed.version) {
        return Ok(());
    }
    let purpose = needed.purpose;
    let why = if let Some(version) = found.first() {
        let version = printable(version, 40);
        format!("the component exports version {version} of the interface that {purpose}")
    } else if names.is_empty() {
        "the component exports nothing".to_owned()
    } else {
        let names = printable(&names.join(", "), MAX_SHOWN);
        format!("the component exports {names} but nothing that {purpose}")
    };
    Err(LoadFault::WrongWorld { why, needed })
}
