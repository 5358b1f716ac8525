//! The lines of the side file that people read, and that a refused process quotes: who holds it, and since when.

use super::head::{FIRST_LINE, FORMAT, LINES};
use crate::sync::time::Duration;

const HELD: &str = "held by ";
const NOBODY: &str = "nobody";

/// The lines of a file that nobody holds.
pub(super) fn free() -> [u8; LINES] {
    lines(NOBODY)
}

/// The lines of a file that this process holds from now on.
pub(super) fn held(since: Duration) -> [u8; LINES] {
    let program = std::env::args_os().next().unwrap_or_default();
    let program = std::path::Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    lines(&describe(std::process::id(), &program, since))
}

/// Who is named, if anybody is: what another process sees may be half written.
pub(super) fn named(bytes: &[u8]) -> Option<String> {
    let line = bytes.split_inclusive(|byte| *byte == b'\n').nth(1)?;
    let name = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.strip_prefix(HELD)?;
    (name != NOBODY && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

fn describe(process: u32, program: &str, since: Duration) -> String {
    let readable = |letter: &char| !letter.is_control();
    let program: String = program.chars().filter(readable).take(64).collect();
    let program = if program.is_empty() { "a program without a name" } else { &program };
    format!("process {process} ({program}) since {}", date(since.as_secs()))
}

fn lines(holder: &str) -> [u8; LINES] {
    let mut lines = [b' '; LINES];
    let text = format!("{FIRST_LINE}{FORMAT}\n{HELD}{holder}\n");
    // 64 letters of at most 4 bytes and little else: it fits.
    lines[..text.len()].copy_from_slice(text.as_bytes());
    lines[LINES - 1] = b'\n';
    lines
}

/// Seconds since the start of 1970 as a date and a time, UTC.
fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that start in March have their leap day at the end: 400 of them are 146 097 days, and their months have 153 days in five.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_709_210_096, "2024-02-29 12:34:56 UTC"),
            (1_798_761_599, "2026-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn name_that_was_written_is_read_and_nothing_else() {
        let bytes = held(Duration::from_secs(1));
        let name = named(&bytes).expect("it is there");
        assert!(name.starts_with(&format!("process {} (", std::process::id())), "{name}");
        assert!(name.ends_with(") since 1970-01-01 00:00:01 UTC"), "{name}");
        assert_eq!(named(&free()), None);
        let end = bytes.iter().rposition(|byte| *byte == b')').expect("the program is named");
        for length in 0..end {
            assert_eq!(named(&bytes[..length]), None, "cut at {length}");
        }
        assert_eq!(named(b"one line\nheld by \x1b[2J\n"), None);
        assert_eq!(named(b"one line\nanother\n"), None);
        assert_eq!(named(&[0xff; 512]), None);
    }

    #[test]
    fn long_and_wild_names_fit() {
        let name = describe(u32::MAX, &"\u{1F980}\n".repeat(300), Duration::from_secs(u64::from(u32::MAX)));
        assert_eq!(named(&lines(&name)), Some(name));
        assert!(describe(1, "", Duration::ZERO).contains("(a program without a name)"));
    }
}
