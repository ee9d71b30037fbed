//! Which value belongs to which parameter.

use super::read::shown;
use super::{Arg, ArgError, Args, Form, Kind, Menu, Param};
use crate::model::quote;
use serde_json::Value;

/// A call's values, told apart but not read.
pub(super) struct Raw {
    /// Names in plain form, never with `null`.
    named: Vec<(String, Value)>,
    positional: Vec<Value>,
}

/// A name as the tables write it.
pub fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

/// Tells named values from positional ones. `known` says whether a plain name is one that
/// the command takes.
pub(super) fn split(params: &Value, known: impl Fn(&str) -> bool) -> Result<Raw, ArgError> {
    let mut raw = Raw { named: Vec::new(), positional: Vec::new() };
    match params {
        Value::Null => {}
        Value::Object(fields) => {
            let given = fields.iter().filter(|(_, value)| !value.is_null());
            raw.named.extend(given.map(|(name, value)| (plain(name), value.clone())));
        }
        Value::Array(elements) if matches!(elements[..], [Value::Object(_)]) => {
            return split(&elements[0], known);
        }
        Value::Array(elements) => {
            for element in elements {
                match named_text(element, &known) {
                    Some(pair) => raw.named.push(pair),
                    None => raw.positional.push(element.clone()),
                }
            }
        }
        other => {
            return Err(ArgError(format!(
                "the parameters '{}' are neither a JSON object nor an array",
                shown(other)
            )));
        }
    }
    Ok(raw)
}

/// An array's element `name=value` with a known name.
fn named_text(element: &Value, known: impl Fn(&str) -> bool) -> Option<(String, Value)> {
    let (name, value) = element.as_str()?.split_once('=')?;
    let name = plain(name);
    known(&name).then(|| (name, Value::String(value.to_owned())))
}

impl Menu {
    /// Whether some form takes a parameter of this plain name.
    pub(super) fn takes(&self, name: &str) -> bool {
        let mut all = self.forms.iter().flat_map(|form| form.params);
        all.any(|param| param.is_called(name))
    }

    /// The form that the call asks for, and whether it says so itself; takes the selecting value out of `raw`.
    pub(super) fn select(&self, raw: &mut Raw) -> Result<(&'static Form, bool), ArgError> {
        let word = match raw.take(self.selector)? {
            Some(word) => Some(word),
            None if raw.positional.is_empty() => None,
            None => Some(raw.positional.remove(0)).filter(|first| !first.is_null()),
        };
        let is_named = word.is_some();
        let word = match (&word, self.default) {
            (Some(word), _) => shown(word),
            (None, Some(default)) => default.to_owned(),
            (None, None) => {
                return Err(ArgError(format!("{} is missing: use {}", self.selector, self.words())));
            }
        };
        let form = self.forms.iter().find(|form| plain(form.action) == plain(&word));
        let unknown = || ArgError(format!("unknown {} '{}': use {}", self.selector, word, self.words()));
        Ok((form.ok_or_else(unknown)?, is_named))
    }

    fn words(&self) -> String {
        let words: Vec<_> = self.forms.iter().map(|form| form.action).collect();
        words.join(", ")
    }
}

impl Raw {
    /// Removes the value of one name.
    fn take(&mut self, name: &str) -> Result<Option<Value>, ArgError> {
        let Some(index) = self.named.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.named.remove(index);
        if self.named.iter().any(|(given, _)| given == name) {
            return Err(given_twice(name));
        }
        Ok(Some(value))
    }
}

/// What a call may give that its form has no use for.
#[derive(Clone, Copy)]
pub(super) struct Beyond {
    pub names: &'static [&'static str],
    /// Whether these may come without their names, too.
    pub positional: bool,
}

impl Beyond {
    pub(super) const NOTHING: Beyond = Beyond { names: &[], positional: false };

    /// How many positional values there may be after those of the form: none after a value whose place a
    /// caller of the one signature may have meant for another.
    fn room(self, spec: &[Param]) -> usize {
        let unused = |name: &&&str| !spec.iter().any(|param| param.is_called(name));
        let has_own_place = |param: &Param| !param.required || param.kind == Kind::PeerId;
        match self.positional && spec.iter().all(has_own_place) {
            true => self.names.iter().filter(unused).count(),
            false => 0,
        }
    }
}

/// Gives every value to its parameter and reads it.
pub(super) fn bind(raw: Raw, spec: &'static [Param], beyond: Beyond) -> Result<Args, ArgError> {
    let mut slots: Vec<Option<Value>> = vec![None; spec.len()];
    let mut unused = Vec::new();
    for (name, value) in raw.named {
        if let Some(index) = spec.iter().position(|param| param.is_called(&name)) {
            if slots[index].replace(value).is_some() {
                return Err(given_twice(spec[index].name));
            }
            continue;
        }
        let known = beyond.names.iter().find(|known| **known == name);
        unused.push(*known.ok_or_else(|| unknown(&name, spec))?);
    }
    let positional = match beyond.names {
        [] => raw.positional,
        _ => closed_up(raw.positional, slots.iter().filter(|slot| slot.is_none()).count()),
    };
    let named: Vec<bool> = slots.iter().map(Option::is_some).collect();
    place(positional, &mut slots, spec, beyond.room(spec))?;
    let (mut values, mut placed) = (Vec::new(), Vec::new());
    for ((param, slot), is_named) in spec.iter().zip(slots).zip(named) {
        match slot.filter(|value| is_given(param, value)) {
            Some(value) => {
                values.push((param.name, read(param, &value, spec)?));
                placed.extend((!is_named).then_some(param.name));
            }
            None if param.required => return Err(missing(spec, param.name)),
            None => {}
        }
    }
    Ok(Args { spec, values, placed, unused })
}

/// Whether it is a value at all.
fn is_given(param: &Param, value: &Value) -> bool {
    let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
    let is_absent = value.is_null() || (is_blank && param.may_be_blank);
    !is_absent
}

/// Puts positional values, in order, into the slots that no name has filled. `room` more may follow that
/// have no effect.
fn place(
    positional: Vec<Value>,
    slots: &mut [Option<Value>],
    spec: &[Param],
    mut room: usize,
) -> Result<(), ArgError> {
    let mut free: Vec<_> = slots.iter_mut().filter(|slot| slot.is_none()).collect();
    let mut free = free.iter_mut();
    for value in positional {
        match free.next() {
            Some(slot) => **slot = Some(value),
            None if value.is_null() => {}
            None if room > 0 && !value.as_str().is_some_and(|text| text.contains('=')) => room -= 1,
            None => return Err(left_over(&value, spec)),
        }
    }
    Ok(())
}

/// The values without the `null`s between them, where there are more than `places` and they fit exactly
/// then: the Python plugin's one signature had places for what other actions take.
fn closed_up(positional: Vec<Value>, places: usize) -> Vec<Value> {
    let given = positional.iter().filter(|value| !value.is_null()).count();
    match given == places && positional.len() > places {
        true => positional.into_iter().filter(|value| !value.is_null()).collect(),
        false => positional,
    }
}

fn read(param: &Param, value: &Value, spec: &[Param]) -> Result<Arg, ArgError> {
    param.kind.read(param.name, value).map_err(|why| match value.as_str().and_then(name_in) {
        Some(name) if !matches!(param.kind, Kind::Text | Kind::Any) => unknown(&name, spec),
        _ => ArgError(why),
    })
}

/// The plain name in a text that reads like `name=value`.
pub(super) fn name_in(text: &str) -> Option<String> {
    text.split_once('=').map(|(name, _)| plain(name)).filter(|name| is_word(name))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn names(spec: &[Param]) -> String {
    match spec {
        [] => "it takes none".to_owned(),
        _ => {
            let names: Vec<_> = spec.iter().map(|param| param.name).collect();
            format!("use {}", names.join(", "))
        }
    }
}

pub(super) fn unknown(name: &str, spec: &[Param]) -> ArgError {
    ArgError(format!("there is no parameter '{}': {}", quote(name), names(spec)))
}

fn given_twice(name: &str) -> ArgError {
    ArgError(format!("{name} is given twice: give it once"))
}

fn left_over(value: &Value, spec: &[Param]) -> ArgError {
    ArgError(format!("'{}' is one parameter too many: {}", shown(value), names(spec)))
}

/// The error for a required parameter without a value.
pub(super) fn missing(spec: &[Param], name: &str) -> ArgError {
    match spec.iter().find(|param| param.name == name) {
        Some(param) => ArgError(format!("{name} is missing: give {}", param.kind)),
        None => ArgError(format!("{name} is missing")),
    }
}
