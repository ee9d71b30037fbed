//! The node's record of forwards, `listforwards` and `wait`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::flavour::Flavour;
use super::params::{Params, bad};
use super::{Answer, NodeState};
use crate::ids::Scid;
use crate::market::{Forward, Micros, Status, seconds};
use crate::rng::Rng;
use crate::rpc::{RpcError, RpcResult};

/// What `wait` can wait for.
const SUBSYSTEMS: [&str; 6] = ["invoices", "forwards", "sendpays", "channelmoves", "chainmoves", "htlcs"];

/// One row: the forward with the names its channels had.
#[derive(Debug, Clone, Copy)]
struct Row {
    forward: Forward,
    in_name: Scid,
    out_name: Scid,
    updated_index: u64,
    /// No list has it any more.
    deleted: bool,
}

/// Rows and changes that lightningd's present database never had; its indexes count from there on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub rows: usize,
    pub updates: usize,
}

/// All forwards; the row at position n has `created_index` n + 1, counted from where the database begins.
#[derive(Debug)]
pub(super) struct ForwardBook {
    rows: Vec<Row>,
    open: HashMap<(usize, u64), usize>,
    /// Position of the row that has `updated_index` n + 1, counted likewise.
    updates: Vec<usize>,
    before: Before,
    fees_msat: u64,
    seed: u64,
}

impl ForwardBook {
    pub fn new(seed: u64) -> Self {
        let (rows, updates, before) = (Vec::new(), Vec::new(), Before::default());
        Self { rows, open: HashMap::new(), updates, before, fees_msat: 0, seed }
    }

    /// Adds a forward that was offered or refused and returns its position.
    pub fn add(&mut self, forward: Forward, (in_name, out_name): (Scid, Scid)) -> usize {
        let position = self.rows.len();
        self.rows.push(Row { forward, in_name, out_name, updated_index: 0, deleted: false });
        if forward.status == Status::Offered {
            self.open.insert((forward.in_channel, forward.in_htlc_id), position);
        }
        position
    }

    /// Notes the end of a forward added before and returns its position.
    pub fn resolve(&mut self, forward: Forward) -> usize {
        let key = (forward.in_channel, forward.in_htlc_id);
        let position = self.open.remove(&key).expect("a forward ends after it was offered");
        self.updates.push(position);
        let row = &mut self.rows[position];
        row.forward = forward;
        row.updated_index = (self.updates.len() - self.before.updates) as u64;
        if forward.status == Status::Settled {
            self.fees_msat += forward.fee_msat();
        }
        position
    }

    /// Sum of the fees of settled forwards, msat.
    pub fn fees_msat(&self) -> u64 {
        self.fees_msat
    }

    pub fn created(&self) -> u64 {
        (self.rows.len() - self.before.rows) as u64
    }

    pub fn updated(&self) -> u64 {
        (self.updates.len() - self.before.updates) as u64
    }

    /// Lets the list begin anew: without a row, its counters at 0.
    pub fn begin_anew(&mut self) {
        self.before = Before { rows: self.rows.len(), updates: self.updates.len() };
        self.rows.iter_mut().for_each(|row| row.deleted = true);
    }

    fn created_index(&self, position: usize) -> u64 {
        (position + 1 - self.before.rows) as u64
    }

    /// Takes forwards that ended before a moment out of the lists.
    pub fn delete_before(&mut self, before: Micros) {
        let over = |row: &&mut Row| row.forward.resolved_us.is_some_and(|at| at < before);
        self.rows.iter_mut().filter(over).for_each(|row| row.deleted = true);
    }

    /// How many rows no list has any more.
    pub fn deleted(&self) -> u64 {
        self.rows[self.before.rows..].iter().filter(|row| row.deleted).count() as u64
    }

    /// Forwards in the order of their creation, deleted ones too.
    pub fn iter(&self) -> impl Iterator<Item = &Forward> {
        self.rows.iter().map(|row| &row.forward)
    }

    pub fn get(&self, position: usize) -> &Forward {
        &self.rows[position].forward
    }

    pub fn payment_hash(&self, position: usize) -> String {
        Rng::stream(self.seed ^ 0x6861_7368, position as u64).hex(32)
    }

    fn row_json(&self, row: &Row, flavour: Flavour) -> Map<String, Value> {
        let forward = &row.forward;
        let time = |at: Micros| if flavour.has(2311) { seconds(at) } else { seconds(at / 1000 * 1000) };
        let mut json = Map::new();
        let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
        put("in_channel", json!(row.in_name.to_string()));
        put("in_htlc_id", json!(forward.in_htlc_id));
        put("out_channel", json!(row.out_name.to_string()));
        put("in_msat", json!(forward.in_msat));
        put("status", json!(forward.status.name()));
        put("style", json!("tlv"));
        put("received_time", json!(time(forward.received_us)));
        if forward.out_htlc_id.is_some() {
            put("out_msat", json!(forward.out_msat));
            put("fee_msat", json!(forward.fee_msat()));
        }
        if let Some(refusal) = forward.refusal {
            put("failcode", json!(refusal.code()));
            put("failreason", json!(refusal.reason()));
        }
        if let (Some(at), Status::Settled | Status::Failed) = (forward.resolved_us, forward.status) {
            put("resolved_time", json!(time(at)));
        }
        json
    }

    fn list_json(&self, position: usize, flavour: Flavour) -> Value {
        let row = &self.rows[position];
        let mut json = self.row_json(row, flavour);
        if let Some(id) = row.forward.out_htlc_id {
            json.insert("out_htlc_id".into(), json!(id));
        }
        if flavour.has(2311) {
            json.insert("created_index".into(), json!(self.created_index(position)));
            if row.updated_index > 0 {
                json.insert("updated_index".into(), json!(row.updated_index));
            }
        }
        Value::Object(json)
    }

    /// The body of `forward_event` for the last change of a row.
    pub fn event_json(&self, position: usize, flavour: Flavour) -> Value {
        let row = &self.rows[position];
        let mut json = self.row_json(row, flavour);
        let hash = self.payment_hash(position);
        if flavour.has(2604) && row.forward.status == Status::Settled {
            json.insert("preimage".into(), json!(Rng::stream(self.seed, position as u64).hex(32)));
        }
        json.insert("payment_hash".into(), json!(hash));
        match (flavour.has(2311), row.updated_index) {
            (false, _) => {}
            (true, 0) => drop(json.insert("created_index".into(), json!(self.created_index(position)))),
            (true, updated) => drop(json.insert("updated_index".into(), json!(updated))),
        }
        Value::Object(json)
    }

    /// Positions in the order asked for, from the index `start` on.
    fn ordered(&self, by_update: bool, start: u64) -> Box<dyn Iterator<Item = usize> + '_> {
        let skip = start.saturating_sub(1) as usize;
        if !by_update {
            return Box::new(self.before.rows + skip..self.rows.len());
        }
        let untouched = (0..self.rows.len()).filter(move |&p| start == 0 && self.rows[p].updated_index == 0);
        Box::new(untouched.chain(self.updates.iter().copied().skip(self.before.updates + skip)))
    }
}

/// The order and page that `index`, `start` and `limit` ask for.
pub(super) struct Page {
    pub by_update: bool,
    pub start: u64,
    pub limit: usize,
}

impl Page {
    pub fn parse(params: &Params) -> Result<Self, RpcError> {
        let index = params.text("index");
        let by_update = match index.as_deref() {
            None | Some("created") => false,
            Some("updated") => true,
            Some(_) => return Err(bad("index", "should be 'created' or 'updated'", params.need("index")?)),
        };
        let (start, limit) = (params.integer("start")?, params.integer32("limit")?);
        for (name, given) in [("start", start.is_some()), ("limit", limit.is_some())] {
            if given && index.is_none() {
                return Err(RpcError::invalid(format!("Can only specify {{{name}}} with {{index}}")));
            }
        }
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(Self { by_update, start: start.unwrap_or(0), limit })
    }
}

/// Checks the parameters of `listforwards` and returns the page they ask for.
pub(super) fn requested(params: &Params) -> Result<Page, RpcError> {
    const STATES: [&str; 4] = ["offered", "settled", "local_failed", "failed"];
    if params.text("status").is_some_and(|status| !STATES.contains(&status.as_str())) {
        return Err(bad("status", "Unrecognized status", params.need("status")?));
    }
    let of_channel = params.scid("in_channel")?.is_some() || params.scid("out_channel")?.is_some();
    let page = Page::parse(params)?;
    if page.start > 0 && of_channel {
        return Err(RpcError::invalid("Cannot use start with in_channel or out_channel"));
    }
    Ok(page)
}

impl NodeState {
    pub(super) fn list_forwards(&mut self, params: &Params) -> RpcResult {
        let page = requested(params)?;
        let status = params.text("status");
        let (input, output) = (params.scid("in_channel")?, params.scid("out_channel")?);
        let rows = self.forwards.ordered(page.by_update, page.start).filter(|&position| {
            let row = &self.forwards.rows[position];
            !row.deleted
                && status.as_deref().is_none_or(|status| row.forward.status.name() == status)
                && input.is_none_or(|scid| row.in_name == scid)
                && output.is_none_or(|scid| row.out_name == scid)
        });
        let rows = rows.take(page.limit).map(|position| self.forwards.list_json(position, self.flavour));
        Ok(json!({"forwards": rows.collect::<Vec<_>>()}))
    }

    pub(super) fn wait(&mut self, params: &Params) -> Answer {
        match self.wait_result(params) {
            Ok(Some(result)) => Answer::Now(Ok(result)),
            Ok(None) => Answer::NotYet,
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn wait_result(&self, params: &Params) -> Result<Option<Value>, RpcError> {
        let subsystem = params.need_text("subsystem")?;
        let index = params.need_text("indexname")?;
        params.need("nextvalue")?;
        let next = params.integer("nextvalue")?.unwrap_or(0);
        let (created, updated) = match subsystem.as_str() {
            known if SUBSYSTEMS.contains(&known) && self.recorded.is_some() => self.recorded_indexes(known),
            "forwards" => (self.forwards.created(), self.forwards.updated()),
            "sendpays" => (self.payments.created(), self.payments.updated()),
            "channelmoves" if self.flavour.has(2509) => (self.books.moves.len() as u64, 0),
            "chainmoves" if self.flavour.has(2509) => (self.books.chain_moves().count() as u64, 0),
            "invoices" | "channelmoves" | "chainmoves" | "htlcs" => (0, 0),
            _ => return Err(bad("subsystem", "unknown subsystem", params.need("subsystem")?)),
        };
        let value = match index.as_str() {
            "created" => created,
            "updated" => updated,
            "deleted" => match subsystem.as_str() {
                "forwards" => self.forwards.deleted(),
                "sendpays" => self.payments.deleted(),
                _ => 0,
            },
            _ => return Err(bad("indexname", "unknown index", params.need("indexname")?)),
        };
        let ready = value >= next;
        Ok(ready.then(|| json!({"subsystem": subsystem, index: value})))
    }
}
