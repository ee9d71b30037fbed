//! From the parameters of `set`, or one entry of `batch`, to a [`PolicyUpdate`].

use crate::guard::policy::{Edit, MAX_BATCH, PolicyUpdate};
use crate::model::policy::{MAX_FEE_TARGET_PPM, MULTIPLIER_BOUNDS};
use crate::model::{PeerId, Ppm, UnixTime};
use crate::rpc::args::{Args, Kind, Param, plain};
use serde_json::{Map, Value, json};

const MULTIPLIER: Kind = Kind::OrNone(&Kind::Number { min: MULTIPLIER_BOUNDS.0, max: MULTIPLIER_BOUNDS.1 });

/// The parameters of `set` in positional order.
pub(super) const PARAMS: &[Param] = &[
    super::PEER_ID,
    Param::optional(
        "strategy",
        Kind::Word,
        "dynamic, static, passive, hive, or the name of a module in the strategies directory.",
    ),
    Param::optional(
        "rebalance",
        Kind::Word,
        "enabled, disabled, source_only (liquidity may only be taken from the peer) or sink_only (only bought for it).",
    )
    .or(&["rebalance_mode"]),
    Param::optional(
        "fee_ppm",
        Kind::OrNone(&Kind::Int {
            min: 0,
            max: MAX_FEE_TARGET_PPM as i64,
        }),
        "The rate for strategy static, ppm; none for no rate.",
    )
    .or(&["fee_ppm_target"]),
    Param::optional(
        "tags",
        Kind::OrNone(&Kind::List),
        "Replaces all tags; none for no tags.",
    ),
    Param::optional(
        "fee_multiplier_min",
        MULTIPLIER,
        "The peer's lowest fee as a multiple of min-fee-ppm; none for the general one.",
    ),
    Param::optional(
        "fee_multiplier_max",
        MULTIPLIER,
        "The peer's highest fee as a multiple of max-fee-ppm; none for the general one.",
    ),
    Param::optional(
        "expires_in_hours",
        Kind::OrNone(&Kind::NUMBER),
        "Hours, at most 720, after which the peer returns to the default policy; none or 0 for never.",
    ),
    Param::optional(
        "rebalance_strategy",
        Kind::OrNone(&Kind::Word),
        "The evaluator that says when to fill the peer's channels: rebalance-ev or the name of a module; none for the general one.",
    )
    .or(&["evaluator"]),
];

/// What answers tell of a policy beyond the parameters of `set`, so that they can be written back.
const TOLD: &[Param] = &[
    Param::optional(
        "expires_at",
        Kind::OrNone(&Kind::Int { min: 0, max: i64::MAX }),
        "The end itself, unix seconds; 0 or null for never.",
    ),
    Param::optional("updated_at", Kind::Any, "Has no effect."),
    Param::optional("is_expired", Kind::Any, "Has no effect."),
];

/// Parameters that `null` empties in a batch.
const EMPTIED_BY_NULL: [&str; 5] =
    ["fee_ppm", "fee_multiplier_min", "fee_multiplier_max", "expires_at", "rebalance_strategy"];

/// The change that the parameters ask for; none at all writes down what holds anyway.
pub(super) fn read(args: &Args) -> Result<(PeerId, PolicyUpdate), String> {
    let peer_id = args.peer_id("peer_id")?;
    let update = PolicyUpdate {
        strategy: args.opt_text("strategy").map(str::parse).transpose()?,
        rebalance_mode: args.opt_text("rebalance").map(str::parse).transpose()?,
        rebalance_strategy: match edit(args, "rebalance_strategy", args.opt_text("rebalance_strategy")) {
            Edit::Keep => Edit::Keep,
            Edit::Clear => Edit::Clear,
            Edit::To(name) => Edit::To(name.parse()?),
        },
        fee_ppm_target: edit(args, "fee_ppm", args.opt_u32("fee_ppm").map(Ppm)),
        tags: match edit(args, "tags", args.opt_list("tags")) {
            Edit::Keep => None,
            Edit::Clear => Some(Vec::new()),
            Edit::To(tags) => Some(tags.to_vec()),
        },
        fee_multiplier_min: number(args, "fee_multiplier_min"),
        fee_multiplier_max: number(args, "fee_multiplier_max"),
        expires_in_hours: number(args, "expires_in_hours"),
        expires_at: Edit::Keep,
    };
    Ok((peer_id, update))
}

/// Every entry of a batch, in order.
pub(super) fn read_batch(updates: &Value) -> Result<Vec<(PeerId, PolicyUpdate)>, String> {
    let entries = updates.as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.len() > MAX_BATCH {
        return Err(format!("{} updates are too many: use at most {MAX_BATCH}", entries.len()));
    }
    let read_at = |(index, entry)| read_entry(entry).map_err(|why| format!("updates[{index}]: {why}"));
    entries.iter().enumerate().map(read_at).collect()
}

/// One entry of a batch: parameters of `set`, or a policy as answers show it.
fn read_entry(entry: &Value) -> Result<(PeerId, PolicyUpdate), String> {
    let fields = entry.as_object().ok_or("it is not a JSON object")?;
    let named = fields.iter().map(|(name, value)| {
        let is_emptied = value.is_null() && is_emptied(name, fields);
        (name.clone(), if is_emptied { json!("none") } else { value.clone() })
    });
    let is_told = |name: &str| TOLD.iter().any(|param| param.name == plain(name));
    let (told, asked): (Map<_, _>, Map<_, _>) = named.partition(|(name, _)| is_told(name));
    let (peer_id, update) = read(&Args::parse(&Value::Object(asked), PARAMS)?)?;
    let told = Args::parse(&Value::Object(told), TOLD)?;
    let expires_at = match update.expires_in_hours {
        Edit::Keep => edit(&told, "expires_at", told.opt_u64("expires_at").map(UnixTime)),
        _ => Edit::Keep,
    };
    // Answers leave the evaluator out where a policy names none.
    let rebalance_strategy = match update.rebalance_strategy {
        Edit::Keep if told.opt_json("is_expired").is_some() => Edit::Clear,
        named => named,
    };
    Ok((peer_id, PolicyUpdate { expires_at, rebalance_strategy, ..update }))
}

/// Whether this field, which is `null`, empties its parameter: no other spelling of it says something else,
/// or the same.
fn is_emptied(name: &str, fields: &Map<String, Value>) -> bool {
    let means = |param: &Param, name: &str| param.is_called(&plain(name));
    let Some(param) = PARAMS.iter().chain(TOLD).find(|param| means(param, name)) else { return false };
    let mut others = fields.iter().filter(|(other, _)| other.as_str() != name && means(param, other));
    EMPTIED_BY_NULL.contains(&param.name)
        && others.all(|(other, value)| value.is_null() && name < other.as_str())
}

fn edit<T>(args: &Args, name: &str, given: Option<T>) -> Edit<T> {
    match given {
        Some(value) => Edit::To(value),
        None if args.is_cleared(name) => Edit::Clear,
        None => Edit::Keep,
    }
}

fn number(args: &Args, name: &str) -> Edit<f64> {
    edit(args, name, args.opt_number(name))
}
