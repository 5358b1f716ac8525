//! What these tests share.

use std::path::{Path, PathBuf};

use gristmill::journal::Journal;
use gristmill::journal::probe::{Claimed, Probe, Told, Work};
use tempfile::TempDir;

/// A directory for a journal, and the journal's path in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("batch.journal");
    (folder, path)
}

pub(crate) fn open(path: &Path) -> Journal {
    Journal::open(path).unwrap_or_else(|error| panic!("{error}"))
}

/// A run with room for many deliveries.
pub(crate) fn run(journal: &Journal) -> Probe {
    Probe::new(journal, "double", 1, 1 << 16).expect("the journal is well")
}

/// What the task of that key gives.
pub(crate) fn result_of(key: &str) -> Vec<u8> {
    format!("the result of {key}").into_bytes()
}

#[track_caller]
pub(crate) fn fresh(claimed: Claimed) -> Work {
    match claimed {
        Claimed::Fresh(work) => work,
        other => panic!("not fresh: {other:?}"),
    }
}

/// Records the keys that are not recorded yet, and returns all that was told, in order.
pub(crate) fn record<'a>(probe: &Probe, keys: impl IntoIterator<Item = &'a str>) -> Vec<Told> {
    let mut expected = 0;
    for key in keys {
        let work = fresh(probe.claim(key, key.as_bytes()));
        probe.begin(&work, false);
        probe.record(work, result_of(key));
        expected += 1;
    }
    (0..expected).map(|_| probe.told()).collect()
}

/// The number of a recorded key, and its result; `None` if it is not recorded.
pub(crate) fn read(probe: &Probe, key: &str) -> Option<Result<(u64, Vec<u8>), String>> {
    let Claimed::Recorded(again) = probe.claim(key, key.as_bytes()) else { return None };
    probe.read(&again);
    Some(match probe.told().outcome {
        Ok((seq, Some(payload))) => Ok((seq, payload)),
        Ok((seq, None)) => panic!("{key} was read as {seq} without a payload"),
        Err(error) => Err(error.to_string()),
    })
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }
}
