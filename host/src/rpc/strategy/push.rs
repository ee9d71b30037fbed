//! `revenue-strategy push`: a signed module in chunks, from whoever may call the node.

use super::{sigfile, sub};
use crate::cycles::Services;
use crate::cycles::admission::Claim;
use crate::cycles::push::{Begun, PushError};
use crate::guard::admission::Accepted;
use crate::guard::upload::{MAX_BYTES, MAX_CHUNK_BYTES, MAX_CHUNKS, PATIENCE_S};
use crate::model::manifest::{Manifest, Signed};
use crate::model::upload::{Upload, UploadId, UploadState};
use crate::rpc::CommandResult;
use crate::rpc::args::{Args, Form, Kind, Menu, Param};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const UPLOAD: Param = Param::required("upload", Kind::Text, "What `push begin` answered.");

/// In the list of actions; the inner words have their own.
pub(super) const FORM: Form = Form {
    action: "push",
    params: &[],
    doc: "A signed module in chunks: begin, chunk, commit, abort, list.",
};

static MENU: Menu = Menu {
    selector: sub::SELECTOR,
    default: Some("list"),
    forms: &[
        Form { action: "list", params: &[], doc: "Uploads, with what each expects next." },
        Form {
            action: "begin",
            params: &[
                Param::required("manifest", Kind::Text, "The manifest, as it was signed."),
                Param::required("signatures", Kind::Array, "Objects with `signer` and `signature` (zbase)."),
            ],
            doc: "Begins an upload, or goes on with one of the same manifest.",
        },
        Form {
            action: "chunk",
            params: &[
                UPLOAD,
                Param::required(
                    "seq",
                    Kind::Int { min: 0, max: MAX_CHUNKS as i64 - 1 },
                    "Its number, from 0.",
                ),
                Param::required("data", Kind::Text, "At most 32 KiB in base64."),
            ],
            doc: "Takes the next chunk; one that is there already changes nothing.",
        },
        Form {
            action: "commit",
            params: &[UPLOAD],
            doc: "Checks the whole module and takes it in. Doing it again answers the same.",
        },
        Form { action: "abort", params: &[UPLOAD], doc: "Gives an upload up." },
    ],
    reads: &[],
    everywhere: &[],
    exact: &[],
};

pub(super) async fn run(services: &Services, params: Value) -> CommandResult {
    Ok(match done(services, &params).await {
        Err(Refusal::Push(error)) => match error.downcast::<PushError>() {
            Ok(error) => error_answer(&error),
            Err(error) => refused("failed", &format!("{error:#}")),
        },
        Err(Refusal::Call(code, why)) => refused(code, &why),
        Ok(answer) => answer,
    })
}

async fn done(services: &Services, params: &Value) -> Result<Value, Refusal> {
    let (form, args) = Args::parse_menu(params, &MENU).map_err(call)?;
    match form.action {
        "begin" => begin(services, &args).await,
        "chunk" => chunk(services, &args).await,
        "commit" => commit(services, &args).await,
        "abort" => abort(services, &args).await,
        "list" => list(services).await,
        other => Menu::has_no(other),
    }
}

/// Why a step was not taken: the call itself is wrong (a word for programs, and why), or the upload does
/// not allow it.
enum Refusal {
    Call(&'static str, String),
    Push(anyhow::Error),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Refusal {
        Refusal::Push(error)
    }
}

fn call(why: impl std::fmt::Display) -> Refusal {
    because("bad_call")(why.to_string())
}

fn because(code: &'static str) -> impl Fn(String) -> Refusal {
    move |why| Refusal::Call(code, why)
}

fn refused(code: &str, why: &str) -> Value {
    json!({ "status": "error", "error": format!("push: {why}; nothing was changed"), "code": code })
}

async fn list(services: &Services) -> Result<Value, Refusal> {
    let uploads = services.uploads().await?;
    Ok(json!({ "uploads": uploads.iter().map(shown).collect::<Vec<_>>() }))
}

async fn begin(services: &Services, args: &Args) -> Result<Value, Refusal> {
    let manifest = args.text("manifest").map_err(call)?.parse::<Manifest>();
    let manifest = manifest.map_err(|why| because("bad_manifest")(why.to_string()))?;
    let signatures = sigfile::signatures(args.json("signatures").map_err(call)?);
    let signatures = signatures.map_err(because("bad_signature"))?;
    match services.push_begin(Claim { manifest, signatures }).await? {
        Begun::Open(upload) => Ok(answer("success", &upload)),
        Begun::Again(signed, accepted) => Ok(again(&signed, accepted)),
    }
}

async fn chunk(services: &Services, args: &Args) -> Result<Value, Refusal> {
    let (id, seq) = (upload_id(args)?, args.opt_u32("seq").unwrap_or_default());
    let data = args.text("data").map_err(call)?;
    // Four characters are three bytes: what is longer is not even decoded.
    if data.len() > MAX_CHUNK_BYTES.div_ceil(3) * 4 {
        let why = format!("data: use at most {MAX_CHUNK_BYTES} bytes in base64");
        return Err(because("chunk_too_large")(why));
    }
    let no_base64 = |error| because("bad_base64")(format!("data is no base64: {error}"));
    let bytes = STANDARD.decode(data).map_err(no_base64)?;
    Ok(answer("success", &services.push_chunk(id, seq, bytes).await?))
}

async fn commit(services: &Services, args: &Args) -> Result<Value, Refusal> {
    Ok(answer("success", &services.push_commit(upload_id(args)?).await?))
}

async fn abort(services: &Services, args: &Args) -> Result<Value, Refusal> {
    let (upload, was_open) = services.push_abort(upload_id(args)?).await?;
    Ok(answer(if was_open { "success" } else { "noop" }, &upload))
}

fn upload_id(args: &Args) -> Result<UploadId, Refusal> {
    args.text("upload").map_err(call)?.parse().map_err(call)
}

/// An upload, and what it expects next.
fn shown(upload: &Upload) -> Value {
    let manifest = &upload.manifest;
    let mut shown = json!({
        "upload": upload.id.to_string(),
        "state": upload.state.name(),
        "name": manifest.name.as_str(),
        "version": manifest.version.to_string(),
        "abi": manifest.abi,
        "sha256": manifest.digest.to_string(),
        "size": manifest.bytes,
    });
    match upload.state {
        UploadState::Open => {
            shown["bytes"] = json!(upload.bytes);
            shown["next_seq"] = json!(upload.chunks);
            shown["next"] = json!(if upload.bytes < manifest.bytes { "chunk" } else { "commit" });
            shown["max_chunk_bytes"] = json!(MAX_CHUNK_BYTES);
            shown["expires_at"] = json!(upload.touched_at.plus(PATIENCE_S).0);
        }
        UploadState::Received => {
            shown["signers"] = upload.signers.iter().map(ToString::to_string).collect();
            shown["received_at"] = json!(upload.touched_at.0);
        }
        UploadState::Expired | UploadState::Aborted => shown["next"] = json!("begin"),
    }
    shown
}

fn answer(status: &str, upload: &Upload) -> Value {
    let mut answer = json!({ "status": status });
    if let (Value::Object(answer), Value::Object(shown)) = (&mut answer, shown(upload)) {
        answer.extend(shown);
    }
    answer
}

fn again(signed: &Signed, accepted: Accepted) -> Value {
    let manifest = &signed.manifest;
    json!({
        "status": "noop",
        "state": UploadState::Received.name(),
        "name": manifest.name.as_str(),
        "version": manifest.version.to_string(),
        "sha256": manifest.digest.to_string(),
        "signers": signed.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "received_at": accepted.at.0,
        "message": format!("version {} of '{}' was taken in before", manifest.version, manifest.name),
    })
}

/// An error with a word for programs, and what the upload expects next where there is one.
fn error_answer(error: &PushError) -> Value {
    let mut answer = json!({ "status": "error", "error": format!("push: {error}"), "code": error.code() });
    if let PushError::Refused(_, upload) | PushError::Dropped(_, upload) | PushError::NotInstalled(_, upload) =
        error
        && let (Value::Object(answer), Value::Object(shown)) = (&mut answer, shown(upload))
    {
        answer.extend(shown);
    }
    if matches!(error, PushError::NotLetIn(crate::guard::admission::AdmissionRefusal::TooLarge { .. })) {
        answer["max_bytes"] = json!(MAX_BYTES);
    }
    answer
}
