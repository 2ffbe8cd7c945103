//! libxl as the toolstack of a save.

use std::time::Duration;

use engine::libxc::DomainKind;
use engine::{BoxError, Toolstack};

use super::{Channel, Request};

/// Suspends the guest, and tells its devices to log their writes, by asking libxl.
#[derive(Debug)]
pub struct HelperToolstack<'a> {
    channel: &'a Channel,
    domid: u32,
    kind: DomainKind,
}

impl<'a> HelperToolstack<'a> {
    /// The toolstack of this domain.
    #[must_use]
    pub fn new(channel: &'a Channel, domid: u32, kind: DomainKind) -> Self {
        Self { channel, domid, kind }
    }
}

impl Toolstack for HelperToolstack<'_> {
    fn suspend(&mut self) -> Result<Option<Duration>, BoxError> {
        self.channel.ask(&Request::Suspend)?;
        Ok(None)
    }

    /// Nothing: libxl owns the guest, and resumes it when it hears `complete` with an error. A guest that both
    /// resumed would be resumed in the middle of what the other one does.
    fn resume(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// A PV guest has no device model that writes its memory, so libxl is not asked.
    fn log_device_writes(&mut self, on: bool) -> Result<(), BoxError> {
        if self.kind == DomainKind::Hvm {
            self.channel.ask(&Request::SwitchQemuLogdirty { domid: self.domid, enable: on })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::*;
    use crate::helper::Callbacks;

    /// What a toolstack sends for all its calls, while libxl answers yes.
    fn dialogue(kind: DomainKind) -> Vec<u8> {
        let yes: &[u8] = match kind {
            DomainKind::Hvm => &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            DomainKind::Pv => &[1, 0, 0, 0],
        };
        let (mut sent, output) = io::pipe().unwrap();
        let channel = Channel::new(yes, output, Callbacks(136));
        let mut toolstack = HelperToolstack::new(&channel, 5, kind);
        toolstack.log_device_writes(true).unwrap();
        toolstack.suspend().unwrap();
        toolstack.resume().unwrap();
        toolstack.log_device_writes(false).unwrap();
        drop(channel);
        let mut bytes = Vec::new();
        sent.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_pv_guest_has_no_devices_that_log() {
        assert_eq!(dialogue(DomainKind::Pv), Request::Suspend.encode());
    }

    #[test]
    fn an_hvm_guest_has() {
        let on = Request::SwitchQemuLogdirty { domid: 5, enable: true }.encode();
        let off = Request::SwitchQemuLogdirty { domid: 5, enable: false }.encode();
        assert_eq!(dialogue(DomainKind::Hvm), [on, Request::Suspend.encode(), off].concat());
    }
}
