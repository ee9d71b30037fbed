//! Why a step of an upload was not taken.

use crate::guard::admission::AdmissionRefusal;
use crate::guard::upload::UploadRefusal;
use crate::model::upload::{Upload, UploadId};
use std::fmt;

/// Why a step of an upload was not taken. Nothing was changed, but as the text says.
#[derive(Debug)]
pub enum PushError {
    Unknown(UploadId),
    NotLetIn(AdmissionRefusal),
    Refused(UploadRefusal, Box<Upload>),
    TooManyOpen,
    /// What came is not what was signed: the upload is dropped.
    Dropped(AdmissionRefusal, Box<Upload>),
    /// It is what was signed, and not fit to be installed.
    NotInstalled(String, Box<Upload>),
}

impl PushError {
    /// The word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            PushError::Unknown(_) => "unknown_upload",
            PushError::NotLetIn(why) | PushError::Dropped(why, _) => why.code(),
            PushError::Refused(why, _) => why.code(),
            PushError::NotInstalled(..) => "not_installed",
            PushError::TooManyOpen => UploadRefusal::TooManyOpen.code(),
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KEPT: &str = "nothing was changed";
        match self {
            PushError::Unknown(id) => write!(f, "there is no upload {id}: begin one; {KEPT}"),
            PushError::NotLetIn(why) => write!(f, "{why}; {KEPT}"),
            PushError::Refused(why, _) => write!(f, "{why}; {KEPT}"),
            PushError::NotInstalled(why, _) => write!(f, "{why}; {KEPT}"),
            PushError::TooManyOpen => write!(f, "{}; {KEPT}", UploadRefusal::TooManyOpen),
            PushError::Dropped(why, _) => write!(f, "{why}: the upload was dropped, begin it again"),
        }
    }
}

impl std::error::Error for PushError {}
