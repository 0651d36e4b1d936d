//! How much one shop may be asked per second: whoever comes too fast is told when to come again, and no other shop waits for it.
//!
//! A shop is one number, the time until which what was asked of it so far is spread at its rate. Absent on purpose: a clock.

use crate::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::StatusCode;
use http::header::RETRY_AFTER;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Shops that are remembered at one time. Names come from outside; where there are more, the rest share one number.
const SHOPS_MAX: usize = 50_000;
const THE_REST: &str = "";

/// Requests of one shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// As many for ever; at least one.
    pub per_second: u32,
    /// And as many at once, where none came before; at least one.
    pub burst: u32,
}

pub struct Limiter {
    rate: Rate,
    begun: Instant,
    shops: Mutex<Shops>,
}

#[derive(Default)]
struct Shops {
    /// In µs since the beginning.
    until: HashMap<String, u64>,
    swept_at: u64,
}

impl Limiter {
    pub fn new(rate: Rate) -> Self {
        Self { rate, begun: Instant::now(), shops: Mutex::default() }
    }

    /// Counts a request that came `now` µs after the beginning; otherwise, after how many seconds one would be let in.
    fn admit(&self, shop: &str, now: u64) -> Result<(), u64> {
        let each = 1_000_000 / u64::from(self.rate.per_second.max(1)).max(1);
        let room = each.saturating_mul(u64::from(self.rate.burst.max(1)));
        let mut shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        let until = shops.of(shop, now);
        let asked = (*until).max(now).saturating_add(each);
        let over = asked.saturating_sub(now.saturating_add(room));
        if over > 0 {
            return Err(over.div_ceil(1_000_000));
        }
        *until = asked;
        Ok(())
    }
}

impl Shops {
    fn of(&mut self, shop: &str, now: u64) -> &mut u64 {
        if !self.until.contains_key(shop) && self.until.len() >= SHOPS_MAX {
            // Looking through all of them is for once a second, however many names are made up.
            if now >= self.swept_at.saturating_add(1_000_000) {
                self.swept_at = now;
                self.until.retain(|_, until| *until > now);
            }
            if self.until.len() >= SHOPS_MAX {
                return self.until.entry(THE_REST.to_owned()).or_default();
            }
        }
        self.until.entry(shop.to_owned()).or_default()
    }
}

/// In front of every path of a shop.
pub async fn keep(
    State(limiter): State<Arc<Limiter>>,
    Path(of): Path<HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let now = u64::try_from(limiter.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let shop = of.get("shop").map_or(THE_REST, String::as_str);
    let Err(seconds) = limiter.admit(shop, now) else { return next.run(request).await };
    let content = format!("this shop is asked more than {} times a second", limiter.rate.per_second);
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", content).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(Rate { per_second, burst })
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let limiter = limiter(10, 3);
        for _ in 0..3 {
            assert_eq!(limiter.admit("a", 0), Ok(()));
        }
        assert_eq!(limiter.admit("a", 0), Err(1));
        assert_eq!(limiter.admit("b", 0), Ok(()), "another shop has a number of its own");
        assert_eq!(limiter.admit("a", 99_999), Err(1));
        assert_eq!(limiter.admit("a", 100_000), Ok(()));
        // In ten seconds ten a second and the burst that has become free meanwhile.
        let admitted = (0..10_000_u64).filter(|ms| limiter.admit("a", 10_000_000 + ms * 1_000).is_ok()).count();
        assert_eq!(admitted, 3 + 99);
    }

    #[test]
    fn who_is_refused_pays_nothing_for_it() {
        let limiter = limiter(1, 1);
        assert_eq!(limiter.admit("a", 0), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(limiter.admit("a", 10), Err(1));
        }
        assert_eq!(limiter.admit("a", 1_000_000), Ok(()));
    }

    #[test]
    fn names_that_are_made_up_take_no_more_room() {
        let limiter = limiter(1, 1);
        for name in 0..SHOPS_MAX + 500 {
            let _ = limiter.admit(&format!("x{name}"), 0);
        }
        assert!(limiter.shops.lock().unwrap().until.len() <= SHOPS_MAX + 1);
        // Once those are over, a shop that nobody knew has a number of its own again.
        assert_eq!(limiter.admit("a", 2_000_000), Ok(()));
        assert_eq!(limiter.admit("b", 2_000_000), Ok(()));
        assert_eq!(limiter.admit("b", 2_000_000), Err(1));
    }
}
