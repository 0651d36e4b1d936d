//! Reading the page where a buyer pays, as a person does: what to pay with, which order it will be, whether it is paid.

/// What the page shows to pay with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// To transfer to.
    Number(String),
    /// Of a wallet.
    Address(String),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub code: Option<Code>,
    pub order: Option<String>,
    pub is_paid: bool,
    /// What was just asked for was not done.
    pub is_refused: bool,
}

pub fn read(page: &str) -> Shown {
    let number = between(page, "<p class=\"number\">", "<").map(|text| Code::Number(text.replace(' ', "")));
    let address = || between(page, "<a class=\"button\" href=\"", "\"").map(|text| Code::Address(text.to_owned()));
    Shown {
        code: number.or_else(address),
        order: between(page, "<strong class=\"order\">", "<").map(str::to_owned),
        is_paid: page.contains("<section class=\"paid\""),
        is_refused: page.contains("<p class=\"refused\""),
    }
}

/// Of an answer of the provider that is a no. What else such an answer says may be somebody's, and is not told.
pub fn error_word(answer: &str) -> String {
    let word = serde_json::from_str::<serde_json::Value>(answer).ok();
    let word = word.and_then(|it| it.get("error")?.as_str().map(str::to_owned));
    word.unwrap_or_else(|| "without a word".to_owned())
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::{Code, Shown, error_word, read};

    #[test]
    fn a_number_an_address_and_the_order_to_come_are_read_off_the_page() {
        let number = "<h2>Virtual account</h2><p class=\"number\">8808 0000 0000 0001</p>\
                      <p>Order <strong class=\"order\">TRX-0000007</strong></p>";
        let code = Some(Code::Number("8808000000000001".into()));
        assert_eq!(read(number), Shown { code, order: Some("TRX-0000007".into()), ..Shown::default() });
        let wallet = "<p><a class=\"button\" href=\"http://127.0.0.1:7406/pay/chg_3\" rel=\"noreferrer\">Open</a></p>";
        let code = Some(Code::Address("http://127.0.0.1:7406/pay/chg_3".into()));
        assert_eq!(read(wallet), Shown { code, ..Shown::default() });
    }

    #[test]
    fn of_a_no_only_its_word_is_told() {
        assert_eq!(error_word(r#"{"error": "not_payable", "message": "the charge is paid"}"#), "not_payable");
        assert_eq!(error_word("<p>8808 0000 0000 0001</p>"), "without a word");
    }

    #[test]
    fn a_page_that_is_paid_or_says_no_shows_nothing_to_pay_with() {
        assert!(read("<section class=\"paid\" role=\"status\"><h2>Paid.</h2>").is_paid);
        let refused = read("<p class=\"refused\" role=\"alert\">There are not enough</p>");
        assert_eq!(refused, Shown { is_refused: true, ..Shown::default() });
        assert_eq!(read(""), Shown::default());
    }
}
