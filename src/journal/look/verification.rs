//! What a journal was found to be: how much of it is whole, and what is not.

use std::fmt;

use crate::journal::store::Damage;

/// So many damages are told one by one; the others are counted.
const TOLD: usize = 1000;

/// Something in a journal that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalDamage {
    /// The number of the entry, if it is about one.
    pub seq: Option<u64>,
    /// The key of the entry, if it is about one whose key can be read. A damaged key is a help, not the truth.
    pub key: Option<String>,
    /// What is the matter.
    pub what: String,
}

impl fmt::Display for JournalDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(seq) = self.seq {
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
            seq: (seq > 0).then_some(seq),
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
