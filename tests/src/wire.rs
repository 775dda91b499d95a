//! Holds what a server sends against the protocol's own JSON Schemas (`tests/schemas/`): requests and notifications by
//! their method, results by the method of the request they answer, errors by their code.
//! It must not change, hold back or excuse a message, except as the revision's own text does; each such place says so.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::paths::source_root;

/// The revisions whose schemas there are, the newest last.
const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
/// The newest, whose clients say so in each request.
const NEWEST: &str = "2026-07-28";
/// The key of a request's `_meta` that says so.
const DECLARED: &str = "io.modelcontextprotocol/protocolVersion";
/// The first one in which an error may be without an id. Before it, JSON-RPC's own rule (an id of `null`) and the schema
/// (a string or a number) leave no valid answer to a message whose id cannot be read.
const ERRORS_WITHOUT_ID: &str = "2025-11-25";
/// Values of `resultType` that belong to an extension, whose results the core schema does not know.
const EXTENSIONS: [&str; 1] = ["task"];
/// Faults of one message that are told.
const SHOWN: usize = 4;

/// One conversation.
#[derive(Debug, Default)]
pub struct Wire {
    /// Of requests that were sent: the method (none when two with one id have different ones) and what they declare.
    asked: HashMap<String, (Option<String>, Option<String>)>,
    /// What `initialize` agreed on.
    agreed: Option<String>,
    /// What the conversation speaks, for messages that belong to no request.
    spoken: BTreeSet<String>,
    violations: Vec<String>,
}

impl Wire {
    /// In the middle of a conversation that agreed on this revision.
    pub fn agreed_on(revision: &str) -> Self {
        let revision = revision.to_owned();
        Self { agreed: Some(revision.clone()), spoken: [revision].into(), ..Self::default() }
    }

    /// The client sent this line. Lines that are no message are none of the server's fault, so they are passed over.
    pub fn sent(&mut self, line: &[u8]) {
        let Ok(Value::Object(message)) = serde_json::from_slice(line) else { return };
        let (Some(method), Some(id)) = (message.get("method").and_then(Value::as_str), message.get("id"))
        else {
            return;
        };
        let declared = message.get("params").and_then(|params| params["_meta"][DECLARED].as_str());
        if method != "initialize" && declared.is_some_and(|declared| REVISIONS.contains(&declared)) {
            self.spoken.extend(declared.map(str::to_owned));
        }
        let new = (Some(method.to_owned()), declared.map(str::to_owned));
        self.asked
            .entry(id.to_string())
            .and_modify(|known| {
                if *known != new {
                    *known = (None, None);
                }
            })
            .or_insert(new);
    }

    /// The server sent this line.
    pub fn received(&mut self, line: &[u8]) {
        let faults = match serde_json::from_slice::<Value>(line) {
            Ok(message) => self.faults(&message),
            Err(error) => vec![format!("no JSON: {error}")],
        };
        if !faults.is_empty() {
            let message: String = String::from_utf8_lossy(line).trim_end().chars().take(2_000).collect();
            self.violations.push(format!("{}\n  in {message}", faults.join("\n")));
        }
    }

    /// What was wrong so far, one text a message.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The same, which is then forgotten.
    pub fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    fn faults(&mut self, message: &Value) -> Vec<String> {
        if message.get("method").is_some() {
            return self.somewhere(|revision| schema(revision).of_call(message));
        }
        let asked = message.get("id").and_then(|id| self.asked.get(&id.to_string())).cloned();
        let (method, declared) = asked.unwrap_or_default();
        if method.as_deref() == Some("initialize")
            && let Some(agreed) = message["result"]["protocolVersion"].as_str()
        {
            self.agreed = Some(agreed.to_owned());
            self.spoken.insert(agreed.to_owned());
        }
        let check = |revision: &str| schema(revision).of_answer(message, method.as_deref());
        match declared.or_else(|| method.is_some().then(|| self.agreed.clone()).flatten()) {
            Some(revision) => check(&revision),
            None => self.somewhere(check),
        }
    }

    /// A message of no request fits when it fits one of the revisions that are spoken here.
    fn somewhere(&self, check: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        let newest = [NEWEST.to_owned()].into();
        let spoken = if self.spoken.is_empty() { &newest } else { &self.spoken };
        let all: Vec<_> = spoken.iter().map(|revision| check(revision)).collect();
        if all.iter().any(Vec::is_empty) { Vec::new() } else { all.concat() }
    }
}

/// A revision's schema.
struct Schema {
    revision: &'static str,
    /// The whole document, by which parts refer to each other.
    document: Map<String, Value>,
    /// `$defs` or, in older drafts, `definitions`.
    parts: &'static str,
    /// The part that describes a method's call, and the one of its result.
    methods: HashMap<String, (String, Option<String>)>,
    errors: HashMap<i64, String>,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// The schema that holds for a revision: its own, else of the newest one before it, else of the oldest.
fn schema(revision: &str) -> &'static Schema {
    static ALL: [OnceLock<Schema>; REVISIONS.len()] = [const { OnceLock::new() }; REVISIONS.len()];
    let at = REVISIONS.iter().rposition(|known| *known <= revision).unwrap_or(0);
    ALL[at].get_or_init(|| Schema::read(REVISIONS[at]))
}

impl Schema {
    fn read(revision: &'static str) -> Self {
        let path = source_root().join(format!("tests/schemas/{revision}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut document: Map<String, Value> = serde_json::from_str(&text).expect("the schema is JSON");
        let parts = if document.contains_key("$defs") { "$defs" } else { "definitions" };
        // The generator wrote TypeScript's `number` as `integer` there; schema.ts of these revisions says `number`.
        for bound in ["minimum", "maximum", "default"] {
            if let Some(kind) = document[parts].pointer_mut(&format!("/NumberSchema/properties/{bound}/type"))
            {
                *kind = json!("number");
            }
        }
        let defs = document[parts].as_object().expect("an object");
        let (mut methods, mut errors) = (HashMap::new(), HashMap::new());
        // One of many is not the name of one, also where many is one.
        let union = |name: &str| {
            ["Request", "Notification", "Result", "Message"]
                .iter()
                .any(|kind| name.strip_suffix(kind).is_some_and(|side| side == "Client" || side == "Server"))
        };
        for (name, part) in defs.iter().filter(|(name, _)| !union(name)) {
            if let Some(method) = part.pointer("/properties/method/const").and_then(Value::as_str) {
                let result = name.strip_suffix("Request").map(|stem| format!("{stem}Result"));
                let result = result.filter(|result| defs.contains_key(result));
                methods.insert(method.to_owned(), (name.clone(), result));
            }
            let all_of = part.pointer("/properties/error/allOf").and_then(Value::as_array);
            for code in all_of.into_iter().flatten().filter_map(|one| one.pointer("/properties/code/const")) {
                errors.extend(code.as_i64().map(|code| (code, name.clone())));
            }
        }
        assert!(methods.contains_key("tools/call"), "{revision} does not describe tools/call");
        Self { revision, document, parts, methods, errors, compiled: Mutex::default() }
    }

    /// A request or a notification of the server's.
    fn of_call(&self, message: &Value) -> Vec<String> {
        let method = message["method"].as_str().unwrap_or_default();
        let plain = if message.get("id").is_some() { "JSONRPCRequest" } else { "JSONRPCNotification" };
        self.check(self.methods.get(method).map_or(plain, |(part, _)| part), message)
    }

    /// An answer to a request of this method, when it is known.
    fn of_answer(&self, message: &Value, method: Option<&str>) -> Vec<String> {
        if let Some(error) = message.get("error") {
            if message.get("id").is_none() && self.revision < ERRORS_WITHOUT_ID {
                return schema(ERRORS_WITHOUT_ID).of_answer(message, method);
            }
            let part = error["code"].as_i64().and_then(|code| self.errors.get(&code)).map(String::as_str);
            return self
                .check(part.unwrap_or_else(|| self.one_of("JSONRPCErrorResponse", "JSONRPCError")), message);
        }
        let Some(result) = message.get("result") else {
            return vec!["neither a method, nor a result, nor an error".into()];
        };
        let mut faults = self.check(self.one_of("JSONRPCResultResponse", "JSONRPCResponse"), message);
        let kind = result.get("resultType").and_then(Value::as_str);
        let part = match kind {
            Some("input_required") if self.has("InputRequiredResult") => Some("InputRequiredResult"),
            Some(kind) if EXTENSIONS.contains(&kind) => None,
            _ => method.and_then(|method| self.methods.get(method)?.1.as_deref()),
        };
        faults.extend(part.map(|part| self.check(part, result)).unwrap_or_default());
        faults
    }

    fn has(&self, part: &str) -> bool {
        self.document[self.parts].get(part).is_some()
    }

    fn one_of(&self, new: &'static str, old: &'static str) -> &'static str {
        if self.has(new) { new } else { old }
    }

    fn check(&self, part: &str, value: &Value) -> Vec<String> {
        let validator = {
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            let made = compiled.entry(part.to_owned()).or_insert_with(|| Arc::new(self.compile(part)));
            made.clone()
        };
        if validator.is_valid(value) {
            return Vec::new();
        }
        let told = validator.iter_errors(value).take(SHOWN);
        told.map(|error| {
            let text: String = error.to_string().chars().take(400).collect();
            format!("{} {part}{}: {text}", self.revision, error.instance_path())
        })
        .collect()
    }

    fn compile(&self, part: &str) -> Validator {
        let mut document = self.document.clone();
        document.insert("$ref".into(), format!("#/{}/{part}", self.parts).into());
        jsonschema::options()
            .should_validate_formats(true)
            .with_format("byte", base64)
            .build(&Value::Object(document))
            .unwrap_or_else(|error| panic!("{} {part}: {error}", self.revision))
    }
}

/// Whether a text is base64 (RFC 4648, section 4), which the schemas call `byte`.
fn base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation of one revision, in which the server says this last.
    fn said(initialize: Option<&str>, request: &Value, answer: &Value) -> Vec<String> {
        let mut wire = Wire::default();
        if let Some(version) = initialize {
            wire.sent(br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#);
            let result = json!({
                "protocolVersion": version, "capabilities": {}, "serverInfo": { "name": "n", "version": "1" },
            });
            wire.received(json!({ "jsonrpc": "2.0", "id": 0, "result": result }).to_string().as_bytes());
        }
        assert_eq!(wire.violations(), [""; 0]);
        wire.sent(request.to_string().as_bytes());
        wire.received(answer.to_string().as_bytes());
        wire.take_violations()
    }

    fn request(method: &str, meta: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } })
    }

    fn answer(result: &Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": 1, "result": result })
    }

    #[test]
    fn sound_messages_pass() {
        let old = json!({});
        let new = json!({ DECLARED: NEWEST });
        let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
        for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
            let list = answer(&json!({ "tools": [tool] }));
            assert_eq!(said(Some(version), &request("tools/list", &old), &list), [""; 0], "{version}");
            let call =
                answer(&json!({ "content": [{ "type": "image", "data": "QQ==", "mimeType": "a/b" }] }));
            assert_eq!(said(Some(version), &request("tools/call", &old), &call), [""; 0], "{version}");
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
            assert_eq!(said(Some(version), &request("ping", &old), &note), [""; 0], "{version}");
        }
        let list = json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [tool] });
        assert_eq!(said(None, &request("tools/list", &new), &answer(&list)), [""; 0]);
        // An id that could not be read.
        let error = json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "no" } });
        assert_eq!(said(Some("2025-06-18"), &request("ping", &old), &error), [""; 0]);
    }

    #[test]
    fn each_violation_is_told_with_its_path() {
        let old = json!({});
        let new = json!({ DECLARED: NEWEST });
        let nameless = json!({ "tools": [{ "inputSchema": { "type": "object" } }] });
        let image = |data: &str| json!({ "content": [{ "type": "image", "data": data, "mimeType": "a/b" }] });
        let error =
            |code: Value| json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": "no" } });
        let version = Some("2025-11-25");
        for (version, request, answer, told) in [
            (
                version,
                request("tools/list", &old),
                answer(&nameless),
                "ListToolsResult/tools/0: \"name\" is a required",
            ),
            (version, request("tools/list", &old), answer(&json!({})), "\"tools\" is a required"),
            (version, request("tools/call", &old), answer(&image("no base64")), "CallToolResult/content/0"),
            (
                version,
                request("resources/list", &old),
                answer(&json!({ "resources": [{ "uri": "no uri", "name": "n" }] })),
                "/resources/0/uri",
            ),
            (version, request("ping", &old), error(json!("x")), "/error/code"),
            (version, request("ping", &old), json!({ "jsonrpc": "1.0", "id": 1, "result": {} }), "/jsonrpc"),
            (version, request("ping", &old), json!({ "jsonrpc": "2.0", "id": 1 }), "neither"),
            (
                version,
                request("ping", &old),
                json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progress": "much" } }),
                "ProgressNotification/params",
            ),
            // What the older revision may leave out and the newest may not.
            (
                version,
                request("tools/list", &new),
                answer(&json!({ "tools": [] })),
                "2026-07-28 ListToolsResult",
            ),
            (None, request("tools/list", &new), answer(&json!({ "tools": [] })), "is a required property"),
            (
                None,
                request("tools/call", &new),
                answer(&json!({ "resultType": "input_required", "inputRequests": 5 })),
                "InputRequiredResult/inputRequests",
            ),
            (None, request("ping", &new), error(json!(-32021)), "MissingRequiredClientCapabilityError/error"),
        ] {
            let violations = said(version, &request, &answer);
            assert_eq!(violations.len(), 1, "{answer}: {violations:?}");
            assert!(violations[0].contains(told), "no {told:?} in {violations:?}");
        }
        let mut wire = Wire::default();
        wire.received(b"hello\n");
        assert!(wire.violations()[0].starts_with("no JSON: "), "{:?}", wire.violations());
    }
}
