//! Stages whose items run one by one and end in any order: they enter at a serial point, the [`Inlet`], which numbers them, and leave by the
//! `Outlet`, which puts the results back in order and passes on in chunks what is complete.

mod counts;
mod inlet;
mod outlet;
mod ring;
mod share;

pub(super) use counts::Counts;
pub(super) use inlet::{Inlet, Queue};
pub(super) use ring::{End, Ended, Entry};
pub(super) use share::Share;
