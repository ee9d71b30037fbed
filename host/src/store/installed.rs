//! Installed modules, what befell them, and the parameters that an operator set.

use super::sql::{Unsigned, json, to_json, word};
use crate::model::module::{Canary, CanaryBounds, InstalledModule, ModuleEvent};
use crate::model::strategy::ParamValue;
use crate::model::{ChannelId, CycleKind, Digest, PeerId, StrategyName, UnixTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction, params};

const COLUMNS: &str = "name, digest, decides, version, bytes, stage, stage_since_s, installed_at_s, stands_for, signers,
    manifest, canary_since_s, canary_channels, max_revenue_fall_pct, max_refusals_pct, min_hours, min_forwards, max_cost_rise_pct";

/// Keeps what is known of a module in place of what was.
pub fn put(tx: &Transaction<'_>, module: &InstalledModule) -> Result<()> {
    let signers: Vec<String> = module.signers.iter().map(ToString::to_string).collect();
    let canary = module.canary.as_ref();
    let channels = canary.map(|canary| canary.channels.iter().map(ToString::to_string).collect::<Vec<_>>());
    let bounds = canary.map(|canary| canary.bounds);
    tx.prepare_cached(&format!(
        "INSERT INTO installed_modules ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (name, digest) DO UPDATE SET stage = excluded.stage, stage_since_s = excluded.stage_since_s,
             stands_for = excluded.stands_for, signers = excluded.signers, manifest = excluded.manifest,
             canary_since_s = excluded.canary_since_s, canary_channels = excluded.canary_channels,
             max_revenue_fall_pct = excluded.max_revenue_fall_pct, max_refusals_pct = excluded.max_refusals_pct,
             min_hours = excluded.min_hours, min_forwards = excluded.min_forwards,
             max_cost_rise_pct = excluded.max_cost_rise_pct"
    ))?
    .execute(params![
        module.name.as_str(),
        module.digest,
        module.decides.name(),
        module.version,
        super::sql::int(module.bytes)?,
        module.stage.name(),
        module.stage_since,
        module.installed_at,
        module.stands_for.as_str(),
        to_json(&signers)?,
        module.manifest,
        canary.map(|canary| canary.since),
        channels.map(|channels| to_json(&channels)).transpose()?,
        bounds.map(|bounds| bounds.max_revenue_fall_pct),
        bounds.map(|bounds| bounds.max_refusals_pct),
        bounds.map(|bounds| bounds.min_hours),
        bounds.map(|bounds| bounds.min_forwards),
        bounds.map(|bounds| bounds.max_cost_rise_pct),
    ])?;
    Ok(())
}

/// All installed modules, by name, the latest installed first.
pub fn all(conn: &Connection) -> Result<Vec<InstalledModule>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM installed_modules ORDER BY name, installed_at_s DESC, digest"
    ))?
    .query_map([], read)?
    .collect()
}

/// One module.
pub fn get(conn: &Connection, name: &StrategyName, digest: &Digest) -> Result<Option<InstalledModule>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM installed_modules WHERE name = ?1 AND digest = ?2"))?
        .query_row(params![name.as_str(), digest], read)
        .optional()
}

/// Forgets a module. Returns whether it was installed.
pub fn remove(tx: &Transaction<'_>, name: &StrategyName, digest: &Digest) -> Result<bool> {
    let removed = tx
        .prepare_cached("DELETE FROM installed_modules WHERE name = ?1 AND digest = ?2")?
        .execute(params![name.as_str(), digest])?;
    Ok(removed > 0)
}

/// Notes a step of a module's life.
pub fn note(tx: &Transaction<'_>, event: &ModuleEvent) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO module_events (at_s, name, digest, action, by, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        event.at,
        event.name.as_str(),
        event.digest,
        event.action,
        event.by,
        event.detail
    ])?;
    Ok(())
}

/// The latest steps of all modules of a name, newest first.
pub fn events(conn: &Connection, name: &StrategyName, most: u32) -> Result<Vec<ModuleEvent>> {
    conn.prepare_cached(
        "SELECT at_s, name, digest, action, by, detail FROM module_events WHERE name = ?1 ORDER BY id DESC LIMIT ?2",
    )?
    .query_map(params![name.as_str(), most], |row| {
        Ok(ModuleEvent {
            at: row.get("at_s")?,
            name: word(row, "name", |text| text.parse().ok())?,
            digest: row.get("digest")?,
            action: row.get("action")?,
            by: row.get("by")?,
            detail: row.get("detail")?,
        })
    })?
    .collect()
}

/// Keeps a parameter's value in place of the former one.
pub fn set_param(
    tx: &Transaction<'_>,
    name: &StrategyName,
    param: &str,
    value: &ParamValue,
    now: UnixTime,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO module_params (name, param, value, set_at_s) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![name.as_str(), param, to_json(value)?, now])?;
    Ok(())
}

/// Forgets a parameter's value: the module's default holds. Returns whether there was one.
pub fn reset_param(tx: &Transaction<'_>, name: &StrategyName, param: &str) -> Result<bool> {
    let gone = tx
        .prepare_cached("DELETE FROM module_params WHERE name = ?1 AND param = ?2")?
        .execute(params![name.as_str(), param])?;
    Ok(gone > 0)
}

/// All parameters that were set: module, parameter, value.
pub fn set_params(conn: &Connection) -> Result<Vec<(StrategyName, String, ParamValue)>> {
    conn.prepare_cached("SELECT name, param, value FROM module_params ORDER BY name, param")?
        .query_map([], |row| {
            let name = word(row, "name", |text| text.parse().ok())?;
            Ok((name, row.get("param")?, json(row, "value")?))
        })?
        .collect()
}

fn read(row: &Row<'_>) -> Result<InstalledModule> {
    let signers: Vec<String> = json(row, "signers")?;
    let Unsigned(bytes) = row.get("bytes")?;
    Ok(InstalledModule {
        name: word(row, "name", |text| text.parse().ok())?,
        digest: row.get("digest")?,
        decides: word(row, "decides", CycleKind::from_name)?,
        version: row.get("version")?,
        bytes,
        stage: word(row, "stage", |text| text.parse().ok())?,
        stage_since: row.get("stage_since_s")?,
        installed_at: row.get("installed_at_s")?,
        stands_for: word(row, "stands_for", |text| text.parse().ok())?,
        signers: signers.iter().filter_map(|id| id.parse::<PeerId>().ok()).collect(),
        manifest: row.get("manifest")?,
        canary: read_canary(row)?,
    })
}

fn read_canary(row: &Row<'_>) -> Result<Option<Canary>> {
    let Some(since) = row.get("canary_since_s")? else { return Ok(None) };
    let channels: Vec<String> = json(row, "canary_channels")?;
    Ok(Some(Canary {
        since,
        channels: channels.iter().filter_map(|id| id.parse::<ChannelId>().ok()).collect(),
        bounds: CanaryBounds {
            max_revenue_fall_pct: row.get("max_revenue_fall_pct")?,
            max_refusals_pct: row.get("max_refusals_pct")?,
            max_cost_rise_pct: row.get("max_cost_rise_pct")?,
            min_hours: row.get("min_hours")?,
            min_forwards: row.get("min_forwards")?,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::module::Stage;
    use crate::store::testing::memory;

    fn module(digest: u8, stage: Stage) -> InstalledModule {
        InstalledModule {
            name: "mine".parse().expect("a name"),
            digest: Digest([digest; 32]),
            decides: CycleKind::Fee,
            version: "1.0.0".to_owned(),
            bytes: 70_000,
            stage,
            stage_since: UnixTime(20),
            installed_at: UnixTime(10),
            stands_for: StrategyName::dynamic(),
            signers: vec![PeerId([2; 33])],
            manifest: Some("text".to_owned()),
            canary: None,
        }
    }

    #[test]
    fn a_module_comes_back_as_it_was_kept() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let bounds = CanaryBounds {
            max_revenue_fall_pct: 30.0,
            max_refusals_pct: 50.0,
            max_cost_rise_pct: 40.0,
            min_hours: 6,
            min_forwards: 9,
        };
        let channels = vec![ChannelId([1; 32]), ChannelId([2; 32])];
        let canary = Some(Canary { since: UnixTime(20), channels, bounds });
        let one = InstalledModule { canary, ..module(1, Stage::Canary) };
        put(&tx, &one).expect("kept");
        put(&tx, &module(2, Stage::Active)).expect("kept");
        assert_eq!(get(&tx, &one.name, &one.digest), Ok(Some(one.clone())));
        assert_eq!(all(&tx).map(|all| all.len()), Ok(2));
        assert_eq!(
            (remove(&tx, &one.name, &one.digest), remove(&tx, &one.name, &one.digest)),
            (Ok(true), Ok(false))
        );
    }

    #[test]
    fn two_are_never_in_force_for_one_strategy() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        put(&tx, &module(1, Stage::Active)).expect("kept");
        assert!(put(&tx, &module(2, Stage::Active)).is_err());
        put(&tx, &module(1, Stage::Superseded)).expect("kept");
        put(&tx, &module(2, Stage::Active)).expect("kept");
    }

    #[test]
    fn parameters_and_steps_are_kept() {
        let mut conn = memory();
        let tx = conn.transaction().expect("a transaction");
        let name: StrategyName = "mine".parse().expect("a name");
        set_param(&tx, &name, "floor", &ParamValue::Integer(7), UnixTime(1)).expect("kept");
        set_param(&tx, &name, "floor", &ParamValue::Number(7.5), UnixTime(2)).expect("kept");
        assert_eq!(set_params(&tx), Ok(vec![(name.clone(), "floor".to_owned(), ParamValue::Number(7.5))]));
        assert_eq!(
            (reset_param(&tx, &name, "floor"), reset_param(&tx, &name, "floor")),
            (Ok(true), Ok(false))
        );
        let event = |at| ModuleEvent {
            at: UnixTime(at),
            name: name.clone(),
            digest: None,
            action: "install".to_owned(),
            by: "operator".to_owned(),
            detail: String::new(),
        };
        for at in 1..=3 {
            note(&tx, &event(at)).expect("noted");
        }
        assert_eq!(events(&tx, &name, 2), Ok(vec![event(3), event(2)]));
    }
}
