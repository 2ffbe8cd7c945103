//! The connection to the hypervisor.

use std::ffi::{c_char, c_int};
use std::io;
use std::ptr::{self, NonNull};

use super::{Error, sys};

/// The release that the linked libxenctrl belongs to; its interface to the hypervisor changes with each.
const BUILT_FOR: &str = "4.17";
/// What the connection goes through; it exists where Linux runs on Xen.
const DEVICE: &str = "/dev/xen/privcmd";

/// A connection to the hypervisor. It is not shared between threads: each opens its own.
#[derive(Debug)]
pub struct Xen(NonNull<sys::xc_interface>);

// SAFETY: the handle belongs to no thread; it is only not to be used by two at once, so it is not `Sync`.
unsafe impl Send for Xen {}

impl Xen {
    /// Connects, and asks the hypervisor one thing to see whether it understands us.
    ///
    /// # Errors
    /// [`Error::NoXen`] where there is none, [`Error::Version`] when it is of another release.
    pub fn open() -> Result<Self, Error> {
        // SAFETY: the logger is null or lives for ever; flags 0.
        let handle = unsafe { sys::xc_interface_open(logger(), logger(), 0) };
        let Some(handle) = NonNull::new(handle) else {
            return Err(Error::NoXen { device: DEVICE, cause: io::Error::last_os_error() });
        };
        let xen = Self(handle);
        xen.check_interface()?;
        Ok(xen)
    }

    /// The running Xen's version, major and minor.
    ///
    /// # Errors
    /// When the hypervisor does not say.
    pub fn version(&self) -> Result<(u32, u32), Error> {
        let command = c_int::try_from(sys::XENVER_version).unwrap_or(0);
        // SAFETY: this command takes no argument.
        let version = unsafe { sys::xc_version(self.raw(), command, ptr::null_mut()) };
        let version = u32::try_from(version).map_err(|_| host_error("xc_version"))?;
        Ok((version >> 16, version & 0xffff))
    }

    /// Asks about domain 0, which always exists: a hypervisor of another release refuses any domctl.
    fn check_interface(&self) -> Result<(), Error> {
        let mut info = sys::xc_domaininfo_t::default();
        // SAFETY: room for the one entry that is asked for.
        let found = unsafe { sys::xc_domain_getinfolist(self.raw(), 0, 1, &raw mut info) };
        if found >= 0 {
            return Ok(());
        }
        let cause = io::Error::last_os_error();
        if cause.raw_os_error() != Some(libc::EACCES) {
            return Err(Error::NoXen { device: DEVICE, cause });
        }
        let (major, minor) = self.version()?;
        let interface = sys::XEN_DOMCTL_INTERFACE_VERSION;
        Err(Error::Version { built: BUILT_FOR, interface, running: format!("{major}.{minor}"), cause })
    }

    pub(super) fn raw(&self) -> *mut sys::xc_interface {
        self.0.as_ptr()
    }
}

impl Drop for Xen {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once. Closing fails only with a handle that was never open.
        unsafe { sys::xc_interface_close(self.raw()) };
    }
}

/// The error of a call that just failed and concerns no single domain.
pub(super) fn host_error(call: &'static str) -> Error {
    Error::Host { call, cause: io::Error::last_os_error() }
}

/// The logger for Xen's libraries: it drops everything, for what they print on failure is in our errors, and the
/// standard error of a tool is its own.
pub(super) fn logger() -> *mut sys::xentoollog_logger {
    (&raw const SILENT.0).cast_mut()
}

struct Silent(sys::xentoollog_logger);

static SILENT: Silent =
    Silent(sys::xentoollog_logger { vmessage: Some(drop_message), progress: None, destroy: None });

// SAFETY: nobody writes to it: the libraries only call its functions, and those have no state.
unsafe impl Sync for Silent {}

unsafe extern "C" fn drop_message(
    _logger: *mut sys::xentoollog_logger,
    _level: sys::xentoollog_level,
    _errno: c_int,
    _context: *const c_char,
    _format: *const c_char,
    _arguments: *mut sys::__va_list_tag,
) {
}
