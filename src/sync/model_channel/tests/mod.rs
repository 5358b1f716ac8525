//! The model channel answers as crossbeam's does: named claims on both, and random operations compared.

mod conformance;
mod equivalence;
