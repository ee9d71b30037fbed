//! A module's own parameters.

use super::{module, unchanged};
use crate::cycles::Services;
use crate::model::strategy::{ParamSpec, ParamValue};
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
    doc: "Sets one of a module's own parameters, within the bounds that the module describes.",
};

pub(super) async fn run(services: &Services, args: &Args) -> CommandResult {
    let module = module(services, args).await?;
    let (param, wish) = (args.text("param")?.to_owned(), args.opt_text("value").map(str::to_owned));
    let is_default = wish.is_none();
    let set = services.set_param(module.clone(), param.clone(), wish).await?.map_err(unchanged)?;
    services.visit_all();
    let shown = value(&set);
    let message = match is_default {
        true => format!("'{param}' of '{}' is at its default, {shown}", module.name),
        false => format!("'{param}' of '{}' is {shown} from the next cycle on", module.name),
    };
    Ok(json!({
        "status": "success",
        "name": module.name.as_str(),
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
