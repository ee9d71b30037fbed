//! The kit for authors as text: what the build found in `sdk/strategy/src` and `wit/v1`.

/// Paths inside the kit, and what stands there.
pub(super) const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kit.rs"));
