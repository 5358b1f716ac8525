//! Fan-out and fan-in by hand: one thread hands lines out, some work, one stores.

use std::error::Error;
use std::thread;

use crossbeam_channel::bounded;

use crate::enrich::process;
use crate::parse::Line;
use crate::table::Table;

/// How many lines may wait on each side of the workers.
const BOUND: usize = 256;

/// For threads of one's own. The end travels with the channels: each closes when its last sender is dropped.
pub(crate) fn channels(lines: &[Line<'_>], workers: usize) -> Result<Table, Box<dyn Error>> {
    thread::scope(|scope| {
        let (line_sender, line_receiver) = bounded(BOUND);
        let (result_sender, results) = bounded(BOUND);
        for index in 0..workers {
            let (lines, results) = (line_receiver.clone(), result_sender.clone());
            let work = move || lines.iter().all(|line: Line<'_>| results.send(process(line)).is_ok());
            thread::Builder::new().name(format!("worker-{index}")).spawn_scoped(scope, work)?;
        }
        // Kept here, they would keep the channels open.
        drop((line_receiver, result_sender));
        let feed = move || lines.iter().all(|line| line_sender.send(*line).is_ok());
        thread::Builder::new().name("feed".to_owned()).spawn_scoped(scope, feed)?;
        Ok(results.iter().collect())
    })
}
