//! Whether something else ran on the cores while the first case of a group was measured.

use std::fs;

/// A first case whose largest time is this many times its smallest shared its core for a part of the rounds.
const SPREAD: f64 = 1.25;
/// A first case that stood ready without a core for this share of its time shared it in all of them.
const WAITED: f64 = 0.05;

/// How long the calling thread has stood ready without a core, in nanoseconds; zero where the system does not say.
///
/// Linux tells it in the second field of `schedstat`. A plain loop on a quiet machine hardly ever waits; a first
/// case with threads of its own may wait for those, so for it the figure means nothing.
pub(crate) fn waited() -> f64 {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedstat.split_whitespace().nth(1).and_then(|field| field.parse().ok()).unwrap_or(0.0)
}

/// What to say below a table whose first case had those sorted times, and waited for that share of them.
pub(crate) fn verdict(times: &[f64], waited: f64) -> Option<String> {
    let spread = times[times.len() - 1] / times[0];
    let what = if waited > WAITED {
        format!("waited for a core for {:.0} % of its time", waited * 100.0)
    } else if spread > SPREAD {
        format!("moved by a factor of {spread:.2}")
    } else {
        return None;
    };
    Some(format!("Disturbed, not to be quoted: the first case itself {what}."))
}
