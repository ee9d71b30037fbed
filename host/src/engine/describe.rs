//! Is what a component says of itself within the contract? Pure.

use super::fault::printable;
use crate::model::strategy::{Description, ParamSpec, ParamValue};

/// Most parameters, signals, reasons and factors of one component.
const MAX_PARAMS: usize = 64;
const MAX_SIGNALS: usize = 32;
const MAX_WORDS: usize = 64;
/// Longest name or word, version, parameter's doc and text value, bytes.
const MAX_NAME: usize = 64;
const MAX_DOC: usize = 400;

/// What is wrong with `about`, in one sentence.
pub(super) fn check(about: &Description) -> Result<(), String> {
    name("name", &about.name, b"-")?;
    version(&about.version)?;
    count("parameters", about.params.len(), MAX_PARAMS)?;
    count("signals", about.signals.len(), MAX_SIGNALS)?;
    count("reasons", about.reasons.len(), MAX_WORDS)?;
    count("factors", about.factors.len(), MAX_WORDS)?;
    about.params.iter().try_for_each(param)?;
    unique("parameter", about.params.iter().map(|spec| spec.name.as_str()))?;
    for (what, words) in [("signal", &about.signals), ("reason", &about.reasons), ("factor", &about.factors)]
    {
        words.iter().try_for_each(|text| word(what, text))?;
        unique(what, words.iter().map(String::as_str))?;
    }
    Ok(())
}

fn count(what: &str, found: usize, most: usize) -> Result<(), String> {
    if found > most { Err(format!("it describes {found} {what}; {most} are allowed")) } else { Ok(()) }
}

fn name(what: &str, text: &str, marks: &[u8]) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || marks.contains(&byte);
    if !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(plain) {
        return Ok(());
    }
    let marks: Vec<String> = marks.iter().map(|mark| format!("'{}'", char::from(*mark))).collect();
    let shown = printable(text, 80);
    Err(format!(
        "the {what} '{shown}' is not 1 to {MAX_NAME} lower-case letters, digits and {}",
        marks.join(", ")
    ))
}

/// Printable and without spaces, so that it can stand in an answer or a log.
fn word(what: &str, text: &str) -> Result<(), String> {
    if !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let shown = printable(text, 80);
    Err(format!("the {what} '{shown}' is not 1 to {MAX_NAME} printable ASCII characters without spaces"))
}

/// Three numbers with dots, and what Semantic Versioning allows after them.
fn version(text: &str) -> Result<(), String> {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    if numbers.len() == 3 && numbers.iter().all(number) && text.len() <= MAX_NAME && text.bytes().all(plain) {
        return Ok(());
    }
    Err(format!("the version '{}' is not a semantic version, e.g. 1.2.0", printable(text, 80)))
}

fn param(spec: &ParamSpec) -> Result<(), String> {
    name("parameter", &spec.name, b"._-")?;
    let of = |problem: &str| Err(format!("the parameter '{}' {problem}", spec.name));
    if spec.name.starts_with("host.") {
        return of("has a name that is the host's: those begin with 'host.'");
    }
    if spec.doc.len() > MAX_DOC || spec.doc.chars().any(char::is_control) {
        return of("has a doc that is not one line of at most 400 bytes");
    }
    if [spec.minimum, spec.maximum].into_iter().flatten().any(|bound| !bound.is_finite()) {
        return of("has a bound that is not a finite number");
    }
    let (low, high) = (spec.minimum.unwrap_or(f64::MIN), spec.maximum.unwrap_or(f64::MAX));
    if low > high {
        return of("has a minimum above its maximum");
    }
    let number = match &spec.default {
        ParamValue::Integer(integer) => *integer as f64,
        ParamValue::Number(number) => *number,
        ParamValue::Flag(_) => return Ok(()),
        ParamValue::Text(text) if text.len() > MAX_DOC => return of("has a default of more than 400 bytes"),
        ParamValue::Text(_) => return Ok(()),
    };
    if !(low..=high).contains(&number) {
        return of("has a default outside its bounds");
    }
    Ok(())
}

fn unique<'a>(what: &str, words: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for word in words {
        if !seen.insert(word) {
            return Err(format!("it describes the {what} '{word}' twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good() -> Description {
        Description {
            name: "my-fees".into(),
            version: "1.2.0-beta.1+b7".into(),
            state_version: 1,
            params: vec![ParamSpec {
                name: "hold-hours".into(),
                doc: "Shortest time between changes, hours.".into(),
                default: ParamValue::Number(8.0),
                minimum: Some(0.0),
                maximum: Some(24.0),
            }],
            signals: vec!["peer.uptime-day".into()],
            reasons: vec!["hold".into()],
            factors: vec!["base-ppm".into()],
        }
    }

    #[test]
    fn a_good_description_passes() {
        check(&good()).unwrap();
        let mut open = good();
        open.params[0].minimum = None;
        open.params[0].maximum = None;
        check(&open).unwrap();
    }

    #[test]
    fn each_rule_is_named() {
        type Spoil = fn(&mut Description);
        let words = |count: usize| (0..count).map(|word| format!("w{word}")).collect::<Vec<_>>();
        let cases: [(&str, Spoil); 17] = [
            ("name ''", |about| about.name.clear()),
            ("name 'a/b'", |about| about.name = "a/b".into()),
            ("name 'Fees'", |about| about.name = "Fees".into()),
            ("name 'a\\nb'", |about| about.name = "a\nb".into()),
            ("1 to 64", |about| about.name = "x".repeat(65)),
            ("version '1.2'", |about| about.version = "1.2".into()),
            ("version '1.2.x'", |about| about.version = "1.2.x".into()),
            ("version '1.2.3-\\u{e9}'", |about| about.version = "1.2.3-\u{e9}".into()),
            ("'host.'", |about| about.params[0].name = "host.x".into()),
            ("one line", |about| about.params[0].doc = "x".repeat(401)),
            ("finite", |about| about.params[0].minimum = Some(f64::NAN)),
            ("minimum above", |about| about.params[0].minimum = Some(25.0)),
            ("outside its bounds", |about| about.params[0].default = ParamValue::Integer(25)),
            ("outside its bounds", |about| about.params[0].default = ParamValue::Number(f64::NAN)),
            ("reason 'a b'", |about| about.reasons[0] = "a b".into()),
            ("'hold' twice", |about| about.reasons.push("hold".into())),
            ("parameter 'hold-hours' twice", |about| about.params.push(about.params[0].clone())),
        ];
        for (expected, spoil) in cases {
            let mut about = good();
            spoil(&mut about);
            let problem = check(&about).expect_err(expected);
            assert!(problem.contains(expected), "{problem}, expected {expected}");
        }
        let many = Description { reasons: words(65), ..good() };
        assert!(check(&many).unwrap_err().contains("65 reasons; 64"));
        let many = Description { signals: words(33), ..good() };
        assert!(check(&many).unwrap_err().contains("33 signals; 32"));
    }
}
