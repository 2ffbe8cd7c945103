//! A stream's length fields take no memory: its bytes do.
#![cfg(test)]

use std::fs;

use stream::libxc::Limits;
use stream::{Input, image::Summary, libxl};

/// The most address space that this process ever had, bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// The headers of an HVM stream, `STATIC_DATA_END`, and the start of a record that claims `length` bytes.
fn claim(number: u32, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xff\xff\xff\xff\xff\xff\xff\xffXENF\0\0\0\x03\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(b"\x02\0\0\0\x0c\0\0\0\x04\0\0\0\x11\0\0\0\x10\0\0\0\0\0\0\0");
    bytes.extend(number.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// One test alone in its process, because the peak is the process's.
#[test]
fn claims_without_bytes_take_no_memory() {
    const ALLOWED: u64 = 4 << 20;
    let before = peak();
    let pages = [(1_u32 << 20).to_le_bytes(), [0; 4]].concat();
    let hostile = [
        // PAGE_DATA of 128 MiB with a million entries; HVM_CONTEXT and X86_CPUID_POLICY of 32 MiB; an optional one.
        claim(1, 128 << 20, &pages),
        claim(9, 32 << 20, &[0; 100]),
        claim(0x11, 32 << 20, &[]),
        claim(0x8000_0000, 128 << 20, &[0; 9]),
    ];
    for bytes in hostile {
        let summary = Summary::read(Input::new(&bytes[..]), Limits::default());
        assert!(summary.error.is_some());
    }
    let emulator = [3_u32.to_le_bytes(), (32_u32 << 20).to_le_bytes()].concat();
    assert!(libxl::Record::read(&mut Input::new(&emulator[..])).is_err());

    let grown = peak() - before;
    assert!(grown <= ALLOWED, "{grown} bytes");
}
