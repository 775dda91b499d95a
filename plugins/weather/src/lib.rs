//! Current weather (a resource for each city) and forecasts (a tool) of OpenWeather.
//! Needs one HTTPS host, or the one that `OPENWEATHER_BASE_URL` names, and a key that the host puts in.
//! Must not hold the key; must not ask the client's model unless the person set so.

mod service;

use kennel_sdk::api::Number;
use kennel_sdk::prelude::*;
use service::{Current, Day, current, forecast};

/// How many days are told when the call does not say.
const DAYS: u64 = 3;

/// The most tokens of the model's analysis.
const ANALYSIS: u32 = 300;

/// The city that is listed when the person sets none.
const CITY: &str = "San Francisco";

kennel_sdk::arguments! {
    Forecast {
        /// City name
        city: String,
        /// Number of days (1-5)
        #[schemars(extend("minimum" = 1, "maximum" = 5, "default" = 3))]
        days: Option<Number>,
    }
}

/// Get weather forecast for a city
#[tool(read_only)]
fn get_forecast(args: Forecast, context: Context) -> Result<Outcome<String>> {
    const KEY: &str = "analysis";
    if context.is_resumed() {
        // Entered again: the forecast is what was asked about, not a newer one.
        let days: Vec<Day> = context.continuation()?.unwrap_or_default();
        let text = serde_json::to_string_pretty(&days)?;
        let analysis = context.sampled_text(KEY)?.unwrap_or_default();
        return Ok(Outcome::Complete(format!("{text}\n\nAnalysis: {analysis}")));
    }
    let days = args.days.and_then(|days| days.whole()).unwrap_or(DAYS);
    progress(1.0, 2.0, "asking OpenWeather");
    let days = forecast(&args.city, days)?;
    progress(2.0, 2.0, "read the forecast");
    let text = serde_json::to_string_pretty(&days)?;
    if setting("analysis")? == Some(true) && context.capabilities().sampling {
        let question =
            format!("Describe this weather forecast for {} in a few sentences:\n{text}", args.city);
        return Outcome::ask(Questions::new().sample_text(KEY, &question, ANALYSIS), &days);
    }
    Ok(Outcome::Complete(text))
}

/// Current weather for a city
#[resource("weather://{city}/current", name = "Current weather", mime = "application/json", list = cities)]
fn weather_now(city: String) -> Result<String> {
    let now: Current = current(&city)?;
    Ok(serde_json::to_string_pretty(&now)?)
}

/// The one city that a person set, or a well-known one.
fn cities() -> Result<Vec<ResourceInfo>> {
    let city = setting::<String>("city")?.unwrap_or_else(|| CITY.into());
    let uri = format!("weather://{}/current", kennel_sdk::api::segment(&city));
    Ok(vec![
        ResourceInfo::new(uri, format!("Current weather in {city}"))
            .mime("application/json")
            .description("Temperature, conditions, humidity and wind speed right now"),
    ])
}

plugin! {
    tools: [get_forecast],
    resources: [weather_now],
    asks: {
        http: [{
            url: "https://api.openweathermap.org",
            methods: ["GET"],
            url_from_env: "OPENWEATHER_BASE_URL",
            why: "reads the weather",
        }],
        env: [{ name: "OPENWEATHER_BASE_URL", why: "asks another server than https://api.openweathermap.org" }],
        secrets: [{ name: "key", why: "says to OpenWeather who you are; the host puts it in" }],
        state: { quota: "1MiB", scope: "plugin", why: "keeps answers for 15 minutes" },
        sample: true,
        settings: [
            { name: "timeout", why: "how many seconds one request may take; 30 if unset" },
            { name: "city", why: "the city whose weather is listed; San Francisco if unset" },
            { name: "analysis", why: "true: the client's model describes the forecast, where the client can ask it" },
        ],
    },
}
