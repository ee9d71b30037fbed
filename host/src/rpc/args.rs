//! Parameters of a command, read from whatever form a caller writes them in.
//!
//! lightningd hands over either a JSON object or an array. In an array, a text
//! `name=value` whose name the command knows is that named parameter, wherever it stands;
//! all other elements fill, in order, the parameters that were not named. A text with an
//! `=` after any other word is a plain value. An array of one object is that object.
//! Numbers and booleans may be texts, arrays and objects may be JSON text. `null` is a
//! parameter that was not given, and so is an empty text where the parameter says so; in
//! an array it leaves its place empty. Names are the same in any case, with `-` or `_`.
//!
//! Of a command whose actions had one signature in the Python plugin, an action passes over
//! what only others take: when it is named, or stands behind its own values and the action
//! only reads. `null`s in the places of others' parameters fall away.

mod bind;
mod read;
#[cfg(test)]
mod tests;

pub use crate::model::ChannelName;
use crate::model::PeerId;
pub(super) use bind::plain;
pub(super) use read::shown;
use serde_json::Value;
use std::fmt;

/// What a parameter may be; both ends of a range are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A node's public key, in any case.
    PeerId,
    /// A short channel id or a channel_id.
    Channel,
    Int {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Bool,
    /// Any text; numbers and booleans count as their text.
    Text,
    /// A text without `=`, so that a misspelt parameter is never taken for one; never empty.
    Word,
    /// Texts: a JSON array, or one text with commas between them and without `=`.
    List,
    /// A JSON array.
    Array,
    /// A JSON object.
    Object,
    /// Whatever JSON the caller wrote.
    Any,
    /// The inner kind, or one of the words `none` and `null` for "no value".
    OrNone(&'static Kind),
}

impl Kind {
    /// Any finite number.
    pub const NUMBER: Kind = Kind::Number { min: f64::MIN, max: f64::MAX };
}

/// One parameter of a command.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    /// Other names that callers use.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    pub required: bool,
    /// Whether an empty text is the same as nothing given.
    pub may_be_blank: bool,
    /// One sentence with the unit.
    pub doc: &'static str,
}

impl Param {
    /// A parameter that every call needs.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Param {
        Param { name, aliases: &[], kind, required: true, may_be_blank: false, doc }
    }

    /// A parameter that a call may leave out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Param {
        Param { required: false, ..Param::required(name, kind, doc) }
    }

    /// The same parameter under more names.
    pub const fn or(self, aliases: &'static [&'static str]) -> Param {
        Param { aliases, ..self }
    }

    /// The same parameter, of which an empty text is the same as nothing given.
    pub const fn or_blank(self) -> Param {
        Param { may_be_blank: true, ..self }
    }

    /// Whether this plain name is one of its names.
    pub fn is_called(&self, plain_name: &str) -> bool {
        self.name == plain_name || self.aliases.contains(&plain_name)
    }
}

/// What one word of a command's first parameter does, and what it takes after that.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub action: &'static str,
    pub params: &'static [Param],
    /// One sentence.
    pub doc: &'static str,
}

/// A command whose first parameter selects one of several forms.
#[derive(Clone, Copy, Debug)]
pub struct Menu {
    /// The first parameter's name.
    pub selector: &'static str,
    /// The form of a call that does not say.
    pub default: Option<&'static str>,
    pub forms: &'static [Form],
    /// Actions that only read; where there are any, refusals of the others say that nothing was changed.
    pub reads: &'static [&'static str],
    /// Parameters that any action may be given and only some use: callers of the Python plugin, where all
    /// actions have one signature, do so.
    pub everywhere: &'static [&'static str],
    /// Actions that take nothing beyond their own parameters all the same: what they do is done at once, to more
    /// than a caller who named something else may have meant.
    pub exact: &'static [&'static str],
}

impl Menu {
    /// Whether the form changes nothing.
    pub fn reads(&self, form: &Form) -> bool {
        self.reads.contains(&form.action)
    }

    /// What a call may give that the form has no use for; nothing where it did not say what to do, and may
    /// have meant a change.
    fn beyond(&self, form: &Form, is_named: bool) -> bind::Beyond {
        let is_meant = is_named || self.forms.iter().all(|form| self.reads(form));
        match is_meant && !self.exact.contains(&form.action) {
            true => bind::Beyond { names: self.everywhere, positional: self.reads(form) },
            false => bind::Beyond::NOTHING,
        }
    }

    /// The error of a call of one form, or of a call that names none.
    fn refused(&self, form: Option<&Form>, ArgError(why): ArgError) -> ArgError {
        let reads = form.map_or(self.forms.iter().all(|form| self.reads(form)), |form| self.reads(form));
        match reads || self.reads.is_empty() {
            true => ArgError(why),
            false => ArgError(format!("{why}; nothing was changed")),
        }
    }

    /// For the arm behind a menu's forms: every action that a parsed call may have is one of them.
    pub fn has_no(action: &str) -> ! {
        unreachable!("no form of the menu has the action '{action}'")
    }
}

/// A refused call: one sentence that says what was wrong and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgError(String);

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ArgError {}

impl From<ArgError> for String {
    fn from(error: ArgError) -> String {
        error.0
    }
}

/// A parameter's value in its own type.
#[derive(Clone, Debug, PartialEq)]
enum Arg {
    PeerId(PeerId),
    Channel(ChannelName),
    Int(i64),
    Number(f64),
    Bool(bool),
    Text(String),
    List(Vec<String>),
    Json(Value),
    /// The caller wrote `none`.
    Cleared,
}

/// The parameters of one call, checked against the command's table.
#[derive(Clone, Debug)]
pub struct Args {
    spec: &'static [Param],
    values: Vec<(&'static str, Arg)>,
    /// Which of them came without their names.
    placed: Vec<&'static str>,
    /// Given by name, and of no use to this form.
    unused: Vec<&'static str>,
}

impl PartialEq for Args {
    fn eq(&self, other: &Args) -> bool {
        self.values == other.values
    }
}

impl Args {
    /// Reads the parameters of a command that has one form.
    pub fn parse(params: &Value, spec: &'static [Param]) -> Result<Args, ArgError> {
        let raw = bind::split(params, |name| spec.iter().any(|param| param.is_called(name)))?;
        bind::bind(raw, spec, bind::Beyond::NOTHING)
    }

    /// Reads the parameters of a command whose first one selects the form.
    pub fn parse_menu(params: &Value, menu: &'static Menu) -> Result<(&'static Form, Args), ArgError> {
        let known = |name: &str| name == menu.selector || menu.takes(name);
        let selected = bind::split(params, known).and_then(|mut raw| Ok((menu.select(&mut raw)?, raw)));
        let ((form, is_named), raw) = selected.map_err(|why| menu.refused(None, why))?;
        let args = bind::bind(raw, form.params, menu.beyond(form, is_named))
            .map_err(|ArgError(why)| menu.refused(Some(form), error_in(form.action, &why)))?;
        Ok((form, args))
    }

    /// What was given by name and has no effect, in a sentence for the answer of a change.
    pub fn unused(&self) -> Option<String> {
        let used: Vec<_> = self.spec.iter().map(|param| param.name).collect();
        let unused = self.unused.join(", ");
        (!unused.is_empty())
            .then(|| format!("this action has no use for {unused}: it takes {}", used.join(", ")))
    }

    /// Whether it was given, and without its name.
    pub fn is_placed(&self, name: &str) -> bool {
        self.placed.contains(&name)
    }

    /// Refuses a text that came without its parameter's name and reads like one with another name.
    pub fn check_not_misspelt(&self, name: &str) -> Result<(), ArgError> {
        let text = self.opt_text(name).filter(|_| self.is_placed(name));
        text.and_then(bind::name_in).map_or(Ok(()), |other| Err(bind::unknown(&other, self.spec)))
    }

    /// Whether the caller wrote `none` for it.
    pub fn is_cleared(&self, name: &str) -> bool {
        matches!(self.find(name), Some(Arg::Cleared))
    }

    fn find(&self, name: &str) -> Option<&Arg> {
        debug_assert!(self.spec.iter().any(|param| param.name == name), "no parameter {name}");
        self.values.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, ArgError> {
        value.ok_or_else(|| bind::missing(self.spec, name))
    }
}

macro_rules! getters {
    ($($(#[$doc:meta])* $opt:ident, $get:ident -> $type:ty: $pattern:pat => $value:expr;)*) => {
        impl Args {
            $(
                $(#[$doc])*
                ///
                /// `None` when the call did not give it.
                pub fn $opt(&self, name: &str) -> Option<$type> {
                    match self.find(name) {
                        Some($pattern) => Some($value),
                        _ => None,
                    }
                }

                $(#[$doc])*
                pub fn $get(&self, name: &str) -> Result<$type, ArgError> {
                    self.need(name, self.$opt(name))
                }
            )*
        }
    };
}

getters! {
    /// A parameter of kind [`Kind::PeerId`].
    opt_peer_id, peer_id -> PeerId: Arg::PeerId(id) => *id;
    /// A parameter of kind [`Kind::Channel`].
    opt_channel, channel -> ChannelName: Arg::Channel(channel) => *channel;
    /// A parameter of kind [`Kind::Int`].
    opt_int, int -> i64: Arg::Int(number) => *number;
    /// A parameter of kind [`Kind::Number`].
    opt_number, number -> f64: Arg::Number(number) => *number;
    /// A parameter of kind [`Kind::Bool`].
    opt_bool, bool -> bool: Arg::Bool(flag) => *flag;
    /// A parameter of kind [`Kind::Text`], without surrounding blanks.
    opt_text, text -> &str: Arg::Text(text) => text;
    /// A parameter of kind [`Kind::List`].
    opt_list, list -> &[String]: Arg::List(texts) => texts;
    /// A parameter of kind [`Kind::Array`], [`Kind::Object`] or [`Kind::Any`].
    opt_json, json -> &Value: Arg::Json(value) => value;
}

impl Args {
    /// A parameter of kind [`Kind::Int`] whose bounds lie within `u32`.
    pub fn opt_u32(&self, name: &str) -> Option<u32> {
        self.opt_int(name).and_then(|number| u32::try_from(number).ok())
    }

    /// A parameter of kind [`Kind::Int`] whose bounds lie within `u32`.
    pub fn u32(&self, name: &str) -> Result<u32, ArgError> {
        self.need(name, self.opt_u32(name))
    }

    /// A parameter of kind [`Kind::Int`] whose bounds lie within `u64`.
    pub fn opt_u64(&self, name: &str) -> Option<u64> {
        self.opt_int(name).and_then(|number| u64::try_from(number).ok())
    }

    /// A parameter of kind [`Kind::Int`] whose bounds lie within `u64`.
    pub fn u64(&self, name: &str) -> Result<u64, ArgError> {
        self.need(name, self.opt_u64(name))
    }
}

fn error_in(action: &str, why: &str) -> ArgError {
    ArgError(format!("{action}: {why}"))
}
