//! What a journal was found to be: how much of it is whole, and what is not.

use std::fmt;

use crate::journal::store::Damage;

/// So many damages are told one by one; the others are counted.
const TOLD: usize = 1000;

/// Something in a journal that is not what was written.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(&path)?;
/// for damage in journal.verify()?.damages {
///     let key = damage.key.as_deref().unwrap_or("a key that cannot be read");
///     eprintln!("{key}: {}", damage.what);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalDamage {
    /// The number of the entry, if it is about one.
    pub sequence: Option<u64>,
    /// The key of the entry, if it is about one whose key can be read. A damaged key is a help, not the truth.
    pub key: Option<String>,
    /// What is the matter.
    pub what: String,
}

impl fmt::Display for JournalDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(seq) = self.sequence {
            write!(f, ", record {seq}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", key {key:?}")?;
        }
        Ok(())
    }
}

/// What checking every entry of a journal came to; see [`Journal::verify`](crate::journal::Journal::verify).
///
/// Printed, it is a line for each damage, and one that sums up.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(&path)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// let verification = journal.verify()?;
/// assert!(verification.is_sound());
/// assert_eq!((verification.entries, verification.damages.len()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Verification {
    /// Entries that are whole, payload and all: those that can be salvaged.
    pub entries: u64,
    /// What their payloads take, in bytes.
    pub payload_bytes: u64,
    /// What is damaged, at most a thousand of it.
    pub damages: Vec<JournalDamage>,
    /// How many damages there are besides.
    pub further_damages: u64,
}

impl Verification {
    /// Whether there is no damage.
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }

    pub(super) fn note(&mut self, damage: Damage) {
        if self.damages.len() == TOLD {
            self.further_damages += 1;
            return;
        }
        let Damage { seq, key, what } = damage;
        self.damages.push(JournalDamage {
            sequence: (seq > 0).then_some(seq),
            key: key.as_deref().map(str::to_owned),
            what,
        });
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damage in &self.damages {
            writeln!(f, "{damage}")?;
        }
        if self.further_damages > 0 {
            writeln!(f, "and {} damages more", self.further_damages)?;
        }
        write!(f, "{} entries are whole, with {} bytes of payload; ", self.entries, self.payload_bytes)?;
        match self.damages.len() as u64 + self.further_damages {
            0 => f.write_str("no damage"),
            1 => f.write_str("1 damage"),
            damages => write!(f, "{damages} damages"),
        }
    }
}
