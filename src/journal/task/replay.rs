//! A record back into what the task ended with.

use serde::de::DeserializeOwned;

use super::cell::Outcome;
use super::error::DurableErrorKind;
use super::failure::Said;
use crate::journal::core::Core;
use crate::journal::error::{JournalError, JournalErrorKind};
use crate::journal::record::{Kind, Row};

pub(super) fn outcome<T: DeserializeOwned>(core: &Core, row: Row) -> Outcome<T> {
    let Row { head, payload } = row;
    let unreadable = |what: String| {
        let remedy = "raise the handler's version, or forget the key, to run it anew";
        let error = JournalError::new(JournalErrorKind::Undecodable, core.path(), what, remedy);
        DurableErrorKind::Journal(error.about(head.seq, Some(&head.key)))
    };
    match head.kind {
        Kind::Value => match postcard::take_from_bytes(&payload) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(unreadable(format!(
                "a recorded value is not what the handler returns: {} bytes are left over",
                rest.len()
            ))),
            Err(error) => {
                Err(unreadable(format!("a recorded value is not what the handler returns: {error}")))
            }
        },
        Kind::Failed => Err(match postcard::from_bytes(&payload) {
            Ok(Said { code, message }) => DurableErrorKind::Failed { code, message },
            Err(error) => unreadable(format!("a recorded failure cannot be read: {error}")),
        }),
        Kind::Panicked => {
            Err(DurableErrorKind::Panicked { message: String::from_utf8_lossy(&payload).into_owned() })
        }
        Kind::CrashLoop => Err(match payload.as_slice().try_into() {
            Ok(bytes) => DurableErrorKind::CrashLoop { crashes: u32::from_le_bytes(bytes) },
            Err(_) => unreadable("a recorded crash loop cannot be read".to_owned()),
        }),
        Kind::TimerSet | Kind::TimerFired => {
            Err(unreadable("the record is that of a timer, and not of a handler".to_owned()))
        }
    }
}
