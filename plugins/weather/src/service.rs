//! OpenWeather's API (version 2.5): the two answers that are read, and what of them is told.
//! Must not know tools or resources.

use std::time::Duration;

use jiff::Timestamp;
use kennel_sdk::api::{Api, ApiError};
use kennel_sdk::prelude::*;

/// How long an answer is good: OpenWeather measures anew every ten minutes.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// How many entries of the three-hourly list make a day.
const A_DAY: usize = 8;

#[derive(Deserialize)]
struct Measured {
    main: Main,
    #[serde(default)]
    weather: Vec<Sky>,
    wind: Option<Wind>,
    /// Seconds since 1970.
    dt: i64,
}

#[derive(Deserialize)]
struct Main {
    temp: f64,
    humidity: Option<f64>,
}

#[derive(Deserialize)]
struct Sky {
    description: String,
}

#[derive(Deserialize)]
struct Wind {
    speed: f64,
}

#[derive(Deserialize)]
struct List {
    list: Vec<Measured>,
}

/// The weather now. Temperature in °C, humidity in %, wind speed in m/s.
#[derive(Serialize)]
pub(crate) struct Current {
    temperature: f64,
    conditions: String,
    humidity: Option<f64>,
    wind_speed: Option<f64>,
    timestamp: String,
}

/// The weather of a day at the time of the first entry.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Day {
    date: String,
    temperature: f64,
    conditions: String,
}

impl Measured {
    fn conditions(&self) -> String {
        self.weather.first().map_or_else(|| "unknown".to_owned(), |sky| sky.description.clone())
    }

    fn at(&self) -> Result<Timestamp> {
        Ok(Timestamp::from_second(self.dt)?)
    }
}

fn openweather() -> Result<Api> {
    Api::new("OpenWeather", "https://api.openweathermap.org/data/2.5", "OPENWEATHER_BASE_URL")
        .keep(FRESH)
        .settled()
}

fn failure(error: &ApiError) -> Error {
    error.prefixed("Weather API error")
}

/// The weather in a city now.
pub(crate) fn current(city: &str) -> Result<Current> {
    let api = openweather()?;
    let now: Measured = api
        .get("/weather")
        .query("q", city)
        .query("units", "metric")
        .read()
        .map_err(|error| failure(&error))?;
    Ok(Current {
        temperature: now.main.temp,
        conditions: now.conditions(),
        humidity: now.main.humidity,
        wind_speed: now.wind.as_ref().map(|wind| wind.speed),
        timestamp: now.at()?.to_string(),
    })
}

/// One entry a day, of so many days.
pub(crate) fn forecast(city: &str, days: u64) -> Result<Vec<Day>> {
    let entries = days.saturating_mul(A_DAY as u64);
    let api = openweather()?;
    let call = api.get("/forecast").query("q", city).query("cnt", entries).query("units", "metric");
    told(&call.read().map_err(|error| failure(&error))?)
}

fn told(list: &List) -> Result<Vec<Day>> {
    let days = list.list.iter().step_by(A_DAY).map(|entry| {
        let date = entry.at()?.strftime("%Y-%m-%d").to_string();
        Ok(Day { date, temperature: entry.main.temp, conditions: entry.conditions() })
    });
    days.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn every_eighth_entry_is_a_day() {
        let entry =
            |at: i64| json!({ "dt": 1_795_000_000 + at * 10_800, "main": { "temp": at }, "weather": [] });
        let list: List =
            serde_json::from_value(json!({ "list": (0..17).map(entry).collect::<Vec<_>>() })).unwrap();
        let days = told(&list).unwrap();
        assert_eq!(days.iter().map(|day| day.temperature).collect::<Vec<_>>(), [0.0, 8.0, 16.0]);
        assert_eq!(
            days[0],
            Day { date: "2026-11-18".into(), temperature: 0.0, conditions: "unknown".into() }
        );
        assert_eq!(days[2].date, "2026-11-20");
    }
}
