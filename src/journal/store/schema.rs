//! The tables of the file, and that they are as they were made.

use rusqlite::Connection;

use super::{Damage, StoreError};

/// What tells a journal from other programs' files: "Gmil".
pub(super) const APPLICATION: i64 = 0x476d_696c;
/// The version of the format.
pub(super) const VERSION: i64 = 1;

/// No index on keys: the identities live in memory, and a second tree on the disk would cost as much as the first. `payload` is the last
/// column, so that heads are read without it. `meta` changes with every commit: without row numbers that is one page.
pub(super) const TABLES: [&str; 4] = [
    "CREATE TABLE job(id INTEGER PRIMARY KEY, scope TEXT NOT NULL, handler TEXT NOT NULL, version INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT",
    "CREATE TABLE record(seq INTEGER PRIMARY KEY, job INTEGER NOT NULL, key TEXT NOT NULL, input BLOB NOT NULL, kind INTEGER NOT NULL, attempts INTEGER NOT NULL, ended INTEGER NOT NULL, took INTEGER NOT NULL, checksum INTEGER NOT NULL, payload BLOB NOT NULL) STRICT",
    "CREATE TABLE crash(identity BLOB PRIMARY KEY NOT NULL, crashes INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID",
];

/// That the tables are those, word for word, and nothing besides.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
    if found == TABLES {
        Ok(())
    } else {
        Err(StoreError::Damaged(Damage::of_the_file("its tables are not those of a journal")))
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    /// What is said of a file with these tables.
    fn checked(tables: &[&str]) -> Result<(), StoreError> {
        let connection = Connection::open_in_memory().expect("there is memory");
        connection.execute_batch(&tables.join(";")).expect("they can be made");
        check(&connection)
    }

    #[test]
    fn tables_that_are_fewer_more_or_others_are_damage() {
        checked(&TABLES).unwrap();
        let [job, record, crash, meta] = TABLES;
        let other = job.replace("TEXT", "text");
        let more = "CREATE INDEX record_key ON record(key)";
        for tables in [
            &[job, record, crash][..],
            &[],
            &[job, record, crash, meta, more],
            &[&*other, record, crash, meta],
            &[record, job, crash, meta],
        ] {
            let answer = checked(tables);
            assert!(
                matches!(&answer, Err(StoreError::Damaged(damage)) if damage.what.contains("tables")),
                "{answer:?} of {tables:?}"
            );
        }
    }
}
