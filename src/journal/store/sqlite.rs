//! The store in a file of SQLite's: one connection that excludes all others, a write-ahead log, and checksums of our own over every row.
//!
//! SQLite answers a damaged page with an error, with fewer rows, or with wrong values; the checksums, the count and the order of the numbers tell.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::rows::{self, Writer};
use super::schema::{self, APPLICATION, VERSION};
use super::{Change, Checked, Damage, Meta, Store, StoreError};
use crate::journal::place::FileId;
use crate::journal::record::{Head, Identity, Job, Row};

/// How long the write-ahead log gets before it is moved into the file, in bytes.
const LONGEST_LOG: u64 = 4 << 20;

/// The length of a page of the file, in bytes.
const PAGE: u64 = 4096;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(Damage::of_the_file(error.to_string()))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Failed(error.into()),
        }
    }
}

/// What a file says it is, before anything of it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Format {
    /// Nothing is in it.
    Empty,
    /// This program's.
    Ours,
    /// Another program's, or no database.
    Foreign,
    /// A later version's of this program.
    Newer(i64),
}

/// See the module.
pub(in crate::journal) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    log: PathBuf,
    /// Which file it was when it was begun with.
    file: Option<FileId>,
    /// Whether that file has been seen to have lost its name.
    is_gone: bool,
    meta: Meta,
    /// How long the log may have become since it was moved into the file, in bytes: its length on the disk does not tell, because it is
    /// written over from its beginning then, and pages that the system has already cost it a third less.
    logged: u64,
    /// How long it was when the file was last looked for.
    looked: u64,
}

impl Sqlite {
    /// Opens the file, or makes it; what it is goes by what [`Sqlite::format`] says then.
    pub(in crate::journal) fn open(path: &Path, survives_power_loss: bool) -> Result<Self, StoreError> {
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let synchronous = if survives_power_loss { "FULL" } else { "NORMAL" };
        store.connection.pragma_update(None, "synchronous", synchronous)?;
        Ok(store)
    }

    /// Opens a file to look at it as it is, damaged or not: nothing in it is changed, nor in its log, and no table is believed.
    ///
    /// An empty log may be left beside it where there was none.
    pub(in crate::journal) fn inspect(path: &Path) -> Result<Self, StoreError> {
        // To be written, as far as SQLite knows: without a right to write it cannot read what is only in the log.
        let store = Self::connect(path, OpenFlags::empty())?;
        // Closing would move the log into the file.
        store.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        store.connection.pragma_update(None, "query_only", true)?;
        Ok(store)
    }

    /// Nothing of the file is read yet.
    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = writable(path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self {
            connection,
            path: path.to_owned(),
            log: log.into(),
            file: None,
            is_gone: false,
            meta: Meta::default(),
            logged: 0,
            looked: 0,
        })
    }

    /// What the file says it is.
    pub(in crate::journal) fn format(&self) -> Result<Format, StoreError> {
        let number = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let asked = || -> rusqlite::Result<Format> {
            let tables: i64 =
                self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok(match (number("application_id")?, number("user_version")?) {
                (APPLICATION, VERSION) => Format::Ours,
                (APPLICATION, version) if version > VERSION => Format::Newer(version),
                (0, 0) if tables == 0 => Format::Empty,
                _ => Format::Foreign,
            })
        };
        match asked() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(Format::Foreign),
            answer => Ok(answer?),
        }
    }

    /// Makes the tables in an empty file: all of them, durably, or none.
    pub(in crate::journal) fn create(&mut self) -> Result<(), StoreError> {
        // With a rollback journal: what the file is must be in the file itself before there is a write-ahead log.
        let transaction = self.connection.transaction()?;
        for table in schema::TABLES {
            transaction.execute_batch(table)?;
        }
        rows::make_meta(&transaction)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        Ok(())
    }

    /// Begins to use a file of ours: checks that the tables are as they were made, and turns the write-ahead log on.
    pub(in crate::journal) fn begin(&mut self) -> Result<(), StoreError> {
        let mode: String = self.connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            let text = format!("the file system does not allow a write-ahead log, only {mode}");
            return Err(StoreError::Failed(text.into()));
        }
        // Moving the log into the file is asked for in `tidy`, where its errors are heard of.
        self.connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.connection.set_prepared_statement_cache_capacity(32);
        schema::check(&self.connection)?;
        self.meta = rows::meta(&self.connection)?;
        self.file = FileId::of(&self.path).ok();
        Ok(())
    }

    /// An error if another file has the name by now, or none: this one cannot be opened again by it. Not looked at for each commit: that takes as
    /// long as a small one.
    fn look_whether_it_is_there(&mut self) -> Result<(), StoreError> {
        self.is_gone |= self.file.is_some() && FileId::of(&self.path).ok() != self.file;
        if self.is_gone { Err(StoreError::Gone) } else { Ok(()) }
    }

    fn write(&self, changes: &[Change]) -> Result<Meta, StoreError> {
        let mut writer = Writer::new(&self.connection, self.meta)?;
        changes.iter().try_for_each(|change| writer.change(change))?;
        let meta = writer.meta();
        if meta != self.meta {
            rows::put_meta(&self.connection, self.meta, meta)?;
        }
        Ok(meta)
    }

    /// Moves the log into the file.
    fn checkpoint(&mut self, and_cut_the_log: bool) -> Result<(), StoreError> {
        let sql = if and_cut_the_log {
            "PRAGMA wal_checkpoint(TRUNCATE)"
        } else {
            "PRAGMA wal_checkpoint(RESTART)"
        };
        (self.logged, self.looked) = (0, 0);
        let (busy, left): (i64, i64) =
            self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if busy != 0 {
            return Err(StoreError::Failed(format!("{left} pages of the log cannot be moved").into()));
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        // The three steps are prepared statements: for a single record they would cost as much as the record.
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let written = self.write(changes);
        let ended = match &written {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = self.connection.prepare_cached(ended).and_then(|mut statement| statement.execute([]));
        let meta = written?;
        if let Err(error) = ended {
            // A commit that failed may have left the transaction open; nothing is applied after this.
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            return Err(error.into());
        }
        self.meta = meta;
        // Each page that a commit touches is written whole: that of the count, and one or two at the end of the records.
        self.logged += 3 * PAGE + changes.iter().map(weight).sum::<u64>();
        Ok(())
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.logged - self.looked >= LONGEST_LOG / 16 {
            self.looked = self.logged;
            self.look_whether_it_is_there()?;
        }
        if self.logged > LONGEST_LOG { self.checkpoint(false) } else { Ok(()) }
    }

    fn read_together(&mut self, is_begun: bool) -> Result<(), StoreError> {
        // One transaction: outside of one, each read asks the system for the file's length.
        let sql = if is_begun { "BEGIN" } else { "COMMIT" };
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn row(&mut self, seq: u64) -> Result<Option<Result<Row, Damage>>, StoreError> {
        Ok(rows::row(&self.connection, seq)?)
    }

    fn heads(&mut self, after: u64, limit: usize) -> Checked<Head> {
        Ok(rows::heads(&self.connection, after, limit)?)
    }

    fn jobs(&mut self) -> Checked<Job> {
        Ok(rows::jobs(&self.connection)?)
    }

    fn crashes(&mut self) -> Checked<(Identity, u32)> {
        Ok(rows::crashes(&self.connection)?)
    }

    fn meta(&mut self) -> Result<Meta, StoreError> {
        rows::meta(&self.connection)
    }

    fn check_structure(&mut self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
        let mut lines: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
        match schema::check(&self.connection) {
            Err(StoreError::Damaged(damage)) => lines.push(damage.what),
            checked => checked?,
        }
        Ok(lines)
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.look_whether_it_is_there()?;
        self.connection.execute_batch("VACUUM")?;
        self.checkpoint(true)
    }

    fn bytes(&self) -> u64 {
        length(&self.path) + length(&self.log)
    }

    fn close(mut self: Box<Self>, has_failed: bool) -> Result<(), StoreError> {
        let found = if has_failed && !self.is_gone { Ok(()) } else { self.look_whether_it_is_there() };
        if found.is_err() {
            // SQLite leaves the log of such a file where it is, where it would be taken for that of the file that has the name now. What can be done
            // is done without the name: the file is whole, wherever it is, and the log empty.
            let _ = self.checkpoint(true);
        } else if has_failed {
            // Closing would move the log into the file, and so sync a file whose sync may have failed before.
            self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        }
        self.connection.close().map_err(|(_, error)| error)?;
        found
    }
}

/// Opens a file, which SQLite does read-only where it may not write. The first lock would fail then, as if the disk had.
fn writable(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    if connection.is_readonly("main")? { Err(StoreError::ReadOnly) } else { Ok(connection) }
}

/// The most that a change adds to the log, but for what its commit adds anyway.
fn weight(change: &Change) -> u64 {
    match change {
        Change::Record { row, replaces: None } => 128 + row.head.length,
        // The old record lies anywhere.
        Change::Record { row, .. } => 128 + row.head.length + PAGE,
        _ => PAGE,
    }
}

/// A file's length; 0 if there is none.
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn file_is_what_its_application_and_its_version_say() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(&folder.path().join("batch.journal"), false).unwrap();
        assert_eq!(store.format().unwrap(), Format::Empty);
        store.create().unwrap();
        assert_eq!(store.format().unwrap(), Format::Ours);
        for (application, version, format) in [
            (APPLICATION, VERSION + 1, Format::Newer(VERSION + 1)),
            (APPLICATION, VERSION - 1, Format::Foreign),
            (APPLICATION + 1, VERSION, Format::Foreign),
            (APPLICATION + 1, VERSION + 1, Format::Foreign),
            (0, 0, Format::Foreign),
            (APPLICATION, VERSION, Format::Ours),
        ] {
            store.connection.pragma_update(None, "application_id", application).unwrap();
            store.connection.pragma_update(None, "user_version", version).unwrap();
            assert_eq!(store.format().unwrap(), format, "{application:x}, version {version}");
        }
    }

    // Elsewhere a file that is open cannot be removed.
    #[cfg(unix)]
    #[test]
    fn file_that_is_gone_is_told_at_the_close_and_leaves_no_log_for_who_has_its_name_next() {
        for has_failed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("batch.journal");
            let mut store = Box::new(Sqlite::open(&path, false).unwrap());
            store.create().unwrap();
            store.begin().unwrap();
            store.apply(&[Change::Job(Job::new(1, "scope", "handler", 1, false))]).unwrap();
            let log = store.log.clone();
            assert!(length(&log) > 0);
            std::fs::remove_file(&path).unwrap();
            if has_failed {
                // With nothing else than this, which has been seen.
                assert!(matches!(store.compact(), Err(StoreError::Gone)));
            }
            assert!(matches!(store.close(has_failed), Err(StoreError::Gone)));
            assert_eq!(length(&log), 0);
        }
    }
}
