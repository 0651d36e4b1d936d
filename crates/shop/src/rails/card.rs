//! What a provider made of a card: the number itself is typed on the provider's own page, and never comes here.

/// Longer than any provider's.
const BYTES_MAX: usize = 128;

/// Stands for a card that a buyer has typed in at the provider. It is used once and kept nowhere: this type does not print
/// itself.
#[derive(Clone, PartialEq, Eq)]
pub struct CardToken(String);

impl CardToken {
    /// None for what is no token: 1 to 128 of `A-Z a-z 0-9 _ -`, with a letter in it. What is digits alone could be the number
    /// of a card, which is not to be sent here.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        let right = has_letter && text.len() <= BYTES_MAX && text.bytes().all(fits);
        right.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_card_is_no_token() {
        let longest = "t".repeat(BYTES_MAX);
        for right in ["tok_1", "TOK-a_9", &longest] {
            assert!(CardToken::parse(right).is_some_and(|token| token.as_str() == right), "{right}");
        }
        let long = "t".repeat(BYTES_MAX + 1);
        for wrong in ["", "4111111111111111", "4111-1111-1111-1111", "4111 1111", "tok 1", "tok_é", "tok_\0", &long] {
            assert!(CardToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
