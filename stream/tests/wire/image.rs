//! The walk over a whole file.

use stream::image::{RecordLine, Summary};
use stream::libxc::{DomainKind, Limits, RecordType};
use stream::{Fault, Input, Layer, libxl, xl};

use crate::support::{hvm, pv, raw_record};

/// A file of `xl save`.
fn file(libxc: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    xl::Header { config: b"{}".to_vec() }.write(&mut out).unwrap();
    out.extend(libxl_stream(libxc));
    out
}

fn libxl_stream(libxc: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    libxl::Header::default().write(&mut out);
    libxl::Record::LibxcContext.write(&mut out).unwrap();
    out.extend_from_slice(libxc);
    let emulator = libxl::Emulator { id: 2, index: 0, data: vec![1; 5] };
    libxl::Record::EmulatorContext(emulator).write(&mut out).unwrap();
    libxl::Record::End.write(&mut out).unwrap();
    out
}

fn summary(bytes: &[u8]) -> Summary {
    Summary::read(Input::strict(bytes), Limits::default())
}

#[test]
fn all_layers_are_found() {
    let libxc = hvm().bytes();
    let cases =
        [(libxc.clone(), false, false), (libxl_stream(&libxc), false, true), (file(&libxc), true, true)];
    for (bytes, has_xl, has_libxl) in cases {
        let summary = summary(&[&bytes[..], b"behind"].concat());
        assert!(summary.error.is_none(), "{:?}", summary.error);
        assert_eq!((has_xl, has_libxl), (summary.xl.is_some(), summary.libxl.is_some()));
        assert_eq!(DomainKind::Hvm, summary.libxc.unwrap().header.kind);
        assert_eq!((Some(bytes.len() as u64), 6), (summary.end, summary.trailing));
        assert_eq!((3, Some(3)), (summary.pages.total(), summary.pages.distinct()));
    }
}

#[test]
fn the_table_has_every_record_in_the_order_of_the_file() {
    let mut lines = Vec::new();
    let bytes = file(&pv().bytes());
    let summary = Summary::read_with(Input::strict(&bytes[..]), Limits::default(), |line| lines.push(*line));
    let names: Vec<_> = lines.iter().map(|line| line.name).collect();
    assert_eq!(("LIBXC_CONTEXT", "X86_PV_INFO", "END"), (names[0], names[1], names[names.len() - 1]));
    assert_eq!(lines.len() as u64, summary.rows.iter().map(|row| row.count).sum::<u64>());
    for RecordLine { offset, length, .. } in lines {
        let at = usize::try_from(offset).unwrap() + 4;
        assert_eq!(length.to_le_bytes(), bytes[at..at + 4]);
    }
}

#[test]
fn the_first_error_is_reported_with_what_came_before() {
    let bad = hvm().replace(RecordType::TscInfo, &raw_record(8, &[0; 8]));
    let bytes = file(&bad.bytes());
    let summary = summary(&bytes);
    let error = summary.error.unwrap();
    assert_eq!((Layer::Libxc, Some("X86_TSC_INFO")), (error.layer, error.record));
    let at = usize::try_from(error.offset).unwrap();
    assert_eq!(8, bytes[at]);
    assert!(summary.rows.iter().any(|row| row.name == "PAGE_DATA"));
    assert_eq!(None, summary.end);
}

#[test]
fn what_is_no_saved_domain_is_refused() {
    let elf = summary(b"\x7fELF\0\0\0\0\0\0").error.unwrap();
    assert!(matches!(elf.fault, Fault::NoImage(0x7f45_4c46_0000_0000)), "{elf}");
    assert!(matches!(summary(b"Xen").error.unwrap().fault, Fault::Truncated { wanted: 8, got: 3 }));
}

#[test]
fn the_libxl_stream_holds_one_libxc_stream_and_begins_with_it() {
    let mut no_context = Vec::new();
    libxl::Header::default().write(&mut no_context);
    libxl::Record::End.write(&mut no_context).unwrap();
    assert!(matches!(summary(&no_context).error.unwrap().fault, Fault::NoLibxcContext));

    let mut twice = libxl_stream(&hvm().bytes());
    twice.truncate(twice.len() - 8);
    libxl::Record::LibxcContext.write(&mut twice).unwrap();
    assert!(matches!(summary(&twice).error.unwrap().fault, Fault::Twice));
}
