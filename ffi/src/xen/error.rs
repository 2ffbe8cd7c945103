//! Why something with Xen failed.

use std::io;

use stream::Pfn;
use thiserror::Error;

/// Why something with Xen failed.
#[derive(Debug, Error)]
pub enum Error {
    /// There is no Xen below, or this process may not speak to it.
    #[error("no Xen here, or no right to use it: cannot open {device}")]
    NoXen {
        /// What could not be opened.
        device: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The hypervisor is of another release than the libxenctrl that was linked.
    #[error(
        "this build speaks to Xen {built} (domctl interface {interface:#x}), the running Xen {running} refuses it"
    )]
    Version {
        /// The release of the libraries.
        built: &'static str,
        /// Their `XEN_DOMCTL_INTERFACE_VERSION`.
        interface: u32,
        /// The release that runs.
        running: String,
        /// What the hypervisor said.
        #[source]
        cause: io::Error,
    },
    /// A call about the whole host failed.
    #[error("{call} failed")]
    Host {
        /// The call.
        call: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A call about one domain failed.
    #[error("{call} failed for domain {domid}")]
    Call {
        /// The call.
        call: &'static str,
        /// The domain.
        domid: u32,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A node of xenstore could not be had.
    #[error("cannot {action} {path} in xenstore")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The node.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// There is no such domain.
    #[error("there is no domain {0}")]
    NoDomain(u32),
    /// Frames of a domain could not be mapped.
    #[error("cannot map frame {frame:#x} of domain {domid}")]
    Map {
        /// The domain.
        domid: u32,
        /// The first frame that failed.
        frame: u64,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Live migration of a PV guest needs a part of the hypervisor that it was built without.
    #[error(
        "domain {0} is a PV guest and this Xen has no shadow paging, which log-dirty of PV guests needs: save it \
         without pre-copy, or boot a Xen built with CONFIG_SHADOW_PAGING"
    )]
    NoShadowPaging(u32),
    /// The guest is of a kind or in a state that cannot be saved, or its own tables are not right.
    #[error("domain {domid}: {fault}")]
    Guest {
        /// The domain.
        domid: u32,
        /// What is wrong, where, with its value.
        fault: String,
    },
    /// A page table of a PV guest does not fit its p2m.
    #[error("page table {pfn}, entry {index}: {fault}")]
    PageTable {
        /// The page table.
        pfn: Pfn,
        /// Which of its 512 entries.
        index: usize,
        /// What is wrong.
        fault: String,
    },
    /// The stream does not fit the domain that it is for.
    #[error("the stream does not fit domain {domid}: {fault}")]
    Misfit {
        /// The domain.
        domid: u32,
        /// What does not fit.
        fault: String,
    },
}
