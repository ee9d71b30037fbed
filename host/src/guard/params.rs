//! Values that an operator gives to a module's own parameters.

use crate::model::strategy::{ParamSpec, ParamValue};

/// Longest text, bytes.
const MAX_TEXT: usize = 256;

/// Reads a value as it was typed, in the type of the parameter's default and within its bounds.
pub fn read(spec: &ParamSpec, text: &str) -> Result<ParamValue, String> {
    let value = typed(spec, text)
        .ok_or_else(|| format!("'{}' is {text}, and not {}", spec.name, kind(&spec.default)))?;
    within(spec, &value)?;
    Ok(value)
}

fn typed(spec: &ParamSpec, text: &str) -> Option<ParamValue> {
    match spec.default {
        ParamValue::Flag(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(ParamValue::Flag(true)),
            "false" | "no" | "off" | "0" => Some(ParamValue::Flag(false)),
            _ => None,
        },
        ParamValue::Integer(_) => text.parse().ok().map(ParamValue::Integer),
        ParamValue::Number(_) => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(ParamValue::Number)
        }
        ParamValue::Text(_) => (text.len() <= MAX_TEXT).then(|| ParamValue::Text(text.to_owned())),
    }
}

/// What a parameter with this default takes, for a sentence.
pub const fn kind(default: &ParamValue) -> &'static str {
    match default {
        ParamValue::Flag(_) => "true or false",
        ParamValue::Integer(_) => "a whole number",
        ParamValue::Number(_) => "a number",
        ParamValue::Text(_) => "a text of at most 256 bytes",
    }
}

/// A value as the parameter takes it, now that it is this one's: another version of the module may have had
/// one of the same name, of another type or with other bounds.
pub fn taken(spec: &ParamSpec, value: &ParamValue) -> Result<ParamValue, String> {
    use ParamValue::{Flag, Integer, Number, Text};
    let value = match (&spec.default, value) {
        (Number(_), Integer(integer)) => Number(*integer as f64),
        (Flag(_), Flag(_)) | (Integer(_), Integer(_)) | (Number(_), Number(_)) | (Text(_), Text(_)) => {
            value.clone()
        }
        (default, _) => return Err(format!("'{}' is {}, and not {}", spec.name, kind(value), kind(default))),
    };
    within(spec, &value)?;
    Ok(value)
}

/// Refuses a number outside the parameter's own bounds.
pub fn within(spec: &ParamSpec, value: &ParamValue) -> Result<(), String> {
    let number = match value {
        ParamValue::Integer(integer) => *integer as f64,
        ParamValue::Number(number) => *number,
        ParamValue::Flag(_) | ParamValue::Text(_) => return Ok(()),
    };
    let allowed = match (spec.minimum, spec.maximum) {
        (Some(low), _) if number < low => bounds(spec),
        (_, Some(high)) if number > high => bounds(spec),
        _ => return Ok(()),
    };
    Err(format!("'{}' is {number}; {allowed} is allowed", spec.name))
}

fn bounds(spec: &ParamSpec) -> String {
    match (spec.minimum, spec.maximum) {
        (Some(low), Some(high)) => format!("{low} to {high}"),
        (Some(low), None) => format!("{low} or more"),
        (None, Some(high)) => format!("{high} or less"),
        (None, None) => "any number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(default: ParamValue, minimum: Option<f64>, maximum: Option<f64>) -> ParamSpec {
        ParamSpec { name: "floor".to_owned(), doc: String::new(), default, minimum, maximum }
    }

    #[test]
    fn another_versions_value_is_taken_where_it_fits() {
        use ParamValue::{Flag, Integer, Number, Text};
        let (whole, number) = (spec(Integer(5), Some(1.0), Some(9.0)), spec(Number(0.5), Some(0.0), None));
        for (spec, value, taken) in [
            (&whole, Integer(9), Ok(Integer(9))),
            (&whole, Integer(10), Err("'floor' is 10; 1 to 9 is allowed")),
            (&whole, Number(5.0), Err("'floor' is a number, and not a whole number")),
            (&number, Integer(3), Ok(Number(3.0))),
            (&number, Integer(-3), Err("'floor' is -3; 0 or more is allowed")),
            (&number, Flag(true), Err("'floor' is true or false, and not a number")),
            (&number, Text("1".to_owned()), Err("'floor' is a text of at most 256 bytes, and not a number")),
        ] {
            assert_eq!(super::taken(spec, &value), taken.map_err(str::to_owned), "{value:?}");
        }
    }

    #[test]
    fn values_are_read_in_the_type_of_the_default_and_within_bounds() {
        use ParamValue::{Flag, Integer, Number, Text};
        let bounded = spec(Integer(5), Some(1.0), Some(9.0));
        for (spec, text, value) in [
            (&bounded, "9", Ok(Integer(9))),
            (&bounded, "10", Err("'floor' is 10; 1 to 9 is allowed")),
            (&bounded, "1.5", Err("'floor' is 1.5, and not a whole number")),
            (&spec(Number(0.5), Some(0.0), None), "-1", Err("'floor' is -1; 0 or more is allowed")),
            (&spec(Number(0.5), None, Some(1.0)), "2", Err("'floor' is 2; 1 or less is allowed")),
            (&spec(Number(0.5), None, None), "nan", Err("'floor' is nan, and not a number")),
            (&spec(Number(0.5), None, None), "1e3", Ok(Number(1_000.0))),
            (&spec(Flag(false), None, None), "On", Ok(Flag(true))),
            (&spec(Flag(false), None, None), "2", Err("'floor' is 2, and not true or false")),
            (&spec(Text(String::new()), None, None), "x", Ok(Text("x".to_owned()))),
        ] {
            assert_eq!(read(spec, text), value.map_err(str::to_owned), "{text}");
        }
    }
}
