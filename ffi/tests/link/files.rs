//! Files: there whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use engine::{Abort, Link};
use ffi::link::{LinkSpec, open_receive, open_send};
use nix::fcntl::{Flock, FlockArg};

use super::{directory, pages, receive_from, send_to};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_with_its_commit() {
    let dir = directory("commit");
    let spec = LinkSpec::File(dir.join("web.img"));
    let (guest, flat) = pages(3000);
    let mut link = send_to(&spec);
    assert!(!link.is_duplex() && link.is_durable());
    link.send(b"head", &[&guest[..1000], &guest[1000..]]).unwrap();
    assert_eq!(names(&dir), [format!(".web.img.xc-save-{}.part", std::process::id())]);
    link.commit().unwrap();
    assert_eq!(names(&dir), ["web.img"]);
    assert_eq!(fs::metadata(dir.join("web.img")).unwrap().permissions().mode() & 0o777, 0o600);

    let mut link = receive_from(&spec);
    let (mut head, mut body) = ([0; 4], Vec::new());
    link.read_exact(&mut head).unwrap();
    link.read_to_end(&mut body).unwrap();
    assert_eq!(&head, b"head");
    assert!(body == flat);
}

#[test]
fn a_file_that_is_not_committed_was_never_there() {
    let dir = directory("dropped");
    let path = dir.join("web.img");
    let mut link = send_to(&LinkSpec::File(path.clone()));
    link.send(b"half", &[]).unwrap();
    drop(link);
    assert!(names(&dir).is_empty());

    fs::write(&path, "old").unwrap();
    let mut link = send_to(&LinkSpec::File(path.clone()));
    link.send(b"half", &[]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    drop(link);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&dir), ["web.img"]);
}

#[test]
fn a_failed_commit_keeps_the_old_file() {
    let dir = directory("failed");
    let path = dir.join("web.img");
    fs::write(&path, "old").unwrap();
    let mut link = send_to(&LinkSpec::File(path.clone()));
    link.send(b"new", &[]).unwrap();
    fs::remove_file(dir.join(format!(".web.img.xc-save-{}.part", std::process::id()))).unwrap();
    let error = link.commit().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot finish {}", path.display()));
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_commit_replaces_the_old_file_and_follows_a_symbolic_link() {
    let dir = directory("replaced");
    fs::create_dir(dir.join("disk")).unwrap();
    fs::write(dir.join("disk/real"), "old").unwrap();
    fs::set_permissions(dir.join("disk/real"), Permissions::from_mode(0o644)).unwrap();
    symlink("disk/real", dir.join("name")).unwrap();
    let mut link = send_to(&LinkSpec::File(dir.join("name")));
    link.send(b"new", &[]).unwrap();
    link.commit().unwrap();
    assert!(fs::symlink_metadata(dir.join("name")).unwrap().is_symlink());
    assert_eq!(fs::read(dir.join("disk/real")).unwrap(), b"new");
    assert_eq!(fs::metadata(dir.join("disk/real")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&dir.join("disk")), ["real"]);
}

#[test]
fn what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays() {
    let dir = directory("leftovers");
    let living = ".web.img.xc-save-1000001.part";
    for name in
        [living, ".web.img.xc-save-1000002.part", ".other.xc-save-1000003.part", ".web.img.xc-save-x.part"]
    {
        fs::write(dir.join(name), "").unwrap();
    }
    let file = File::open(dir.join(living)).unwrap();
    let lock = Flock::lock(file, FlockArg::LockExclusive).unwrap();
    send_to(&LinkSpec::File(dir.join("web.img"))).commit().unwrap();
    assert_eq!(names(&dir), [".other.xc-save-1000003.part", living, ".web.img.xc-save-x.part", "web.img"]);
    drop(lock);
    send_to(&LinkSpec::File(dir.join("web.img"))).commit().unwrap();
    assert_eq!(names(&dir), [".other.xc-save-1000003.part", ".web.img.xc-save-x.part", "web.img"]);
}

#[test]
fn devices_are_written_directly() {
    let (guest, _) = pages(10);
    let mut null = send_to(&LinkSpec::File("/dev/null".into()));
    assert!(!null.is_durable());
    null.send(b"head", &[&guest]).unwrap();
    null.commit().unwrap();

    let mut full = send_to(&LinkSpec::File("/dev/full".into()));
    assert_eq!(full.send(b"head", &[&guest]).unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn what_cannot_be_opened_is_refused_at_once() {
    let dir = directory("refused");
    for path in [dir.clone(), dir.join("none/web.img"), "/".into()] {
        let error = open_send(&LinkSpec::File(path.clone()), &Abort::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot send to {}", path.display()));
    }
    open_receive(&LinkSpec::File(dir.join("none")), &Abort::new(), |_| ()).unwrap_err();
    let mut directory = receive_from(&LinkSpec::File(dir));
    assert_eq!(directory.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::IsADirectory);
}
