//! Any bytes, through all three layers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stream::Input;
use stream::image::Summary;
use stream::libxc::{Limits, StreamUse};

fuzz_target!(|bytes: &[u8]| {
    let read = |input| Summary::read(input, Limits::default());
    let (strict, tolerant) = (read(Input::strict(bytes)), read(Input::new(bytes)));
    if strict.error.is_none() {
        // What is right to the letter is right for a restore, without a warning.
        assert!(tolerant.error.is_none());
        assert_eq!(0, tolerant.warnings);
        assert_eq!((strict.end, strict.rows), (tolerant.end, tolerant.rows));
    }
    let checkpointed = Limits { stream_use: StreamUse::Checkpointed, ..Limits::default() };
    let _ = Summary::read(Input::new(bytes), checkpointed);
});
