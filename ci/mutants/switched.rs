//! Which mutation is switched on, by the environment, and which were come by.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

struct Switch {
    on: u32,
    trace: Option<(File, Vec<AtomicBool>)>,
}

pub fn is(id: u32) -> bool {
    static SWITCH: OnceLock<Switch> = OnceLock::new();
    let switch = SWITCH.get_or_init(|| {
        let on = std::env::var("SWITCHED_ON").ok().and_then(|on| on.parse().ok()).unwrap_or(0);
        let file = std::env::var_os("SWITCHED_TRACE");
        let file = file.map(|file| OpenOptions::new().create(true).append(true).open(file).unwrap());
        Switch { on, trace: file.map(|file| (file, (0..20_000).map(|_| AtomicBool::new(false)).collect())) }
    });
    if let Some((file, seen)) = &switch.trace {
        if !seen[id as usize].swap(true, Relaxed) {
            let mut file = file;
            file.write_all(format!("{id}\n").as_bytes()).unwrap();
        }
    }
    id == switch.on
}
