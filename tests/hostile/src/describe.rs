//! Descriptions, true and false.

use crate::attack;
use crate::bindings::revenue_ops::strategy::types::{Description, ParamSpec, ParamValue};

pub fn describe(mode: &str) -> Description {
    let mut about = honest();
    match mode {
        "describe-loop" => attack::spin(),
        "describe-panic" => panic!("no description"),
        "describe-name" => about.name = "../../etc/passwd\u{1b}[31m".to_owned(),
        "describe-params" => about.params = (0..65).map(|at| param(&format!("p{at}"))).collect(),
        "describe-bound" => about.params[0].minimum = Some(f64::NAN),
        "wide-step" => {
            let (minimum, maximum) = (Some(1_500.0), Some(2_000.0));
            about.params[0] =
                ParamSpec { default: ParamValue::Integer(1_500), minimum, maximum, ..param("step") };
        }
        "fee-plunge" => "congestion".clone_into(&mut about.reasons[0]),
        "describe-alias" => about.signals = aliases(),
        other => {
            if let Some(version) = other.strip_prefix("version-") {
                version.clone_into(&mut about.version);
            }
        }
    }
    about
}

fn honest() -> Description {
    let words = |words: [&str; 2]| words.into_iter().map(str::to_owned).collect();
    Description {
        name: "hostile".to_owned(),
        version: "1.0.0".to_owned(),
        state_version: 1,
        params: vec![param("step")],
        signals: vec!["peer.uptime-day".to_owned()],
        reasons: words(["step", "hold"]),
        factors: words(["old-ppm", "share"]),
    }
}

fn param(name: &str) -> ParamSpec {
    ParamSpec {
        name: name.to_owned(),
        doc: "How much to add, ppm.".to_owned(),
        default: ParamValue::Integer(5),
        minimum: Some(0.0),
        maximum: Some(1000.0),
    }
}

/// 4,096 texts that share 1 MiB: 4 GiB for a host that copies them.
fn aliases() -> Vec<String> {
    let text = "a".repeat(1 << 20).leak();
    // SAFETY: none. Each text claims to own the same bytes; the sandbox has to
    // bound the copies, and the instance ends with the call.
    (0..4096).map(|_| unsafe { String::from_raw_parts(text.as_mut_ptr(), text.len(), text.len()) }).collect()
}
