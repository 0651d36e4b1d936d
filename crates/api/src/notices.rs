//! `POST /notices/{rail}`: a payment provider tells a fact. 200 says that it is kept; 401 that it is not signed by the
//! provider; 503 that it could not be kept and has to be sent again.

use crate::problem::Problem;
use crate::routes::Shared;
use axum::body::Bytes;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use shop::rails::NotAdmitted;

pub async fn admit(
    State(api): Shared,
    Path(rail): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let header = api.service.signature_header(&rail).ok_or_else(Problem::not_found)?;
    let mut given = headers.get_all(header).iter();
    let signature = match (given.next(), given.next()) {
        (Some(signature), None) => signature.to_str().unwrap_or_default(),
        _ => "",
    };
    match api.service.admit_notice(&rail, signature, &body).await? {
        Ok(_) => Ok(StatusCode::OK),
        Err(no) => Err(refused(&rail, no)),
    }
}

fn refused(rail: &str, no: NotAdmitted) -> Problem {
    let (status, code) = match no {
        NotAdmitted::UnknownRail => (StatusCode::NOT_FOUND, "not_found"),
        NotAdmitted::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
        NotAdmitted::Unsigned => (StatusCode::UNAUTHORIZED, "unauthorized"),
        NotAdmitted::Unreadable => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    // Anybody can send one: they do not fill the log of those who listen for what is wrong here.
    tracing::info!(rail, code, "a notice is not let in");
    Problem::new(status, code, no.to_string())
}
