//! A job: what sling is asked for, read from its parameters with its words for what is wrong.

use serde_json::{Map, Value, json};

use super::args::{read_scid, refuse};
use super::version::SlingVersion;
use crate::ids::Scid;
use crate::rpc::RpcError;

/// Where the sats of a job go, as seen from its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SatDirection {
    /// Into our side of the channel.
    Pull,
    /// Out of it.
    Push,
}

/// See the module's text. Amounts are msat.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    pub direction: SatDirection,
    pub amount_msat: u64,
    pub maxppm: u32,
    pub outppm: Option<u64>,
    pub candidates: Option<Vec<Scid>>,
    pub target: Option<f64>,
    pub maxhops: Option<u8>,
    pub depleteuptopercent: Option<f64>,
    pub depleteuptoamount_msat: Option<u64>,
    pub paralleljobs: Option<u16>,
    pub once_msat: Option<u64>,
}

const KEYS: [&str; 11] = [
    "scid",
    "direction",
    "amount",
    "maxppm",
    "outppm",
    "target",
    "maxhops",
    "candidates",
    "depleteuptopercent",
    "depleteuptoamount",
    "paralleljobs",
];

impl Job {
    /// Reads the parameters of `sling-job`, or of `sling-once`.
    pub fn parse(params: &Value, once: bool, version: SlingVersion) -> Result<(Scid, Self), RpcError> {
        let fields = match params {
            Value::Object(fields) => Fields(fields),
            other if version.is_4() => {
                return Err(refuse(format!("Expected an object! Got {other} instead")));
            }
            other => return Err(refuse(format!("Invalid arguments: {other}"))),
        };
        fields.check_names(once)?;
        let scid = fields.scid()?;
        let direction = fields.direction()?;
        let amount_msat = fields.needed_msat("amount")?;
        let maxppm = fields.integer("maxppm")?.ok_or_else(|| refuse("Missing maxppm"))?;
        let maxppm = if version.is_4() { narrow(maxppm)? } else { maxppm as u32 };
        let outppm = fields.integer("outppm")?;
        let once_msat = if once { Some(fields.once_msat(amount_msat)?) } else { None };
        let target = fields.float("target")?;
        let maxhops = fields.integer("maxhops")?.map(narrow::<u8>).transpose()?;
        at_least("maxhops", maxhops.map(u64::from), 2)?;
        let depleteuptopercent = fields.float("depleteuptopercent")?;
        if depleteuptopercent.is_some_and(|share| !(0.0..1.0).contains(&share)) {
            return Err(refuse("depleteuptopercent must be between 0.0 and <1.0"));
        }
        let depleteuptoamount_msat = fields.integer("depleteuptoamount")?.map(|sat| sat.saturating_mul(1000));
        let paralleljobs = fields.integer("paralleljobs")?.map(narrow::<u16>).transpose()?;
        at_least("paralleljobs", paralleljobs.map(u64::from), 1)?;
        let candidates = fields.candidates()?;
        if outppm.is_none() && candidates.is_none() {
            let verb = if version.is_4() { "must" } else { "need to" };
            return Err(refuse(format!("Atleast one of outppm and candidatelist {verb} be set.")));
        }
        let job = Self {
            direction,
            amount_msat,
            maxppm,
            outppm,
            candidates,
            target,
            maxhops,
            depleteuptopercent,
            depleteuptoamount_msat,
            paralleljobs,
            once_msat,
        };
        Ok((scid, job))
    }

    /// The job as `sling-jobsettings` shows it.
    pub fn settings(&self, version: SlingVersion) -> Value {
        let (candidates, deplete) = match version.is_4() {
            true => ("candidates", "depleteuptoamount_msat"),
            false => ("candidatelist", "depleteuptoamount"),
        };
        let direction = if self.direction == SatDirection::Pull { "Pull" } else { "Push" };
        let mut shown = Map::new();
        shown.insert("sat_direction".into(), json!(direction));
        shown.insert("amount_msat".into(), json!(self.amount_msat));
        shown.insert("maxppm".into(), json!(self.maxppm));
        let names: Option<Vec<String>> =
            self.candidates.as_ref().map(|scids| scids.iter().map(Scid::to_string).collect());
        let optional = [
            ("outppm", json!(self.outppm)),
            (candidates, json!(names)),
            ("target", json!(self.target)),
            ("maxhops", json!(self.maxhops)),
            ("depleteuptopercent", json!(self.depleteuptopercent)),
            (deplete, json!(self.depleteuptoamount_msat)),
            ("paralleljobs", json!(self.paralleljobs)),
        ];
        let given = optional.into_iter().filter(|(_, value)| !value.is_null());
        shown.extend(given.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(shown)
    }
}

fn narrow<T: TryFrom<u64>>(number: u64) -> Result<T, RpcError> {
    T::try_from(number).map_err(|_| refuse("out of range integral type conversion attempted"))
}

fn at_least(name: &str, value: Option<u64>, least: u64) -> Result<(), RpcError> {
    match value {
        Some(value) if value < least => Err(refuse(format!("{name} must be atleast {least}"))),
        _ => Ok(()),
    }
}

/// Parameters by name. Numbers must be numbers; `null` is no absence.
struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn check_names(&self, once: bool) -> Result<(), RpcError> {
        let known = |name: &str| KEYS.contains(&name) || once && name == "onceamount";
        if let Some(stray) = self.0.keys().find(|name| !known(name)) {
            return Err(refuse(format!("Invalid argument: {stray}")));
        }
        match once && self.0.contains_key("target") {
            true => Err(refuse("`target` can not be used with `sling-once`")),
            false => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Result<&str, RpcError> {
        let value = self.0.get(name).ok_or_else(|| refuse(format!("Missing {name}")))?;
        value.as_str().ok_or_else(|| refuse(format!("invalid string for {name}")))
    }

    fn scid(&self) -> Result<Scid, RpcError> {
        read_scid(self.text("scid")?)
    }

    fn direction(&self) -> Result<SatDirection, RpcError> {
        match self.text("direction")? {
            "pull" => Ok(SatDirection::Pull),
            "push" => Ok(SatDirection::Push),
            other => Err(refuse(format!("could not parse flow direction from `{other}`"))),
        }
    }

    /// An amount in sat that must be there and not 0, as msat.
    fn needed_msat(&self, name: &str) -> Result<u64, RpcError> {
        let value = self.0.get(name).ok_or_else(|| refuse(format!("Missing {name}")))?;
        match value.as_u64() {
            None => Err(refuse(format!("{name} must be a positive integer"))),
            Some(0) => Err(refuse(format!("{name} must be greater than 0"))),
            Some(sat) => Ok(sat.saturating_mul(1000)),
        }
    }

    fn once_msat(&self, amount_msat: u64) -> Result<u64, RpcError> {
        let once_msat = self.needed_msat("onceamount")?;
        if once_msat % amount_msat != 0 {
            let (once, amount) = (once_msat / 1000, amount_msat / 1000);
            let text =
                format!("onceamount must be a multiple of amount. onceamount: {once}, amount: {amount}");
            return Err(refuse(text));
        }
        Ok(once_msat)
    }

    fn integer(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| refuse(format!("{name} must be an integer")))
    }

    fn float(&self, name: &str) -> Result<Option<f64>, RpcError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| refuse(format!("{name} must be a floating point")))
    }

    fn candidates(&self) -> Result<Option<Vec<Scid>>, RpcError> {
        let Some(value) = self.0.get("candidates") else { return Ok(None) };
        let listed = value.as_array().ok_or_else(|| refuse("Invalid array for candidate list"))?;
        let wrong = || refuse("invalid string for channel id in candidate list");
        let scids = listed.iter().map(|one| read_scid(one.as_str().ok_or_else(wrong)?));
        scids.collect::<Result<Vec<_>, _>>().map(Some)
    }
}
