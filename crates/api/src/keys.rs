//! The keys of callers, kept as digests: who reads the settings finds no key there. The secrets that links are made with are kept as they
//! are, since links have to be made with them.
//!
//! One round of SHA-256 and no slow hash, because a key is 32 random bytes and nobody tries those out.

use ring::digest::{SHA256, digest};
use std::fmt;

const PREFIX: &str = "sha256:";

/// What is known of a caller's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

/// A text that is no digest of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not `{PREFIX}` and 64 characters of 0-9 a-f")]
pub struct NoDigest;

impl KeyDigest {
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }

    /// As it is printed: `sha256:` and lower-case hex.
    ///
    /// # Errors
    /// It is something else, perhaps the key itself: so the text is not in the error.
    pub fn parse(text: &str) -> Result<Self, NoDigest> {
        let hex = text.strip_prefix(PREFIX).filter(|hex| hex.len() == 64 && hex.is_ascii()).ok_or(NoDigest)?;
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let pair = &hex[at..at + 2];
            let lower = pair.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| lower).ok_or(NoDigest)?;
        }
        Ok(Self(bytes))
    }

    /// Digests are compared whole, so that the time it takes tells nothing about where two keys differ, nor how long they are.
    fn is_of(self, given: &str) -> bool {
        let differing = Self::of(given).0.iter().zip(self.0).fold(0, |differing, (a, b)| differing | (a ^ b));
        differing == 0 && !given.is_empty()
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who may call, and what the links of buyers are made with. The last two are secrets: this type does not print itself.
#[derive(Clone)]
pub struct Keys {
    /// Of the host app, for orders. More than one while a key is being replaced.
    pub host: Vec<KeyDigest>,
    /// Of sellers, for prices and stock.
    pub seller: Vec<KeyDigest>,
    /// Of nobody: links to invoices are made with it. A legacy whose shops move here, and which makes such links too, has the same.
    pub invoices: String,
    /// Of nobody: links to pages where buyers pay are made with it.
    pub pages: String,
}

impl Keys {
    /// Whether a caller with this key is known.
    pub fn know(&self, given: &str) -> bool {
        admit(&self.host, given) | admit(&self.seller, given)
    }

    /// One of each, and links to invoices made with the host's own, which may see every order anyway.
    pub fn of(host: &str, seller: &str, pages: &str) -> Self {
        let one = |key| vec![KeyDigest::of(key)];
        Self { host: one(host), seller: one(seller), invoices: host.to_owned(), pages: pages.to_owned() }
    }
}

/// Whether one of these is the digest of this key.
pub fn admit(digests: &[KeyDigest], given: &str) -> bool {
    // All of them are looked at, for the reason that each is compared whole.
    digests.iter().fold(false, |known, digest| known | digest.is_of(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_only_whole() {
        let known = [KeyDigest::of("old"), KeyDigest::of("secret")];
        assert!(admit(&known, "secret") && admit(&known, "old"));
        for wrong in ["secre", "secretx", "", "Secret"] {
            assert!(!admit(&known, wrong), "{wrong}");
        }
        assert!(!admit(&[KeyDigest::of("")], ""), "no key is no key");
        assert!(!admit(&[], "secret"));
    }

    #[test]
    fn a_digest_is_read_as_it_is_printed_and_nothing_else_is() {
        let printed = KeyDigest::of("").to_string();
        assert_eq!(printed, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(KeyDigest::parse(&printed), Ok(KeyDigest::of("")));
        let (_, hex) = printed.split_at(7);
        for wrong in ["", "secret", hex, &printed.to_uppercase(), &printed[..70], &format!("{printed}0")] {
            assert_eq!(KeyDigest::parse(wrong), Err(NoDigest), "{wrong}");
        }
        assert_eq!(KeyDigest::parse(&format!("sha256:{}+a", &hex[..62])), Err(NoDigest));
        assert_eq!(KeyDigest::parse(&format!("sha256:{}é", &hex[..62])), Err(NoDigest));
    }
}
