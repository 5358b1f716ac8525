//! The rows of the file: each with its checksums, made when it is written and checked when it is read.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row as Raw, params};

use super::{Change, Damage, Meta, StoreError};
use crate::journal::record::{Checksum, Head, Identity, Job, Kind, Row};

/// Writes changes within a transaction, and keeps the count.
pub(super) struct Writer<'a> {
    connection: &'a Connection,
    /// The one statement that is used for every record: looking it up each time would cost a tenth of it.
    put: CachedStatement<'a>,
    meta: Meta,
}

impl<'a> Writer<'a> {
    pub(super) fn new(connection: &'a Connection, meta: Meta) -> rusqlite::Result<Self> {
        let sql = "INSERT INTO record(seq, job, key, input, kind, attempts, ended, took, checksum, payload) \
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        Ok(Self { connection, put: connection.prepare_cached(sql)?, meta })
    }

    /// What is known of the whole, after all of the changes.
    pub(super) fn meta(self) -> Meta {
        self.meta
    }

    pub(super) fn change(&mut self, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Job(job) => {
                let sql = "INSERT INTO job(id, scope, handler, version, checksum) VALUES(?1, ?2, ?3, ?4, ?5)";
                let row = params![job.id(), job.scope(), job.handler(), job.version(), job.checksum()];
                self.connection.prepare_cached(sql)?.execute(row)?;
            }
            Change::Record { row, replaces } => {
                if let Some(seq) = replaces {
                    self.forget(*seq)?;
                }
                self.put(row)?;
                self.meta.count += 1;
                self.meta.highest = self.meta.highest.max(row.head.seq);
            }
            Change::Forget(seq) => self.forget(*seq)?,
            Change::Crashes(identity, crashes) => {
                let sql = "INSERT OR REPLACE INTO crash(identity, crashes, checksum) VALUES(?1, ?2, ?3)";
                let sum = crash_sum(*identity, *crashes);
                self.connection.prepare_cached(sql)?.execute(params![bytes(*identity), crashes, sum])?;
            }
            Change::NoCrashes(identity) => {
                let sql = "DELETE FROM crash WHERE identity = ?1";
                self.connection.prepare_cached(sql)?.execute([bytes(*identity)])?;
            }
            Change::Counted(epoch) => self.meta.counted = *epoch,
        }
        Ok(())
    }

    fn put(&mut self, row: &Row) -> rusqlite::Result<()> {
        let Row { head, payload } = row;
        let values = params![
            head.seq.cast_signed(),
            head.job,
            &*head.key,
            head.input.as_slice(),
            head.kind as u8,
            head.attempts,
            head.ended.cast_signed(),
            head.took.cast_signed(),
            row.checksum().as_number(),
            payload.as_slice(),
        ];
        self.put.execute(values).map(drop)
    }

    fn forget(&mut self, seq: u64) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("DELETE FROM record WHERE seq = ?1")?;
        if statement.execute([seq.cast_signed()])? == 1 && self.meta.count > 0 {
            self.meta.count -= 1;
            return Ok(());
        }
        let what = "the record that is to be replaced or forgotten is not there".to_owned();
        Err(StoreError::Damaged(Damage { seq, key: None, what }))
    }
}

fn bytes(identity: Identity) -> [u8; 16] {
    identity.as_u128().to_le_bytes()
}

/// The record of that number.
pub(super) fn row(connection: &Connection, seq: u64) -> rusqlite::Result<Option<Result<Row, Damage>>> {
    let sql = "SELECT seq, job, key, input, kind, attempts, ended, took, checksum, length(payload), payload \
               FROM record WHERE seq = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([seq.cast_signed()])?;
    let Some(raw) = rows.next()? else { return Ok(None) };
    Ok(Some(head(raw).and_then(|(head, sum)| {
        let damaged = |what: &str| damage(&head, what);
        if head.seq != seq {
            return Err(damaged("the record has another number"));
        }
        let payload = raw.get_ref(10).ok().and_then(|value| value.as_blob().ok());
        let payload = payload.ok_or_else(|| damaged("the payload cannot be read"))?.to_vec();
        if crc32fast::hash(&payload) != sum.payload {
            return Err(damaged("the payload is not what was written"));
        }
        Ok(Row { head, payload })
    })))
}

/// The heads of the first `limit` records whose numbers are above `after`; `length` reads no payload.
pub(super) fn heads(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Result<Head, Damage>>> {
    let sql = "SELECT seq, job, key, input, kind, attempts, ended, took, checksum, length(payload) \
               FROM record WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.cast_signed(), limit])?;
    let mut heads = Vec::new();
    let mut last = after;
    while let Some(raw) = rows.next()? {
        let found = head(raw).map(|(head, _)| head);
        let seq = match &found {
            Ok(head) => head.seq,
            Err(damage) => damage.seq,
        };
        if seq <= last {
            // The tree is out of order: going on by numbers could go round in it for ever.
            let what = "the records are out of order".to_owned();
            heads.push(Err(Damage { seq, key: None, what }));
            break;
        }
        last = seq;
        heads.push(found);
    }
    Ok(heads)
}

fn damage(head: &Head, what: &str) -> Damage {
    Damage { seq: head.seq, key: Some(head.key.clone()), what: what.to_owned() }
}

/// The first ten columns of a record, checked.
fn head(raw: &Raw<'_>) -> Result<(Head, Checksum), Damage> {
    let seq = raw.get::<_, i64>(0).unwrap_or_default().cast_unsigned();
    let read = || -> rusqlite::Result<Option<(Head, Checksum)>> {
        let Some(kind) = Kind::from_number(raw.get(4)?) else { return Ok(None) };
        let key: Arc<str> = raw.get_ref(2)?.as_str()?.into();
        let sum = Checksum::from_number(raw.get(8)?);
        let (attempts, ended, took) = (raw.get(5)?, raw.get::<_, i64>(6)?, raw.get::<_, i64>(7)?);
        let (ended, took) = (ended.cast_unsigned(), took.cast_unsigned());
        let length = raw.get::<_, i64>(9)?.cast_unsigned();
        let head =
            Head { seq, job: raw.get(1)?, key, input: raw.get(3)?, kind, attempts, ended, took, length };
        Ok(Some((head, sum)))
    };
    match read() {
        Ok(Some((head, sum))) if head.sum(sum.payload) == sum.head => Ok((head, sum)),
        // Its key cannot be believed, but may help.
        Ok(Some((head, _))) => Err(damage(&head, "the record is not what was written")),
        _ => Err(Damage { seq, key: None, what: "the record cannot be read".to_owned() }),
    }
}

/// The jobs, in the order of their numbers.
pub(super) fn jobs(connection: &Connection) -> rusqlite::Result<Vec<Result<Job, Damage>>> {
    let mut statement =
        connection.prepare("SELECT id, scope, handler, version, checksum FROM job ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut jobs = Vec::new();
    while let Some(raw) = rows.next()? {
        let read = || -> rusqlite::Result<(Job, u32)> {
            let (scope, handler) = (raw.get_ref(1)?.as_str()?, raw.get_ref(2)?.as_str()?);
            Ok((Job::new(raw.get(0)?, scope, handler, raw.get(3)?, true), raw.get(4)?))
        };
        jobs.push(match read() {
            Ok((job, sum)) if job.checksum() == sum => Ok(job),
            _ => Err(Damage::of_the_file("the name of a job is not what was written")),
        });
    }
    Ok(jobs)
}

/// Who was running in crashes.
pub(super) fn crashes(connection: &Connection) -> rusqlite::Result<Vec<Result<(Identity, u32), Damage>>> {
    let mut statement = connection.prepare("SELECT identity, crashes, checksum FROM crash")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(raw) = rows.next()? {
        let read = || -> rusqlite::Result<(Identity, u32, u32)> {
            let identity = Identity::from_u128(u128::from_le_bytes(raw.get(0)?));
            Ok((identity, raw.get(1)?, raw.get(2)?))
        };
        found.push(match read() {
            Ok((identity, crashes, sum)) if crash_sum(identity, crashes) == sum => Ok((identity, crashes)),
            _ => Err(Damage::of_the_file("the count of a task's crashes is not what was written")),
        });
    }
    Ok(found)
}

fn crash_sum(identity: Identity, crashes: u32) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&identity.as_u128().to_le_bytes());
    sum.update(&crashes.to_le_bytes());
    sum.finalize()
}

/// The names in the table of what is known of the whole, in the order of [`Meta`]'s fields.
const NAMES: [&str; 3] = ["count", "highest", "counted"];

fn meta_sum(name: &str, value: u64) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(name.as_bytes());
    sum.update(&value.to_le_bytes());
    sum.finalize()
}

/// What is known of the whole.
pub(super) fn meta(connection: &Connection) -> Result<Meta, StoreError> {
    let mut values = [0; 3];
    for (name, value) in NAMES.iter().zip(&mut values) {
        let mut statement = connection.prepare_cached("SELECT value, checksum FROM meta WHERE name = ?1")?;
        let read: rusqlite::Result<(i64, u32)> =
            statement.query_row([name], |raw| Ok((raw.get(0)?, raw.get(1)?)));
        let read = read.map(|(value, sum)| (value.cast_unsigned(), sum));
        match read {
            Ok((found, sum)) if meta_sum(name, found) == sum => *value = found,
            Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(error.into()),
            _ => {
                let what = format!("the number {name:?} is not what was written");
                return Err(StoreError::Damaged(Damage::of_the_file(what)));
            }
        }
    }
    let [count, highest, counted] = values;
    Ok(Meta { count, highest, counted })
}

/// Writes what is known of the whole into a new file.
pub(super) fn make_meta(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta(name, value, checksum) VALUES(?1, 0, ?2)";
    NAMES.iter().try_for_each(|name| connection.execute(sql, params![name, meta_sum(name, 0)]).map(drop))
}

/// Writes what has changed of what is known of the whole.
pub(super) fn put_meta(connection: &Connection, before: Meta, after: Meta) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("UPDATE meta SET value = ?2, checksum = ?3 WHERE name = ?1")?;
    let values = |meta: Meta| [meta.count, meta.highest, meta.counted];
    for (name, (before, after)) in NAMES.iter().zip(values(before).into_iter().zip(values(after))) {
        if before != after
            && statement.execute(params![name, after.cast_signed(), meta_sum(name, after)])? != 1
        {
            let what = format!("the number {name:?} is not there");
            return Err(StoreError::Damaged(Damage::of_the_file(what)));
        }
    }
    Ok(())
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::journal::store::schema;

    fn record(seq: u64) -> Row {
        let (key, kind) = (Arc::from("key"), Kind::Value);
        let head = Head { seq, job: 1, key, input: [0; 16], kind, attempts: 1, ended: 1, took: 1, length: 1 };
        Row { head, payload: vec![7] }
    }

    #[test]
    fn record_that_is_not_there_or_not_counted_is_damage_and_not_forgotten() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&schema::TABLES.join(";")).unwrap();
        let mut writer = Writer::new(&connection, Meta::default()).unwrap();
        writer.change(&Change::Record { row: record(1), replaces: None }).unwrap();
        for change in [Change::Forget(2), Change::Record { row: record(3), replaces: Some(2) }] {
            let error = writer.change(&change).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(Damage { seq: 2, .. })), "{error}");
        }
        assert_eq!(writer.meta(), Meta { count: 1, highest: 1, counted: 0 });
        // One is there, and the count says that there is none.
        let mut writer = Writer::new(&connection, Meta::default()).unwrap();
        let error = writer.change(&Change::Forget(1)).unwrap_err();
        assert!(matches!(error, StoreError::Damaged(Damage { seq: 1, .. })), "{error}");
        assert_eq!(writer.meta().count, 0);
    }
}
