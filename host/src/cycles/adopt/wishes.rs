//! What the operator of the Python plugin wanted, as far as it is allowed here.

use crate::config::{self, Config, Value};
use crate::guard::policy;
use crate::model::policy::{MAX_FEE_TARGET_PPM, MULTIPLIER_BOUNDS};
use crate::model::{Policy, Ppm, UnixTime};
use crate::store::adopt::{FoundOverride, FoundPolicy, Part, Tally};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The policies that hold, one per peer: two spellings of a peer's id are one peer, and the newer row counts.
pub(super) fn policies(mut found: Vec<FoundPolicy>, now: UnixTime, tally: &mut Tally) -> Vec<(Policy, Part)> {
    found.sort_by_key(|one| (one.peer_id, one.ignored, Reverse(one.updated_at)));
    let mut seen = BTreeSet::new();
    let mut policies = Vec::new();
    for one in found {
        let part = if one.ignored { Part::IgnoredPeers } else { Part::Policies };
        if one.expires_at.is_some_and(|end| end <= now) {
            tally.skipped(part, "its time was over", 1);
        } else if seen.contains(&one.peer_id) {
            let why = if one.ignored { "the peer has a policy" } else { "a newer row is for the same peer" };
            tally.skipped(part, why, 1);
        } else {
            match checked(&one, now, tally) {
                Ok(policy) => {
                    seen.insert(one.peer_id);
                    policies.push((policy, part));
                }
                Err(why) => tally.skipped(part, &why, 1),
            }
        }
    }
    policies
}

/// The policy in words and bounds of this plugin. Fields that are out of bounds are left out or brought
/// within them, as the Python plugin did on reading; without a known strategy or mode there is no policy.
fn checked(found: &FoundPolicy, now: UnixTime, tally: &mut Tally) -> Result<Policy, String> {
    let strategy = found.strategy.parse().ok().filter(crate::model::StrategyName::is_built_in);
    let mut policy = Policy {
        strategy: strategy.ok_or("the strategy is none of dynamic, static, passive and hive")?,
        rebalance_mode: found
            .rebalance_mode
            .parse()
            .map_err(|_| "the mode is none of enabled, disabled, source_only and sink_only")?,
        updated_at: found.updated_at,
        expires_at: found.expires_at,
        ..Policy::default_for(found.peer_id)
    };
    if let Some(ppm) = found.fee_ppm_target {
        match u32::try_from(ppm).ok().filter(|ppm| *ppm <= MAX_FEE_TARGET_PPM) {
            Some(ppm) => policy.fee_ppm_target = Some(Ppm(ppm)),
            None => tally.skipped(Part::PolicyFields, "a fee target out of bounds", 1),
        }
    }
    let (lowest, highest) = MULTIPLIER_BOUNDS;
    let within = |factor: Option<f64>| factor.map(|factor| factor.clamp(lowest, highest));
    (policy.fee_multiplier_min, policy.fee_multiplier_max) =
        match (within(found.fee_multiplier_min), within(found.fee_multiplier_max)) {
            (Some(min), Some(max)) if min > max => (Some(max), Some(min)),
            pair => pair,
        };
    for tag in &found.tags {
        match policy::with_tag(&policy, &policy::tag_of(tag))
            .and_then(|update| policy::apply(&policy, &update, now))
        {
            Ok(tagged) => policy.tags = tagged.tags,
            Err(_) => tally.skipped(Part::PolicyFields, "a tag that is not allowed", 1),
        }
    }
    Ok(policy)
}

/// The settings that may be changed to these values, under this plugin's keys. Pairs that only agree
/// together are tried until nothing more fits.
pub(super) fn overrides(
    found: Vec<FoundOverride>,
    options: &Config,
    tally: &mut Tally,
) -> Vec<FoundOverride> {
    let mut config = options.clone();
    let (mut taken, mut open): (Vec<FoundOverride>, Vec<FoundOverride>) = (Vec::new(), Vec::new());
    for one in found {
        match config::find(&one.key) {
            Some(setting) if setting.mutable => open.push(one),
            Some(_) => refuse(tally, &format!("{}: only the start of the plugin sets it", one.key)),
            None => refuse(tally, &format!("{}: there is no such setting", one.key)),
        }
    }
    loop {
        let before = open.len();
        let mut refused = Vec::new();
        for one in std::mem::take(&mut open) {
            let setting = config::find(&one.key).expect("only known settings are open");
            match config.with(setting, &Value::Text(one.value.clone()), &one.key) {
                Ok(changed) => {
                    let value = (setting.get)(&changed).to_string();
                    config = changed;
                    taken.retain(|earlier| earlier.key != setting.key);
                    taken.push(FoundOverride { key: setting.key.to_owned(), value, ..one });
                }
                Err(error) => refused.push((one, error)),
            }
        }
        if refused.len() == before {
            refused.iter().for_each(|(_, error)| refuse(tally, &error.to_string()));
            return taken;
        }
        open = refused.into_iter().map(|(one, _)| one).collect();
    }
}

fn refuse(tally: &mut Tally, why: &str) {
    tally.skipped(Part::ConfigOverrides, why.trim_end_matches("; nothing was changed"), 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PeerId, RebalanceMode};
    use crate::store::adopt::Outcome;

    const NOW: UnixTime = UnixTime(1_000);

    fn found(peer: u8) -> FoundPolicy {
        let mut id = [peer; 33];
        id[0] = 2;
        FoundPolicy {
            peer_id: PeerId(id),
            strategy: "static".to_owned(),
            rebalance_mode: "source_only".to_owned(),
            fee_ppm_target: Some(150),
            tags: vec!["whale".to_owned()],
            updated_at: UnixTime(500),
            fee_multiplier_min: Some(0.5),
            fee_multiplier_max: Some(2.0),
            expires_at: None,
            ignored: false,
        }
    }

    fn taken(found: Vec<FoundPolicy>) -> (Vec<Policy>, Tally) {
        let mut tally = Tally::default();
        let policies = policies(found, NOW, &mut tally);
        (policies.into_iter().map(|(policy, _)| policy).collect(), tally)
    }

    #[test]
    fn a_policy_comes_over_as_it_is() {
        let (policies, tally) = taken(vec![found(1)]);
        let [policy] = &policies[..] else { panic!("{policies:?}") };
        assert_eq!((policy.strategy.as_str(), policy.rebalance_mode), ("static", RebalanceMode::SourceOnly));
        assert_eq!((policy.fee_ppm_target, policy.updated_at), (Some(Ppm(150)), UnixTime(500)));
        assert_eq!((policy.fee_multiplier_min, policy.fee_multiplier_max), (Some(0.5), Some(2.0)));
        assert_eq!(policy.tags, ["whale"]);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn the_newest_row_that_holds_counts() {
        let older = FoundPolicy { updated_at: UnixTime(400), strategy: "hive".to_owned(), ..found(1) };
        let expired = FoundPolicy {
            updated_at: UnixTime(900),
            expires_at: Some(NOW),
            strategy: "hive".to_owned(),
            ..found(1)
        };
        let ignored = FoundPolicy { ignored: true, updated_at: UnixTime(950), ..found(1) };
        let nonsense = FoundPolicy { updated_at: UnixTime(990), strategy: "greedy".to_owned(), ..found(1) };
        let (policies, tally) = taken(vec![older, ignored, nonsense, expired, found(1), found(2)]);
        assert_eq!(policies.iter().map(|policy| policy.strategy.as_str()).collect::<Vec<_>>(), ["static"; 2]);
        assert_eq!(tally.count(Part::Policies, Outcome::Skipped), 3);
        assert_eq!(tally.count(Part::IgnoredPeers, Outcome::Skipped), 1);
    }

    #[test]
    fn fields_are_brought_within_bounds() {
        let odd = FoundPolicy {
            fee_ppm_target: Some(-5),
            fee_multiplier_min: Some(1e9),
            fee_multiplier_max: Some(0.2),
            tags: vec!["slow, dear".to_owned(), "ok".to_owned(), "a=b".to_owned(), String::new()],
            ..found(1)
        };
        let (policies, tally) = taken(vec![odd]);
        assert_eq!(policies[0].fee_ppm_target, None);
        assert_eq!((policies[0].fee_multiplier_min, policies[0].fee_multiplier_max), (Some(0.2), Some(5.0)));
        assert_eq!(policies[0].tags, ["slow  dear", "ok", "a b"]);
        assert_eq!(tally.count(Part::PolicyFields, Outcome::Skipped), 2);
    }

    #[test]
    fn settings_are_checked_and_pairs_may_come_in_any_order() {
        let one = |key: &str, value: &str| FoundOverride {
            key: key.to_owned(),
            value: value.to_owned(),
            updated_at: UnixTime(1),
        };
        let mut tally = Tally::default();
        let found = vec![
            one("min_fee_ppm", "6000"),
            one("snapshot", "x"),
            one("max_fee_ppm", "7000"),
            one("vegas_decay", "0.5"),
            one("vegas_decay_rate", "0.6"),
            one("fee_interval", "-5"),
            one("low_liquidity_threshold", "0.9"),
            one("enable_kelly", "True"),
            one("dry_run", "true"),
        ];
        let taken = overrides(found, &Config::default(), &mut tally);
        let taken: Vec<_> = taken.iter().map(|one| (one.key.as_str(), one.value.as_str())).collect();
        assert_eq!(
            taken,
            [
                ("max_fee_ppm", "7000"),
                ("vegas_decay_rate", "0.6"),
                ("enable_kelly", "true"),
                ("min_fee_ppm", "6000")
            ]
        );
        let why: Vec<_> = tally.iter().map(|(_, _, why, _)| why).collect();
        assert_eq!(why.len(), 4, "{why:?}");
        assert!(
            why.iter()
                .any(|why| why.contains("fee_interval: '-5' is not allowed: use a whole number from 60"))
        );
        assert!(why.iter().any(|why| why.contains("must not be above high_liquidity_threshold")));
        assert!(why.iter().any(|why| why.contains("dry_run: only the start")));
        assert!(why.iter().any(|why| why.contains("snapshot: there is no such setting")));
    }
}
