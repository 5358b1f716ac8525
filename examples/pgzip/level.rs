//! The nine flags `-1` to `-9`, of which the last one given counts.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use flate2::Compression;

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(u32);

const FLAGS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const DEFAULT: u32 = 6;

impl Level {
    /// Level 1 of `zlib-rs` is twice as fast as its level 2, and its files are a fifth larger than what `gzip -1` writes; from its level 2
    /// on they are about as large as those of the same level. So `-1` is level 2: nobody who has used `gzip -1` gets larger files.
    pub(crate) fn compression(self) -> Compression {
        Compression::new(self.0.max(2))
    }

    /// The extra flags of the header: how the compressor was set.
    pub(crate) fn header_flags(self) -> u8 {
        match self.0 {
            9 => 2,
            1 => 4,
            _ => 0,
        }
    }
}

impl Args for Level {
    fn augment_args(command: Command) -> Command {
        (1..).zip(FLAGS).fold(command, |command, (level, flag)| {
            let arg = Arg::new(flag).short(char::from_digit(level, 10)).action(ArgAction::SetTrue);
            let arg = arg.overrides_with_all(FLAGS);
            command.arg(match level {
                1 => arg.long("fast").help("Compress fast, to a larger file"),
                DEFAULT => arg.help("Compress as is usual; this is the default, and -2 to -8 lie between"),
                9 => arg.long("best").help("Compress slowly, to a smaller file"),
                _ => arg.hide(true),
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Level {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = (1..).zip(FLAGS).find(|(_, flag)| matches.get_flag(flag));
        Ok(Self(given.map_or(DEFAULT, |(level, _)| level)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
