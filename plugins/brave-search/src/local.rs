//! A search for places: which there are, then what is known of each.
//! Must not search the web when there are none: the caller does.

use std::collections::HashMap;

use kennel_sdk::api::Api;
use kennel_sdk::prelude::*;
use serde_json::Number;

use crate::failure;

#[derive(Deserialize)]
struct Located {
    locations: Option<Locations>,
}

#[derive(Deserialize)]
struct Locations {
    #[serde(default)]
    results: Vec<Location>,
}

#[derive(Deserialize)]
struct Location {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    results: Vec<Place>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Place {
    id: String,
    name: String,
    address: Option<Address>,
    phone: Option<String>,
    rating: Option<Rating>,
    price_range: Option<String>,
    opening_hours: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Address {
    street_address: Option<String>,
    address_locality: Option<String>,
    address_region: Option<String>,
    postal_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rating {
    rating_value: Option<Number>,
    rating_count: Option<Number>,
}

#[derive(Deserialize)]
struct Descriptions {
    #[serde(default)]
    descriptions: HashMap<String, String>,
}

/// What is known of the places that a query finds; none when it finds no place.
pub(crate) fn search(api: &Api, query: &str, count: u64) -> Result<Option<String>> {
    let call = api.get("/web/search").query("q", query).query("search_lang", "en");
    let call = call.query("result_filter", "locations").query("count", count);
    let located: Located = call.read().map_err(|error| failure(&error))?;
    let found = located.locations.map(|locations| locations.results).unwrap_or_default();
    let ids: Vec<String> =
        found.into_iter().filter_map(|location| location.id).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let of = |path| ids.iter().fold(api.get(path), |call, id| call.query("ids", id));
    let places: Places = of("/local/pois").read().map_err(|error| failure(&error))?;
    let descriptions: Descriptions = of("/local/descriptions").read().map_err(|error| failure(&error))?;
    let told = places.results.iter().map(|place| describe(place, &descriptions.descriptions));
    let told = told.collect::<Vec<_>>().join("\n---\n");
    Ok(Some(if told.is_empty() { "No local results found".into() } else { told }))
}

/// The text, or what stands for a missing or empty one.
fn or<'t>(text: Option<&'t String>, missing: &'t str) -> &'t str {
    text.map(String::as_str).filter(|text| !text.is_empty()).unwrap_or(missing)
}

fn describe(place: &Place, descriptions: &HashMap<String, String>) -> String {
    let address = place.address.as_ref().map(|address| {
        let Address { street_address, address_locality, address_region, postal_code } = address;
        let parts = [street_address, address_locality, address_region, postal_code].into_iter().flatten();
        parts.filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
    });
    let number =
        |number: Option<&Number>, missing: &str| number.map_or_else(|| missing.into(), Number::to_string);
    let rating = place.rating.as_ref();
    let hours = place.opening_hours.as_ref().map(|hours| hours.join(", "));
    format!(
        "Name: {}\nAddress: {}\nPhone: {}\nRating: {} ({} reviews)\nPrice Range: {}\nHours: {}\nDescription: {}\n",
        place.name,
        or(address.as_ref(), "N/A"),
        or(place.phone.as_ref(), "N/A"),
        number(rating.and_then(|rating| rating.rating_value.as_ref()), "N/A"),
        number(rating.and_then(|rating| rating.rating_count.as_ref()), "0"),
        or(place.price_range.as_ref(), "N/A"),
        or(hours.as_ref(), "N/A"),
        or(descriptions.get(&place.id), "No description available"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn what_is_not_known_is_said() {
        let place: Place = serde_json::from_value(json!({ "id": "1", "name": "Caffè" })).unwrap();
        assert_eq!(
            describe(&place, &HashMap::new()),
            "Name: Caffè\nAddress: N/A\nPhone: N/A\nRating: N/A (0 reviews)\nPrice Range: N/A\nHours: N/A\n\
             Description: No description available\n"
        );
    }
}
