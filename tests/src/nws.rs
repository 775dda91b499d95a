//! A real HTTP server on loopback that answers like the National Weather Service's API (api.weather.gov):
//! `/points/LAT,LON`, `/gridpoints/…/forecast` and `/alerts/active/area/XX`, GeoJSON bodies.
//! It must not be reachable from another machine, and it knows nothing of plugins.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The running server; it stops listening when the process ends.
#[derive(Debug, Clone)]
pub struct WeatherService {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl WeatherService {
    /// Starts it on a free port of loopback.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let service = Self { address: listener.local_addr()?, seen: Arc::default() };
        let served = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                std::thread::spawn(move || drop(served.serve(&stream)));
            }
        });
        Ok(service)
    }

    /// What `NWS_BASE_URL` is to be.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The request lines so far, for example `GET /alerts/active/area/CA`.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut words = line.split_whitespace();
            let (method, target) =
                (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
            let mut agent = false;
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header)? == 0 {
                    return Ok(());
                }
                let header = header.trim_end();
                if header.is_empty() {
                    break;
                }
                agent |= header.to_ascii_lowercase().starts_with("user-agent:");
            }
            self.seen
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(format!("{method} {target}"));
            let (status, body) = match (method.as_str(), agent) {
                // The real service refuses callers that do not say who they are.
                (_, false) => ("403 Forbidden", problem(403, "Forbidden")),
                ("GET", true) => self.answer(&target),
                _ => ("405 Method Not Allowed", problem(405, "Method Not Allowed")),
            };
            let body = body.to_string();
            write!(
                &mut &*stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/geo+json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
    }

    fn answer(&self, target: &str) -> (&'static str, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Some(state) = path.strip_prefix("/alerts/active/area/").or_else(|| {
            (path == "/alerts/active" || path == "/alerts").then(|| query.strip_prefix("area=")).flatten()
        }) {
            return alerts(state);
        }
        if let Some(place) = path.strip_prefix("/points/") {
            let covered = place.split_once(',').is_some_and(|(lat, lon)| {
                let in_range = |text: &str, from: f64, to: f64| {
                    text.parse::<f64>().is_ok_and(|value| (from..=to).contains(&value))
                };
                // The contiguous United States, roughly.
                in_range(lat, 24.0, 50.0) && in_range(lon, -125.0, -66.0)
            });
            return if covered {
                let forecast = format!("{}/gridpoints/MTR/85,105/forecast", self.base_url());
                (
                    "200 OK",
                    json!({ "properties": { "gridId": "MTR", "gridX": 85, "gridY": 105, "forecast": forecast } }),
                )
            } else {
                ("404 Not Found", problem(404, "Data Unavailable For Requested Point"))
            };
        }
        if path == "/gridpoints/MTR/85,105/forecast" {
            return ("200 OK", json!({ "properties": { "periods": periods() } }));
        }
        ("404 Not Found", problem(404, "Not Found"))
    }
}

fn problem(status: u16, title: &str) -> Value {
    json!({ "type": "about:blank", "title": title, "status": status })
}

fn alerts(state: &str) -> (&'static str, Value) {
    let features = match state {
        "CA" => json!([
            { "properties": { "event": "High Wind Warning", "areaDesc": "San Francisco Bay Shoreline", "severity": "Severe",
                "status": "Actual", "headline": "High Wind Warning until 4 PM PST",
                "description": "Gusts up to 60 mph expected.", "instruction": "Secure loose objects." } },
            { "properties": { "event": "Flood Watch", "areaDesc": "Sonoma County", "severity": "Moderate",
                "status": "Actual", "headline": "Flood Watch through Sunday",
                "description": "Creeks may rise quickly.", "instruction": null } },
        ]),
        "NY" => json!([]),
        _ => return ("404 Not Found", problem(404, "Not Found")),
    };
    ("200 OK", json!({ "type": "FeatureCollection", "features": features }))
}

/// Seven periods; a client of the quickstart shows the first five.
fn periods() -> Vec<Value> {
    ["Tonight", "Saturday", "Saturday Night", "Sunday", "Sunday Night", "Monday", "Monday Night"]
        .iter()
        .enumerate()
        .map(|(at, name)| {
            json!({
                "number": at + 1, "name": name, "isDaytime": at % 2 == 1,
                "temperature": 50 + at, "temperatureUnit": "F",
                "windSpeed": format!("{} mph", 5 + at), "windDirection": "NW",
                "shortForecast": "Partly Cloudy",
                "detailedForecast": format!("Partly cloudy, around {}.", 50 + at),
            })
        })
        .collect()
}
