//! Who buys and where to: as a checkout's request says it, as its row keeps it, as its answer shows it.

use crate::database;
use crate::value::{Row, Value};
use crate::wire::Stop;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// The one shipping option.
pub const FLAT: &str = "flat";

/// A row's cells, in the order of `COLUMNS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub street: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub flat: bool,
}

#[derive(Debug, Deserialize)]
pub struct Buyer {
    full_name: Option<String>,
    phone_number: Option<String>,
    email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Fulfillment {
    #[serde(default)]
    methods: Vec<Method>,
}

#[derive(Debug, Deserialize)]
struct Method {
    #[serde(default)]
    destinations: Vec<Destination>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Destination {
    street_address: Option<String>,
    address_locality: Option<String>,
    address_region: Option<String>,
    postal_code: Option<String>,
    address_country: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Group {
    selected_option_id: Option<String>,
}

impl Details {
    /// What a request says; what it does not say is not there.
    ///
    /// # Errors
    /// `invalid_request` where something does not fit its column, or another option is selected.
    pub fn asked(buyer: Option<&Buyer>, fulfillment: Option<&Fulfillment>) -> Result<Self, Stop> {
        let method = fulfillment.and_then(|it| it.methods.first());
        let to = method.and_then(|it| it.destinations.first());
        let option = method.and_then(|it| it.groups.first()).and_then(|it| it.selected_option_id.as_deref());
        if option.is_some_and(|option| option != FLAT) {
            return Err(Stop::invalid("$.fulfillment.methods[0].groups[0].selected_option_id is no option of ours"));
        }
        Ok(Self {
            name: fit("full_name", 120, buyer.and_then(|it| it.full_name.as_deref()))?,
            phone: fit("phone_number", 32, buyer.and_then(|it| it.phone_number.as_deref()))?,
            email: fit("email", 120, buyer.and_then(|it| it.email.as_deref()))?,
            street: fit("street_address", 200, to.and_then(|it| it.street_address.as_deref()))?,
            city: fit("address_locality", 80, to.and_then(|it| it.address_locality.as_deref()))?,
            region: fit("address_region", 80, to.and_then(|it| it.address_region.as_deref()))?,
            postal_code: fit("postal_code", 16, to.and_then(|it| it.postal_code.as_deref()))?,
            country: fit("address_country", 2, to.and_then(|it| it.address_country.as_deref()))?,
            flat: option.is_some(),
        })
    }

    /// From nine cells, the first at `at`.
    pub fn read(row: &Row, at: usize) -> Result<Self, database::Error> {
        Ok(Self {
            name: row.optional_text(at)?,
            phone: row.optional_text(at + 1)?,
            email: row.optional_text(at + 2)?,
            street: row.optional_text(at + 3)?,
            city: row.optional_text(at + 4)?,
            region: row.optional_text(at + 5)?,
            postal_code: row.optional_text(at + 6)?,
            country: row.optional_text(at + 7)?,
            flat: row.optional_text(at + 8)?.is_some(),
        })
    }

    /// The nine cells.
    pub fn cells(&self) -> [Value; 9] {
        let flat = self.flat.then_some(FLAT);
        [
            Value::from(self.name.as_ref()),
            Value::from(self.phone.as_ref()),
            Value::from(self.email.as_ref()),
            Value::from(self.street.as_ref()),
            Value::from(self.city.as_ref()),
            Value::from(self.region.as_ref()),
            Value::from(self.postal_code.as_ref()),
            Value::from(self.country.as_ref()),
            Value::from(flat),
        ]
    }

    fn has_address(&self) -> bool {
        [&self.street, &self.city, &self.region, &self.postal_code, &self.country].into_iter().any(Option::is_some)
    }

    /// The place of the first thing that is missing before it can be paid.
    pub fn missing(&self) -> Option<&'static str> {
        let blank = |value: &Option<String>| value.as_deref().is_none_or(|text| text.trim().is_empty());
        if blank(&self.name) {
            return Some("$.buyer.full_name");
        }
        if blank(&self.phone) {
            return Some("$.buyer.phone_number");
        }
        if [&self.street, &self.city, &self.postal_code, &self.country].into_iter().any(blank) {
            return Some("$.fulfillment.methods[0].destinations[0]");
        }
        (!self.flat).then_some("$.fulfillment.methods[0].groups[0].selected_option_id")
    }

    /// The buyer as shown; none where nothing is known.
    pub fn buyer(&self) -> Option<Json> {
        let buyer = record(&[("full_name", &self.name), ("phone_number", &self.phone), ("email", &self.email)]);
        (buyer != json!({})).then_some(buyer)
    }

    /// Address and option as shown, for these lines; none before either is there. `fee` is what the option costs.
    pub fn fulfillment(&self, lines: &[Json], fee: i64) -> Option<Json> {
        if !self.has_address() && !self.flat {
            return None;
        }
        let mut method = json!({"id": "shipping", "type": "shipping", "line_item_ids": lines});
        if self.has_address() {
            let mut to = record(&[
                ("street_address", &self.street),
                ("address_locality", &self.city),
                ("address_region", &self.region),
                ("postal_code", &self.postal_code),
                ("address_country", &self.country),
            ]);
            to["id"] = json!("address");
            to["type"] = json!("shipping_address");
            method["destinations"] = json!([to]);
            method["selected_destination_id"] = json!("address");
        }
        let totals = crate::wire::totals(&[("total", fee)]);
        let mut group = json!({"id": "package", "line_item_ids": lines,
            "options": [{"id": FLAT, "title": "Flat rate", "totals": totals}]});
        if self.flat {
            group["selected_option_id"] = json!(FLAT);
        }
        method["groups"] = json!([group]);
        Some(json!({"methods": [method]}))
    }
}

/// Text without blanks around it; an empty one is not there.
fn fit(name: &str, letters_max: usize, value: Option<&str>) -> Result<Option<String>, Stop> {
    let Some(text) = value.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > letters_max {
        return Err(Stop::invalid(format!("{name} is longer than {letters_max} letters")));
    }
    // PostgreSQL keeps no text with a zero in it.
    if text.contains('\0') {
        return Err(Stop::invalid(format!("{name} is no text")));
    }
    Ok(Some(text.to_owned()))
}

/// An object of the values that are there.
fn record(values: &[(&str, &Option<String>)]) -> Json {
    let there =
        values.iter().filter_map(|(name, value)| value.as_ref().map(|value| ((*name).to_owned(), json!(value))));
    Json::Object(there.collect())
}
