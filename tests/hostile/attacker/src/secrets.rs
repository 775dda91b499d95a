//! Attacks on secrets: requests that write placeholders where they like, a search through all of the plugin's own
//! memory for what came back, and a plugin that tells what it was given.

use std::io::Write as _;

use kennel_sdk::log::LogLevel;
use kennel_sdk::prelude::*;
use kennel_sdk::{progress, serde_json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

/// What a byte is turned into on its way to or from the test, so that nobody on the way knows it.
const TURN: u8 = 0x5a;

/// A request, unchecked.
#[derive(Deserialize, JsonSchema)]
struct Ask {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body, a write for each.
    #[serde(default)]
    pieces: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Hunt {
    requests: Vec<Ask>,
    /// Turned, so that they are not found where they are written.
    needles: Vec<Vec<u8>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Hunted {
    /// Of each request, the status or what the host said.
    said: Vec<String>,
    /// All that came, fields and bodies, turned byte for byte.
    turned: Vec<Vec<u8>>,
    /// The same, plain.
    plain: Vec<String>,
    /// How often each needle is in memory.
    found: Vec<usize>,
    /// Bytes of memory that were searched.
    searched: usize,
}

/// Sends the requests, keeps all that comes, and then looks through all of its memory.
#[tool]
pub(crate) fn hunt(args: Hunt) -> Result<Json<Hunted>> {
    let (mut said, mut kept) = (Vec::new(), Vec::new());
    for ask in &args.requests {
        let mut came = Vec::new();
        said.push(send(ask, &mut came).unwrap_or_else(|error| error));
        kept.push(came);
    }
    let (found, searched) = search(&args.needles);
    let turned = kept.iter().map(|came| came.iter().map(|byte| byte ^ TURN).collect()).collect();
    let plain = kept.iter().map(|came| String::from_utf8_lossy(came).into_owned()).collect();
    Ok(Json(Hunted { said, turned, plain, found, searched }))
}

fn send(ask: &Ask, came: &mut Vec<u8>) -> Result<String, String> {
    let fields = Fields::new();
    for (name, value) in &ask.headers {
        fields.append(name, value.as_bytes()).map_err(|error| format!("the field {name:?}: {error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = if ask.scheme == "http" { Scheme::Http } else { Scheme::Https };
    let method = match ask.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "the method was not taken")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme was not taken")?;
    request.set_authority(Some(&ask.authority)).map_err(|()| "the authority was not taken")?;
    request.set_path_with_query(Some(&ask.path)).map_err(|()| "the path was not taken")?;
    let body = request.body().map_err(|()| "no body")?;
    let future = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    {
        let stream = body.write().map_err(|()| "no stream")?;
        for piece in &ask.pieces {
            // The host says in its answer why it takes no more.
            if stream.blocking_write_and_flush(piece.as_bytes()).is_err() {
                break;
            }
        }
    }
    let _ = OutgoingBody::finish(body, None);
    future.subscribe().block();
    let response = match future.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(code))) => return Err(format!("{code:?}")),
        _ => return Err("no answer".into()),
    };
    for (name, value) in response.headers().entries() {
        came.extend(name.bytes());
        came.extend(b": ");
        came.extend(value);
        came.push(b'\n');
    }
    let incoming = response.consume().map_err(|()| "no body")?;
    let stream = incoming.stream().map_err(|()| "no stream")?;
    while let Ok(bytes) = stream.blocking_read(64 << 10) {
        came.extend(bytes);
    }
    Ok(response.status().to_string())
}

/// Counts the needles in everything that this instance has, used or freed.
#[expect(unsafe_code, reason = "the attacker looks where no safe code may")]
fn search(needles: &[Vec<u8>]) -> (Vec<usize>, usize) {
    let size = core::arch::wasm32::memory_size(0) << 16;
    // SAFETY: it is the whole of linear memory, which is there for as long as the instance; the first page is left
    // out so that the pointer is no null. Nothing else runs, and what is read may be anything.
    let memory = unsafe { std::slice::from_raw_parts(1024 as *const u8, size - 1024) };
    let count = |needle: &Vec<u8>| {
        // Compared byte for byte, so that it is never whole anywhere.
        let first = needle.first().map_or(0, |byte| byte ^ TURN);
        let at = memory.iter().enumerate().filter(|(_, byte)| **byte == first).map(|(at, _)| at);
        let fits = |at: &usize| {
            let rest = memory.get(*at..).unwrap_or_default();
            rest.len() >= needle.len() && rest.iter().zip(needle).all(|(byte, turned)| *byte == turned ^ TURN)
        };
        at.filter(fits).count()
    };
    (needles.iter().map(count).collect(), memory.len())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Result,
    Structured,
    Error,
    Panic,
    Log,
    Print,
    Progress,
    Hex,
    Escaped,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Tell {
    variable: String,
    way: Way,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Told {
    told: String,
    length: usize,
}

/// Tells the value of a variable.
#[tool]
pub(crate) fn tell(args: Tell) -> Result<Json<Told>> {
    let value = std::env::var(&args.variable).unwrap_or_else(|_| "(not set)".into());
    let told = match args.way {
        Way::Result | Way::Structured => value,
        Way::Error => return Err(Error::failed(format!("it is {value}"))),
        Way::Panic => panic!("it is {value}"),
        Way::Log => {
            log::warn(format_args!("it is {value}"));
            log::value(LogLevel::Error, Some(&value), &serde_json::json!({ &value: [&value] }));
            "logged".into()
        }
        Way::Print => {
            writeln!(std::io::stdout(), "it is {value}")?;
            writeln!(std::io::stderr(), "it is {value}")?;
            "printed".into()
        }
        Way::Progress => {
            progress(1.0, 2.0, value.as_str());
            "progressed".into()
        }
        Way::Hex => value.bytes().map(|byte| format!("{byte:02X}")).collect(),
        Way::Escaped => value.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
    };
    Ok(Json(Told { length: told.len(), told }))
}
