//! A strategy's own parameters.

use super::{name, unchanged};
use crate::cycles::Services;
use crate::guard::params;
use crate::model::strategy::{Description, ParamSpec, ParamValue};
use crate::rpc::CommandResult;
use crate::rpc::args::{Args, Form, Kind, Param};
use serde_json::{Value, json};

pub(super) const FORM: Form = Form {
    action: "set-param",
    params: &[
        super::NAME,
        Param::required("param", Kind::Text, "The parameter, as show lists it.").or(&["key"]),
        Param::optional(
            "value",
            Kind::Text,
            "Its value from the next cycle on; without it the default holds again.",
        ),
        super::WHICH,
    ],
    doc: "Sets one of a strategy's own parameters, within the bounds that its module describes: of an installed one, of a \
          file, or of one that is built in.",
};

pub(super) async fn run(services: &Services, args: &Args) -> CommandResult {
    let (name, which) = (name(args)?, args.opt_text("module"));
    let (param, wish) = (args.text("param")?.to_owned(), args.opt_text("value").map(str::to_owned));
    let is_default = wish.is_none();
    let set = services.set_param(name.clone(), which, param.clone(), wish).await?.map_err(unchanged)?;
    services.visit_all();
    let shown = value(&set);
    let message = match is_default {
        true => format!("'{param}' of '{name}' is at its default, {shown}"),
        false => format!("'{param}' of '{name}' is {shown} from the next cycle on"),
    };
    Ok(json!({
        "status": "success",
        "name": name.as_str(),
        "param": param,
        "value": shown,
        "default": is_default,
        "message": message,
    }))
}

/// A parameter's value as JSON.
pub fn value(value: &ParamValue) -> Value {
    match value {
        ParamValue::Flag(flag) => json!(flag),
        ParamValue::Integer(integer) => json!(integer),
        ParamValue::Number(number) => json!(number),
        ParamValue::Text(text) => json!(text),
    }
}

/// A module's parameters with the values that it gets, `set` being what an operator set for its name.
pub(super) fn all(about: &Description, set: &[(String, ParamValue)]) -> Value {
    about.params.iter().map(|spec| one(spec, set)).collect()
}

fn one(spec: &ParamSpec, set: &[(String, ParamValue)]) -> Value {
    let mut param = shown(spec);
    let set = set.iter().find(|(name, _)| *name == spec.name).map(|(_, set)| set);
    let taken = set.map_or_else(|| Ok(spec.default.clone()), |set| params::taken(spec, set));
    param["set"] = json!(set.is_some());
    param["not_taken"] = json!(taken.as_ref().err());
    param["value"] = value(taken.as_ref().unwrap_or(&spec.default));
    param
}

pub(super) fn shown(spec: &ParamSpec) -> Value {
    json!({
        "name": spec.name,
        "takes": crate::guard::params::kind(&spec.default),
        "default": value(&spec.default),
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "doc": spec.doc,
    })
}
