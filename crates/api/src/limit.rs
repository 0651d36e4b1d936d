//! How much one shop may be asked per second: whoever comes too fast is told when to come again, and no other shop waits for it.
//!
//! A shop is two numbers, one for those who bear a key and one for everybody else, so that a crowd without keys keeps no host app from
//! its orders: each is the time until which what was asked so far is spread at the shop's rate.

use crate::call::bearer;
use crate::keys::Keys;
use crate::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use vocab::id::ShopId;

/// Shops that are remembered at one time. Names come from outside; where there are more, the rest share one number.
const SHOPS_MAX: usize = 50_000;
const THE_REST: &str = "";
const SECOND: u64 = 1_000_000_000;

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
    keys: Keys,
    begun: Instant,
    shops: Mutex<Shops>,
}

#[derive(Default)]
struct Shops {
    /// In ns since the beginning.
    until: HashMap<(String, bool), u64>,
    swept_at: u64,
}

impl Limiter {
    pub fn new(rate: Rate, keys: Keys) -> Self {
        Self { rate, keys, begun: Instant::now(), shops: Mutex::default() }
    }

    /// Counts a request that came `now` ns after the beginning; otherwise, after how many seconds one would be let in.
    fn admit(&self, shop: &str, bears_a_key: bool, now: u64) -> Result<(), u64> {
        let each = SECOND / u64::from(self.rate.per_second.max(1));
        let room = each.saturating_mul(u64::from(self.rate.burst.max(1)));
        let mut shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        let until = shops.of(shop, bears_a_key, now);
        let asked = (*until).max(now).saturating_add(each);
        let over = asked.saturating_sub(now.saturating_add(room));
        if over > 0 {
            return Err(over.div_ceil(SECOND));
        }
        *until = asked;
        Ok(())
    }
}

impl Shops {
    fn of(&mut self, shop: &str, bears_a_key: bool, now: u64) -> &mut u64 {
        let key = (shop.to_owned(), bears_a_key);
        if !self.until.contains_key(&key) && self.until.len() >= SHOPS_MAX {
            // Looking through all of them is for once a second, however many names are made up.
            if now >= self.swept_at.saturating_add(SECOND) {
                self.swept_at = now;
                self.until.retain(|_, until| *until > now);
            }
            if self.until.len() >= SHOPS_MAX {
                return self.until.entry((THE_REST.to_owned(), bears_a_key)).or_default();
            }
        }
        self.until.entry(key).or_default()
    }
}

/// In front of every path of a shop.
pub async fn keep(
    State(limiter): State<Arc<Limiter>>,
    Path(of): Path<HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let now = u64::try_from(limiter.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    // What is no shop's name is refused further in, and costs nothing to remember.
    let shop = of.get("shop").and_then(|shop| ShopId::parse(shop).ok());
    let shop = shop.as_ref().map_or(THE_REST, ShopId::as_str);
    let bears_a_key = limiter.keys.know(bearer(request.headers()));
    let Err(seconds) = limiter.admit(shop, bears_a_key, now) else { return next.run(request).await };
    let content = format!("this shop is asked more than {} times a second", limiter.rate.per_second);
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", content).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(Rate { per_second, burst }, Keys::of("h", "s", "p"))
    }

    #[test]
    fn a_burst_goes_through_and_then_the_rate() {
        let limiter = limiter(10, 3);
        for _ in 0..3 {
            assert_eq!(limiter.admit("a", false, 0), Ok(()));
        }
        assert_eq!(limiter.admit("a", false, 0), Err(1));
        assert_eq!(limiter.admit("b", false, 0), Ok(()), "another shop has a number of its own");
        assert_eq!(limiter.admit("a", true, 0), Ok(()), "and so has who bears a key");
        assert_eq!(limiter.admit("a", false, SECOND / 10 - 1), Err(1));
        assert_eq!(limiter.admit("a", false, SECOND / 10), Ok(()));
        // In ten seconds ten a second and the burst that has become free meanwhile.
        let admitted =
            (0..10_000_u64).filter(|ms| limiter.admit("a", false, 10 * SECOND + ms * (SECOND / 1_000)).is_ok()).count();
        assert_eq!(admitted, 3 + 99);
    }

    #[test]
    fn who_is_refused_pays_nothing_for_it() {
        let limiter = limiter(1, 1);
        assert_eq!(limiter.admit("a", false, 0), Ok(()));
        for _ in 0..1_000 {
            assert_eq!(limiter.admit("a", false, 10), Err(1));
        }
        assert_eq!(limiter.admit("a", false, SECOND), Ok(()));
    }

    #[test]
    fn names_that_are_made_up_take_no_more_room() {
        let limiter = limiter(1, 1);
        for name in 0..SHOPS_MAX + 500 {
            let _ = limiter.admit(&format!("x{name}"), false, 0);
        }
        assert!(limiter.shops.lock().unwrap().until.len() <= SHOPS_MAX + 1);
        // Once those are over, a shop that nobody knew has a number of its own again.
        assert_eq!(limiter.admit("a", false, 2 * SECOND), Ok(()));
        assert_eq!(limiter.admit("b", false, 2 * SECOND), Ok(()));
        assert_eq!(limiter.admit("b", false, 2 * SECOND), Err(1));
    }
}
