//! The wire as its users see it: golden bytes, round trips, hostile streams.
#![cfg(test)]

mod golden;
mod hostile;
mod hostile_outer;
mod image;
mod limits;
mod reading;
mod round_trip;
mod support;
