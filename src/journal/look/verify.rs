//! Checking every record, in an open journal or in a file that cannot be opened.

use std::path::Path;

use super::file::File;
use super::survey::Survey;
use super::verification::Verification;
use crate::journal::builder::Journal;
use crate::journal::error::JournalError;
use crate::journal::store::{Sqlite, Store};

/// Says what the structure of the file suffers from.
fn check_structure(survey: &mut Survey, store: &mut dyn Store) {
    match store.check_structure() {
        Ok(lines) => {
            for line in lines {
                survey.note(format!("the structure of the file: {line}"));
            }
        }
        Err(error) => survey.note(format!("the structure of the file cannot be checked: {error}")),
    }
}

fn verify(file: &File, mut store: Sqlite) -> Result<Verification, JournalError> {
    let mut survey = Survey::new(false);
    if !file.begins_as_a_database() {
        survey.note("the first bytes of the file are not what was written");
    }
    check_structure(&mut survey, &mut store);
    survey.run(&mut store).map_err(|error| error.at(file.path()))?;
    let highest = store.meta().map_or(0, |meta| meta.highest);
    let known = file.left.last_seq;
    if known > highest {
        survey.note(format!("the records {} to {known} were committed and are not there", highest + 1));
    }
    Ok(survey.finish().0)
}

impl Journal {
    /// Checks every entry, payload and all, and the structure of the file. Nothing is changed.
    ///
    /// A running batch can be verified: its records are written in between, and what is recorded after the beginning is not looked at.
    ///
    /// # Errors
    /// The journal is closed. Damage is no error but what the answer tells of.
    ///
    /// # Panics
    /// On the journal's own thread.
    ///
    /// # Cost
    /// All of the file is read twice; about 40 bytes of memory for an entry. Records wait while the structure is checked, about a second
    /// for a million small entries.
    pub fn verify(&self) -> Result<Verification, JournalError> {
        let core = self.core();
        let mut survey = core.with_store(|desk| {
            let mut survey = Survey::new(true);
            check_structure(&mut survey, desk.store());
            survey
        })?;
        while !survey.is_over() {
            survey = core.with_store(move |desk| {
                let step = survey.step(desk.store());
                step.map(|()| survey).map_err(|error| desk.failed(error))
            })??;
        }
        Ok(survey.finish().0)
    }

    /// Checks every entry of a journal that is not open, damaged or not, and the structure of its file. Nothing in it is changed.
    ///
    /// It tells as well if records are missing at the end, which the lock file knows of.
    ///
    /// # Errors
    /// There is no file at that path, somebody has the journal open, or nothing in it can be read: it is no journal, or one of a later
    /// format, or damaged at its very beginning. Other damage is no error but what the answer tells of.
    ///
    /// # Cost
    /// As [`Journal::verify`].
    pub fn verify_file(path: impl AsRef<Path>) -> Result<Verification, JournalError> {
        let file = File::lock(path.as_ref())?;
        let store = file.open()?;
        verify(&file, store)
    }
}
