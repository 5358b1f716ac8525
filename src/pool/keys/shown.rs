//! A key as text, for logs.

use std::fmt;

use super::key::Key;

/// Text and integers as they are; other types by name and hash, which tells their values apart within one process.
#[cfg_attr(not(feature = "tracing"), allow(dead_code))] // made, and not shown to anybody
pub(in crate::pool) struct Shown<'a>(&'a Key);

impl Key {
    pub(in crate::pool) fn shown(&self) -> Shown<'_> {
        Shown(self)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        macro_rules! as_it_is {
            ($($plain:ty)*) => {$(
                if let Some(value) = self.0.downcast_ref::<$plain>() {
                    return fmt::Display::fmt(value, formatter);
                }
            )*};
        }
        as_it_is!(&'static str String std::sync::Arc<str> Box<str> char bool);
        as_it_is!(u64 u32 usize i32 i64 u8 u16 u128 i8 i16 isize i128);
        write!(formatter, "{}#{:016x}", self.0.type_name(), self.0.hash())
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn text_and_numbers_are_shown_and_other_keys_are_told_apart() {
        assert_eq!(Key::new("account 7").shown().to_string(), "account 7");
        assert_eq!(Key::new("account 7".to_owned()).shown().to_string(), "account 7");
        assert_eq!(Key::new(-3_i64).shown().to_string(), "-3");
        let [one, same, other] =
            [(1, 2), (1, 2), (2, 1)].map(|key: (u8, u8)| Key::new(key).shown().to_string());
        assert!(one.starts_with("(u8, u8)#"), "{one}");
        assert_eq!(one, same);
        assert_ne!(one, other);
    }
}
