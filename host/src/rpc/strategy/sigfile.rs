//! A manifest with its signatures as JSON: the file that `strategy sign` writes, and what `push begin` takes.

use crate::cycles::admission::Claim;
use crate::model::manifest::Signature;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the signatures of a module are when nothing is said.
pub fn beside(module: &Path) -> PathBuf {
    let mut name = OsString::from(module);
    name.push(".sig.json");
    PathBuf::from(name)
}

/// Reads the file's text.
///
/// # Errors
/// One sentence that says what is wrong with it.
pub fn read(text: &str) -> Result<Claim, String> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| format!("it holds no manifest with signatures: {error}"))?;
    let known = |name: &str| ["manifest", "signatures"].contains(&name);
    let fields = file.as_object().filter(|fields| fields.keys().all(|name| known(name)));
    let (Some(manifest), Some(rows)) = (
        fields.and_then(|fields| fields.get("manifest")?.as_str()),
        fields.and_then(|f| f.get("signatures")),
    ) else {
        return Err("it holds no manifest with signatures: use what strategy sign writes".to_owned());
    };
    let manifest = manifest.parse().map_err(|error| format!("{error}"))?;
    Ok(Claim { manifest, signatures: signatures(rows)? })
}

/// An array of objects with `signer` and `signature`.
///
/// # Errors
/// One sentence that says what is wrong with one.
pub fn signatures(rows: &Value) -> Result<Vec<Signature>, String> {
    rows.as_array().ok_or_else(use_objects)?.iter().map(signature).collect()
}

fn signature(row: &Value) -> Result<Signature, String> {
    let text = |field: &str| row.get(field).and_then(Value::as_str);
    let (Some(signer), Some(zbase)) = (text("signer"), text("signature")) else { return Err(use_objects()) };
    let signer = signer.parse().map_err(|error| format!("signatures: {error}"))?;
    Ok(Signature { signer, zbase: zbase.to_owned() })
}

fn use_objects() -> String {
    "signatures: use objects with the texts `signer` (a node id) and `signature` (its zbase)".to_owned()
}

/// The file's text.
pub fn written(claim: &Claim) -> String {
    let row =
        |one: &Signature| serde_json::json!({ "signer": one.signer.to_string(), "signature": one.zbase });
    let file = serde_json::json!({
        "manifest": claim.manifest.to_string(),
        "signatures": claim.signatures.iter().map(row).collect::<Vec<_>>(),
    });
    format!("{file:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "035d62e91da24af418c0a90d301c4859befff2cb1ac0dc4738283ea49a2fc9db37";

    #[test]
    fn what_is_written_is_read() {
        let manifest = "cl-revenue-ops strategy 1; network regtest; name mine; version 1.0.0; abi a; sha256 \
                        7ffdbc33792958ca85c612e622ae164b83d696bc130d087f02e56469a998a697; size 1; not-after 9";
        let signature = Signature { signer: ID.parse().expect("a key"), zbase: "zbase".to_owned() };
        let claim = Claim { manifest: manifest.parse().expect("a manifest"), signatures: vec![signature] };
        assert_eq!(read(&written(&claim)), Ok(claim));
    }

    #[test]
    fn what_is_no_such_file_is_told() {
        for (text, part) in [
            ("", "no manifest with signatures"),
            ("[]", "what strategy sign writes"),
            (r#"{"manifest":"x"}"#, "what strategy sign writes"),
            (r#"{"manifest":"x","signatures":[],"more":1}"#, "what strategy sign writes"),
            (r#"{"manifest":"x","signatures":[]}"#, "the manifest does not begin with"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
        for rows in [r#"{}"#, r#"[1]"#, r#"[{"signer":"02"}]"#, r#"[{"signer":"02","signature":"z"}]"#] {
            let why = signatures(&serde_json::from_str(rows).expect("JSON")).expect_err(rows);
            assert!(why.starts_with("signatures: "), "{rows}: {why}");
        }
    }
}
