//! What an operator decided before the move: findings that do not block, by class and exact count; whether the copy may
//! be felt by shoppers.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use vocab::id::ShopId;

/// A policy file, read.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    accept: Vec<Accept>,
    /// The role under which the legacy program works; none: every session but ours is watched by drain.
    pub role: Option<String>,
    /// The copy goes as fast as it can, whatever shoppers wait.
    pub unthrottled: bool,
}

#[derive(Debug, Clone)]
struct Accept {
    shop: ShopId,
    class: String,
    count: u64,
}

impl Policy {
    /// Reads a policy: `[[accept]] shop, class, count`, `role`, and `throttle = false`.
    ///
    /// # Errors
    /// What is wrong, and in which entry.
    pub fn parse(text: &str) -> Result<Self> {
        let table: toml::Table =
            text.parse().map_err(|error| Error::Plan(format!("the policy is not TOML: {error}")))?;
        let role = table.get("role").and_then(toml::Value::as_str).map(str::to_owned);
        let throttle = table.get("throttle").map(|value| {
            value.as_bool().ok_or_else(|| Error::Plan("the policy's throttle is neither true nor false".into()))
        });
        let unthrottled = !throttle.transpose()?.unwrap_or(true);
        let entries = table.get("accept").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let accept = entries.iter().enumerate().map(|(index, entry)| accept(index, entry)).collect::<Result<_>>()?;
        Ok(Self { accept, role, unthrottled })
    }

    /// The classes of a shop's findings that do not block, each with the exact number that was looked at.
    pub(crate) fn accepted(&self, shop: &ShopId) -> BTreeMap<&str, u64> {
        let of_shop = self.accept.iter().filter(|accept| accept.shop == *shop);
        of_shop.map(|accept| (accept.class.as_str(), accept.count)).collect()
    }
}

fn accept(index: usize, entry: &toml::Value) -> Result<Accept> {
    let missing = |what: &str| Error::Plan(format!("the policy's accept no. {} has no {what}", index + 1));
    let shop = entry.get("shop").and_then(toml::Value::as_str).ok_or_else(|| missing("shop (text)"))?;
    let class = entry.get("class").and_then(toml::Value::as_str).ok_or_else(|| missing("class (text)"))?;
    let count = entry.get("count").and_then(toml::Value::as_integer).ok_or_else(|| missing("count (integer)"))?;
    Ok(Accept {
        shop: ShopId::parse(shop).map_err(|error| Error::Plan(error.to_string()))?,
        class: class.to_owned(),
        count: u64::try_from(count).map_err(|_| missing("count (0 or more)"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_accepts_by_class_and_count_and_says_what_it_lacks() {
        let policy =
            Policy::parse("role = 'kios'\n[[accept]]\nshop = '7'\nclass = 'mapping.money'\ncount = 3").unwrap();
        let shop = ShopId::parse("7").unwrap();
        assert_eq!(policy.accepted(&shop).get("mapping.money"), Some(&3));
        assert_eq!(policy.role.as_deref(), Some("kios"));
        let error = Policy::parse("[[accept]]\nshop = '7'\ncount = 3").unwrap_err().to_string();
        assert!(error.contains("no. 1 has no class"), "{error}");
    }

    #[test]
    fn the_copy_is_throttled_unless_a_policy_says_no() {
        let unthrottled =
            |text| Policy::parse(text).map(|policy| policy.unthrottled).map_err(|error| error.to_string());
        assert_eq!(unthrottled(""), Ok(false));
        assert_eq!(unthrottled("throttle = true"), Ok(false));
        assert_eq!(unthrottled("throttle = false"), Ok(true));
        assert!(unthrottled("throttle = 'off'").unwrap_err().contains("neither true nor false"));
    }
}
