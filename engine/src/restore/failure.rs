//! Whose failure it is: the stream's, the target's, or a wish to stop.

use std::io;

use crate::{Abort, BoxError, Error, Phase};

/// A link that was aborted looks like a stream that cannot be read.
pub(super) fn unless_aborted(abort: &Abort, cause: stream::Error) -> Error {
    match abort.reason() {
        Some(reason) => Error::Aborted(reason.into()),
        None => Error::Receive { phase: Phase::Receive, cause },
    }
}

/// The target read from the stream: the error may be the stream's.
pub(super) fn written(result: Result<(), BoxError>, abort: &Abort) -> Result<(), Error> {
    result.map_err(|cause| match as_stream_error(cause) {
        Ok(cause) => unless_aborted(abort, cause),
        Err(cause) => failed("writing the guest's pages")(cause),
    })
}

pub(super) fn failed(step: &'static str) -> impl Fn(BoxError) -> Error {
    move |cause| Error::World { phase: Phase::Receive, step, cause }
}

/// Finds the stream's error in the `io::Error` that [`Reader::data`](stream::libxc::Reader::data) wraps it in.
fn as_stream_error(cause: BoxError) -> Result<stream::Error, BoxError> {
    let io = cause.downcast::<io::Error>()?;
    if !io.get_ref().is_some_and(|inner| inner.is::<stream::Error>()) {
        return Err(io);
    }
    io.downcast::<stream::Error>().map_err(Into::into)
}
