//! Places, directions and elevations of Google Maps: the tools of the published server `server-google-maps`.
//! Needs one HTTPS host, or the one that `GOOGLE_MAPS_BASE_URL` names, and a key that the host puts in.
//! Must not hold the key, nor know how a request is made: the SDK does.

use kennel_sdk::api::{Api, Call, Number, Shape};
use kennel_sdk::prelude::*;
use kennel_sdk::shape;

kennel_sdk::arguments! {
    Geocode {
        /// The address to geocode
        address: String,
    }

    ReverseGeocode {
        /// Latitude coordinate
        latitude: Number,
        /// Longitude coordinate
        longitude: Number,
    }

    Center {
        latitude: Option<Number>,
        longitude: Option<Number>,
    }

    SearchPlaces {
        /// Search query
        query: String,
        /// Optional center point for the search
        location: Option<Center>,
        /// Search radius in meters (max 50000)
        radius: Option<Number>,
    }

    PlaceDetails {
        /// The place ID to get details for
        place_id: String,
    }

    DistanceMatrix {
        /// Array of origin addresses or coordinates
        origins: Vec<String>,
        /// Array of destination addresses or coordinates
        destinations: Vec<String>,
        /// Travel mode (driving, walking, bicycling, transit)
        #[schemars(extend("enum" = ["driving", "walking", "bicycling", "transit"]))]
        mode: Option<String>,
    }

    Place {
        latitude: Number,
        longitude: Number,
    }

    Elevation {
        /// Array of locations to get elevation for
        locations: Vec<Place>,
    }

    Directions {
        /// Starting point address or coordinates
        origin: String,
        /// Ending point address or coordinates
        destination: String,
        /// Travel mode (driving, walking, bicycling, transit)
        #[schemars(extend("enum" = ["driving", "walking", "bicycling", "transit"]))]
        mode: Option<String>,
    }
}

static ELEMENT: Shape = shape! { status, duration, distance };
static ELEVATION: Shape = shape! { results: shape! { elevation, location, resolution } };

fn maps() -> Result<Api> {
    Api::new("Google Maps", "https://maps.googleapis.com/maps/api", "GOOGLE_MAPS_BASE_URL").settled()
}

/// Asks, and tells what `tell` makes of a good answer. Google answers 200 whatever happened, and says in the body what:
/// `failed` stands in front of that.
fn told(call: Call<'_>, failed: &str, tell: impl Fn(&Value) -> Value) -> Result<ToolResult> {
    let answer = call.value().map_err(|error| error.prefixed("Error"))?;
    if answer["status"] == "OK" {
        return Ok(ToolResult::new().text(serde_json::to_string_pretty(&tell(&answer))?));
    }
    let said = ["error_message", "status"].into_iter().find_map(|key| answer[key].as_str());
    Ok(ToolResult::error(format!("{failed} failed: {}", said.unwrap_or("no status"))))
}

/// An object of what is there: (name, place in the value as RFC 6901 has it).
fn object(from: &Value, fields: &[(&str, &str)]) -> Value {
    let there = fields.iter().filter_map(|(name, at)| Some(((*name).to_owned(), from.pointer(at)?.clone())));
    Value::Object(there.collect())
}

/// What `tell` makes of each item of a list.
fn each(from: &Value, at: &str, tell: impl Fn(&Value) -> Value) -> Value {
    from.pointer(at).and_then(Value::as_array).into_iter().flatten().map(tell).collect()
}

/// Convert an address into geographic coordinates
#[tool(read_only)]
fn maps_geocode(args: Geocode) -> Result<ToolResult> {
    told(maps()?.get("/geocode/json").args(&args), "Geocoding", |answer| {
        object(
            answer,
            &[
                ("location", "/results/0/geometry/location"),
                ("formatted_address", "/results/0/formatted_address"),
                ("place_id", "/results/0/place_id"),
            ],
        )
    })
}

/// Convert coordinates into an address
#[tool(read_only)]
fn maps_reverse_geocode(args: ReverseGeocode) -> Result<ToolResult> {
    let at = format!("{},{}", args.latitude, args.longitude);
    told(maps()?.get("/geocode/json").query("latlng", at), "Reverse geocoding", |answer| {
        object(
            answer,
            &[
                ("formatted_address", "/results/0/formatted_address"),
                ("place_id", "/results/0/place_id"),
                ("address_components", "/results/0/address_components"),
            ],
        )
    })
}

/// Search for places using Google Places API
#[tool(read_only)]
fn maps_search_places(args: SearchPlaces) -> Result<ToolResult> {
    let center = match &args.location {
        Some(Center { latitude: Some(latitude), longitude: Some(longitude) }) => {
            Some(format!("{latitude},{longitude}"))
        }
        Some(_) => return Err(Error::invalid("`location` needs both `latitude` and `longitude`")),
        None => None,
    };
    let api = maps()?;
    told(api.get("/place/textsearch/json").args(&args).arg("location", &center), "Place search", |answer| {
        let place = |place: &Value| {
            object(
                place,
                &[
                    ("name", "/name"),
                    ("formatted_address", "/formatted_address"),
                    ("location", "/geometry/location"),
                    ("place_id", "/place_id"),
                    ("rating", "/rating"),
                    ("types", "/types"),
                ],
            )
        };
        json!({ "places": each(answer, "/results", place) })
    })
}

/// Get detailed information about a specific place
#[tool(read_only)]
fn maps_place_details(args: PlaceDetails) -> Result<ToolResult> {
    told(maps()?.get("/place/details/json").args(&args), "Place details request", |answer| {
        object(
            answer,
            &[
                ("name", "/result/name"),
                ("formatted_address", "/result/formatted_address"),
                ("location", "/result/geometry/location"),
                ("formatted_phone_number", "/result/formatted_phone_number"),
                ("website", "/result/website"),
                ("rating", "/result/rating"),
                ("reviews", "/result/reviews"),
                ("opening_hours", "/result/opening_hours"),
            ],
        )
    })
}

/// Calculate travel distance and time for multiple origins and destinations
#[tool(read_only)]
fn maps_distance_matrix(args: DistanceMatrix) -> Result<ToolResult> {
    let api = maps()?;
    let call = api
        .get("/distancematrix/json")
        .query("origins", args.origins.join("|"))
        .query("destinations", args.destinations.join("|"))
        .query("mode", args.mode.as_deref().unwrap_or("driving"));
    told(call, "Distance matrix request", |answer| {
        let row = |row: &Value| json!({ "elements": each(row, "/elements", |element| ELEMENT.of(element)) });
        let mut told = object(
            answer,
            &[("origin_addresses", "/origin_addresses"), ("destination_addresses", "/destination_addresses")],
        );
        told["results"] = each(answer, "/rows", row);
        told
    })
}

/// Get elevation data for locations on the earth
#[tool(read_only)]
fn maps_elevation(args: Elevation) -> Result<ToolResult> {
    let at = |place: &Place| format!("{},{}", place.latitude, place.longitude);
    let places: Vec<_> = args.locations.iter().map(at).collect();
    let api = maps()?;
    told(api.get("/elevation/json").query("locations", places.join("|")), "Elevation request", |answer| {
        ELEVATION.of(answer)
    })
}

/// Get directions between two points
#[tool(read_only)]
fn maps_directions(args: Directions) -> Result<ToolResult> {
    let mode = args.mode.as_deref().unwrap_or("driving");
    told(maps()?.get("/directions/json").args(&args).arg("mode", mode), "Directions request", |answer| {
        let step = |step: &Value| {
            object(
                step,
                &[
                    ("instructions", "/html_instructions"),
                    ("distance", "/distance"),
                    ("duration", "/duration"),
                    ("travel_mode", "/travel_mode"),
                ],
            )
        };
        let route = |route: &Value| {
            let mut told = object(
                route,
                &[
                    ("summary", "/summary"),
                    ("distance", "/legs/0/distance"),
                    ("duration", "/legs/0/duration"),
                ],
            );
            told["steps"] = each(route, "/legs/0/steps", step);
            told
        };
        json!({ "routes": each(answer, "/routes", route) })
    })
}

plugin! {
    tools: [
        maps_geocode, maps_reverse_geocode, maps_search_places, maps_place_details, maps_distance_matrix,
        maps_elevation, maps_directions,
    ],
    asks: {
        http: [{
            url: "https://maps.googleapis.com",
            methods: ["GET"],
            url_from_env: "GOOGLE_MAPS_BASE_URL",
            why: "asks for places, ways and heights",
        }],
        env: [{ name: "GOOGLE_MAPS_BASE_URL", why: "asks another server than https://maps.googleapis.com/maps/api" }],
        secrets: [{ name: "key", why: "says to Google who you are; the host puts it in" }],
        settings: [{ name: "timeout", why: "how many seconds one request may take; 30 if unset" }],
    },
}
