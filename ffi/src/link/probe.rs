//! What can be known of a link before it is used.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// `discard`: a socket that is only connected sends nothing there.
const DISCARD_PORT: u16 = 9;

/// The address that this machine would send from to reach that one, and the largest packet that the kernel knows
/// to fit the path (bytes). Nothing is sent.
///
/// # Errors
/// When there is no route.
pub fn path_mtu(to: IpAddr) -> io::Result<(IpAddr, u32)> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(SocketAddr::new(to, DISCARD_PORT))?;
    Ok((socket.local_addr()?.ip(), mtu(&socket, to.is_ipv4())?))
}

/// nix has this option for IPv4 alone.
fn mtu(socket: &UdpSocket, is_ipv4: bool) -> io::Result<u32> {
    let (level, option) =
        if is_ipv4 { (libc::IPPROTO_IP, libc::IP_MTU) } else { (libc::IPPROTO_IPV6, libc::IPV6_MTU) };
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: value and length are of the types that the option has, and outlive the call.
    let answer = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length)
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    u32::try_from(value).map_err(io::Error::other)
}

/// How much a file in this directory may take, bytes.
///
/// # Errors
/// When there is no such directory.
pub fn space_left(directory: &Path) -> io::Result<u64> {
    let found = statvfs(directory)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}
