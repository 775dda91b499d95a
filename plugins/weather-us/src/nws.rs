//! The parts of the National Weather Service's API that the tools use.
//! A request that fails is logged and told as missing data; a denial by the host stays an error.
//! Must not format more than one alert or period: how they are put together is the tools' matter.

use std::fmt;

use kennel_sdk::api::{Api, Call, Kind};
use kennel_sdk::log;
use kennel_sdk::prelude::*;
use serde::de::DeserializeOwned;

/// The service asks every client to say who it is.
const USER_AGENT: &str = "weather-app/1.0";

pub(crate) struct Service {
    api: Api,
}

#[derive(Deserialize)]
struct Collection {
    #[serde(default)]
    features: Vec<Alert>,
}

#[derive(Deserialize)]
pub(crate) struct Alert {
    properties: AlertProperties,
}

#[derive(Deserialize)]
struct AlertProperties {
    event: Option<String>,
    #[serde(rename = "areaDesc")]
    area: Option<String>,
    severity: Option<String>,
    status: Option<String>,
    headline: Option<String>,
}

#[derive(Deserialize)]
struct Point {
    properties: PointProperties,
}

#[derive(Deserialize)]
struct PointProperties {
    forecast: Option<String>,
}

#[derive(Deserialize)]
struct Forecast {
    properties: ForecastProperties,
}

#[derive(Deserialize)]
struct ForecastProperties {
    #[serde(default)]
    periods: Vec<Period>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Period {
    name: Option<String>,
    temperature: Option<serde_json::Number>,
    temperature_unit: Option<String>,
    wind_speed: Option<String>,
    wind_direction: Option<String>,
    short_forecast: Option<String>,
}

/// The text, or what stands for a missing or empty one.
fn or<'a>(text: Option<&'a String>, missing: &'a str) -> &'a str {
    text.map(String::as_str).filter(|text| !text.is_empty()).unwrap_or(missing)
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = &self.properties;
        writeln!(formatter, "Event: {}", or(of.event.as_ref(), "Unknown"))?;
        writeln!(formatter, "Area: {}", or(of.area.as_ref(), "Unknown"))?;
        writeln!(formatter, "Severity: {}", or(of.severity.as_ref(), "Unknown"))?;
        writeln!(formatter, "Status: {}", or(of.status.as_ref(), "Unknown"))?;
        writeln!(formatter, "Headline: {}", or(of.headline.as_ref(), "No headline"))?;
        formatter.write_str("---")
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}:", or(self.name.as_ref(), "Unknown"))?;
        let unit = or(self.temperature_unit.as_ref(), "F");
        match &self.temperature {
            Some(degrees) => writeln!(formatter, "Temperature: {degrees}°{unit}")?,
            None => writeln!(formatter, "Temperature: Unknown°{unit}")?,
        }
        let direction = self.wind_direction.as_deref().unwrap_or_default();
        writeln!(formatter, "Wind: {} {direction}", or(self.wind_speed.as_ref(), "Unknown"))?;
        writeln!(formatter, "{}", or(self.short_forecast.as_ref(), "No forecast available"))?;
        formatter.write_str("---")
    }
}

impl Service {
    /// At the URL in `NWS_BASE_URL`, or at the service itself.
    pub(crate) fn from_environment() -> Result<Self> {
        let api = Api::new("The National Weather Service", "https://api.weather.gov", "NWS_BASE_URL");
        let api = api.header("user-agent", USER_AGENT).header("accept", "application/geo+json").settled()?;
        Ok(Self { api })
    }

    /// The alerts of a state; none when the service does not say.
    pub(crate) fn alerts(&self, state: &str) -> Result<Option<Vec<Alert>>> {
        let found = ask::<Collection>(self.api.get("/alerts").query("area", state))?;
        Ok(found.map(|collection| collection.features))
    }

    /// The forecast's URL for a place: none when the place is not covered, `Some(None)` when the answer
    /// holds no URL.
    pub(crate) fn point(&self, latitude: f64, longitude: f64) -> Result<Option<Option<String>>> {
        let path = format!("/points/{latitude:.4},{longitude:.4}");
        let point = ask::<Point>(self.api.get(&path))?;
        Ok(point.map(|point| point.properties.forecast.filter(|url| !url.is_empty())))
    }

    /// The periods of a forecast; none when the service does not say.
    pub(crate) fn forecast(&self, url: &str) -> Result<Option<Vec<Period>>> {
        Ok(ask::<Forecast>(self.api.get(url))?.map(|forecast| forecast.properties.periods))
    }
}

/// An answer, or none when there is no good one. What the host denies is not missing data: the person
/// has to grant it, and must be told.
fn ask<T: DeserializeOwned>(call: Call<'_>) -> Result<Option<T>> {
    match call.read::<T>() {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == Kind::Denied => Err(error.into()),
        Err(error) => {
            log::warn(error);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn missing_words_have_stand_ins() {
        let alert: Alert = serde_json::from_str(r#"{"properties":{"event":"Flood","areaDesc":""}}"#).unwrap();
        assert_eq!(
            alert.to_string(),
            "Event: Flood\nArea: Unknown\nSeverity: Unknown\nStatus: Unknown\nHeadline: No headline\n---"
        );
        let period: Period =
            serde_json::from_str(r#"{"name":"Tonight","temperature":41,"windSpeed":"5 mph"}"#).unwrap();
        assert_eq!(
            period.to_string(),
            "Tonight:\nTemperature: 41°F\nWind: 5 mph \nNo forecast available\n---"
        );
    }
}
