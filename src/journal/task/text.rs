//! The text of a key.

use std::fmt::{self, Display, Write};
use std::sync::Arc;

/// The beginning of a text on the stack, and all of it in a string if it is longer.
struct Text {
    short: [u8; 64],
    length: usize,
    long: Option<String>,
}

impl Text {
    fn as_str(&self) -> &str {
        // What is written is whole strings.
        self.long
            .as_deref()
            .unwrap_or_else(|| std::str::from_utf8(&self.short[..self.length]).unwrap_or_default())
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        if let Some(long) = &mut self.long {
            long.push_str(part);
        } else if let Some(place) = self.short.get_mut(self.length..end) {
            place.copy_from_slice(part.as_bytes());
            self.length = end;
        } else {
            self.long = Some([self.as_str(), part].concat());
        }
        Ok(())
    }
}

/// The text of a key, in one allocation, of which the order, the record and the handle have a share each: as strings of their own they would be
/// a sixth of what a call costs.
///
/// # Panics
/// If its `Display` panics or fails, as `to_string` does.
pub(super) fn text(key: impl Display) -> Arc<str> {
    let mut text = Text { short: [0; 64], length: 0, long: None };
    write!(text, "{key}").expect("a `Display` of a key has returned an error");
    text.as_str().into()
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    /// A key whose `Display` writes it in three parts.
    struct InParts(usize, usize);

    impl Display for InParts {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "{}ü{}", "a".repeat(self.0), "b".repeat(self.1))
        }
    }

    #[test]
    fn text_is_that_of_to_string_whatever_its_length_and_its_parts() {
        for length in [0, 1, 62, 63, 64, 65, 200] {
            let key = "k".repeat(length);
            assert_eq!(&*text(&key), key);
            for first in [0, 1, 61, 62, 63, 64, 65] {
                let key = InParts(first, length);
                assert_eq!(*text(&key), key.to_string());
            }
        }
    }
}
