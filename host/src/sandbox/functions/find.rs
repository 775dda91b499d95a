//! The functions that a component exports, as tools: which they are, what they are called, what they take and give, and
//! which cannot be offered and why. Runs nothing.

use serde_json::{Value, json};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type};

use super::docs::Docs;
use super::name::names;
use super::schema::{Way, object, schema};
use super::shape::{NoShape, Reader, Shape};
use crate::observe::escape_for_people;
use crate::sandbox::contract::{TaskSupport, Tool};

/// A function that is a tool.
pub(in crate::sandbox) struct Function {
    /// The tool's name.
    pub(in crate::sandbox) tool: String,
    /// Where it is.
    pub(super) index: ComponentExportIndex,
    pub(super) params: Vec<(String, Shape)>,
    pub(super) gives: Gives,
    description: String,
}

/// What a function gives.
pub(super) enum Gives {
    /// Nothing, or a value.
    Value(Option<Shape>),
    /// One of two things, of which the second is a failure.
    Result(Option<Shape>, Option<Shape>),
}

/// What is found in a component.
pub(in crate::sandbox) struct Found {
    /// Its tools, in the order of its exports.
    pub(in crate::sandbox) functions: Vec<Function>,
    /// Functions that cannot be offered, one line each.
    pub(in crate::sandbox) left_out: Vec<String>,
}

/// Whether an exported interface is spoken with by a host of its own kind, not by whoever wants to call functions.
pub(in crate::sandbox) fn spoken_for(interface: &str) -> bool {
    interface.starts_with("wasi:") || interface.starts_with("kennel:")
}

/// What componentize-py leaves behind of making the component: the function that read the Python sources into it, which
/// nobody but it calls.
fn of_toolchain(interface: &str, name: &str, function: &ComponentFunc) -> bool {
    (interface, name) == ("exports", "init") && function.params().any(|(name, _)| name == "app-name")
}

/// Finds them.
pub(in crate::sandbox) fn find(component: &Component, docs: &Docs) -> Found {
    let engine = component.engine();
    let ty = component.component_type();
    let mut exports: Vec<(Option<&str>, &str, ComponentFunc)> = Vec::new();
    let mut types: Vec<(Option<&str>, &str, Type)> = Vec::new();
    let named: Vec<_> = ty.exports(engine).filter(|(name, _)| !spoken_for(name)).collect();
    let mut inner = Vec::new();
    for (name, item) in &named {
        match &item.ty {
            ComponentItem::ComponentFunc(function) => exports.push((None, name, function.clone())),
            ComponentItem::Type(ty) => types.push((None, name, ty.clone())),
            ComponentItem::ComponentInstance(instance) => {
                inner.extend(
                    instance.exports(engine).map(|(function, item)| (*name, function.to_owned(), item.ty)),
                );
            }
            _ => {}
        }
    }
    for (interface, name, item) in &inner {
        match item {
            ComponentItem::ComponentFunc(function) if !of_toolchain(interface, name, function) => {
                exports.push((Some(interface), name, function.clone()));
            }
            ComponentItem::Type(ty) => types.push((Some(interface), name, ty.clone())),
            _ => {}
        }
    }
    let places: Vec<_> = exports.iter().map(|(interface, name, _)| (*interface, *name)).collect();
    let mut found = Found { functions: Vec::new(), left_out: Vec::new() };
    for ((interface, name, function), tool) in exports.iter().zip(names(&places)) {
        let words = |ty: &Type| {
            // Handles are equal when the types are; the name in the function's own interface comes first.
            let own = types.iter().filter(|(place, _, _)| place == interface);
            let (place, name, _) = own.chain(&types).find(|(_, _, known)| known == ty)?;
            docs.words(*place, name)
        };
        let place = interface.map_or_else(|| (*name).to_owned(), |interface| format!("{interface}#{name}"));
        let parent = interface.and_then(|interface| component.get_export_index(None, interface));
        let index = match interface {
            None => component.get_export_index(None, name),
            Some(_) => parent.and_then(|parent| component.get_export_index(Some(&parent), name)),
        };
        let made = read(name, function, &words).and_then(|(params, gives)| {
            let index = index.ok_or_else(|| "the component does not give it".to_owned())?;
            let description = match docs.function(*interface, name) {
                Some(words) => words.to_owned(),
                None => format!(
                    "The function `{name}`{}.",
                    interface.map(|i| format!(" of `{i}`")).unwrap_or_default()
                ),
            };
            Ok(Function { tool, index, params, gives, description })
        });
        match made {
            Ok(function) => found.functions.push(function),
            Err(why) => {
                let line = format!("its function `{place}` is left out: {why}");
                found.left_out.push(escape_for_people(&line).into_owned());
            }
        }
    }
    found
}

type Signature = (Vec<(String, Shape)>, Gives);

fn read(
    name: &str,
    function: &ComponentFunc,
    words: &dyn Fn(&Type) -> Option<std::sync::Arc<super::shape::Words>>,
) -> Result<Signature, String> {
    // WIT, "Names": `[constructor]r`, `[method]r.f`, `[static]r.f`, `[async]f`.
    if name.starts_with('[') {
        return Err("it belongs to a resource or is asynchronous, and only plain functions are tools".into());
    }
    if function.async_() {
        return Err("it is asynchronous, and only plain functions are tools".into());
    }
    let mut reader = Reader::new(words);
    let no = |error: NoShape| error.to_string();
    let params = function.params().map(|(name, ty)| {
        Ok((name.to_owned(), reader.read(&ty, &format!("its parameter `{name}`")).map_err(no)?))
    });
    let params = params.collect::<Result<Vec<_>, String>>()?;
    let result =
        function.results().next().map(|ty| reader.read(&ty, "its result")).transpose().map_err(no)?;
    let unbox = |side: Option<Box<Shape>>| side.map(|shape| *shape);
    let gives = match result {
        Some(shape) => match shape.plain() {
            Shape::Result(ok, err) => Gives::Result(unbox(ok.clone()), unbox(err.clone())),
            _ => Gives::Value(Some(shape)),
        },
        None => Gives::Value(None),
    };
    Ok((params, gives))
}

impl Gives {
    /// What a call that did not fail gives.
    pub(super) fn value(&self) -> Option<&Shape> {
        match self {
            Self::Value(value) | Self::Result(value, _) => value.as_ref(),
        }
    }
}

/// Whether values of it stand as the structured result themselves; others stand in an object (the protocol's structured
/// results are objects).
pub(super) fn is_object(shape: &Shape) -> bool {
    matches!(shape.plain(), Shape::Record(_))
}

/// The key under which a value that is no object stands.
pub(super) const RESULT: &str = "result";

impl Function {
    /// As the contract says it.
    pub(in crate::sandbox) fn tool(&self) -> Tool {
        let output = self.gives.value().map(|shape| match schema(shape, Way::Out) {
            whole if is_object(shape) => whole,
            part => json!({
                "type": "object",
                "properties": {RESULT: part},
                "required": [RESULT],
                "additionalProperties": false,
            }),
        });
        Tool {
            name: self.tool.clone(),
            title: None,
            description: self.description.clone(),
            input_schema: object(&self.params, None, Way::In).to_string(),
            output_schema: output.as_ref().map(Value::to_string),
            annotations: None,
            icons: Vec::new(),
            task_support: TaskSupport::Forbidden,
            meta: None,
        }
    }
}
