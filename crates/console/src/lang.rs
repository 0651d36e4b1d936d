//! In which language a page speaks: as its address asks, else as its cookie says, else as the browser prefers.

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Id,
}

/// The cookie that keeps the choice.
const COOKIE_NAME: &str = "lang";

impl Lang {
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Id => "id",
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Id,
            Self::Id => Self::En,
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [Self::En, Self::Id].into_iter().find(|lang| lang.code() == code)
    }

    /// What a request without an address of its own choice gets.
    pub fn of_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kept = text(COOKIE).split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE_NAME).then(|| Self::from_code(value)).flatten()
        });
        kept.unwrap_or_else(|| preferred(text(ACCEPT_LANGUAGE)))
    }

    /// `Set-Cookie` for this language: a year, and to nobody but us.
    pub fn cookie(self) -> String {
        format!("{COOKIE_NAME}={}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly", self.code())
    }
}

/// The first of the browser's languages that we speak; browsers send them best first.
fn preferred(accepted: &str) -> Lang {
    let language = |range: &str| {
        let tag = range.split(';').next()?.trim();
        // `in` is what old systems call Indonesian.
        match tag.split('-').next()? {
            "id" | "in" => Some(Lang::Id),
            "en" => Some(Lang::En),
            _ => None,
        }
    };
    accepted.split(',').find_map(language).unwrap_or(Lang::En)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cookie: &str, accepted: &str, lang: Lang) {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        headers.insert(ACCEPT_LANGUAGE, accepted.parse().unwrap());
        assert_eq!(Lang::of_headers(&headers), lang, "{cookie} {accepted}");
    }

    #[test]
    fn the_cookie_comes_before_what_the_browser_prefers() {
        check("", "", Lang::En);
        check("", "id-ID,id;q=0.9,en;q=0.8", Lang::Id);
        check("", "fr,in;q=0.5", Lang::Id);
        check("lang=en", "id", Lang::En);
        check("a=b; lang=id", "en", Lang::Id);
        check("lang=fr", "en-GB", Lang::En);
    }
}
