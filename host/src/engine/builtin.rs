//! The strategies that the binary carries, as the build made them.

/// The component of a built-in strategy.
pub fn component(name: &str) -> Option<&'static [u8]> {
    match name {
        "dynamic" => Some(include_bytes!(env!("COMPONENT_DYNAMIC"))),
        "static" => Some(include_bytes!(env!("COMPONENT_STATIC"))),
        "passive" => Some(include_bytes!(env!("COMPONENT_PASSIVE"))),
        "hive" => Some(include_bytes!(env!("COMPONENT_HIVE"))),
        "rebalance-ev" => Some(include_bytes!(env!("COMPONENT_REBALANCE_EV"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StrategyName;

    #[test]
    fn every_built_in_name_has_a_component() {
        for name in StrategyName::BUILT_IN.into_iter().chain(StrategyName::EVALUATORS) {
            assert!(component(name).is_some_and(wasmparser::Parser::is_component), "{name}");
        }
        assert!(component("other").is_none());
    }
}
