//! A line of the table: `prefix gateway metric`.

use std::net::{AddrParseError, Ipv4Addr};
use std::num::ParseIntError;

/// A line that counts, and its number in the file, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
}

/// What a good line says, as it says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) address: Ipv4Addr,
    pub(crate) length: u8,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) metric: u32,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseError {
    #[error("{0} fields instead of prefix, gateway and metric")]
    Fields(usize),
    #[error("prefix {0:?} has no /length")]
    NoLength(String),
    #[error("prefix length {0:?} is not 0 to 32")]
    Length(String),
    #[error("prefix {0:?}: {1}")]
    Prefix(String, AddrParseError),
    #[error("gateway {0:?}: {1}")]
    Gateway(String, AddrParseError),
    #[error("metric {0:?}: {1}")]
    Metric(String, ParseIntError),
}

/// A line that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {error}")]
pub(crate) struct BadLine {
    pub(crate) number: usize,
    #[source]
    pub(crate) error: ParseError,
}

/// The lines that count: not the empty ones, and without comments.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let numbered = text.lines().zip(1..).map(|(line, number)| {
        let text = line.split('#').next().unwrap_or_default().trim();
        Line { number, text }
    });
    numbered.filter(|line| !line.text.is_empty()).collect()
}

impl Line<'_> {
    pub(crate) fn parse(self) -> Result<Entry, BadLine> {
        entry(self.text).map_err(|error| BadLine { number: self.number, error })
    }
}

fn entry(text: &str) -> Result<Entry, ParseError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [prefix, gateway, metric] = fields[..] else { return Err(ParseError::Fields(fields.len())) };
    let (address, length) = prefix.split_once('/').ok_or_else(|| ParseError::NoLength(prefix.to_owned()))?;
    Ok(Entry {
        address: address.parse().map_err(|error| ParseError::Prefix(prefix.to_owned(), error))?,
        length: length
            .parse()
            .ok()
            .filter(|length| *length <= 32)
            .ok_or_else(|| ParseError::Length(length.to_owned()))?,
        gateway: gateway.parse().map_err(|error| ParseError::Gateway(gateway.to_owned(), error))?,
        metric: metric.parse().map_err(|error| ParseError::Metric(metric.to_owned(), error))?,
    })
}
