//! `xc-image` as an administrator runs it.
#![cfg(test)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use stream::libxc::{DomainHeader, DomainKind, Encoder, Record, TscInfo};
use stream::{PAGE_SIZE, PageEntry, PageType, Pfn, libxl, xl};

const CONFIG: &[u8] = b"{\"c_info\": {\"name\": \"web\"}}";
/// The shortest good `HVM_CONTEXT`.
const CONTEXT: &[u8] = b"\x01\0\0\0\x04\0\0\0\x86\x12\x38\x54\0\0\0\0\0\0\0\0";

/// A libxc stream in which page 1 comes twice, the second time full of 2s, and page 9 is a hole.
fn libxc() -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(DomainKind::Hvm);
    encoder.headers(&DomainHeader { kind: DomainKind::Hvm, xen_major: 4, xen_minor: 17 }, &mut out);
    encoder.record(&Record::StaticDataEnd, &mut out).unwrap();
    for content in [1, 2] {
        let entries = [(1, PageType::NoTab), (9, PageType::XTab)];
        encoder.pages(&entries.map(|(pfn, kind)| PageEntry { pfn: Pfn(pfn), kind }), &mut out).unwrap();
        out.extend([content; PAGE_SIZE]);
    }
    let state = [Record::TscInfo(TscInfo::default()), Record::HvmContext(CONTEXT.to_vec()), Record::End];
    state.iter().for_each(|record| encoder.record(record, &mut out).unwrap());
    out
}

fn libxl_stream() -> Vec<u8> {
    let mut out = Vec::new();
    libxl::Header::default().write(&mut out);
    libxl::Record::LibxcContext.write(&mut out).unwrap();
    out.extend(libxc());
    libxl::Record::End.write(&mut out).unwrap();
    out
}

/// What `xl save` writes.
fn saved() -> Vec<u8> {
    let mut out = Vec::new();
    xl::Header { config: CONFIG.to_vec() }.write(&mut out).unwrap();
    out.extend(libxl_stream());
    out
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("xc-image-{name}"))
}

/// Runs `xc-image` with these bytes as its standard input.
fn xc_image(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xc-image"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may find what it looks for, or an error, before it has read all.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn assert_good(args: &[&str], stdout: &[u8]) {
    let output = xc_image(args, &saved());
    assert_eq!((Some(0), ""), (output.status.code(), &*String::from_utf8_lossy(&output.stderr)), "{args:?}");
    assert!(output.stdout == stdout, "{args:?}");
}

fn assert_fails(args: &[&str], stdin: &[u8], stderr: &str) {
    let output = xc_image(args, stdin);
    assert_eq!(
        (Some(1), stderr),
        (output.status.code(), &*String::from_utf8_lossy(&output.stderr)),
        "{args:?}"
    );
}

#[test]
fn verify_tells_good_from_bad() {
    assert_good(&["verify", "-"], b"good: 8 records, 4 page entries\n");
    let mut bad = libxc();
    bad.truncate(bad.len() - 8);
    let end = bad.len();
    let text =
        format!("xc-image: standard input: libxc stream at byte {end}: the stream ends after 0 of 8 bytes\n");
    assert_fails(&["verify", "-"], &bad, &text);
    assert_fails(
        &["verify", "/nonexistent"],
        b"",
        "xc-image: cannot open /nonexistent: No such file or directory (os error 2)\n",
    );
}

#[test]
fn verify_is_stricter_than_inspect() {
    let mut reserved = libxc();
    reserved[30] = 1;
    assert_eq!(Some(1), xc_image(&["verify", "-"], &reserved).status.code());
    let inspect = xc_image(&["inspect", "-"], &reserved);
    assert_eq!(Some(0), inspect.status.code());
    assert!(String::from_utf8(inspect.stdout).unwrap().contains("warning 1 reserved"));
}

#[test]
fn verify_prints_each_record_when_asked() {
    let output = xc_image(&["verify", "-v", "-"], &saved());
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let expected = [
        "LIBXC_CONTEXT",
        "STATIC_DATA_END",
        "PAGE_DATA",
        "PAGE_DATA",
        "X86_TSC_INFO",
        "HVM_CONTEXT",
        "END",
        "END",
        "records,",
    ];
    assert_eq!(expected[..], names);
}

#[test]
fn inspect_tells_scripts_what_is_in_the_file() {
    let output = xc_image(&["inspect", "--json", "-"], &[&saved()[..], b"behind"].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(Value::Bool(true), json["good"]);
    assert_eq!((Some(3), Some("HVM")), (json["libxc"]["version"].as_u64(), json["libxc"]["guest"].as_str()));
    let pages = &json["pages"];
    assert_eq!(
        [Some(4), Some(2), Some(2)],
        ["entries", "distinct", "sent_again"].map(|key| pages[key].as_u64())
    );
    assert_eq!((Some(2), Some(2)), (pages["types"]["NOTAB"].as_u64(), pages["types"]["XTAB"].as_u64()));
    assert_eq!(
        (Some(saved().len() as u64), Some(6)),
        (json["end"].as_u64(), json["trailing_bytes"].as_u64())
    );
}

#[test]
fn inspect_shows_a_damaged_file_up_to_the_damage() {
    let output = xc_image(&["inspect", "--json", "-"], &saved()[..400]);
    assert_eq!(Some(1), output.status.code());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((Some(false), Some("PAGE_DATA")), (json["good"].as_bool(), json["error"]["record"].as_str()));
    assert_eq!(Some(3), json["records"].as_array().map(Vec::len));
}

#[test]
fn extract_copies_parts_out() {
    assert_good(&["extract", "-", "--config", "-"], CONFIG);
    assert_good(&["extract", "-", "--layer", "libxc", "-"], &libxc());
    assert_good(&["extract", "-", "--layer", "libxl", "-"], &libxl_stream());
    assert_good(&["extract", "-", "--page", "0x1", "-"], &[2; PAGE_SIZE]);
    let file = path("libxc");
    assert_good(&["extract", "-", "--layer", "libxc", file.to_str().unwrap()], b"");
    assert_eq!(libxc(), fs::read(&file).unwrap());
    fs::remove_file(&file).unwrap();
}

#[test]
fn extract_says_what_is_not_there() {
    let page = |pfn| ["extract", "-", "--page", pfn, "-"];
    assert_fails(&page("5"), &saved(), "xc-image: standard input has no page 0x5\n");
    let hole = "xc-image: standard input has no data for page 0x9: its last type is XTAB\n";
    assert_fails(&page("9"), &saved(), hole);
    let no_config = "xc-image: standard input has no configuration\n";
    assert_fails(&["extract", "-", "--config", "-"], &libxc(), no_config);
    assert_fails(
        &["extract", "-", "--layer", "libxc", "/dev/full"],
        &saved(),
        "xc-image: cannot write /dev/full: No space left on device (os error 28)\n",
    );
}

#[test]
fn extract_leaves_no_half_part() {
    let file = path("half");
    let bytes = libxc();
    let output =
        xc_image(&["extract", "-", "--layer", "libxc", file.to_str().unwrap()], &bytes[..bytes.len() - 4]);
    assert_eq!(Some(1), output.status.code());
    assert!(!file.exists());
}

#[test]
fn wrong_usage_is_told_apart() {
    for args in [&["extract", "a", "b"][..], &["extract", "a", "b", "--page", "x"], &["look"], &[]] {
        assert_eq!(Some(2), xc_image(args, b"").status.code(), "{args:?}");
    }
}
