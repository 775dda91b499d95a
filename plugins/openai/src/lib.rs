//! Chat completions of OpenAI, or of any server that speaks its API.
//! Needs one HTTPS host, or the one that `OPENAI_BASE_URL` names, and a key that the host puts in.
//! Must not hold the key. Streams only when somebody watches: a whole answer is one request less to go wrong.

mod stream;

use kennel_sdk::api::{Api, Number};
use kennel_sdk::prelude::*;
use serde_json::Map;
use std::time::Duration;

/// What stands before every failure.
pub(crate) const PREFIX: &str = "OpenAI API error";

/// What is told of an answer without text.
const NOTHING: &str = "No response generated";

/// Models think: unless a person sets it, one answer may take this long.
const PATIENCE: Duration = Duration::from_secs(120);

kennel_sdk::arguments! {
    ChatCompletion {
        /// The prompt to send to the model
        prompt: String,
        /// The model to use
        #[schemars(extend("default" = "o1-preview"))]
        model: Option<String>,
        /// Sampling temperature (0-2)
        #[schemars(extend("minimum" = 0, "maximum" = 2))]
        temperature: Option<Number>,
        /// Nucleus sampling: the share of the probability that is considered (0-1)
        #[schemars(extend("minimum" = 0, "maximum" = 1))]
        top_p: Option<Number>,
        /// The most tokens to generate
        #[schemars(extend("minimum" = 1))]
        max_tokens: Option<Number>,
        /// What the model is told before the prompt
        system_message: Option<String>,
    }
}

/// Create a chat completion with OpenAI's API
#[tool]
fn chat_completion(args: ChatCompletion, context: Context) -> Result<String> {
    let api =
        Api::new("OpenAI", "https://api.openai.com/v1", "OPENAI_BASE_URL").timeout(PATIENCE).settled()?;
    let most = args.max_tokens.as_ref().map(Number::get);
    let mut body = request(args)?;
    let call = api.post("/chat/completions");
    let text = if context.capabilities().progress {
        body.insert("stream".into(), true.into());
        let events = call.args(&body).stream().map_err(|error| error.prefixed(PREFIX))?;
        stream::text(events, |tokens| progress(tokens, most, "generating"))?
    } else {
        let answer: Completion = call.args(&body).read().map_err(|error| error.prefixed(PREFIX))?;
        answer.choices.into_iter().next().and_then(|choice| choice.message.content).unwrap_or_default()
    };
    Ok(if text.is_empty() { NOTHING.into() } else { text })
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

/// The body of the request; what was not given is not sent, so that the service's defaults hold.
fn request(args: ChatCompletion) -> Result<Map<String, Value>> {
    let system = args.system_message.map(|text| json!({ "role": "system", "content": text }));
    let user = json!({ "role": "user", "content": args.prompt });
    let mut body = Map::new();
    body.insert("model".into(), args.model.unwrap_or_else(|| "o1-preview".into()).into());
    body.insert("messages".into(), system.into_iter().chain([user]).collect());
    for (name, number) in
        [("temperature", args.temperature), ("top_p", args.top_p), ("max_tokens", args.max_tokens)]
    {
        if let Some(number) = number {
            body.insert(name.into(), serde_json::to_value(number)?);
        }
    }
    Ok(body)
}

plugin! {
    tools: [chat_completion],
    asks: {
        http: [{
            url: "https://api.openai.com",
            methods: ["POST"],
            url_from_env: "OPENAI_BASE_URL",
            why: "sends your prompts and reads the answers",
        }],
        env: [{ name: "OPENAI_BASE_URL", why: "asks another server than https://api.openai.com/v1" }],
        secrets: [{ name: "key", why: "says to OpenAI who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one answer may take; 120 if unset" }],
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_what_was_given_is_sent() {
        let body = |args: Value| Value::Object(request(serde_json::from_value(args).unwrap()).unwrap());
        assert_eq!(
            body(json!({ "prompt": "p" })),
            json!({ "model": "o1-preview", "messages": [{ "role": "user", "content": "p" }] })
        );
        assert_eq!(
            body(json!({ "prompt": "p", "system_message": "s", "temperature": 0.5, "max_tokens": 7.0 })),
            json!({
                "model": "o1-preview", "temperature": 0.5, "max_tokens": 7,
                "messages": [{ "role": "system", "content": "s" }, { "role": "user", "content": "p" }],
            })
        );
    }
}
