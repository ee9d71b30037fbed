//! Channels and peers that no job may use.

use serde_json::{Value, json};

use super::super::NodeState;
use super::args::{Args, read_scid, refuse};
use super::version::SlingVersion;
use crate::rpc::{RpcError, RpcResult};

/// The words of one of the two lists.
struct Words {
    /// The parameter's name.
    field: &'static str,
    command: &'static str,
    places: &'static str,
    no_text: &'static str,
    no_name: &'static str,
    lonely: &'static str,
}

const CHANS: Words = Words {
    field: "scid",
    command: "sling-exceptchan",
    places: "Invalid amount of arguments. Please either provide `add`/`remove` and a ShortChannelId or just \
             `list`",
    no_text: "Not a string: Use `add`/`remove` and a ShortChannelId or just `list`",
    no_name: "Use `add`/`remove` and a ShortChannelId or just `list`",
    lonely: "unknown commmand, did you misspell `list` or forgot the scid?",
};

const OLD_CHANS: Words = Words {
    places: "Please either provide `add`/`remove` and a short_channel_id or just `list`",
    no_text: "Use `add`/`remove` and a short_channel_id or just `list`",
    no_name: "Use `add`/`remove` and a short_channel_id or just `list`",
    ..CHANS
};

const PEERS: Words = Words {
    field: "id",
    command: "sling-exceptpeer",
    places: "Invalid amount of arguments. Please either provide `add`/`remove` and a peer `id` or just `list`",
    no_text: "Not a string. Use `add`/`remove` and a peer `id` or `list`",
    no_name: "Unknown commmand. Use `add`/`remove` and a peer `id` or `list`",
    lonely: "unknown commmand, use `list` or forgot the peer `id`?",
};

const OLD_PEERS: Words = Words {
    places: "Either provide `add`/`remove` and a node_id or just `list`",
    no_text: "Invalid command. Use `add`/`remove` <node_id> or `list`",
    no_name: "Unknown commmand. Use `add`/`remove` <node_id> or `list`",
    lonely: "unknown commmand, use `list` or forgot the node_id?",
    ..PEERS
};

/// The command word and whom it is about.
fn read(params: &Value, version: SlingVersion, words: &Words) -> Result<(String, Option<String>), RpcError> {
    let kinds = if version.is_4() { "array or object" } else { "array" };
    let complaint = format!("{}: invalid arguments, expected {kinds}, got", words.command);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (command, target) = match Args::new(params, version, &complaint)? {
        Args::Places([command]) => (Some(command), None),
        Args::Places([command, target]) => (Some(command), Some(target)),
        Args::Places(_) => return Err(refuse(words.places)),
        Args::Names(fields) => (fields.get("command"), fields.get(words.field)),
    };
    let command = command.and_then(text).ok_or_else(|| refuse(words.no_text))?;
    let Some(target) = target else {
        let placed = !params.is_object();
        return match placed && version.is_4() && command != "list" {
            true => Err(refuse(words.places)),
            false => Ok((command, None)),
        };
    };
    let target = text(target).ok_or_else(|| refuse(format!("not a vaild string: {target}")))?;
    Ok((command, Some(target)))
}

impl NodeState {
    pub(super) fn sling_except_chan(&mut self, params: &Value) -> RpcResult {
        let version = self.sling.version;
        let words = if version.is_4() { CHANS } else { OLD_CHANS };
        let (command, target) = read(params, version, &words)?;
        let Some(target) = target else {
            let list = self.sling.files.except_chans.iter().map(ToString::to_string);
            return answer_list(&command, &words, list.collect());
        };
        let scid = read_scid(&target)?;
        self.read_jobs();
        let known = self.sling.files.except_chans.contains(&scid);
        let ours = self.channels.iter().any(|channel| channel.scid == scid);
        match command.as_str() {
            "add" if known => return Err(refuse(format!("{scid} is already in excepts"))),
            "add" if self.sling.files.jobs.contains_key(&scid) => {
                return Err(refuse("this channel has a job already and can't be an except too"));
            }
            "add" if ours && version.is_4() => {
                return Err(refuse(
                    "You can't except your own channels. Use the candidate list of a job to restrict those.",
                ));
            }
            "add" => drop(self.sling.files.except_chans.insert(scid)),
            "remove" if known => drop(self.sling.files.except_chans.remove(&scid)),
            "remove" => {
                let what = if version.is_4() { "ShortChannelId" } else { "short_channel_id" };
                return Err(refuse(format!("{what} {scid} not in excepts, nothing to remove")));
            }
            _ => return Err(refuse(words.no_name)),
        }
        self.read_jobs();
        Ok(json!({"result": "success"}))
    }

    pub(super) fn sling_except_peer(&mut self, params: &Value) -> RpcResult {
        let version = self.sling.version;
        let words = if version.is_4() { PEERS } else { OLD_PEERS };
        let (command, target) = read(params, version, &words)?;
        let Some(id) = target else {
            return answer_list(&command, &words, self.sling.files.except_peers.iter().cloned().collect());
        };
        if id.len() != 66 || id.bytes().any(|byte| !byte.is_ascii_hexdigit()) {
            return Err(refuse("malformed public key"));
        }
        self.read_jobs();
        let known = self.sling.files.except_peers.contains(&id);
        let has_job = self
            .channels
            .iter()
            .any(|channel| channel.peer_id == id && self.sling.files.jobs.contains_key(&channel.scid));
        match command.as_str() {
            "add" if known => return Err(refuse(format!("{id} is already in excepts"))),
            "add" if id == self.id && version.is_4() => return Err(refuse("Can't exclude yourself")),
            "add" if has_job => {
                return Err(refuse("this peer has a job already and can't be an except too"));
            }
            "add" => drop(self.sling.files.except_peers.insert(id)),
            "remove" if known => drop(self.sling.files.except_peers.remove(&id)),
            "remove" => {
                let what = if version.is_4() { "peer `id`" } else { "node_id" };
                return Err(refuse(format!("{what} {id} not in excepts, nothing to remove")));
            }
            _ => return Err(refuse(words.no_name)),
        }
        Ok(json!({"result": "success"}))
    }
}

fn answer_list(command: &str, words: &Words, list: Vec<String>) -> RpcResult {
    match command {
        "list" => Ok(json!(list)),
        _ => Err(refuse(words.lonely)),
    }
}
