//! libxl says no, or something that means nothing.

use super::libxl::{Act, Ended, Heard, Libxl};
use super::{directory, stream_file};

const LIVE: &str = "--save-domain 5 0 7 1 136 0";

fn answered(test: &str, wanted: &Heard, reply: i32) -> Ended {
    let directory = directory(test);
    let libxl = Libxl::start(&directory, LIVE, stream_file(&directory));
    let mut left = true;
    libxl.run(|_, heard| {
        // The first time only: what is asked to undo it is answered.
        if heard == wanted && std::mem::take(&mut left) { Act::Answer(reply) } else { Act::Yes }
    })
}

#[test]
fn every_no_fails_the_save_and_frees_the_source() {
    let on = Heard::SwitchQemuLogdirty { domid: 7, enable: 1 };
    let off = Heard::SwitchQemuLogdirty { domid: 7, enable: 0 };
    let no_devices =
        "switching log-dirty on failed: libxl could not: it answered switch_qemu_logdirty with -1";
    let no_suspend = "suspending the guest failed: libxl could not: it answered suspend with 0";
    for (message, reply, text) in [
        (&on, -1, no_devices),
        (&on, 1, "libxl answered switch_qemu_logdirty with 1, which means nothing"),
        (&Heard::Suspend, 0, no_suspend),
        (&Heard::Suspend, -1, "libxl answered suspend with -1, which means nothing"),
        (&Heard::Suspend, 2, "libxl answered suspend with 2, which means nothing"),
        (
            &off,
            -1,
            "switching log-dirty off failed: libxl could not: it answered switch_qemu_logdirty with -1",
        ),
    ] {
        let ended = answered("refused", message, reply);
        assert_eq!((ended.code, ended.complete()), (Some(0), Some((-1, libc::EIO))), "{ended:#?}");
        assert!(ended.error().contains(text), "{}", ended.error());
        ended.assert_source_is_free();
        // A device model that refused to log was never switched on.
        assert_eq!(ended.qemu_logs(), Some(*message == on), "{ended:#?}");
    }
}

#[test]
fn a_strange_answer_to_complete_is_no_success() {
    let ended = answered("complete", &Heard::Complete { retval: 0, errno: 0 }, 1);
    assert_eq!(ended.code, Some(254));
    assert!(
        ended.stderr.contains("libxl was not told of the outcome (all went well): libxl answered complete")
    );
}

#[test]
fn a_libxl_without_the_callback_is_not_asked() {
    let directory = directory("no-callback");
    let args = "--save-domain 5 0 7 1 8 0";
    let ended = Libxl::start(&directory, args, stream_file(&directory)).run(|_, _| Act::Yes);
    assert_eq!(ended.steps(), [&Heard::Complete { retval: -1, errno: libc::EIO }]);
    assert!(ended.error().ends_with("libxl does not take switch_qemu_logdirty (callbacks 0x8)"));
    ended.assert_source_is_free();
}
