//! A prediction at Replicate: begun, waited for, its outcome.
//! Must not fetch what it made, and must not ask for ever: the call's deadline is looked at.

use std::time::Duration;

use kennel_sdk::api::Api;
use kennel_sdk::prelude::*;

use crate::PREFIX;

const CREATE: &str = "/models/black-forest-labs/flux-dev/predictions";

/// Between two questions whether it is done.
const PAUSE: Duration = Duration::from_secs(1);

/// With `Prefer: wait` Replicate holds the answer for up to a minute.
const PATIENCE: Duration = Duration::from_secs(70);

#[derive(Debug, Deserialize)]
struct Prediction {
    id: String,
    status: String,
    #[serde(default)]
    output: Value,
    #[serde(default)]
    error: Value,
}

/// Runs the model; gives where the images lie.
pub(crate) fn run(input: &Value, context: &Context) -> Result<Vec<String>> {
    let api = Api::new("Replicate", "https://api.replicate.com/v1", "REPLICATE_BASE_URL")
        .timeout(PATIENCE)
        .settled()?;
    progress(1.0, None, "asked for the image");
    let begun = api.post(CREATE).header("prefer", "wait").json(&json!({ "input": input })).read();
    let mut prediction: Prediction = begun.map_err(|error| error.prefixed(PREFIX))?;
    let mut asked = 1.0;
    while matches!(prediction.status.as_str(), "starting" | "processing") {
        if context.time_left() <= PAUSE * 2 {
            bail!(
                "{PREFIX}: the image is not ready in this call's time; ask for fewer steps, or raise \
                 `limits.deadline` for this plugin"
            );
        }
        std::thread::sleep(PAUSE);
        asked += 1.0;
        progress(asked, None, prediction.status.as_str());
        let next = api.get("/predictions/{id}").arg("id", &prediction.id).read();
        prediction = next.map_err(|error| error.prefixed(PREFIX))?;
    }
    outcome(&prediction)
}

fn outcome(prediction: &Prediction) -> Result<Vec<String>> {
    if prediction.status != "succeeded" {
        let why = prediction.error.as_str().map_or_else(|| prediction.status.clone(), str::to_owned);
        bail!("{PREFIX}: the image was not generated: {why}; change the prompt, or try again");
    }
    let urls: Vec<String> = match &prediction.output {
        Value::String(url) => vec![url.clone()],
        Value::Array(urls) => urls.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if urls.is_empty() {
        bail!("{PREFIX}: no image was generated; change the prompt, or try again");
    }
    Ok(urls)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn outcomes() {
        let of = |value: Value| {
            outcome(&serde_json::from_value(value).unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(of(json!({"id": "p", "status": "succeeded", "output": ["a", "b"]})).unwrap(), ["a", "b"]);
        assert_eq!(of(json!({"id": "p", "status": "succeeded", "output": "a"})).unwrap(), ["a"]);
        assert!(
            of(json!({"id": "p", "status": "succeeded", "output": null})).unwrap_err().contains("no image")
        );
        let failed = of(json!({"id": "p", "status": "failed", "error": "NSFW"})).unwrap_err();
        assert!(failed.contains("was not generated: NSFW"), "{failed}");
        assert!(of(json!({"id": "p", "status": "canceled"})).unwrap_err().contains("canceled"));
    }
}
