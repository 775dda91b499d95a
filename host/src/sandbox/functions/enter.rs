//! One call of a plain function: its arguments out of JSON, what it gives into a tool's result. Decides nothing.

use serde_json::Value;
use wasmtime::component::{Instance, Val};
use wasmtime::{Result, Store};

use super::find::{Function, Gives, RESULT, is_object};
use super::shape::Shape;
use super::value::{parts, to_json};
use crate::sandbox::contract::{Content, Error, TextContent, ToolCall, ToolOutcome, ToolResult};
use crate::sandbox::{CallState, json};

/// Calls it.
///
/// # Errors
/// When the guest traps, or a bound ends it; arguments that do not fit are the contract's `invalid`.
pub(in crate::sandbox) async fn call(
    function: &Function,
    call: &ToolCall,
    store: &mut Store<CallState>,
    instance: &Instance,
) -> Result<std::result::Result<ToolOutcome, Error>> {
    let arguments = match arguments(function, &call.arguments) {
        Ok(arguments) => arguments,
        Err(why) => return Ok(Err(Error::Invalid(why))),
    };
    let Some(found) = instance.get_func(&mut *store, function.index) else {
        return Err(wasmtime::Error::msg(format!("no function {}", function.tool)));
    };
    let mut given = vec![Val::Bool(false); found.ty(&*store).results().len()];
    found.call_async(&mut *store, &arguments, &mut given).await?;
    let answer = answer(&function.gives, given.first()).map_err(wasmtime::Error::msg)?;
    Ok(Ok(ToolOutcome::Complete(answer)))
}

fn arguments(function: &Function, text: &str) -> std::result::Result<Vec<Val>, String> {
    let Value::Object(object) = json::parse(text).map_err(|fault| fault.to_string())? else {
        return Err("the arguments are no object".into());
    };
    parts(&function.params, &object).map_err(|misfit| misfit.to_string())
}

fn answer(gives: &Gives, given: Option<&Val>) -> std::result::Result<ToolResult, String> {
    let wrong = || "it gave a value that is not of its type".to_owned();
    let (shape, value, is_error) = match (gives, given) {
        (Gives::Value(shape), value) => (shape, value, false),
        (Gives::Result(shape, _), Some(Val::Result(Ok(value)))) => (shape, value.as_deref(), false),
        (Gives::Result(_, shape), Some(Val::Result(Err(value)))) => (shape, value.as_deref(), true),
        (Gives::Result(..), _) => return Err(wrong()),
    };
    let value = match (shape, value) {
        (None, None) => None,
        (Some(shape), Some(value)) => {
            Some((shape, to_json(shape, value).map_err(|misfit| misfit.to_string())?))
        }
        _ => return Err(wrong()),
    };
    let words = match &value {
        Some((_, Value::String(text))) => Some(text.clone()),
        Some((_, value)) => Some(value.to_string()),
        None => is_error.then(|| "the function failed and did not say why".to_owned()),
    };
    let structured = value.filter(|_| !is_error).map(|(shape, value)| structured(shape, value).to_string());
    let content = words.map(|text| Content::Text(TextContent { text, annotations: None, meta: None }));
    Ok(ToolResult { content: content.into_iter().collect(), structured, is_error, meta: None })
}

fn structured(shape: &Shape, value: Value) -> Value {
    if is_object(shape) { value } else { Value::Object([(RESULT.to_owned(), value)].into_iter().collect()) }
}
