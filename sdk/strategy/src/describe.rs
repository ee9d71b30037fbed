//! Builders for what a component says of itself.

use crate::{Description, ParamSpec, ParamValue};

impl Description {
    /// Begins a description: `name` in lower-case letters, digits and `-`,
    /// `version` a semantic version. State version 1, nothing else.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            state_version: 1,
            params: Vec::new(),
            signals: Vec::new(),
            reasons: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// Sets the format number of the states. States of another number are not
    /// handed to the component.
    #[must_use]
    pub fn with_state_version(mut self, version: u32) -> Self {
        self.state_version = version;
        self
    }

    /// Adds a parameter that the operator may set.
    #[must_use]
    pub fn param(mut self, spec: ParamSpec) -> Self {
        self.params.push(spec);
        self
    }

    /// Asks for a signal by name.
    #[must_use]
    pub fn signal(mut self, name: &str) -> Self {
        self.signals.push(name.to_owned());
        self
    }

    /// Sets the words for the reasons that proposals name by position.
    #[must_use]
    pub fn reasons<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.reasons = words.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the words for the factors that proposals name by position.
    #[must_use]
    pub fn factors<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.factors = words.into_iter().map(str::to_owned).collect();
        self
    }
}

impl ParamSpec {
    /// A whole number between `minimum` and `maximum`. `doc` is one sentence
    /// that names the unit.
    pub fn integer(name: &str, doc: &str, default: i64, minimum: i64, maximum: i64) -> Self {
        let bounds = Some((minimum as f64, maximum as f64));
        Self::bounded(name, doc, ParamValue::Integer(default), bounds)
    }

    /// A number between `minimum` and `maximum`.
    pub fn number(name: &str, doc: &str, default: f64, minimum: f64, maximum: f64) -> Self {
        let bounds = Some((minimum, maximum));
        Self::bounded(name, doc, ParamValue::Number(default), bounds)
    }

    /// True or false.
    pub fn flag(name: &str, doc: &str, default: bool) -> Self {
        Self::bounded(name, doc, ParamValue::Flag(default), None)
    }

    /// A text.
    pub fn text(name: &str, doc: &str, default: &str) -> Self {
        Self::bounded(name, doc, ParamValue::Text(default.to_owned()), None)
    }

    fn bounded(name: &str, doc: &str, default: ParamValue, bounds: Option<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            doc: doc.to_owned(),
            default,
            minimum: bounds.map(|(low, _)| low),
            maximum: bounds.map(|(_, high)| high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_what_it_is_told_in_order() {
        let told = Description::new("mine", "1.2.3")
            .with_state_version(7)
            .param(ParamSpec::integer("a", "Ppm.", 5, -1, 9))
            .param(ParamSpec::flag("b", "Yes or no.", true))
            .signal("peer.uptime-day")
            .reasons(["up", "down"])
            .factors(["base-ppm"]);
        assert_eq!(told.state_version, 7);
        assert_eq!(told.params[0].minimum, Some(-1.0));
        assert_eq!(told.params[0].maximum, Some(9.0));
        assert_eq!(told.params[1].default, ParamValue::Flag(true));
        assert_eq!(told.params[1].minimum, None);
        assert_eq!(told.reasons, ["up", "down"]);
        assert_eq!(told.factors, ["base-ppm"]);
        assert_eq!(told.signals, ["peer.uptime-day"]);
    }
}
