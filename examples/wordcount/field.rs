//! What a log line says in a field.

use clap::ValueEnum;

/// What log lines are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Field {
    /// How serious it is: the first word that is a usual name of a level, such as INFO or warning
    Level,
    /// What was asked for, in the log of a web server: the path, without the query
    Path,
    /// How that was answered, in the log of a web server: the status
    Status,
}

/// Each name that is in use, and the one it is counted as.
const LEVELS: [(&str, &str); 16] = [
    ("trace", "TRACE"),
    ("debug", "DEBUG"),
    ("info", "INFO"),
    ("information", "INFO"),
    ("notice", "NOTICE"),
    ("warn", "WARN"),
    ("warning", "WARN"),
    ("err", "ERROR"),
    ("error", "ERROR"),
    ("severe", "ERROR"),
    ("crit", "CRITICAL"),
    ("critical", "CRITICAL"),
    ("alert", "ALERT"),
    ("emerg", "EMERGENCY"),
    ("emergency", "EMERGENCY"),
    ("fatal", "FATAL"),
];

impl Field {
    /// In the words of the help and of messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Path => "path",
            Self::Status => "status",
        }
    }

    /// What the line says, or nothing if it does not.
    pub(crate) fn find(self, line: &str) -> Option<&str> {
        match self {
            Self::Level => line
                .split(|character: char| !character.is_alphanumeric())
                .find_map(|word| LEVELS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)))
                .map(|(_, level)| *level),
            Self::Path => {
                let (request, _) = request(line)?;
                let mut words = request.split(' ');
                let target =
                    words.nth(1).filter(|_| words.next().is_some_and(|it| it.starts_with("HTTP/")))?;
                target.split('?').next()
            }
            Self::Status => {
                let (_, rest) = request(line)?;
                let status = rest.split_whitespace().next()?;
                Some(status).filter(|text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()))
            }
        }
    }
}

/// The first text in double quotes, and what stands behind it: `"GET /mill?wheel=2 HTTP/1.1" 200 5120`, as Apache and nginx
/// write it.
fn request(line: &str) -> Option<(&str, &str)> {
    line.split_once('"')?.1.split_once('"')
}
