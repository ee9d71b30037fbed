//! JSON-RPC errors as lightningd shapes them.

use std::fmt;

use serde_json::{Value, json};

/// Parameters were wrong.
pub const INVALID_PARAMS: i64 = -32602;
/// There is no such method.
pub const UNKNOWN_METHOD: i64 = -32601;
/// A plugin ended before it answered.
pub const PLUGIN_TERMINATED: i64 = -4;

/// An error that a method answered.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// JSON-RPC or lightningd error code.
    pub code: i64,
    /// What went wrong.
    pub message: String,
    /// More, in a form of the method's own.
    pub data: Option<Value>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Wrong parameters.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// The answer to a method that nobody offers.
    pub fn unknown(method: &str) -> Self {
        Self::new(UNKNOWN_METHOD, format!("Unknown command '{method}'"))
    }

    /// The answer when a plugin dies with a request in its hands.
    pub fn terminated() -> Self {
        Self::new(PLUGIN_TERMINATED, "Plugin terminated before replying to RPC call.")
    }

    /// The `error` member of an answer.
    pub fn to_json(&self) -> Value {
        match &self.data {
            Some(data) => json!({"code": self.code, "message": self.message, "data": data}),
            None => json!({"code": self.code, "message": self.message}),
        }
    }

    /// Reads the `error` member of an answer.
    pub fn from_json(error: &Value) -> Self {
        Self {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error.get("data").filter(|data| !data.is_null()).cloned(),
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for RpcError {}

/// What a method answers.
pub type RpcResult = Result<Value, RpcError>;

/// The result or error of a JSON-RPC answer.
pub(crate) fn outcome(mut answer: Value) -> RpcResult {
    match answer.get("error") {
        Some(error) => Err(RpcError::from_json(error)),
        None => Ok(answer.get_mut("result").map_or(Value::Null, Value::take)),
    }
}
