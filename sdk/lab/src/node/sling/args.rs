//! Parameters of the commands that take few: positional, and by name from version 4 on.

use serde_json::{Map, Value};

use super::version::SlingVersion;
use crate::ids::Scid;
use crate::rpc::RpcError;

/// sling answers every mistake with this code.
pub(super) fn refuse(message: impl Into<String>) -> RpcError {
    RpcError { code: -32700, message: message.into(), data: Some(Value::Null) }
}

/// A short channel id, with the complaints of sling's parser.
pub(super) fn read_scid(text: &str) -> Result<Scid, RpcError> {
    let parts: Result<Vec<u64>, _> = text.split('x').map(str::parse).collect();
    match parts.as_deref() {
        Ok([block, tx, output]) => Ok(Scid(block.wrapping_shl(40) | tx.wrapping_shl(16) | output)),
        Ok(_) => Err(refuse("Malformed short_channel_id: element count mismatch")),
        Err(_) => Err(refuse(format!("Malformed short_channel_id: {text}"))),
    }
}

/// Parameters in either form.
pub(super) enum Args<'a> {
    Places(&'a [Value]),
    Names(&'a Map<String, Value>),
}

impl<'a> Args<'a> {
    /// Takes what the version takes; `complaint` begins its refusal of anything else.
    pub fn new(params: &'a Value, version: SlingVersion, complaint: &str) -> Result<Self, RpcError> {
        match params {
            Value::Null => Ok(Self::Places(&[])),
            Value::Array(values) => Ok(Self::Places(values)),
            Value::Object(fields) if version.is_4() => Ok(Self::Names(fields)),
            other => Err(refuse(format!("{complaint} {other}"))),
        }
    }
}

/// What the version calls a short channel id.
fn name(version: SlingVersion) -> &'static str {
    if version.is_4() { "ShortChannelId" } else { "short_channel_id" }
}

/// The channel that `sling-go` or `sling-stop` is about; none for all.
pub(super) fn one_scid(
    params: &Value,
    version: SlingVersion,
    command: &str,
) -> Result<Option<Scid>, RpcError> {
    let complaint = match version.is_4() {
        true => format!("{command}: invalid arguments, expected array or object with `scid`, got:"),
        false => format!("{command}: invalid arguments, expected array, got:"),
    };
    match Args::new(params, version, &complaint)? {
        Args::Places([]) => Ok(None),
        Args::Places([Value::String(text)]) => read_scid(text).map(Some),
        Args::Places([_]) => Err(refuse(format!("invalid {}", name(version)))),
        Args::Places(_) => Err(refuse(format!("Please provide exactly one {} or nothing", name(version)))),
        Args::Names(fields) => match fields.get("scid") {
            Some(Value::String(text)) => read_scid(text).map(Some),
            None if fields.is_empty() || command == "sling-stop" => Ok(None),
            _ => Err(refuse("invalid scid")),
        },
    }
}

/// The channel whose settings are wanted; none for all.
pub(super) fn settings_scid(params: &Value, version: SlingVersion) -> Result<Option<Scid>, RpcError> {
    let asks = format!("Please provide exactly one {} or nothing for all", name(version));
    if params.is_object() && !version.is_4() {
        return Err(refuse(format!("Invalid: {asks}")));
    }
    let too_many = || refuse(asks.clone());
    let args = Args::new(params, version, "Invalid:")?;
    match args {
        Args::Places([]) => Ok(None),
        Args::Places([Value::String(text)]) => read_scid(text).map(Some),
        Args::Places([_]) => Err(refuse("invalid input, not a string")),
        Args::Places(_) => Err(too_many()),
        Args::Names(fields) if fields.is_empty() => Ok(None),
        Args::Names(fields) if fields.len() > 1 => Err(too_many()),
        Args::Names(fields) => match fields.get("scid") {
            Some(Value::String(text)) => read_scid(text).map(Some),
            Some(_) => Err(refuse("invalid scid, not a string")),
            None => Err(refuse("Expected object with scid field")),
        },
    }
}

/// What `sling-deletejob` deletes.
pub(super) struct Deletion {
    /// One job; none for all.
    pub scid: Option<Scid>,
    pub stats: bool,
}

impl Deletion {
    pub fn parse(params: &Value, version: SlingVersion) -> Result<Self, RpcError> {
        let complaint = match version.is_4() {
            true => "sling-deletejob: invalid arguments, expected array or object with `job`, got",
            false => "sling-deletejob: invalid arguments, expected array, got",
        };
        let (job, stats) = match Args::new(params, version, complaint)? {
            Args::Places([job]) => (Some(job), None),
            Args::Places([job, stats]) if version.is_4() => (Some(job), Some(stats)),
            Args::Places(_) if version.is_4() => {
                return Err(refuse(
                    "Invalid amount of arguments: Please provide exactly one ShortChannelId or `all` \
                     and optionally if you want to delete the stats",
                ));
            }
            Args::Places(_) => {
                return Err(refuse("Please provide exactly one short_channel_id or `all`"));
            }
            Args::Names(fields) => (fields.get("job"), fields.get("delete_stats")),
        };
        let Some(Value::String(job)) = job else {
            return Err(refuse("invalid string for deleting job(s)"));
        };
        let stats = match stats {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => {
                text.parse().map_err(|_| refuse("provided string was not `true` or `false`"))?
            }
            Some(_) => return Err(refuse("invalid type for deleting stats boolean")),
        };
        let scid = if job == "all" { None } else { Some(read_scid(job)?) };
        Ok(Self { scid, stats })
    }
}
