//! Forecasts and alerts of the US National Weather Service, as the well-known example server gives them.
//! Needs one HTTPS host, or the one that `NWS_BASE_URL` names.
//! Must not choose which hosts may be asked: the service names the forecast's URL, the host checks it.

mod nws;

use kennel_sdk::prelude::*;
use nws::Service;

#[derive(Deserialize, JsonSchema)]
struct Alerts {
    /// Two-letter state code (e.g. CA, NY)
    #[schemars(length(equal = 2))]
    state: String,
}

#[derive(Deserialize, JsonSchema)]
struct Place {
    /// Latitude of the location
    #[schemars(range(min = -90.0, max = 90.0))]
    latitude: f64,
    /// Longitude of the location
    #[schemars(range(min = -180.0, max = 180.0))]
    longitude: f64,
}

/// Get weather alerts for a state
#[tool(name = "get-alerts", read_only)]
fn get_alerts(args: Alerts) -> Result<String> {
    let state = args.state.to_uppercase();
    let Some(alerts) = Service::from_environment()?.alerts(&state)? else {
        return Ok("Failed to retrieve alerts data".into());
    };
    if alerts.is_empty() {
        return Ok(format!("No active alerts for {state}"));
    }
    let texts: Vec<String> = alerts.iter().map(ToString::to_string).collect();
    Ok(format!("Active alerts for {state}:\n\n{}", texts.join("\n")))
}

/// Get weather forecast for a location
#[tool(name = "get-forecast", read_only)]
fn get_forecast(args: Place) -> Result<String> {
    let Place { latitude, longitude } = args;
    let service = Service::from_environment()?;
    let Some(point) = service.point(latitude, longitude)? else {
        return Ok(format!(
            "Failed to retrieve grid point data for coordinates: {latitude}, {longitude}. This location may not be \
             supported by the NWS API (only US locations are supported)."
        ));
    };
    let Some(url) = point else {
        return Ok("Failed to get forecast URL from grid point data".into());
    };
    let Some(periods) = service.forecast(&url)? else {
        return Ok("Failed to retrieve forecast data".into());
    };
    if periods.is_empty() {
        return Ok("No forecast periods available".into());
    }
    let texts: Vec<String> = periods.iter().take(PERIODS).map(ToString::to_string).collect();
    Ok(format!("Forecast for {latitude}, {longitude}:\n\n{}", texts.join("\n")))
}

/// How many periods a forecast shows; the service gives fourteen.
const PERIODS: usize = 5;

plugin! {
    tools: [get_alerts, get_forecast],
    asks: {
        http: [{
            url: "https://api.weather.gov",
            methods: ["GET"],
            url_from_env: "NWS_BASE_URL",
            why: "reads forecasts and alerts",
        }],
        env: [{ name: "NWS_BASE_URL", why: "asks another server than https://api.weather.gov" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
