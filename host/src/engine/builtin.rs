//! The strategies that the binary carries, as the build made them.

use crate::model::Digest;

/// A component, and its SHA-256.
macro_rules! carried {
    ($name:literal) => {
        (include_bytes!(env!(concat!("COMPONENT_", $name))).as_slice(), env!(concat!("DIGEST_", $name)))
    };
}

fn find(name: &str) -> Option<(&'static [u8], &'static str)> {
    Some(match name {
        "dynamic" => carried!("DYNAMIC"),
        "static" => carried!("STATIC"),
        "passive" => carried!("PASSIVE"),
        "hive" => carried!("HIVE"),
        "rebalance-ev" => carried!("REBALANCE_EV"),
        _ => return None,
    })
}

/// The component of a built-in strategy.
pub fn component(name: &str) -> Option<&'static [u8]> {
    find(name).map(|(component, _)| component)
}

/// The SHA-256 of a built-in strategy's component, which the build knows already.
pub fn digest(name: &str) -> Option<Digest> {
    find(name).map(|(_, digest)| digest.parse().expect("the build writes 64 hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StrategyName;

    #[test]
    fn every_built_in_name_has_a_component() {
        for name in StrategyName::BUILT_IN.into_iter().chain(StrategyName::EVALUATORS) {
            assert!(component(name).is_some_and(wasmparser::Parser::is_component), "{name}");
            assert_eq!(digest(name), component(name).map(Digest::of), "{name}");
        }
        assert!(component("other").is_none());
    }
}
