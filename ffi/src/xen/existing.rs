//! A domain that the toolstack has built and that never ran, as the target of a stream.

use stream::Pfn;

use super::Error;
use super::store::Store;
use super::target::{Backend, TargetSettings, XenTarget};

/// Where xenstored and xenconsoled are; in a domain of their own they are the toolstack's business.
const DOM0: u16 = 0;

impl XenTarget {
    /// Opens a PVH domain that was created and never ran (`xl create -p`). What it was given to boot from is
    /// thrown away; its rings stay where they are, for xenstored and xenconsoled use them already.
    ///
    /// # Errors
    /// When there is no such domain, when it is PV or HVM, or when it has run.
    pub fn open_existing(domid: u32) -> Result<Self, Error> {
        let store = Store::open()?;
        let settings =
            TargetSettings { store: port(&store, domid, "store")?, console: port(&store, domid, "console")? };
        let mut target = Self::open(domid, settings)?;
        let domain = &target.domain;
        let info = domain.info()?;
        if !info.hvm {
            return Err(domain.fault("a PV guest cannot be put into a domain that was built for another"));
        }
        domain.refuse_device_model()?;
        if info.cpu_time > 0 || !info.paused {
            return Err(
                domain.fault("it has run, so what is in it may be of use: create one with `xl create -p`")
            );
        }
        target.kept = domain.hvm_rings()?;
        target.empty(info.tot_pages)?;
        Ok(target)
    }

    /// Takes all memory away but what is kept.
    fn empty(&mut self, tot_pages: u64) -> Result<(), Error> {
        let limit = self.domain.frame_limit()?;
        let layout = self.domain.layout(limit, tot_pages)?;
        let full =
            (0..limit).map(Pfn).filter(|&pfn| layout.kind(pfn).is_populated() && !self.kept.contains(&pfn));
        self.domain.remove_frames(&mut full.map(|pfn| pfn.0).collect::<Vec<_>>())
    }
}

fn port(store: &Store, domid: u32, ring: &str) -> Result<Backend, Error> {
    let path = format!("/local/domain/{domid}/{ring}/port");
    let value = store.read(&path)?.unwrap_or_default();
    let port = value.parse();
    let port =
        port.map_err(|_| Error::Guest { domid, fault: format!("{path} in xenstore is {value:?}, no port") })?;
    Ok(Backend { domid: DOM0, port })
}
